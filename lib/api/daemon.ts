/** Running a daemon in this process: all of it, or its server at any socket path. Loads what it needs when it is called. */
import type { Lifecycle } from '../daemon/lifecycle.js';
import type { DaemonLog } from '../daemon/log/log.js';
import type { Server } from '../daemon/server.js';
import { MidcltError } from '../errors.js';
import { daemonPaths } from '../files/paths.js';
import { noLog, type Level, type Log } from '../logger.js';
import {
  DEFAULT_LIFETIME,
  DEFAULT_LINGER,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MEMORY,
} from '../protocol/frames.js';
import { openStateOf, stateOf } from './client-state.js';
import type { Client } from './client.js';

export interface LoggingOptions {
  /** Null or none is the default file, `-` is stderr. */
  readonly logFile?: string | null | undefined;
  /** For the name of the default file. */
  readonly uri?: string | null | undefined;
  readonly username?: string | null | undefined;
  /** The least level that is written. Default: `info`. */
  readonly logLevel?: Level | undefined;
}

export interface RunDaemonOptions extends LoggingOptions {
  /** For the names of the files. Default: as the client was connected with; null is the local middleware. */
  readonly uri?: string | null | undefined;
  /** Default: as the client was connected with, unless `uri` is given. */
  readonly username?: string | null | undefined;
  /** Seconds without input after which a connection with nothing left to answer is ended. Default: 1. */
  readonly linger?: number | undefined;
  /** Connections served at once; one more is refused with an error frame. Default: 1024. */
  readonly maxConnections?: number | undefined;
  /** Mebibytes that requests that wait and results that nobody has read may take. */
  readonly memory?: number | undefined;
  /** Seconds from a request's first byte in which the whole of it must come. Default: 30. */
  readonly lineTimeout?: number | undefined;
  /**
   * False: SIGTERM, SIGINT and SIGHUP stay whose they are. Default: they end the daemon while it
   * runs; SIGHUP only where one of the first three descriptors is a terminal, else it does nothing.
   */
  readonly signals?: boolean | undefined;
  /** Its abort ends the daemon as SIGTERM does. */
  readonly abort?: AbortSignal | undefined;
  /** Called when connections are accepted, with the log file or null for stderr. */
  readonly onReady?: ((logFile: string | null) => void) | undefined;
}

/**
 * Serves the daemon's socket over `client` until it was idle for `lifetime` seconds (0 is never), is
 * asked to stop, or gets SIGTERM or SIGINT; then what is in flight is finished, the files are
 * removed and the promise resolves. A second signal ends it at once. The client stays open.
 *
 * Rejects with `RUNNING` if such a daemon runs already, `FILES`, `CLOSED` (the client has no
 * connection), or `LOGIN` when the middleware refuses it later. Closing the client ends it, too.
 *
 * Source: `run_daemon(client, lifetime, uri, username, log_file)`.
 */
export async function runDaemon(
  client: Client,
  lifetime: number = DEFAULT_LIFETIME,
  options: RunDaemonOptions = {},
): Promise<void> {
  const { core, logs, ...own } = openStateOf(client);
  const { uri = own.uri, username = options.uri === undefined ? own.username : null } = options;
  const { runDaemonProcess } = require('../daemon/run.js') as typeof import('../daemon/run.js');
  let unhook = (): void => undefined;
  await runDaemonProcess({
    provider: {
      core(log) {
        logs.add(log);
        unhook = () => logs.delete(log);
        return core;
      },
      open: () => Promise.resolve(),
      close() {
        unhook();
      },
    },
    uri,
    username,
    lifetime,
    logFile: options.logFile ?? null,
    logLevel: options.logLevel ?? 'info',
    linger: options.linger ?? DEFAULT_LINGER,
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    memory: options.memory ?? DEFAULT_MEMORY,
    lineTimeout: options.lineTimeout,
    stderr: process.stderr,
    signals: (options.signals ?? true) ? process : null,
    abort: options.abort,
    onReady: options.onReady ?? (() => undefined),
  });
}

/** A daemon's log: NDJSON, one event a line. */
export type DaemonLogger = DaemonLog;

/**
 * Opens the log that a daemon for this URI and user writes: `~/.midclt/logs/daemon-ID.log` (0600),
 * the file given, or stderr. `runDaemon` does it by itself. Resolves with the logger, whose `file`
 * is the path used, or null for stderr; a file that can't be written gives stderr, too, and says
 * so there. Rejects with `FILES` if the default directory can't be made or trusted.
 *
 * Source: `setup_daemon_logging(log_file, uri, username)`.
 */
