import { randomUUID } from 'node:crypto';
import type { Account } from '../login/accounts.js';
import { NotSerializable, dump } from '../python/dump.js';
import type { PyException } from '../python/exceptions.js';
import type { ScramLogin } from '../login/key-login.js';
import { Slots } from './slots.js';
import { datetime, dict, int, type PyDict, type PyValue } from '../python/values.js';

/** What a session needs of its WebSocket. */
export interface Wire {
  /** A text message, or a binary one. */
  send(data: string | Buffer): void;
  close(code: number, reason: string): void;
  /** Gone at once, without a close frame. */
  terminate(): void;
  /** Gone in the middle of a message. */
  cut(): void;
}

/** How one of the two wires puts what a session says. */
export interface Dialect {
  result(id: PyValue, result: PyValue): PyDict;
  error(id: PyValue, error: PyException): PyDict;
  /** `params`: kind, collection and the rest of an event. */
  event(params: PyDict): PyDict;
  sourceEnd(collection: string, error: PyException | null): PyDict;
  /** In place of an answer that can't be written, or of an event (`id` undefined); null: nothing. */
  unwritable(id: PyValue | undefined, reason: string): PyDict | null;
}

/** Where a connection comes from. */
export interface Origin {
  readonly text: string;
  /** Null on a Unix socket, which knows no login limits. */
  readonly address: string | null;
  /** Nobody could listen: a Unix socket, TLS, or this machine. */
  readonly secure: boolean;
  /** What channel bindings need. */
  readonly isTls: boolean;
}

/** Who a session is logged in as, and since when (`loginAt` in ms). */
export interface Credentials {
  readonly type: 'UNIX_SOCKET' | 'LOGIN_PASSWORD' | 'TOKEN' | 'API_KEY';
  readonly account: Account;
  /** The API key it was with, if it was with one. */
  readonly keyId: number | null;
  readonly loginId: string;
  readonly loginAt: number;
}

/** One connection: its login, its options, its call slots. */
export class Session {
  readonly id = randomUUID();
  readonly slots = new Slots();
  /** The legacy wire's greeting was accepted. */
  isGreeted = false;
  readonly options = { legacyJobs: true, privateMethods: false, pyExceptions: false };
  credentials: Credentials | null = null;
  /** Noticed when the next message arrives, as on the real server. */
  expired = false;
  /** Milliseconds without a message after which it has expired, and when the last one came. */
  idleLimitMs = Infinity;
  lastMessage = performance.now();
  /** The account whose password was right and whose one-time password is awaited. */
  secondFactor: Account | null = null;
  /** The SCRAM login that has begun. */
  scram: ScramLogin | null = null;
  private readonly ending = new AbortController();

  constructor(
    /** Counts from 1, in the order the connections came. */
    readonly number: number,
    readonly wire: Wire,
    readonly origin: Origin,
    readonly dialect: Dialect,
  ) {}

  /** Aborted when the connection is gone: calls stop, jobs do not. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  get closed(): boolean {
    return this.ending.signal.aborted;
  }

  get isAdmin(): boolean {
    return this.credentials?.account.admin === true;
  }

  /** The connection is gone. */
  end(): void {
    this.ending.abort();
  }

  close(code: number, reason: string): void {
    this.wire.close(code, reason);
  }

  terminate(): void {
    this.wire.terminate();
  }

  /** `id` undefined means a notification, which gets no answer. */
  answer(id: PyValue | undefined, result: PyValue): void {
    if (id !== undefined) this.send(this.dialect.result(id, result), id);
  }

  /** An answer, too: what went wrong. */
  refuse(id: PyValue | undefined, error: PyException): void {
    if (id !== undefined) this.send(this.dialect.error(id, error), id);
  }

  event(params: PyDict): void {
    this.send(this.dialect.event(params));
  }

  sourceEnded(collection: string, error: PyException | null): void {
    this.send(this.dialect.sourceEnd(collection, error));
  }

  /** A message that can't be written is replaced by what the wire says then. */
  send(message: PyDict, id?: PyValue): void {
    if (this.closed) return;
    let text: string;
    try {
      text = dump(message);
    } catch (error) {
      if (!(error instanceof NotSerializable)) throw error;
      const other = this.dialect.unwritable(id, error.message);
      if (other === null) return;
      text = dump(other);
    }
    this.wire.send(text);
  }
}

export function newCredentials(
  type: Credentials['type'],
  account: Account,
  keyId: number | null = null,
): Credentials {
  return { type, account, keyId, loginId: randomUUID(), loginAt: Date.now() };
}

/** A login as jobs and session events show it. */
export function credentialsData({ account, keyId, loginId, loginAt }: Credentials): PyDict {
  const key = keyId === null ? {} : { api_key: dict({ id: int(keyId), name: `key ${keyId}` }) };
  return dict({ username: account.name, login_id: loginId, login_at: datetime(loginAt), ...key });
}
