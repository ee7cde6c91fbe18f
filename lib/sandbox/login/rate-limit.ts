/** `calls` a `windowMs`; what comes beyond is refused after `delayMs`. */
export interface RateLimit {
  readonly calls: number;
  readonly windowMs: number;
  readonly delayMs: number;
}

/** The real server's, whose delay is 1 to 10 s. */
export const DEFAULT_RATE_LIMIT: RateLimit = { calls: 20, windowMs: 60_000, delayMs: 2_000 };

/** Counts the calls made before a login, each method and address on its own, in fixed windows. */
export class RateLimiter {
  private readonly windows = new Map<string, { readonly since: number; calls: number }>();

  constructor(private readonly limit: RateLimit | false) {}

  /** Counts a call; the ms to wait before refusing it, or null when it is allowed. */
  take(method: string, address: string, now = Date.now()): number | null {
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
