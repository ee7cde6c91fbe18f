/** Starts daemons in the background: because a call needs one, or because it was asked for. */
import path from 'node:path';
import { sendStop } from '../../protocol/client.js';
import { callTimeoutOf } from '../../compose.js';
import { isOtherManaged } from '../../daemon/service-manager.js';
import { isMidcltError, MidcltError } from '../../errors.js';
import { daemonPaths } from '../../files/paths.js';
import { DEFAULT_CALL_TIMEOUT, VERSION } from '../../protocol/frames.js';
import { DEFAULT_URI, parseTarget } from '../../middleware/uri.js';
import type { StatusReport } from '../../protocol/status.js';
import { ownCommand } from '../../text/own-command.js';
import { isOlder } from '../../protocol/version.js';
import type { Arguments } from '../args/arguments.js';
import { look } from './daemons.js';
import { startDetached } from '../../daemon/handover.js';
import { isTerminal, sayLine } from '../output/output.js';
import { isTerminalThere } from '../../login/prompt.js';
import { toLoginTarget } from '../../login/target.js';

/**
 * Resolves when the daemon for which `missing` was the error accepts connections, whoever has
 * started it. Rejects with that error where none can be started without asking, or with the
 * reason for which none has started.
 */
export async function startForCall(args: Arguments, missing: MidcltError): Promise<void> {
  if (!canLogIn(args) && !canAsk(args)) throw missing;
  try {
    await start(args, DEFAULT_CALL_TIMEOUT);
  } catch (error) {
    if (!isMidcltError(error)) throw error;
    if (error.code === 'RUNNING') return; // somebody else was faster
    if (error.code === 'CONNECT' && args.uri === null) {
      // No TrueNAS here at all: what the Python client says, and why.
      throw new MidcltError('NO_DAEMON', `${missing.message}\n${error.message}`);
    }
    const text = `No daemon is running, and none could be started: ${error.message}`;
    throw new MidcltError(error.code, text);
  }
}

/** What `daemon --detach` came to: a daemon, and its log file (null: stderr), or the one there was. */
export type Started =
  | { readonly kind: 'started'; readonly logFile: string | null }
  | { readonly kind: 'running'; readonly who: string };

/** `daemon --detach`. Nothing is asked for where a daemon runs already. Rejects if that can't be used. */
export async function startInBackground(args: Arguments): Promise<Started> {
  const running = await runningOf(args);
  if (running) return running;
  try {
    return { kind: 'started', logFile: await start(args, callTimeoutOf(process.env)) };
  } catch (error) {
    if (!isMidcltError(error) || error.code !== 'RUNNING') throw error;
    const winner = await runningOf(args); // somebody else was faster
    if (winner) return winner;
    throw error;
  }
}

async function runningOf(args: Arguments): Promise<Started | null> {
  const { uri, username, insecure } = args;
  const { state, socket, pid, problem, report } = await look(daemonPaths(uri, username));
  if (state === 'gone') return null;
  const who = `${pid === null ? '' : ` (pid ${pid})`} at ${socket}`;
  if (state === 'unusable') throw new MidcltError('FILES', problem ?? state);
  const isOther = (report?.middleware.insecure ?? insecure) !== insecure;
  if (state !== 'hung' && !(isOther && /^wss:/i.test(uri ?? ''))) return { kind: 'running', who };
  const why = isOther
    ? `It was started ${insecure ? 'without' : 'with'} --insecure. End it with '${ownCommand({ uri, username }, ['daemon-stop'])}' first`
    : problem;
  throw new MidcltError('RUNNING', `A daemon is already running${who}. ${why}`);
}

/**
 * The daemon that has just answered is of another version: if it is older, has nothing to do and can be
 * started again without asking, a new one takes its place. Says nothing: the call has its answer.
 */
export async function replaceOlder(args: Arguments, version: string): Promise<void> {
  if (!isOlder(version, VERSION) || !canLogIn(args)) return;
  try {
    const paths = daemonPaths(args.uri, args.username);
    const { report } = await look(paths);
    if (!report || (report.settings?.managed ?? isOtherManaged(report.pid))) return;
    const answer = await sendStop(paths, { ifIdle: true });
    if (typeof answer === 'string') await startAs(args, report, paths.log);
  } catch {
    // it is busy, or gone, or another call is at it
  }
}

/** With the settings of the one before, as far as it told them. */
function startAs(args: Arguments, { lifetime, settings }: StatusReport, defaultLog: string) {
  if (!settings) return start({ ...args, lifetime }, DEFAULT_CALL_TIMEOUT);
  const { concurrency, linger, max_connections, memory, log_file, log_level, call_timeout } =
    settings;
  const logs = { logFile: log_file === defaultLog ? null : log_file, logLevel: log_level };
  const limits = { concurrency, linger, maxConnections: max_connections, memory };
  return start({ ...args, lifetime, ...logs, ...limits }, call_timeout);
}

async function start(args: Arguments, callTimeout: number): Promise<string | null> {
  const { credential, askOtp } = await toLoginTarget(args, sayLine);
  const { uri, username, insecure, lifetime, logFile, logLevel } = args;
  const { concurrency, linger, maxConnections, memory } = args;
  const limits = { concurrency, linger, maxConnections, memory };
  const daemon = { lifetime, logFile: absolute(logFile), logLevel, ...limits };
  return startDetached({ uri, username, insecure, credential, callTimeout, ...daemon }, askOtp);
}

/** The daemon runs in `/`. */
function absolute(file: string | null): string | null {
  return file === null || file === '-' ? file : path.resolve(file);
}

/** Is there a login, or no need of one? */
function canLogIn({ uri, username, password, passwordFile, apiKey }: Arguments): boolean {
  if (parseTarget(uri ?? DEFAULT_URI).scheme === 'ws+unix' && !username) return true;
  if (apiKey !== null) return true;
  const hasPassword = Boolean(password) || (passwordFile !== null && passwordFile !== '-');
  return Boolean(username) && hasPassword;
}

/** Is somebody there to be asked for the password? */
function canAsk({ username, passwordFile }: Arguments): boolean {
  return Boolean(username) && passwordFile === null && isTerminal() && isTerminalThere();
}
