/** One connection of a client: who it is logged in as, its options, how many calls it may run, and what is sent to it. */
import { randomUUID } from 'node:crypto';
import type { Account } from './login/accounts.js';
import type { ScramLogin } from './login/api-keys.js';
import type { PyException } from './python/exceptions.js';
import {
  NotSerializable,
  datetime,
  dict,
  dump,
  int,
  type PyDict,
  type PyValue,
} from './python/values.js';

/** What a session needs of its WebSocket. */
export interface Transport {
  /** Sends a string as a text message, a Buffer as a binary one. */
  send(data: string | Buffer): void;
  close(code: number, reason: string): void;
  /** Breaks the connection without a close frame. */
  terminate(): void;
  /** Breaks the connection in the middle of a message. */
  cut(): void;
}

/** How one of the two wires (JSON-RPC, legacy) writes what a session says. */
export interface Dialect {
  result(id: PyValue, result: PyValue): PyDict;
  error(id: PyValue, error: PyException): PyDict;
  /** `params` holds an event's kind, its collection and the rest. */
  event(params: PyDict): PyDict;
  sourceEnd(collection: string, error: PyException | null): PyDict;
  /**
   * What is sent in place of an answer that has no JSON form, or of such an event (`id` is undefined then). Null
   * means that nothing is sent.
   */
  unwritable(id: PyValue | undefined, reason: string): PyDict | null;
}

/** Where a connection comes from. */
export interface Origin {
  /** As `test.noauth` and `auth.sessions` show it. */
  readonly text: string;
  /** The peer's IP address. Null on a Unix socket, where calls before a login are not limited. */
  readonly address: string | null;
  /** Nobody can listen on it: it is a Unix socket, TLS, or of this machine. */
  readonly secure: boolean;
  /** SCRAM's channel binding needs TLS. */
  readonly isTls: boolean;
}

/** Who a session is logged in as, and since when (`loginAt` in ms since the epoch). */
export interface Credentials {
  readonly type: 'UNIX_SOCKET' | 'LOGIN_PASSWORD' | 'TOKEN' | 'API_KEY';
  readonly account: Account;
  /** The API key that logged it in, if one did. */
  readonly keyId: number | null;
  readonly loginId: string;
  readonly loginAt: number;
}

export class Session {
  readonly id = randomUUID();
  readonly slots = new CallSlots();
  /** The legacy wire's greeting was accepted. */
  isGreeted = false;
  readonly options = { legacyJobs: true, privateMethods: false, pyExceptions: false };
  credentials: Credentials | null = null;
  /** The next message finds the session logged out, as on the real server. */
  expired = false;
  /** The session expires after so many ms without a message. */
  idleLimitMs = Infinity;
  /** When the last message came, by `performance.now()`. */
  lastMessage = performance.now();
  /** The account whose password was right and whose one-time password is awaited. */
  secondFactor: Account | null = null;
  /** The SCRAM login that waits for the client's final message. */
  scram: ScramLogin | null = null;
  private readonly ending = new AbortController();

  constructor(
    /** Counts from 1, in the order the connections came. 0: it is no WebSocket's. */
    readonly number: number,
    readonly transport: Transport,
    readonly origin: Origin,
    readonly dialect: Dialect,
  ) {}

  /** Aborted when the connection is gone: its calls stop, its jobs go on. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  get closed(): boolean {
    return this.ending.signal.aborted;
  }

  /** Whether it is a WebSocket's. The others are of jobs that were started in another way. */
  get isConnection(): boolean {
    return this.number > 0;
  }

  get isAdmin(): boolean {
    return this.credentials?.account.admin === true;
  }

  /** Tells the session that its connection is gone. */
  end(): void {
    this.ending.abort();
  }

  close(code: number, reason: string): void {
    this.transport.close(code, reason);
  }

  terminate(): void {
    this.transport.terminate();
  }

  /** Sends a call's result. An undefined `id` is a notification's, which gets no answer. */
  answer(id: PyValue | undefined, result: PyValue): void {
    if (id !== undefined) this.send(this.dialect.result(id, result), id);
  }

  /** Sends a call's error, unless `id` is a notification's. */
  refuse(id: PyValue | undefined, error: PyException): void {
    if (id !== undefined) this.send(this.dialect.error(id, error), id);
  }

  event(params: PyDict): void {
    this.send(this.dialect.event(params));
  }

  sourceEnded(collection: string, error: PyException | null): void {
    this.send(this.dialect.sourceEnd(collection, error));
  }

  /** Sends a message, or what the dialect has for one without a JSON form. */
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
    this.transport.send(text);
  }
}

export function newCredentials(
  type: Credentials['type'],
  account: Account,
  keyId: number | null = null,
): Credentials {
  return { type, account, keyId, loginId: randomUUID(), loginAt: Date.now() };
}

/** A login as jobs and events of `auth.sessions` show it. */
export function credentialsData({ account, keyId, loginId, loginAt }: Credentials): PyDict {
  const key = keyId === null ? {} : { api_key: dict({ id: int(keyId), name: `key ${keyId}` }) };
  return dict({ username: account.name, login_id: loginId, login_at: datetime(loginAt), ...key });
}

/** The most calls that one connection may run at once, and the most that may wait for one of those to end. */
const RUNNING = 10;
const WAITING = 10;

/** The call slots of one connection: first come, first served. The 21st call outstanding is refused. */
class CallSlots {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** Resolves when the call may run; null when too many calls are outstanding. */
  acquire(): Promise<void> | null {
    if (this.running < RUNNING) {
      this.running += 1;
      return Promise.resolve();
    }
    if (this.waiting.length >= WAITING) return null;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Hands the slot to the call that has waited longest. */
  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}
