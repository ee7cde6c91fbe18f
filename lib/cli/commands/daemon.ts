/** `midclt daemon`, in the foreground or the background. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { callTimeoutOf, compose, type CoreOptions } from '../../compose.js';
import {
  HANDOVER_FD,
  HandoverReceiver,
  refuseDebugger,
  startDetached,
} from '../../daemon/handover.js';
import { withBuffers } from '../../daemon/handover-messages.js';
import { runDaemonProcess } from '../../daemon/run.js';
import { isManaged as isProcessManaged, takeListenFd } from '../../daemon/service-manager.js';
import { MidcltError, isMidcltError } from '../../errors.js';
import { daemonPaths, profilesPath } from '../../files/paths.js';
import { pinOf } from '../../files/pins.js';
import { toLoginTarget } from '../../login/target.js';
import { DEFAULT_URI, parseTarget } from '../../middleware/uri.js';
import { profileNames } from '../../profiles/file.js';
import { ownCommand } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { load } from '../compiled.js';
import { failureCode, sayLine } from '../output/output.js';
import { look, tellCrash } from './daemons.js';

/** Returns the exit code when the daemon has ended; throws why it could not start or had to end. */
export async function daemonCommand(args: Arguments): Promise<number> {
  if (args.handoverFd !== null) return startedInBackground(args);
  if (args.detach) {
    const started = await startInBackground(args);
    if (started.kind === 'started') {
      tellCrash(args);
      announce(started.logFile);
    } else print(`A daemon is already running${started.who}; it goes on as it is.\n`);
    return 0;
  }
  const isManaged = isProcessManaged(process.pid, process.env);
  const listenFd = takeListenFd(process.env);
  refuseDebugger({ isAllowed: true });
  const login = await toLoginTarget(args, sayLine);
  const settings = { profiles: profilesOf(args), caFile: authoritiesOf(args), listenFd, isManaged };
  return runDaemon(
    { ...args, ...settings },
    { ...login, callTimeout: callTimeoutOf(process.env) },
    (logFile) => {
      tellCrash(args);
      announce(logFile);
    },
    failureCode,
  );
}

/** Nobody sees the output of this process: it tells its starter over the pipe. */
async function startedInBackground(args: Arguments): Promise<number> {
  if (args.handoverFd !== HANDOVER_FD) {
    throw new MidcltError('REQUEST', '--handover-fd is for this program alone');
  }
  const receiver = new HandoverReceiver();
  const { insecure, ca, credential, callTimeout, ...daemon } = await receiver.receive();
  process.title = ['midclt daemon', daemon.uri, daemon.username].filter(Boolean).join(' ');
  const login = {
    target: parseTarget(daemon.uri ?? DEFAULT_URI, { insecure, ca, pinOf }),
    credential: withBuffers(credential),
    askOtp: receiver.askOtp,
    callTimeout,
  };
  try {
    refuseDebugger({ isAllowed: false });
    const onCrash = (error: MidcltError) => {
      receiver.failed(error);
    };
    const settings = { ...daemon, abort: receiver.gone, onCrash };
    const onReady = (logFile: string | null) => {
      receiver.ready(logFile);
    };
    return await runDaemon(settings, login, onReady, () => 1); // the log has why
  } catch (error) {
    receiver.failed(error); // which is still to be taken
    return 1;
  }
}

type Settings = Pick<
  Arguments,
  | 'uri'
  | 'username'
  | 'lifetime'
  | 'logFile'
  | 'logLevel'
  | 'concurrency'
  | 'linger'
  | 'maxConnections'
  | 'memory'
  | 'caFile'
> & {
  readonly profiles?: readonly string[];
  readonly lastCrash?: string | null;
  /** A socket that listens already. */
  readonly listenFd?: number | null;
  readonly abort?: AbortSignal;
  readonly isManaged?: boolean;
  readonly onCrash?: (error: MidcltError) => void;
};

/**
 * Rejects where the daemon could not start. When it has served the process ends at once, with the code of `failed` if
 * something else than a request for it was the reason. By itself Node would close its sockets and end a while later, or
 * never where clients ask on: who waits for the end of its connection would find the process still running.
 */
async function runDaemon(
  settings: Settings,
  login: Omit<CoreOptions, 'concurrency' | 'log'>,
  onReady: (logFile: string | null) => void,
  failed: (error: unknown) => number,
): Promise<never> {
  const { concurrency, ...rest } = settings;
  const served = { isSo: false };
  try {
    await runDaemonProcess({
      ...rest,
      provider: {
        core: (log) => compose({ ...login, concurrency, log }),
        open: (core) => core.connection.open(),
        close(core) {
          core.connection.close();
        },
      },
      stderr: process.stderr,
      endsProcess: true,
      signals: process,
      onReady(logFile) {
        served.isSo = true;
        onReady(logFile);
        precompile();
      },
    });
  } catch (error) {
    if (!served.isSo) throw error;
    process.exit(failed(error));
  }
  process.exit(0);
}

function announce(logFile: string | null): void {
  print(
    logFile === null
      ? 'Accepting connections. Logging to stderr.\n'
      : `Accepting connections. Log file: ${logFile}\n`,
  );
}

function print(text: string): void {
  process.stdout.on('error', () => undefined); // nobody has to read this
  process.stdout.write(text);
}

/** The outcome of `daemon --detach`: a new daemon and its log file (null: stderr), or the one that runs already. */
export type Started =
  | { readonly kind: 'started'; readonly logFile: string | null }
  | { readonly kind: 'running'; readonly who: string };

/** Asks for no login if a daemon runs already. Rejects if that one can't be used. */
async function startInBackground(args: Arguments): Promise<Started> {
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

/** Resolves with the log file (null: stderr) when a daemon accepts connections that runs in the background. */
export async function start(args: Arguments, callTimeout: number): Promise<string | null> {
  const { target, credential, askOtp } = await toLoginTarget(args, sayLine);
  const { uri, username, insecure, lifetime, logFile, logLevel } = args;
  const { concurrency, linger, maxConnections, memory } = args;
  const limits = { concurrency, linger, maxConnections, memory };
  const daemon = { lifetime, logFile: absolute(logFile), logLevel, ...limits };
  const trust = { insecure, ca: target.ca, caFile: authoritiesOf(args) };
  const whose = { uri, username, profiles: profilesOf(args), ...trust };
  return startDetached({ ...whose, credential, callTimeout, ...daemon }, askOtp);
}

function profilesOf({ uri, username }: Arguments): string[] {
  return profileNames(profilesPath)(uri, username);
}

/** The file, where it counts. */
function authoritiesOf({ uri, caFile }: Arguments): string | null {
  return /^wss:/i.test(uri ?? '') ? absolute(caFile) : null;
}

/** The daemon runs in `/`. */
function absolute(file: string | null): string | null {
  return file === null || file === '-' ? file : path.resolve(file);
}

/**
 * Compiles the bundle of `-d call` for the next calls, if the program was installed under another Node than this one.
 * It does so in the background and prints nothing, since calls work without. A program that others own stays as it is.
 */
export function precompile(): void {
  try {
    if (load(path.join(__dirname, 'thin.js')).wasCompiled) return;
    accessSync(__dirname, constants.W_OK);
  } catch {
    return;
  }
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [path.join(__dirname, 'precompile.js')], {
    detached: true,
    cwd: '/',
    stdio: 'ignore',
    env: { PATH, HOME },
  });
  child.on('error', () => undefined);
  child.unref();
}
