/** Accepts connections and keeps the open sessions. */
import net from 'node:net';
import type { Log } from '../logger.js';
import type { Session } from '../stream/session.js';

export class Sessions {
  readonly listener: net.Server;
  private readonly open = new Set<Session>();
  /** Connections accepted so far; each one's number is its name in the log. */
  private clients = 0;

  constructor(make: (socket: net.Socket, client: number) => Session, log: Log) {
    // Half-close after the last request is normal: what was asked is still answered.
    this.listener = net.createServer({ allowHalfOpen: true }, (socket) => {
      const client = ++this.clients;
      const session = make(socket, client);
      this.open.add(session);
      void session.closed.then((error) => {
        this.open.delete(session);
        if (error) log('debug', 'connection ended early', { client, reason: error.message });
      });
    });
  }

  get size(): number {
    return this.open.size;
  }

  /** Accepts no more; resolves when every request received is answered. */
  async drain(): Promise<void> {
    this.listener.close();
    await Promise.all([...this.open].map((session) => session.drain()));
  }

  /** Ends every connection at once. */
  destroy(): void {
    this.listener.close();
    for (const session of this.open) session.destroy();
  }
}
