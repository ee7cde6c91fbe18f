/** Lets a sandbox stall: nothing is read or done meanwhile. What was held back is done in its order afterwards. */
import { setImmediate as turn } from 'node:timers/promises';

/** A WebSocket, which can stop reading for a while. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

export class Gate {
  private readonly sockets = new Set<Pausable>();
  private readonly held: (() => void)[] = [];
  private isShut = false;
  private isDraining = false;

  /** Does this now, or when the sandbox goes on. */
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

  /** Does one action in each turn of the event loop, at the pace at which messages are read. */
  private async drain(): Promise<void> {
    this.isDraining = true;
    while (!this.isShut && this.held.length > 0) {
      this.held[0]?.();
      this.held.shift(); // only now, so that actions it causes are held behind the others
      await turn();
    }
    this.isDraining = false;
  }
}
