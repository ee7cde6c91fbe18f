/** Logs channels in, one after the other, and no more often than the middleware likes. */
import { setTimeout as delay } from 'node:timers/promises';
import { EMPTY_LIST, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import type { Channel } from '../channel/channel.js';
import type { Target } from '../uri.js';
import { LoginError, checkTransport, isRateLimit, type Credential } from './credential.js';
import { login, loginWithToken, type AskOtp } from './login.js';
import { LoginBudget, type ReconnectPolicy } from './reconnect-policy.js';
import { steadyNow } from '../../timer.js';

type Call = (method: string, params: Json) => Promise<Json>;

/** Milliseconds for the answer to one message of a login. */
const TIMEOUT = 30_000;

export class Authenticator {
  /** Logins that succeeded. */
  count = 0;
  private readonly budget: LoginBudget;
  /** Login messages that one login takes. */
  private readonly cost: number;
  /** After a refusal for too many logins. */
  private notBefore = 0;
  /** The credential alone is not enough: a one-time code, which is spent, went with it. */
  private isSpent = false;
  private readonly spare: SpareToken;
  /** What keeps the session awake, and the token fresh. */
  private timer: NodeJS.Timeout | undefined;
  private tending: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly target: Target,
    private readonly credential: Credential,
    /** Asked at the first login only: later nobody may be there. */
    private readonly askOtp: AskOtp | null,
    private readonly policy: Pick<ReconnectPolicy, 'window' | 'refused' | 'tokenLife' | 'awake'>,
  ) {
    this.budget = new LoginBudget(policy.window);
    this.spare = new SpareToken(policy.tokenLife);
    const isScram = credential.kind === 'api-key' && credential.mechanism === 'SCRAM';
    this.cost = isScram ? 2 : 1;
  }

  /** Can it log in once more? */
  get isReusable(): boolean {
    return !this.isSpent || this.spare.text !== null;
  }

  /** Did a one-time code go with the login? */
  get tookCode(): boolean {
    return this.isSpent;
  }

  /** Milliseconds until it may log in. */
  get wait(): number {
    return Math.max(this.budget.wait(this.cost), this.notBefore - steadyNow(), 0);
  }

  /** Throws what {@link checkTransport} does. */
  check(): void {
    checkTransport(this.credential, this.target);
  }

  /** Rejects as {@link login}; when `signal` aborts, before anything is sent. */
  async logIn(channel: Channel, newId: () => string, signal: AbortSignal): Promise<void> {
    clearInterval(this.timer);
    await this.tending; // it may be using the token
    if (!this.isReusable) {
      throw new LoginError(
        'It was done with a one-time code, which is spent. Start the daemon again with a new one',
      );
    }
    for (let wait; (wait = this.wait) > 0;) await delay(wait, undefined, { signal });
    this.budget.spend(this.cost);
    const call = (method: string, params: Json) =>
      channel.call(newId(), method, params, { timeout: TIMEOUT });
    try {
      await this.prove(channel, call);
    } catch (error) {
      if (isRateLimit(error)) this.notBefore = steadyNow() + this.policy.refused;
      throw error;
    }
    channel.isLoggedIn = true;
    this.count++;
    if (this.isSpent) this.tend(channel, call);
  }

  /**
   * Logs in as {@link logIn}, and again whenever the server refuses because of too many logins. Calls `onRefused` each
   * time; if that returns false, rejects with the refusal.
   */
  async logInPatiently(
    channel: Channel,
    newId: () => string,
    signal: AbortSignal,
    onRefused: (error: unknown, milliseconds: number) => boolean,
  ): Promise<void> {
    for (;;) {
      try {
        await this.logIn(channel, newId, signal);
        return;
      } catch (error) {
        if (!isRateLimit(error) || !onRefused(error, Math.round(this.wait))) throw error;
      }
    }
  }

  private async prove({ certificate }: Channel, call: Call): Promise<void> {
    const { spare, credential, target } = this;
    if (spare.text !== null) {
      spare.keep(await loginWithToken(spare.text, call));
    } else {
      const askOtp = this.count === 0 ? this.askOtp : null;
      const done = await login(credential, { target, call, certificate, askOtp });
      this.isSpent = done.wasWithCode;
      spare.keep(done.token);
    }
    if (spare.text !== null) await spare.extend(call);
  }

  /**
   * Keeps a session awake that the credential alone can't give again: only calls keep one awake. Renews the token that
   * logs in again.
   */
  private tend(channel: Channel, call: Call): void {
    const { spare, budget } = this;
    const renew = async (text: string): Promise<void> => {
      if ((await spare.extend(call)) || this.wait > 0) return;
      budget.spend(this.cost);
      spare.keep(await loginWithToken(text, call));
    };
    // Whatever is wrong, the next call shows it.
    const ignore = () => undefined;
    this.timer = setInterval(() => {
      const { text } = spare;
      if (text !== null && spare.isAging) this.tending = renew(text).catch(ignore);
      else call('core.ping', EMPTY_LIST).catch(ignore);
    }, this.policy.awake).unref();
    const { timer } = this;
    void channel.closed.then(() => {
      clearInterval(timer);
    });
  }
}

const MONTH_S = 2_592_000;
/** Parameters of auth.generate_token: a month, no attributes, for this address only, to be used once. */
const LONG_LIVED = Buffer.from(`[${MONTH_S}, {}, true, true]`);

/** Stands for a one-time code that is spent: a token that the server gave, to log in with once more. In memory only. */
class SpareToken {
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

  /** Takes the token that a login gave, or null. */
  keep(text: string | null, life = this.life): void {
    this.token = text === null ? null : { text, since: steadyNow(), life };
  }

  /** Gets a token that lives for a month, and keeps that one. False if the server gives none. */
  async extend(call: Call): Promise<boolean> {
    try {
      const text = stringOf(await call('auth.generate_token', LONG_LIVED));
      if (text !== null) this.keep(text, MONTH_S * 1000);
      return text !== null;
    } catch {
      return false;
    }
  }

  /** How much of its life is over: 1 is all of it. */
  private age(): number {
    const { token } = this;
    return token === null ? 1 : (steadyNow() - token.since) / token.life;
  }
}
