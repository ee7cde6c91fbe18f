/** The clients of a soak, each its own way of using the daemon's socket. */
import net from 'node:net';
import type { Dice } from './garbage.js';
import type { Entry, Ledger } from './soak-ledger.js';
import type { Frame } from './wire.js';

/** Milliseconds: no answer may take longer, with everything that is done to the server. */
const PATIENCE = 100_000;

export interface Habit {
  /** A connection for each request, or one for all. */
  readonly keeps: boolean;
  /** Requests sent before the first of them is answered, at most. */
  readonly ahead: number;
  /** Milliseconds in which it does not read, now and then. */
  readonly sleeps: number;
  /** Characters that a request has at most, beside the few that each has. */
  readonly size: number;
}

export const HABITS: readonly Habit[] = [
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

  constructor(
    private readonly path: string,
    private readonly habit: Habit,
    private readonly ledger: Ledger,
    private readonly dice: Dice,
  ) {}

  /** Asks until `isOver`, and resolves when everything asked is answered. */
  async run(isOver: () => boolean): Promise<void> {
    const { ahead, keeps, sleeps, size } = this.habit;
    while (!isOver()) {
      const socket = (this.socket ??= await this.connect());
      for (let i = 1 + Math.floor(this.dice.random() * ahead); i > 0; i--) {
        const entry = this.ledger.ask(keeps ? { keep: true } : { close: true }, size);
        this.outstanding.push(entry);
        socket.write(entry.line);
      }
      if (sleeps > 0 && this.dice.random() < 0.2) await this.nap(socket, sleeps);
      await this.until(() => this.outstanding.length === 0);
      if (!keeps) await this.until(() => this.socket === null);
      await pause(this.dice.random() * 40);
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

  private connect(): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.path);
      let text = '';
      socket.setEncoding('utf8');
      socket.once('connect', () => {
        resolve(socket);
      });
      socket.on('error', reject);
      socket.on('data', (chunk: string) => {
        const lines = (text + chunk).split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) this.take(JSON.parse(line) as Frame);
        this.wake();
      });
      socket.on('close', () => {
        if (text !== '') this.ledger.violate(`half a frame: ${text.slice(0, 100)}`);
        this.closed();
      });
    });
  }

  private take(frame: Frame): void {
    const [entry] = this.outstanding;
    if (!entry) {
      this.ledger.violate('a frame nobody waits for', frame);
    } else if (frame.type === 'progress') {
      if (frame.id !== entry.id) this.ledger.violate("another request's progress", frame);
    } else {
      this.outstanding.shift();
      this.ledger.take(entry, frame);
    }
  }

  private closed(): void {
    this.socket = null;
    for (const entry of this.outstanding) {
      if (this.wasKilled) entry.abandoned = true;
      else this.ledger.violate(`closed on a request: ${entry.line.slice(0, 100)}`);
    }
    this.outstanding = [];
    this.wasKilled = false;
    this.wake();
  }

  private async nap(socket: net.Socket, longest: number): Promise<void> {
    socket.pause();
    await pause(this.dice.random() * longest);
    socket.resume();
  }

  private async until(isSo: () => boolean): Promise<void> {
    const deadline = setTimeout(() => {
      const [entry] = this.outstanding;
      this.ledger.violate(`no answer in ${PATIENCE} ms: ${entry?.line.slice(0, 120) ?? 'a close'}`);
      this.kill();
    }, PATIENCE);
    while (!isSo()) await new Promise<void>((resolve) => (this.wake = resolve));
    clearTimeout(deadline);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
