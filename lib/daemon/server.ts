/** Accepts connections and keeps the open sessions. */
import net from 'node:net';
import type { Log } from '../logger.js';
import type { Session } from '../stream/session.js';

export class DaemonServer {
  readonly listener: net.Server;
  private readonly sessions = new Set<Session>();

  constructor(open: (socket: net.Socket) => Session, log: Log) {
    // Half-close after the last request is normal: what was asked is still answered.
    this.listener = net.createServer({ allowHalfOpen: true }, (socket) => {
      const session = open(socket);
      this.sessions.add(session);
      void session.closed.then((error) => {
        this.sessions.delete(session);
        if (error) log('debug', 'connection ended early', { reason: error.message });
      });
    });
  }

  get connections(): number {
    return this.sessions.size;
  }

  /** Accepts no more; resolves when every request received is answered. */
  async drain(): Promise<void> {
    this.listener.close();
    await Promise.all([...this.sessions].map((session) => session.drain()));
  }

  /** Ends every connection at once. */
  destroy(): void {
    this.listener.close();
    for (const session of this.sessions) session.destroy();
  }
}
