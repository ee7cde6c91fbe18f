/** The clock; delays of any length, a pause that blocks, and one timer for the deadlines of many. */

/** Tells the time and wakes. The stages of the pipeline are given theirs, so that a test can have its own. */
export interface Clock {
  /** Milliseconds, as {@link steadyNow}. */
  now(): number;
  /** As {@link after}. */
  after(milliseconds: number | null, callback: () => void): Timer | undefined;
  clear(timer: Timer | undefined): void;
}

/** What of a NodeJS.Timeout is used. */
export interface Timer {
  /** It counts from now. */
  refresh(): unknown;
  /** It keeps no process alive. */
  unref(): unknown;
}

/** Milliseconds of a steady clock. The global `performance` has the same, and a dozen modules of Node's to load first. */
export function steadyNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

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

/** Settles as the promise does, or rejects with what is made after so many milliseconds; never for null. */
export async function inTime<T>(
  promise: Promise<T>,
  milliseconds: number | null,
  late: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_resolve, reject) => {
    timer = after(milliseconds, () => {
      reject(late());
    });
  });
  try {
    return await Promise.race([promise, patience]);
  } finally {
    clearTimeout(timer);
  }
}

/** The steady clock of this process. */
export const CLOCK: Clock = {
  now: steadyNow,
  after,
  clear(timer: NodeJS.Timeout | undefined) {
    clearTimeout(timer);
  },
};

const PAUSE = 5;

/** Blocks this process for a moment, while a descriptor that would not block is not ready. */
export function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

/** One timer for many deadlines: set for the nearest, and for none when nothing waits. */
export class Alarm {
  private timer: Timer | undefined;
  private set = Infinity;

  /**
   * `ring` is called when a deadline has come, with the time by the clock; it sees to what is due
   * by then and returns the nearest deadline that is left, Infinity if none is.
   */
  constructor(
    private readonly ring: (now: number) => number,
    private readonly clock = CLOCK,
  ) {}

  /**
   * Rings at `deadline`, by the clock, at the latest. A deadline that is lifted need not be
   * said: then it rings for nothing, once. Keeps no process alive.
   */
  by(deadline: number): void {
    if (deadline >= this.set) return;
    const { clock } = this;
    clock.clear(this.timer);
    this.set = deadline;
    const wait = Math.ceil(deadline - clock.now());
    this.timer = clock.after(Math.min(Math.max(wait, 0), LONGEST), () => {
      this.set = Infinity;
      this.by(this.ring(clock.now()));
    });
    this.timer?.unref();
  }

  stop(): void {
    this.clock.clear(this.timer);
    this.set = Infinity;
  }
}
