/** What proves to the middleware who logs in. Held in memory only, and named in no message. */
import { MidcltError } from '../../errors.js';

export type Credential = PasswordCredential | ApiKeyCredential;

export interface PasswordCredential {
  readonly kind: 'password';
  readonly username: string;
  readonly password: string;
}

export interface ApiKeyCredential {
  readonly kind: 'api-key';
  readonly username: string;
  readonly key: ApiKey;
  /** PLAIN sends the key itself, and is never chosen by this program. */
  readonly mechanism: 'SCRAM' | 'PLAIN';
  /** SCRAM over TLS: the server must prove that the connection ends at its own certificate. */
  readonly channelBinding: boolean;
  /** PLAIN over an unencrypted connection, too. The middleware revokes such a key. */
  readonly force: boolean;
}

/** An API key as it was made, or what SCRAM needs of one. */
export type ApiKey = RawKey | DerivedKey;

export interface RawKey {
  readonly kind: 'raw';
  /** Decimal. */
  readonly id: string;
  /** What follows `ID-`. */
  readonly secret: string;
}

export interface DerivedKey extends ScramKeys {
  readonly kind: 'derived';
  readonly id: string;
}

/** RFC 5802, section 3. */
export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The key in `ID-KEY`, or null if the text is none. */
export function parseRawKey(text: string): RawKey | null {
  const [, id, secret] = /^(\d+)-([A-Za-z0-9]+)$/.exec(text) ?? [];
  return id === undefined || secret === undefined ? null : { kind: 'raw', id, secret };
}

/** A login that failed; `retry` says whether the same credential can succeed at another time. */
export class LoginError extends MidcltError {
  constructor(
    reason: string,
    readonly retry: 'never' | 'later' | 'much later' = 'never',
  ) {
    super('LOGIN', `Failed to login: ${reason}`);
  }
}

/** Was a login refused for too many of them? */
export function isRateLimit(error: unknown): boolean {
  return error instanceof LoginError && error.retry === 'much later';
}

/** Will it be refused again, however often it is tried? */
export function isFinal(error: unknown): boolean {
  return error instanceof LoginError && error.retry === 'never';
}
