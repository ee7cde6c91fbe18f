/** Logs channels in, one after the other, and no more often than the middleware likes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from '../uri.js';
import type { Channel } from './channel.js';
import type { Credential } from './credential.js';
import { checkTransport, login } from './login.js';
import { LoginBudget } from './pace.js';

/** Milliseconds for the answer to one message of a login. */
const TIMEOUT = 30_000;

export class Authenticator {
  /** Logins that succeeded. */
  count = 0;
  private readonly budget: LoginBudget;

  constructor(
    private readonly target: Target,
    private readonly credential: Credential,
    window: number,
  ) {
    this.budget = new LoginBudget(window);
  }

  /** Can it log in once more? */
  get isReusable(): boolean {
    return true;
  }

  /** Throws what {@link checkTransport} does. */
  check(): void {
    checkTransport(this.credential, this.target);
  }

  /** Rejects as {@link login}; when `signal` aborts, before anything is sent. */
  async logIn(channel: Channel, newId: () => string, signal: AbortSignal): Promise<void> {
    const { credential, target } = this;
    const isScram = credential.kind === 'api-key' && credential.mechanism === 'SCRAM';
    const cost = isScram ? 2 : 1;
    for (let wait; (wait = this.budget.wait(cost)) > 0;) await delay(wait, undefined, { signal });
    this.budget.spend(cost);
    await login(credential, {
      target,
      call: (method, params) => channel.call(newId(), method, params, { timeout: TIMEOUT }),
      certificate: channel.certificate,
    });
    channel.isLoggedIn = true;
    this.count++;
  }
}
