/** The sandbox's API keys. */
import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { ACCOUNTS, type Account } from './accounts.js';
import { deriveCredentials, type ScramCredentials, type ScramExchange } from './scram.js';

/** An API key. A client logs in with `ID-KEY`. */
export interface ApiKey {
  /** From 1 on. */
  readonly id: number;
  readonly key: string;
  /** One of the sandbox's users. */
  readonly username: string;
  /** In ms since the epoch; never unless given. */
  readonly expiresAt?: number | undefined;
  readonly revoked?: boolean | undefined;
  /** No two have the same. */
  readonly name?: string | undefined;
}

/** The real server's number. */
const DEFAULT_ITERATIONS = 500_000;

/** OpenSSL's limit. */
const MAX_ITERATIONS = 2 ** 31 - 1;

/** Letters and digits of a key that is made. */
const KEY_LENGTH = 64;
const KEY_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const EXAMPLE = 'ExampleApiKeyMaterial0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH';

/** The sandbox's keys, unless others are given. */
export const API_KEYS: readonly ApiKey[] = [
  {
    id: 2,
    key: 'HGFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210lairetaMyeKipAwMlaeR',
    username: 'admin',
  },
  { id: 3, key: EXAMPLE, username: 'reader' },
  { id: 4, key: EXAMPLE, username: 'admin', expiresAt: Date.UTC(2025, 0, 1) },
  { id: 5, key: EXAMPLE, username: 'otp' }, // a login with a key needs no one-time password
];

/** One key as the server stores it. */
export class KeyRecord {
  readonly salt = randomBytes(16);
  readonly createdAt = Date.now();
  private isRevoked: boolean;
  private derived: Promise<ScramCredentials> | null = null;

  constructor(
    private readonly apiKey: ApiKey,
    readonly account: Account,
    readonly iterations: number,
  ) {
    this.isRevoked = apiKey.revoked === true;
  }

  get id(): number {
    return this.apiKey.id;
  }

  get name(): string {
    return this.apiKey.name ?? `key ${this.id}`;
  }

  /** In ms since the epoch; null: it does not expire. */
  get expiresAt(): number | null {
    return this.apiKey.expiresAt ?? null;
  }

  get wasRevoked(): boolean {
    return this.isRevoked;
  }

  get isExpired(): boolean {
    return this.isRevoked || Date.now() >= (this.apiKey.expiresAt ?? Infinity);
  }

  revoke(): void {
    this.isRevoked = true;
  }

  /** Derived on first use: that takes a quarter of a second. */
  credentials(): Promise<ScramCredentials> {
    this.derived ??= deriveCredentials(this.apiKey.key, this.salt, this.iterations);
    return this.derived;
  }

  async matches(key: string): Promise<boolean> {
    const given = await deriveCredentials(key, this.salt, this.iterations);
    return timingSafeEqual(given.storedKey, (await this.credentials()).storedKey);
  }
}

/** A SCRAM login that has begun. */
export interface ScramLogin {
  readonly record: KeyRecord;
  readonly exchange: ScramExchange;
}

/**
 * The API keys of a sandbox. Throws a RangeError for a key whose user does not exist, for an id used twice, and for
 * a number of iterations that is out of range.
 */
export class ApiKeys {
  private readonly keys = new Map<number, KeyRecord>();
  /** That was ever used. */
  private lastId = 0;

  constructor(
    keys: readonly ApiKey[] = API_KEYS,
    private readonly iterations = DEFAULT_ITERATIONS,
    accounts: readonly Account[] = ACCOUNTS,
  ) {
    if (!Number.isInteger(iterations) || iterations < 1 || iterations > MAX_ITERATIONS)
      throw new RangeError(`API keys: ${iterations} iterations`);
    for (const key of keys) {
      const account = accounts.find(({ name }) => name === key.username);
      if (account === undefined) throw new RangeError(`API key ${key.id}: no user ${key.username}`);
      if (this.keys.has(key.id)) throw new RangeError(`API key ${key.id}: there are two`);
      this.add(key, account);
    }
  }

  /** All there are. */
  get records(): readonly KeyRecord[] {
    return [...this.keys.values()];
  }

  /** Makes one. `key` is what nobody is told again; a client logs in with `ID-KEY`. */
  create(
    account: Account,
    { name, expiresAt }: Pick<ApiKey, 'name' | 'expiresAt'>,
  ): { readonly record: KeyRecord; readonly key: string } {
    const letter = () => KEY_CHARACTERS.charAt(randomInt(KEY_CHARACTERS.length));
    const key = Array.from({ length: KEY_LENGTH }, letter).join('');
    const id = this.lastId + 1;
    return { record: this.add({ id, key, username: account.name, name, expiresAt }, account), key };
  }

  /** It logs nobody in any more. */
  delete(id: number): void {
    this.keys.delete(id);
  }

  find(id: number): KeyRecord | null {
    return this.keys.get(id) ?? null;
  }

  private add(key: ApiKey, account: Account): KeyRecord {
    const record = new KeyRecord(key, account, this.iterations);
    this.keys.set(key.id, record);
    this.lastId = Math.max(this.lastId, key.id);
    return record;
  }

  /** Splits `ID-KEY`. Null when no key has that id; whether KEY is right is not checked. */
  locate(text: string): { readonly record: KeyRecord; readonly key: string } | null {
    const [, id, key] = /^([1-9]\d{0,8})-(.+)$/s.exec(text) ?? [];
    const record = this.find(Number(id));
    return record === null || key === undefined ? null : { record, key };
  }
}
