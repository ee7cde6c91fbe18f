/** Logs channels in, one after the other, and no more often than the middleware likes. */
import { setTimeout as delay } from 'node:timers/promises';
import { EMPTY_LIST } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import type { Target } from '../uri.js';
import type { Channel } from '../channel/channel.js';
import { isRateLimit, LoginError, type Credential } from './credential.js';
import { checkTransport, login, loginWithToken, type AskOtp } from './login.js';
import { LoginBudget, type Pace } from './reconnect-policy.js';
import { SpareToken } from './spare-token.js';

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
    private readonly pace: Pick<Pace, 'window' | 'refused' | 'tokenLife' | 'awake'>,
  ) {
    this.budget = new LoginBudget(pace.window);
    this.spare = new SpareToken(pace.tokenLife);
    const isScram = credential.kind === 'api-key' && credential.mechanism === 'SCRAM';
    this.cost = isScram ? 2 : 1;
  }

  /** Can it log in once more? */
  get isReusable(): boolean {
    return !this.isSpent || this.spare.text !== null;
  }

  /** Milliseconds until it may log in. */
  get wait(): number {
    return Math.max(this.budget.wait(this.cost), this.notBefore - performance.now(), 0);
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
      if (isRateLimit(error)) this.notBefore = performance.now() + this.pace.refused;
      throw error;
    }
    channel.isLoggedIn = true;
    this.count++;
    if (this.isSpent) this.tend(channel, call);
  }

  /**
   * The same, once more whenever it was refused for too many logins. `onRefused` is told of that; where it
   * returns false, the refusal is what this rejects with.
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
   * A session that can't be had again for the asking is kept awake, for which only calls count, and so is what
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
    }, this.pace.awake).unref();
    const { timer } = this;
    void channel.closed.then(() => {
      clearInterval(timer);
    });
  }
}
