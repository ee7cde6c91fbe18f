/** WebSockets that are no longer in use, kept until their calls end. */
import type { Channel } from './channel.js';

/** For one more than these, the oldest is closed. */
const MOST = 2;

export class Aside {
  private readonly channels = new Set<Channel>();

  /** Calls sent over them and not answered. */
  get inFlight(): number {
    return [...this.channels].reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Calls over it that were given up, or will be, count as settled from now on. */
  add(channel: Channel): void {
    const [oldest] = this.channels;
    if (oldest && this.channels.size >= MOST) {
      this.channels.delete(oldest);
      oldest.close();
    }
    this.channels.add(channel);
    void channel.closed.then(() => this.channels.delete(channel));
    channel.setAside();
  }

  abandon(why: string): void {
    for (const channel of this.channels) channel.abandon(why);
  }

  close(): void {
    for (const channel of this.channels) channel.close();
  }
}
