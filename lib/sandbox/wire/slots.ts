/** Calls one connection may run at once, and how many more may wait. */
const RUNNING = 10;
const WAITING = 10;

/** The call slots of one connection: first come, first served; the 21st call outstanding is refused. */
export class Slots {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** A promise of a slot, or null when too many calls are outstanding. */
  acquire(): Promise<void> | null {
    if (this.running < RUNNING) {
      this.running += 1;
      return Promise.resolve();
    }
    if (this.waiting.length >= WAITING) return null;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Hands the slot to who waits longest. */
  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}
