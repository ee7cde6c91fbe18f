/** `midclt daemon`: a daemon in the foreground, or started in the background. */
import { callTimeoutOf, compose, type CoreOptions } from '../../compose.js';
import { isManaged as isProcessManaged, takeListenFd } from '../../daemon/service-manager.js';
import { runDaemonProcess } from '../../daemon/run.js';
import { MidcltError } from '../../errors.js';
import { parseTarget, DEFAULT_URI } from '../../middleware/uri.js';
import type { Arguments } from '../args/arguments.js';
import { startInBackground } from './autostart.js';
import { refuseDebugger } from '../../daemon/debugger.js';
import { HANDOVER_FD, withBuffers, HandoverReceiver } from '../../daemon/handover.js';
import { sayLine } from '../output/output.js';
import { precompile } from '../precompile.js';
import { toLoginTarget } from '../../login/target.js';

/** Returns the exit code when the daemon has ended; throws why it could not start or had to end. */
export async function daemonCommand(args: Arguments): Promise<number> {
  if (args.handoverFd !== null) return startedInBackground(args);
  if (args.detach) {
    const started = await startInBackground(args);
    if (started.kind === 'started') announce(started.logFile);
    else print(`A daemon is already running${started.who}; it goes on as it is.\n`);
    return 0;
  }
  const isManaged = isProcessManaged(process.pid, process.env);
  const listenFd = takeListenFd(process.env);
  refuseDebugger({ isAllowed: true });
  const login = await toLoginTarget(args, sayLine);
  await runDaemon(
    { ...args, listenFd, isManaged },
    { ...login, callTimeout: callTimeoutOf(process.env) },
    announce,
  );
  return exit();
}

/**
 * Node takes its time to end by itself, and closes its sockets first: for who waits for the end of a
 * connection the daemon would be gone before its process is.
 */
function exit(): never {
  process.exit(0);
}

/** Nobody looks at the output of this process: its starter is told over the pipe. */
async function startedInBackground(args: Arguments): Promise<number> {
  if (args.handoverFd !== HANDOVER_FD) {
    throw new MidcltError('REQUEST', '--handover-fd is for this program alone');
  }
  const receiver = new HandoverReceiver();
  const { insecure, credential, callTimeout, ...daemon } = await receiver.receive();
  process.title = ['midclt daemon', daemon.uri, daemon.username].filter(Boolean).join(' ');
  const login = {
    target: parseTarget(daemon.uri ?? DEFAULT_URI, { insecure }),
    credential: withBuffers(credential),
    askOtp: receiver.askOtp,
    callTimeout,
  };
  try {
    refuseDebugger({ isAllowed: false });
    await runDaemon({ ...daemon, abort: receiver.gone }, login, (logFile) => {
      receiver.ready(logFile);
    });
  } catch (error) {
    receiver.failed(error);
    return 1;
  }
  return exit();
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
> & {
  /** A socket that listens already. */
  readonly listenFd?: number | null;
  readonly abort?: AbortSignal;
  readonly isManaged?: boolean;
};

function runDaemon(
  settings: Settings,
  login: Omit<CoreOptions, 'concurrency' | 'log'>,
  onReady: (logFile: string | null) => void,
): Promise<void> {
  const { concurrency, ...rest } = settings;
  return runDaemonProcess({
    ...rest,
    upstream: {
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
      onReady(logFile);
      precompile();
    },
  });
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
