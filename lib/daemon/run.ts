/** Runs a daemon in this process, from the login to the last file removed. */
import { isatty } from 'node:tty';
import type { Core } from '../compose.js';
import type { Level, Log } from '../logger.js';
import { MidcltError, isMistake, shuttingDown } from '../errors.js';
import { daemonPaths, readPid, viewProcess, type DaemonPaths } from '../files/paths.js';
import { NOHUP } from '../login/variables.js';
import { warmUp } from '../middleware/channel/large-texts.js';
import { ownCommand } from '../text/for-person.js';
import { CrashWatch, readCrashNote, refuseCrashing, timeOfCrash } from './crash.js';
import { PassedSocket } from './service-manager.js';
import { SocketFile, type DaemonSocket } from './socket-file.js';
import { ensurePrivateDirectory } from './files.js';
import { Lifecycle, takeStep } from './lifecycle.js';
import { openDaemonLog } from './log/log.js';
import { Server } from './server.js';
import { StartLock } from './start-lock.js';

/** Provides the connection to the middleware: one that is opened for the daemon, or one that is lent to it. */
export interface CoreProvider {
  /** Returns a core that logs to `log` from now on. Called once, when it is known that no other daemon runs. */
  core(log: Log): Core;
  /** Resolves when calls can be made. */
  open(core: Core): Promise<void>;
  /** Called once, at the end. */
  close(core: Core): void;
}

export interface DaemonOptions {
  readonly provider: CoreProvider;
  /** As the user gave it, for the names of the files; null is the local middleware. */
  readonly uri: string | null;
  readonly username: string | null;
  /** The profiles of this URI and user, for the log. */
  readonly profiles?: readonly string[] | undefined;
  /** The last crash of such a daemon that its starter could know of; by default that of which there is a note at the start. */
  readonly lastCrash?: string | null;
  /** Seconds without work until the daemon ends; 0 is never. */
  readonly lifetime: number;
  /** The descriptor of a listening socket to serve in place of a new one; it stays its owner's. */
  readonly listenFd?: number | null | undefined;
  /** A service manager runs this process. */
  readonly isManaged?: boolean;
  /** Null is the default file; `-` is stderr. */
  readonly logFile: string | null;
  readonly logLevel: Level;
  /** Of authorities that its provider trusts, too; absolute, to be told. */
  readonly caFile?: string | null;
  /** Seconds. */
  readonly linger: number;
  readonly maxConnections: number;
  /** Mebibytes. */
  readonly memory: number;
  /** Seconds; has a default. */
  readonly lineTimeout?: number | undefined;
  readonly stderr: NodeJS.WritableStream;
  /** The process ends with the daemon, and clients that stop the daemon wait for that. */
  readonly endsProcess?: boolean;
  /** Hears that a bug ends the daemon, and with it the process. */
  readonly onCrash?: (error: MidcltError) => void;
  /** Whose SIGTERM, SIGINT and SIGHUP drain the daemon; null takes none. */
  readonly signals: NodeJS.Process | null;
  /** Its abort drains the daemon, too. */
  readonly abort?: AbortSignal | undefined;
  /** Called once connections are accepted, with the log file or null for stderr. */
  readonly onReady: (logFile: string | null) => void;
}

/**
 * Resolves when the daemon has ended as it was asked to. Rejects when it could not start
 * (`FILES`, `RUNNING`, `CONNECT`, `LOGIN`) or had to end because the middleware refused the credential later (`LOGIN`).
 */
export async function runDaemonProcess(options: DaemonOptions): Promise<void> {
  const paths = daemonPaths(options.uri, options.username);
  const { listenFd = null } = options;
  const stop = ownCommand(options, ['daemon-stop']);
  const socket =
    listenFd === null
      ? new SocketFile(paths, undefined, stop)
      : new PassedSocket(listenFd, paths.pid);
  ensurePrivateDirectory(paths.directory);
  const lifecycle = new Lifecycle(options.lifetime);
  const forgetRequests = takeRequests(lifecycle, options);
  const startLock = new StartLock(paths.lock);
  const crashes = options.endsProcess ? watchForCrashes(options, paths.crash) : null;
  const owned: Owned = { paths, socket, lifecycle, startLock, crashes, core: null };
  if (crashes) {
    crashes.endAll = (error) => {
      lifecycle.drain('a bug');
      startLock.release(error, crashes.daemonLog?.log);
      const lost = new MidcltError('LOST', 'The daemon ended of a bug of midclt');
      owned.core?.connection.close(lost, shuttingDown());
    };
  }
  const { lastCrash = timeOfCrash(paths.crash) } = options;
  const refuse = async () => {
    await socket.refuseIfRunning();
    refuseCrashing(paths.crash, lastCrash); // the starter before may have no time left to tell those that wait
  };
  try {
    await Promise.race([startLock.acquire(refuse), lifecycle.draining]);
    if (lifecycle.phase === 'accepting') await run(options, owned);
  } catch (error) {
    if (isMistake(error)) crashes?.crash(error);
    throw error;
  } finally {
    startLock.release(null);
    forgetRequests();
    crashes?.stop();
  }
}

