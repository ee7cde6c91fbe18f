/** What proves to the middleware who logs in. Held in memory only, and named in no message. */
import { MidcltError } from '../../errors.js';
import { isLoopback, type Target } from '../uri.js';

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

/**
 * Throws a `LOGIN` error for a credential that must not be used on the way to this target. Asked
 * before anything is sent.
 */
export function checkTransport(credential: Credential, target: Target): void {
  if (credential.kind !== 'api-key' || target.scheme !== 'ws' || isLoopback(target)) return;
  const { mechanism, channelBinding, force } = credential;
  if (mechanism === 'PLAIN' && !force) {
    throw new LoginError(
      `the API key is not sent unencrypted to ${target.uri}, since the middleware revokes such a ` +
        'key. Use wss://, or leave out --plain (--force sends it all the same)',
    );
  }
  if (mechanism === 'SCRAM' && channelBinding) {
    throw new LoginError(
      `there is no channel binding over ${target.uri}, which is not encrypted. Use wss://, or ` +
        '--no-channel-binding to do without it',
    );
  }
}
