/** Daemons that are started, or replaced, for a call. */
import { refuseCrashing } from '../../daemon/crash.js';
import { isOtherManaged } from '../../daemon/service-manager.js';
import { MidcltError, isMidcltError } from '../../errors.js';
import { daemonPaths } from '../../files/paths.js';
import { isTerminalThere } from '../../login/prompt.js';
import { targetOf } from '../../login/target.js';
import { DEFAULT_URI, parseTarget } from '../../middleware/uri.js';
import { sendStop } from '../../protocol/client.js';
import { DEFAULT_CALL_TIMEOUT, VERSION, isOlder } from '../../protocol/frames.js';
import type { StatusReport } from '../../protocol/status.js';
import type { Arguments } from '../args/arguments.js';
import { isTerminal } from '../output/output.js';
import { start } from './daemon.js';
import { look, tellCrash } from './daemons.js';

/**
 * Starts a daemon for a call that found none; `missing` is that call's error. Resolves when a daemon accepts
 * connections, whoever started it. Rejects with `missing` if a login is needed and nobody can be asked for it,
 * else with the reason why none has started.
 */
export async function startForCall(args: Arguments, missing: MidcltError): Promise<void> {
  if (!canLogIn(args) && !canAsk(args)) throw missing;
  const { crash } = daemonPaths(args.uri, args.username);
  refuseCrashing(crash);
  try {
    await start(args, DEFAULT_CALL_TIMEOUT);
    if (isTerminal()) tellCrash(args);
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

/**
 * Replaces the daemon that has just answered, if it is of an older version, has nothing to do, and can be started
 * again without asking for a login. Prints nothing: the call has its answer.
 */
export async function replaceOlder(args: Arguments, version: string): Promise<void> {
  if (!isOlder(version, VERSION) || !canLogIn(args)) return;
  try {
    const paths = daemonPaths(args.uri, args.username);
    const { report } = await look(paths);
    if (!report || (report.settings?.managed ?? isOtherManaged(report.pid))) return;
    // The arguments may hold the code that it took, which is spent.
    if (report.middleware.one_time_code) return;
    const heir = withSettings(args, report, paths.log);
    targetOf(heir); // throws if the old one's authorities can't be read any more
    const answer = await sendStop(paths, { ifIdle: true });
    const callTimeout = report.settings?.call_timeout ?? DEFAULT_CALL_TIMEOUT;
    if (typeof answer === 'string') await start(heir, callTimeout);
  } catch {
    // it is busy or gone, or another call replaces it
  }
}

/** The arguments of a daemon with the settings that the one before has told. */
function withSettings(
  args: Arguments,
  { lifetime, settings }: StatusReport,
  defaultLog: string,
): Arguments {
  if (!settings) return { ...args, lifetime };
  const { concurrency, linger, max_connections, memory, log_file, log_level } = settings;
  const logs = { logFile: log_file === defaultLog ? null : log_file, logLevel: log_level };
  const limits = { concurrency, linger, maxConnections: max_connections, memory };
  const caFile = args.caFile ?? settings.ca_file ?? null;
  return { ...args, lifetime, caFile, ...logs, ...limits };
}

/** Whether a daemon can be started without asking for a login. */
function canLogIn({ uri, username, password, passwordFile, apiKey }: Arguments): boolean {
  if (parseTarget(uri ?? DEFAULT_URI).scheme === 'ws+unix' && !username) return true;
  if (apiKey !== null) return true;
  const hasPassword = Boolean(password) || (passwordFile !== null && passwordFile !== '-');
  return Boolean(username) && hasPassword;
}

/** Whether somebody at a terminal can be asked for the password. */
function canAsk({ username, passwordFile, system }: Arguments): boolean {
  if (system !== null) return false;
  return Boolean(username) && passwordFile === null && isTerminal() && isTerminalThere();
}
