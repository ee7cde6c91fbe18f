/** Serves one socket over one connection to the middleware, from its first client to its release. */
import type { Core } from '../compose.js';
import { Cancellation } from '../cancellation.js';
import { shuttingDown } from '../errors.js';
import type { Log } from '../logger.js';
import type { DaemonSocket } from './socket-file.js';
import { takeStep, type Lifecycle } from './lifecycle.js';
import { PROTOCOL, VERSION } from '../protocol/frames.js';
import type { DaemonSettings, StatusReport } from '../protocol/status.js';
import { Sessions } from './sessions.js';
import { steadyNow } from '../timer.js';

export interface ServerOptions {
  readonly core: Core;
  readonly socket: DaemonSocket;
  readonly lifecycle: Lifecycle;
  /** Seconds without input after which a connection with nothing left to answer is ended. */
  readonly linger: number;
  /** Connections served at once; one more is refused. */
  readonly maxConnections: number;
  /** Mebibytes that requests held and results unread may take. */
  readonly memory: number;
  /** Seconds from a request's first byte in which the whole of it must come; has a default. */
  readonly lineTimeout?: number | undefined;
  readonly log: Log;
  /** As the user gave them, for `status`. */
  readonly uri: string | null;
  readonly username: string | null;
  readonly settings: Pick<DaemonSettings, 'log_file' | 'log_level' | 'ca_file' | 'managed'>;
}

export class Server {
  private readonly sessions: Sessions;
  private readonly ending = new Cancellation();
  private readonly started = new Date();
  /** The same by the steady clock. */
  private readonly startedAt = steadyNow();
  /** The connection may be somebody else's, who goes on with it. */
  private waitAgain = (): void => undefined;

  constructor(private readonly options: ServerOptions) {
    const { core, lifecycle, linger, lineTimeout, maxConnections, memory, log } = options;
    const make = core.sessions({
      daemon: {
        stop: (ifIdle) => this.stop(ifIdle),
        status: () => this.status(),
        hold: () => {
          lifecycle.hold();
          return () => {
            lifecycle.release();
          };
        },
        ending: this.ending,
      },
      linger,
      lineTimeout,
      memory,
      onRequest: () => {
        lifecycle.hold();
      },
      onOver: () => {
        lifecycle.release();
      },
    });
    this.sessions = new Sessions(make, maxConnections, log);
  }

  /** Accepts connections from now on, and the idle clock runs. Rejects as {@link DaemonSocket.listen}. */
  async listen(): Promise<void> {
    const { socket, lifecycle } = this.options;
    await socket.listen(this.sessions.listener);
    this.sessions.tellLimit();
    lifecycle.start();
  }

  /**
   * Serves until it is asked to end. Resolves when every request is answered, or when it is told to end at once.
   * Rejects at the same moment if it had to end because the middleware refused the login or the socket was lost.
   */
  async serve(): Promise<void> {
    const { core, socket, lifecycle, log } = this.options;
    const reason = await Promise.race([lifecycle.draining, core.connection.ended, socket.lost]);
    // From here on nobody can reach this daemon, and the next one can start.
    socket.release(log);
    lifecycle.drain('connection closed'); // if nothing else asked for it
    // Requests that wait for the connection get an error.
    this.waitAgain = core.connection.stopWaiting(shuttingDown());
    if (typeof reason === 'string') log('info', 'draining', { reason });
    else if (reason) log('warning', 'draining', { reason: reason.message });
    // First, since what it ends is to be answered, too.
    const sessions = this.sessions.drain();
    this.ending.cancel();
    const drained = sessions.then(() => null);
    const forced = await Promise.race([drained, lifecycle.aborted]);
    if (forced !== null) log('warning', 'stopped with requests in flight', { reason: forced });
    if (reason !== null && typeof reason !== 'string') throw reason;
  }

  private stop(ifIdle: boolean): boolean {
    const { lifecycle } = this.options;
    if (ifIdle && lifecycle.holding > 1) return false; // the request itself is one
    // After this turn: the answer is on its way before the daemon starts to go.
    setImmediate(() => {
      lifecycle.drain('stop request');
    });
    return true;
  }

  private status(): StatusReport {
    const { core, lifecycle, uri, username, linger, maxConnections, memory } = this.options;
    const { settings, ...report } = core.report();
    return {
      pid: process.pid,
      version: VERSION,
      protocol: PROTOCOL,
      started: this.started.toISOString(),
      uptime: Math.round((steadyNow() - this.startedAt) / 1000),
      uri,
      username,
      phase: lifecycle.phase,
      lifetime: lifecycle.lifetime,
      clients: this.sessions.size,
      memory: process.memoryUsage.rss(),
      ...report,
      settings: {
        ...settings,
        ...{ linger, max_connections: maxConnections, memory },
        ...this.options.settings,
      },
    };
  }

  /** Ends what is left. `leaveKept`: connections that clients keep open end with the process. */
  end({ leaveKept = false } = {}): void {
    const { socket, lifecycle, log } = this.options;
    takeStep(log, 'end the connections', () => {
      this.sessions.destroy({ leaveKept });
    });
    this.waitAgain();
    socket.release(log);
    lifecycle.stopped();
  }
}
