/** A server at any socket path, for those who place and name their sockets themselves. */
import type { Server } from '../daemon/server.js';
import type { Lifecycle } from '../daemon/lifecycle.js';
import { MidcltError } from '../errors.js';
import { noLog, type Log } from '../logger.js';
import {
  DEFAULT_LIFETIME,
  DEFAULT_LINGER,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MEMORY,
} from '../protocol/frames.js';
import { openStateOf, stateOf } from './client-state.js';
import type { Client } from './client.js';

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
