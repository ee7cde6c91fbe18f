/** The clients of a soak, each its own way of using the daemon's socket. */
import net from 'node:net';
import type { Dice } from './garbage.js';
import type { Ledger } from './soak-ledger.js';
import type { Entry } from './soak-requests.js';
import type { Frame } from './wire.js';

/** Milliseconds: no answer may take longer, with everything that is done to the server. */
const PATIENCE = 150_000;

export interface Habit {
  /** A connection for each request, or one for all. */
  readonly keeps: boolean;
  /** Requests sent before the first of them is answered, at most. */
  readonly ahead: number;
  /** Milliseconds in which it does not read, now and then. */
  readonly sleeps: number;
  /** Characters that a request has at most, beside the few that each has. */
  readonly size: number;
  /** Milliseconds before it asks again, at most. */
  readonly thinks: number;
}

export const HABITS: readonly Omit<Habit, 'thinks'>[] = [
  { keeps: true, ahead: 6, sleeps: 0, size: 200 },
  { keeps: true, ahead: 1, sleeps: 0, size: 200 },
  { keeps: false, ahead: 1, sleeps: 0, size: 200 },
  { keeps: true, ahead: 6, sleeps: 300, size: 20_000 },
];

export class SoakClient {
  private socket: net.Socket | null = null;
  private outstanding: Entry[] = [];
  private wake: () => void = () => undefined;
  private wasKilled = false;
  /** The system says that what was sent was not read. */
  private isUnread = false;

  constructor(
    private readonly path: string,
    private readonly habit: Habit,
    private readonly ledger: Ledger,
    private readonly dice: Dice,
  ) {}

  /** Asks until `isOver`, and resolves when everything asked is answered. */
  async run(isOver: () => boolean): Promise<void> {
    const { ahead, keeps, sleeps, size, thinks } = this.habit;
    while (!isOver()) {
      const socket = (this.socket ??= await this.connect());
      for (let i = 1 + Math.floor(this.dice.random() * ahead); i > 0; i--) {
        const entry = this.ledger.ask(keeps ? { keep: true } : { close: true }, size);
        this.outstanding.push(entry);
        socket.write(entry.line);
      }
      if (sleeps > 0 && this.dice.random() < 0.2) await this.nap(sleeps);
      await this.until(() => this.outstanding.length === 0);
      if (!keeps) await this.until(() => this.socket === null);
      await pause(this.dice.random() * thinks);
    }
    this.socket?.end();
    await this.until(() => this.socket === null);
  }

  /** As by SIGKILL: the connection is gone, nobody waits for what was asked over it. */
  kill(): boolean {
    if (!this.socket) return false;
    this.wasKilled = true;
    this.socket.destroy();
    return true;
  }

  /** Does not read for a while. */
  async nap(longest: number): Promise<void> {
    const { socket } = this;
    socket?.pause();
    await pause(this.dice.random() * longest);
    socket?.resume();
  }

  private async connect(): Promise<net.Socket> {
    for (const since = performance.now(); ;) {
      try {
        return await this.tryToConnect();
      } catch (error) {
        // The queue of a daemon that is stopped, or out of descriptors, may be full.
        if (performance.now() - since > PATIENCE) throw error;
        await pause(20);
      }
    }
  }

  private tryToConnect(): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.path);
      let text = '';
      let isNew = true;
      socket.setEncoding('utf8');
      socket.once('connect', () => {
        resolve(socket);
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        this.isUnread = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        reject(error);
      });
      socket.on('data', (chunk: string) => {
        const lines = (text + chunk).split('\n');
        text = lines.pop() ?? '';
        isNew = false;
        for (const line of lines) this.take(JSON.parse(line) as Frame);
        this.wake();
      });
      socket.on('close', () => {
        if (text !== '') this.ledger.violate(`half a frame: ${text.slice(0, 100)}`);
        if (this.socket === socket) this.closed(isNew);
      });
    });
  }

  private take(frame: Frame): void {
    const [entry] = this.outstanding;
    if (!entry) {
      this.ledger.stray('a frame nobody waits for', frame);
    } else if (frame.type === 'progress') {
      if (frame.id !== entry.id) this.ledger.stray("another request's progress", frame);
    } else {
      this.outstanding.shift();
      this.ledger.take(entry, frame);
      // One frame refuses all of a connection that is one too many.
      if (frame.id === undefined) this.giveUp('not sent');
    }
  }

  private closed(isNew: boolean): void {
    this.socket = null;
    if (this.wasKilled) this.giveUp('abandoned');
    for (const entry of this.outstanding) {
      // Where descriptors are used up, the system closes what it has just let in.
      const isRefused = isNew && this.ledger.happened(entry, 'crowd');
      if (this.ledger.happened(entry, 'death', 0)) this.ledger.settle(entry, 'unknown');
      // In good order a daemon answers what it has read, and leaves unread what it has not.
      else if (isRefused || (this.isUnread && this.ledger.happened(entry, 'end')))
        this.ledger.settle(entry, 'not sent', 'closed unread');
      else {
        this.ledger.settle(entry, 'wrong');
        const how = this.isUnread ? 'unread' : 'as if read';
        this.ledger.violate(`closed, ${how}: ${entry.line.slice(0, 100)}`, undefined, entry);
      }
    }
    this.outstanding = [];
    this.wasKilled = false;
    this.isUnread = false;
    this.wake();
  }

  private giveUp(fate: 'abandoned' | 'not sent'): void {
    for (const entry of this.outstanding) this.ledger.settle(entry, fate);
    this.outstanding = [];
  }

  private async until(isSo: () => boolean): Promise<void> {
    const deadline = setTimeout(() => {
      const [entry] = this.outstanding;
      const what = entry?.line.slice(0, 120) ?? 'a close';
      this.ledger.violate(`no answer in ${PATIENCE} ms: ${what}`, undefined, entry);
      this.kill();
    }, PATIENCE);
    while (!isSo()) await new Promise<void>((resolve) => (this.wake = resolve));
    clearTimeout(deadline);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