export async function setupDaemonLogging(options: LoggingOptions = {}): Promise<DaemonLogger> {
  const { logFile = null, uri = null, username = null, logLevel = 'info' } = options;
  const { openDaemonLog } =
    require('../daemon/log/log.js') as typeof import('../daemon/log/log.js');
  return Promise.resolve(
    openDaemonLog(daemonPaths(uri, username), logFile, {
      stderr: process.stderr,
      least: logLevel,
    }),
  );
}

export interface DaemonServerOptions {
  /** Seconds without input after which a connection with nothing left to answer is ended. Default: 1. */
  readonly linger?: number | undefined;
  /** Connections served at once; one more is refused with an error frame. Default: 1024. */
  readonly maxConnections?: number | undefined;
  /** Mebibytes that requests that wait and results that nobody has read may take. */
  readonly memory?: number | undefined;
  /** Seconds from a request's first byte in which the whole of it must come. Default: 30. */
  readonly lineTimeout?: number | undefined;
  /** Hears what happens, such as the `log` of `setupDaemonLogging`. */
  readonly log?: Log | undefined;
}

/**
 * The daemon's server without its surroundings: no pid file, no log, no signals. The socket is
 * 0600; who can enter its directory can use it, so that should be private (`getDaemonDir`).
 *
 * Source: `DaemonServer(socket_path, client, lifetime)`.
 */
export class DaemonServer {
  readonly socketPath: string;
  readonly #server: Server;
  readonly #lifecycle: Lifecycle;
  readonly #client: Client;
  readonly #log: Log;
  #listening: Promise<void> | null = null;
  #serving: Promise<void> | null = null;

  /**
   * `lifetime`: seconds without work after which the server ends; 0 is never. Throws `CLOSED` if
   * the client has no connection, `FILES` for a path that is too long for a socket.
   */
  constructor(
    socketPath: string,
    client: Client,
    lifetime: number = DEFAULT_LIFETIME,
    options: DaemonServerOptions = {},
  ) {
    const { SocketFile } =
      require('../daemon/socket-file.js') as typeof import('../daemon/socket-file.js');
    const { Lifecycle } =
      require('../daemon/lifecycle.js') as typeof import('../daemon/lifecycle.js');
    const { Server } = require('../daemon/server.js') as typeof import('../daemon/server.js');
    const { linger = DEFAULT_LINGER, maxConnections = DEFAULT_MAX_CONNECTIONS } = options;
    const { log = noLog, lineTimeout, memory = DEFAULT_MEMORY } = options;
    const { core, uri, username } = openStateOf(client);
    const socketFile = new SocketFile({ socket: socketPath, pid: null });
    this.socketPath = socketPath;
    this.#client = client;
    this.#log = log;
    this.#lifecycle = new Lifecycle(lifetime);
    this.#server = new Server({
      core,
      socket: socketFile,
      lifecycle: this.#lifecycle,
      linger,
      maxConnections,
      memory,
      lineTimeout,
      log,
      uri,
      username,
      settings: { log_file: null, log_level: 'info', managed: true },
    });
  }

  /** Resolves when connections are accepted. Rejects with `RUNNING`, `FILES` or `CLOSED`. */
  listen(): Promise<void> {
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  /**
   * Listens, unless it does already, and resolves when the server has ended: idle for too long,
   * asked to by a `stop` request or {@link shutdown}, or its client closed. Rejects as `listen`, or
   * with `LOGIN` when the middleware refuses the credential later.
   */
  serveForever(): Promise<void> {
    this.#serving ??= this.#serve();
    return this.#serving;
  }

  /** Accepts no more and resolves when what is in flight is finished and the socket removed. */
  async shutdown(): Promise<void> {
    this.#lifecycle.drain('shutdown');
    await this.serveForever();
  }

  async #listen(): Promise<void> {
    if (this.#lifecycle.phase !== 'accepting') {
      throw new MidcltError('CLOSED', 'The server was shut down; make a new one');
    }
    const { logs } = openStateOf(this.#client);
    logs.add(this.#log);
    try {
      await this.#server.listen();
    } catch (error) {
      logs.delete(this.#log);
      throw error;
    }
  }

  async #serve(): Promise<void> {
    try {
      if (this.#listening || this.#lifecycle.phase === 'accepting') await this.listen();
      await this.#server.serve();
    } finally {
      this.#server.end();
      stateOf(this.#client).logs.delete(this.#log);
    }
  }
}
