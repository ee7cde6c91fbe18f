/**
 * What stands for a one-time code that is spent: a token that the server gave, to log in with once more.
 * In memory only.
 */
import { stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';

type Call = (method: string, params: Json) => Promise<Json>;

const MONTH_S = 2_592_000;
/** For so long, without attributes, for this address, to be used once. */
const LONG_LIVED = Buffer.from(`[${MONTH_S}, {}, true, true]`);

export class SpareToken {
  private token: { readonly text: string; readonly since: number; readonly life: number } | null =
    null;

  /** `life`: milliseconds that a token lives which comes with a login. */
  constructor(private readonly life: number) {}

  /** Null once it has run out. */
  get text(): string | null {
    return this.age() < 1 ? (this.token?.text ?? null) : null;
  }

  /** Is half of its life over? */
  get isAging(): boolean {
    return this.age() >= 0.5;
  }

  /** Takes what a login has left, if it did. */
  keep(text: string | null, life = this.life): void {
    this.token = text === null ? null : { text, since: performance.now(), life };
  }

  /** Takes one that lives for a month in its place; false where the server gives none. */
  async extend(call: Call): Promise<boolean> {
    try {
      const text = stringOf(await call('auth.generate_token', LONG_LIVED));
      if (text !== null) this.keep(text, MONTH_S * 1000);
      return text !== null;
    } catch {
      return false;
    }
  }

  /** Of its life. */
  private age(): number {
    const { token } = this;
    return token === null ? 1 : (performance.now() - token.since) / token.life;
  }
}
