/** How many calls the server takes: at once from one connection, and before a login. */

/** The most calls that one connection may run at once, and the most that may wait for one of those to end. */
const RUNNING = 10;
const WAITING = 10;

/** The call slots of one connection: first come, first served. The 21st call outstanding is refused. */
export class CallSlots {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** Resolves when the call may run; null when too many calls are outstanding. */
  acquire(): Promise<void> | null {
    if (this.running < RUNNING) {
      this.running += 1;
      return Promise.resolve();
    }
    if (this.waiting.length >= WAITING) return null;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Hands the slot to the call that has waited longest. */
  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}

/** Up to `calls` are allowed in `windowMs`; calls beyond are refused after `delayMs`. */
export interface RateLimit {
  readonly calls: number;
  readonly windowMs: number;
  readonly delayMs: number;
}

/** The real server's limit; its delay is 1 to 10 s. */
export const DEFAULT_RATE_LIMIT: RateLimit = { calls: 20, windowMs: 60_000, delayMs: 2_000 };

/** Counts the calls made before a login in fixed windows, for each method and address separately. */
export class RateLimiter {
  private readonly windows = new Map<string, { readonly since: number; calls: number }>();

  constructor(private readonly limit: RateLimit | false) {}

  /** Counts a call. Returns how many ms to wait before it is refused, or null when it is allowed. */
  take(method: string, address: string, now = performance.now()): number | null {
    if (this.limit === false) return null;
    const key = `${method} ${address}`;
    const current = this.windows.get(key);
    if (current === undefined || now - current.since >= this.limit.windowMs) {
      this.windows.set(key, { since: now, calls: 1 });
      return null;
    }
    current.calls += 1;
    return current.calls > this.limit.calls ? this.limit.delayMs : null;
  }
}
