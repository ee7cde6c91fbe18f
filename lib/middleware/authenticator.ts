/** Logs channels in, one after the other, and no more often than the middleware likes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '../protocol.js';
import type { Target } from '../uri.js';
import type { Channel } from './channel.js';
import { isRateLimit, LoginError, type Credential } from './credential.js';
import { checkTransport, login, loginWithToken, type AskOtp } from './login.js';
import { LoginBudget, type Pace } from './pace.js';

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
  /** What stands for both, once. In memory only. */
  private token: string | null = null;

  constructor(
    private readonly target: Target,
    private readonly credential: Credential,
    /** Asked at the first login only: later nobody may be there. */
    private readonly askOtp: AskOtp | null,
    private readonly pace: Pick<Pace, 'window' | 'refused'>,
  ) {
    this.budget = new LoginBudget(pace.window);
    const isScram = credential.kind === 'api-key' && credential.mechanism === 'SCRAM';
    this.cost = isScram ? 2 : 1;
  }

  /** Can it log in once more? */
  get isReusable(): boolean {
    return !this.isSpent || this.token !== null;
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
    if (!this.isReusable) {
      throw new LoginError(
        'It was done with a one-time code, which is spent. Start the daemon again with a new one',
      );
    }
    for (let wait; (wait = this.wait) > 0;) await delay(wait, undefined, { signal });
    this.budget.spend(this.cost);
    try {
      await this.prove(channel, (method, params) =>
        channel.call(newId(), method, params, { timeout: TIMEOUT }),
      );
    } catch (error) {
      if (isRateLimit(error)) this.notBefore = performance.now() + this.pace.refused;
      throw error;
    }
    channel.isLoggedIn = true;
    this.count++;
  }

  private async prove(
    { certificate }: Channel,
    call: (method: string, params: Json) => Promise<Json>,
  ): Promise<void> {
    const { token, credential, target } = this;
    if (token !== null) {
      this.token = await loginWithToken(token, call);
      return;
    }
    const askOtp = this.count === 0 ? this.askOtp : null;
    const done = await login(credential, { target, call, certificate, askOtp });
    this.isSpent = done.wasWithCode;
    this.token = done.token;
  }
}
