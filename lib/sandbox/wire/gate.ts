import { setImmediate as turn } from 'node:timers/promises';

/** What can stop reading for a while: a WebSocket. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/** Lets a sandbox stall: nothing is read, and what was to be done is done when it goes on, in its order. */
export class Gate {
  private readonly sockets = new Set<Pausable>();
  private readonly held: (() => void)[] = [];
  private isShut = false;
  private isDraining = false;

  /** Does this now, or once the sandbox goes on. */
  pass(action: () => void): void {
    if (this.isShut || this.held.length > 0) this.held.push(action);
    else action();
  }

  add(socket: Pausable): void {
    this.sockets.add(socket);
    if (this.isShut) socket.pause();
  }

  remove(socket: Pausable): void {
    this.sockets.delete(socket);
  }

  shut(): void {
    this.isShut = true;
    for (const socket of this.sockets) socket.pause();
  }

  open(): void {
    this.isShut = false;
    for (const socket of this.sockets) socket.resume();
    if (!this.isDraining) void this.drain();
  }

  /** One action a turn, as messages are read. */
  private async drain(): Promise<void> {
    this.isDraining = true;
    while (!this.isShut && this.held.length > 0) {
      this.held[0]?.();
      this.held.shift(); // afterwards: what it leads to queues up behind the others
      await turn();
    }
    this.isDraining = false;
  }
}
