/** How soon to connect again, and how often to log in. */
import { LIVENESS, type Liveness } from '../channel/transport.js';
import { steadyNow } from '../../timer.js';

/** In milliseconds. */
export interface ReconnectPolicy {
  /** The first pause between two attempts; it doubles from one to the next. */
  readonly shortest: number;
  readonly longest: number;
  /** A connection that lasted this long starts over with the shortest pause. */
  readonly settled: number;
  /** After a refusal for too many logins. */
  readonly refused: number;
  /** The time in which {@link LOGINS} may be spent. */
  readonly window: number;
  readonly liveness: Liveness;
  /** That a token lives which comes with a login; a session by it ends after as much time without a call. */
  readonly tokenLife: number;
  /** Between two calls that keep such a session awake. */
  readonly awake: number;
}

export const DEFAULT_POLICY: ReconnectPolicy = {
  shortest: 100,
  longest: 15_000,
  settled: 15_000,
  refused: 60_000,
  window: 60_000,
  liveness: LIVENESS,
  tokenLife: 600_000,
  awake: 200_000,
};

/**
 * Login messages in a window: half of what the server takes from one address (20 a minute, SCRAM
 * costs two), since other programs of the same machine log in, too.
 */
const LOGINS = 10;

/** Pauses that double, with full jitter: many daemons of one server don't come back at once. */
export class Backoff {
  private attempts = 0;

  constructor(
    private readonly policy: Pick<ReconnectPolicy, 'shortest' | 'longest'>,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds. */
  next(): number {
    const most = Math.min(this.policy.longest, this.policy.shortest * 2 ** this.attempts);
    if (most < this.policy.longest) this.attempts++;
    return Math.ceil(this.random() * most);
  }

  reset(): void {
    this.attempts = 0;
  }
}

export class LoginBudget {
  private spent: number[] = [];

  constructor(
    private readonly window: number,
    private readonly now: () => number = steadyNow,
  ) {}

  /** Milliseconds until so many login messages may be sent. */
  wait(cost: number): number {
    const now = this.now();
    this.spent = this.spent.filter((time) => time > now - this.window);
    const over = this.spent.length + cost - LOGINS;
    if (over <= 0) return 0;
    return Math.max(0, (this.spent[over - 1] ?? now) + this.window - now);
  }

  spend(cost: number): void {
    for (let i = 0; i < cost; i++) this.spent.push(this.now());
  }
}
