import { randomBytes } from 'node:crypto';
import type { Account } from './login/accounts.js';

/** What tokens are like; for tests, which can't wait for ten minutes. */
export interface TokenOptions {
  /** How long a token lives that asks for nothing else, and a session that it logged in without a message; 600 unless given. */
  readonly ttlSeconds?: number;
  /** auth.generate_token is for others only. */
  readonly refuseGenerated?: boolean;
}

export interface Token {
  readonly account: Account;
  readonly ttlSeconds: number;
}

interface Issued extends Token {
  readonly isSingleUse: boolean;
  /** The address it is bound to; null: none. */
  readonly origin: string | null;
  /** By `performance.now()`. */
  readonly expires: number;
}

/** The tokens that log in without a password. */
export class Tokens {
  private readonly issued = new Map<string, Issued>();

  constructor(readonly options: TokenOptions = {}) {}

  issue(
    account: Account,
    {
      ttlSeconds = this.options.ttlSeconds ?? 600,
      isSingleUse = true,
      origin = null,
    }: Partial<Pick<Issued, 'ttlSeconds' | 'isSingleUse' | 'origin'>> = {},
  ): string {
    const text = randomBytes(48).toString('base64url');
    const expires = performance.now() + ttlSeconds * 1000;
    this.issued.set(text, { account, ttlSeconds, isSingleUse, origin, expires });
    return text;
  }

  redeem(text: string, address: string | null): Token | null {
    const token = this.issued.get(text);
    if (token === undefined || (token.origin !== null && token.origin !== address)) return null;
    const isOver = performance.now() > token.expires;
    if (token.isSingleUse || isOver) this.issued.delete(text);
    return isOver ? null : token;
  }
}