function watchForCrashes({ stderr, onCrash }: DaemonOptions, file: string): CrashWatch {
  const crashes = new CrashWatch({ file, stderr, onCrash: onCrash ?? (() => undefined) });
  crashes.start();
  // Nobody has to read it, and a reader that has gone is no bug.
  stderr.on('error', () => undefined);
  return crashes;
}

interface Owned {
  readonly paths: DaemonPaths;
  readonly socket: DaemonSocket;
  readonly lifecycle: Lifecycle;
  readonly startLock: StartLock;
  readonly crashes: CrashWatch | null;
  /** Null until the provider has given it. */
  core: Core | null;
}

async function run(options: DaemonOptions, owned: Owned): Promise<void> {
  const { provider, linger, maxConnections, memory, lineTimeout, lifetime, uri } = options;
  const { username, stderr } = options;
  const { paths, socket, lifecycle, startLock, crashes } = owned;
  const daemonLog = openDaemonLog(paths, options.logFile, { stderr, least: options.logLevel });
  const { log } = daemonLog;
  if (crashes) crashes.daemonLog = daemonLog;
  logDeath(paths, log);
  const core = provider.core(log);
  owned.core = core;
  const server = new Server({
    core,
    socket,
    lifecycle,
    linger,
    maxConnections,
    memory,
    lineTimeout,
    log,
    uri,
    username,
    settings: {
      log_file: daemonLog.file,
      log_level: options.logLevel,
      ca_file: options.caFile ?? null,
      managed: (options.isManaged ?? false) || !options.endsProcess,
    },
  });
  try {
    await Promise.race([provider.open(core), lifecycle.draining]);
    if (lifecycle.phase === 'accepting') {
      await server.listen();
      startLock.release(null, log);
      if (socket.pidFailure !== null) {
        stderr.write(`Warning: ${socket.pidFailure}. Serving without a pid file.\n`);
        log('warning', 'pid file not written', { error: socket.pidFailure });
      }
      const { profiles = [] } = options;
      const named = profiles.length > 0 && { profile: profiles.join(', ') };
      log('info', 'accepting connections', { socket: paths.socket, lifetime, ...named });
      options.onReady(daemonLog.file);
      warmUp();
      await server.serve();
    }
  } catch (error) {
    if (isMistake(error)) crashes?.crash(error);
    else log('error', 'daemon failed', { error: (error as Error).message });
    startLock.release(error, log);
    throw error;
  } finally {
    server.end({ leaveKept: options.endsProcess ?? false });
    takeStep(log, 'close the connection to the middleware', () => {
      provider.close(core);
    });
    log('info', 'stopped');
    await daemonLog.close();
  }
}

/** Logs that the daemon before this one has left its pid file, as one that is killed does, and nothing that says why. */
function logDeath(paths: DaemonPaths, log: Log): void {
  const pid = readPid(paths.pid);
  if (pid === null || pid === process.pid || viewProcess(pid) !== null) return;
  if (readCrashNote(paths.crash)?.pid === pid) return;
  log('warning', 'pid file left by a daemon that was killed', { last: pid });
}

/** Drains on signals and on `abort`. Returns what undoes this. */
function takeRequests(lifecycle: Lifecycle, { signals, abort }: DaemonOptions): () => void {
  const forgetSignals = signals ? lifecycle.takeSignals(signals, hasTerminal()) : null;
  const onAbort = () => {
    lifecycle.drain('aborted');
  };
  if (abort?.aborted) onAbort();
  abort?.addEventListener('abort', onAbort);
  return () => {
    forgetSignals?.();
    abort?.removeEventListener('abort', onAbort);
  };
}

/**
 * Whether this process has a terminal, whose end concerns it then. Node sets SIGHUP back to its default as it starts, so
 * that only the launcher can tell that `nohup` had it ignored; but `nohup` leaves none of the three a terminal.
 */
function hasTerminal(): boolean {
  if (process.env[NOHUP]) return false;
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
