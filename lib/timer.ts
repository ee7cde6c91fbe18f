/** Delays of any length, a pause that blocks, and one timer for the deadlines of many. */

/** A longer delay makes setTimeout fire at once. */
export const LONGEST = 2 ** 31 - 1;

/** Calls back after so many milliseconds; never for null, or for more than 24 days. */
export function after(
  milliseconds: number | null,
  callback: () => void,
): NodeJS.Timeout | undefined {
  if (milliseconds === null || milliseconds > LONGEST) return undefined;
  return setTimeout(callback, milliseconds);
}

const PAUSE = 5;

/** Blocks this process for a moment, while a descriptor that would not block is not ready. */
export function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

/** One timer for many deadlines: set for the nearest, and for none when nothing waits. */
export class Alarm {
  private timer: NodeJS.Timeout | undefined;
  private set = Infinity;

  /**
   * `ring` is called when a deadline has come, with the time by `performance.now()`; it sees to what is due
   * by then and returns the nearest deadline that is left, Infinity if none is.
   */
  constructor(private readonly ring: (now: number) => number) {}

  /**
   * Rings at `deadline`, by `performance.now()`, at the latest. A deadline that is lifted need not be
   * said: then it rings for nothing, once. Keeps no process alive.
   */
  by(deadline: number): void {
    if (deadline >= this.set) return;
    clearTimeout(this.timer);
    this.set = deadline;
    const wait = Math.ceil(deadline - performance.now());
    this.timer = setTimeout(
      () => {
        this.set = Infinity;
        this.by(this.ring(performance.now()));
      },
      Math.min(Math.max(wait, 0), LONGEST),
    ).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.set = Infinity;
  }
}
