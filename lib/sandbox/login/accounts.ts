/** The sandbox's users, and what logs them in: passwords and tokens. */
import { randomBytes } from 'node:crypto';
import { PySet, dict, int, type PyDict } from '../python/values.js';

/** The mechanisms of auth.login_ex. */
export type MechanismName =
  'API_KEY_PLAIN' | 'PASSWORD_PLAIN' | 'TOKEN_PLAIN' | 'OTP_TOKEN' | 'SCRAM';

/** A user of the sandbox. `refusal` is the answer to a login whose password or key is right. */
export interface Account {
  readonly name: string;
  readonly password: string | null;
  readonly uid: number;
  readonly admin: boolean;
  readonly refusal?: 'DENIED' | 'EXPIRED';
  /** The one-time password, if the user needs one. */
  readonly otp?: string;
}

export const ROOT: Account = { name: 'root', password: null, uid: 0, admin: true };

export const ACCOUNTS: readonly Account[] = [
  ROOT,
  { name: 'admin', password: 'admin-pw', uid: 3000, admin: true },
  { name: 'otp', password: 'otp-pw', uid: 3001, admin: true, otp: '123456' },
  { name: 'reader', password: 'reader-pw', uid: 3002, admin: false },
  { name: 'noapi', password: 'noapi-pw', uid: 3003, admin: false, refusal: 'DENIED' },
  { name: 'expired', password: 'expired-pw', uid: 3004, admin: true, refusal: 'EXPIRED' },
];

export function findAccount(
  accounts: readonly Account[],
  name: string,
  password: string,
): Account | null {
  const account = accounts.find((candidate) => candidate.name === name);
  return account !== undefined && account.password === password ? account : null;
}

export function findUser(accounts: readonly Account[], name: string): Account | null {
  return accounts.find((account) => account.name === name) ?? null;
}

/** The number of a user in the server's database. */
export function userId(accounts: readonly Account[], account: Account): number {
  return accounts.indexOf(account) + 1;
}

/** The answer to auth.me, and to a login that asks for `user_info`. */
export function userInfo(account: Account): PyDict {
  const roles = account.admin ? ['FULL_ADMIN', 'READONLY_ADMIN'] : ['READONLY_ADMIN'];
  return dict({
    pw_name: account.name,
    pw_gecos: account.name,
    pw_dir: account.uid === 0 ? '/root' : `/home/${account.name}`,
    pw_shell: '/usr/bin/zsh',
    pw_uid: int(account.uid),
    pw_gid: int(account.uid),
    grouplist: null,
    sid: null,
    source: 'LOCAL',
    local: true,
    attributes: dict({}),
    two_factor_config: dict({
      provisioning_uri: null,
      secret_configured: account.otp !== undefined,
      interval: 30n,
      otp_digits: 6n,
    }),
    privilege: dict({ roles: new PySet(roles), web_shell: account.admin, webui_access: true }),
    account_attributes: ['LOCAL', 'SYS_ADMIN'].slice(0, account.admin ? 2 : 1),
  });
}

/** How tokens behave. Tests set it, because they can't wait for ten minutes. */
export interface TokenOptions {
  /**
   * How long a token lives whose caller asks for no other time, and how long a session may send nothing that such
   * a token logged in. 600 unless given.
   */
  readonly ttlSeconds?: number;
  /** auth.generate_token refuses. */
  readonly refuseGenerated?: boolean;
  /** Tokens have expired as soon as they are issued. */
  readonly expireAtOnce?: boolean;
}

/** What a download's token is for. */
export interface Download {
  readonly jobId: number;
  readonly filename: string;
}

export interface Token {
  readonly account: Account;
  readonly ttlSeconds: number;
}

interface IssuedToken extends Token {
  readonly isSingleUse: boolean;
  /** The only address that may log in with it; null allows any. */
  readonly origin: string | null;
  /** By `performance.now()`. */
  expires: number;
  /** The token fetches this and logs nobody in. */
  readonly download: Download | null;
}

/** The tokens issued by this sandbox. */
export class Tokens {
  private readonly issued = new Map<string, IssuedToken>();

  constructor(readonly options: TokenOptions = {}) {}

  issue(
    account: Account,
    {
      ttlSeconds = this.options.ttlSeconds ?? 600,
      isSingleUse = true,
      origin = null,
      download = null,
    }: Partial<Pick<IssuedToken, 'ttlSeconds' | 'isSingleUse' | 'origin' | 'download'>> = {},
  ): string {
    const text = randomBytes(48).toString('base64url');
    const lifeMs = this.options.expireAtOnce === true ? -1 : ttlSeconds * 1000;
    const expires = performance.now() + lifeMs;
    this.issued.set(text, { account, ttlSeconds, isSingleUse, origin, expires, download });
    return text;
  }

  /** The token, if it may log in from this address. A single-use token is gone afterwards. */
  redeem(text: string, address: string | null): Token | null {
    return this.issued.get(text)?.download === null ? this.take(text, address) : null;
  }

  /** What a token fetches, if it is one of a download. */
  redeemDownload(text: string, address: string | null): Download | null {
    return this.take(text, address)?.download ?? null;
  }

  /** Every token that was issued has expired. */
  expireAll(): void {
    for (const token of this.issued.values()) token.expires = -1;
  }

  private take(text: string, address: string | null): IssuedToken | null {
    const token = this.issued.get(text);
    if (token === undefined || (token.origin !== null && token.origin !== address)) return null;
    const isOver = performance.now() > token.expires;
    if (token.isSingleUse || isOver) this.issued.delete(text);
    return isOver ? null : token;
  }
}
