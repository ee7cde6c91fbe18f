/** A timeout that several things share, one after the other; what a person takes to type is not counted. */
import { after } from '../../timer.js';

export class Stopwatch {
  private spent = 0;
  private running: { readonly since: number; readonly onEnd: () => void } | null = null;
  private timer: NodeJS.Timeout | undefined;

  /** In seconds; null: there is none. */
  constructor(readonly limit: number | null) {}

  /** Seconds, a moment at least; null where there is no limit. */
  get left(): number | null {
    return this.limit === null ? null : Math.max(this.limit - this.spent / 1000, 0.001);
  }

  start(onEnd: () => void): void {
    this.running = { since: performance.now(), onEnd };
    this.timer = after(this.left === null ? null : this.left * 1000, onEnd);
  }

  stop(): void {
    if (this.running) this.spent += performance.now() - this.running.since;
    this.running = null;
    clearTimeout(this.timer);
  }

  /** Does something while it stands. */
  async without<T>(action: () => Promise<T>): Promise<T> {
    const onEnd = this.running?.onEnd;
    this.stop();
    try {
      return await action();
    } finally {
      if (onEnd) this.start(onEnd);
    }
  }
}
