/** The simulated server behind its listeners: its sessions, jobs, events and methods. */
import { setTimeout as delay } from 'node:timers/promises';
import { Events } from './events.js';
import { FileSystem } from './files/file-system.js';
import { Transfers, type FileOptions } from './files/transfers.js';
import type { JobBody, JobOptions } from './job.js';
import { Jobs } from './jobs.js';
import {
  ACCOUNTS,
  ROOT,
  Tokens,
  type Account,
  type MechanismName,
  type TokenOptions,
} from './login/accounts.js';
import { ApiKeys, type ApiKey } from './login/api-keys.js';
import type { ScramFaults } from './login/scram.js';
import type { Parameter } from './python/parameters.js';
import { datetime, dict, int, type PyValue } from './python/values.js';
import { Journal, Recorder } from './recorder.js';
import {
  Session,
  credentialsData,
  newCredentials,
  type Credentials,
  type Dialect,
  type Origin,
  type Transport,
} from './session.js';

/** One call of a method: its arguments, with defaults filled in, and where it comes from. */
export interface Call {
  readonly middleware: Middleware;
  readonly session: Session;
  readonly args: readonly PyValue[];
  /** Aborted when the connection is gone: nobody gets the call's answer. */
  readonly signal: AbortSignal;
  /** The request's id, which a job of the call shows. Undefined for a notification, null where requests have none. */
  readonly messageId: PyValue | undefined;
}

interface MethodBase {
  /** Who may call it; `login` unless given. */
  readonly access?: 'anyone' | 'login' | 'admin';
  /** core.get_methods does not list it. */
  readonly isPrivate?: boolean;
  /** Servers from this major version on don't have it. */
  readonly before?: number;
  /** Positional parameters; null takes any number of any values. */
  readonly params: readonly Parameter[] | null;
}

interface PlainMethod extends MethodBase {
  readonly run: (call: Call) => PyValue | Promise<PyValue>;
}

export interface JobMethod extends MethodBase {
  readonly job: JobOptions;
  /** What the job of this call does. Throws what the call is refused with: there is no job then. */
  readonly body: (call: Call) => JobBody;
}

export type Method = PlainMethod | JobMethod;

/** Methods by their names. */
export type MethodTable = Readonly<Record<string, Method>>;

interface MiddlewareOptions {
  readonly failedLoginDelayMs: number;
  readonly rateLimit: RateLimit | false;
  readonly version: string;
  /** The hash of its certificate that SCRAM's channel bindings contain; without one there is no TLS. */
  readonly endPoint?: (() => Buffer | null) | undefined;
  readonly accounts?: readonly Account[] | undefined;
  readonly apiKeys?: readonly ApiKey[] | undefined;
  readonly keyIterations?: number | undefined;
  /** What it does wrong in SCRAM; false makes it an older server, which does not know SCRAM. */
  readonly scramFaults?: ScramFaults | false | undefined;
  readonly treatLoopbackAsRemote?: boolean | undefined;
  readonly unixIsRoot?: boolean | undefined;
  readonly tokens?: TokenOptions | undefined;
  readonly files?: FileOptions | undefined;
  /** A file for the calls that are run. */
  readonly journal?: string | undefined;
}

/** The other end of a TCP connection. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** One of the two ways to talk to the middleware. Each has a path of its own. */
export interface Protocol {
  readonly dialect: Dialect;
  opened(middleware: Middleware, session: Session): void;
  /** Takes one text message and answers it on that session. */
  receive(middleware: Middleware, session: Session, text: string): void;
}

export class Middleware {
  readonly recorder = new Recorder();
  readonly events = new Events();
  readonly tokens: Tokens;
  readonly limiter: RateLimiter;
  readonly accounts: readonly Account[];
  readonly apiKeys: ApiKeys;
  readonly transfers: Transfers;
  readonly fileSystem: FileSystem;
  readonly started = Date.now();
  /** So long after it came a call is run; a fault. */
  latencyMs = 0;
  readonly jobs = new Jobs((kind, job) => {
    this.events.publish(
      kind,
      'core.get_jobs',
      () => ({ id: int(job.id), fields: job.fields() }),
      (session) => job.isVisibleTo(session),
    );
  });
  readonly sessions = new Set<Session>();
  readonly journal: Journal | null;
  readonly majorVersion: number;
  private readonly methods: ReadonlyMap<string, Method>;

  constructor(
    readonly options: MiddlewareOptions,
    tables: readonly MethodTable[],
  ) {
    this.tokens = new Tokens(options.tokens);
    this.limiter = new RateLimiter(options.rateLimit);
    this.accounts = options.accounts ?? ACCOUNTS;
    this.apiKeys = new ApiKeys(options.apiKeys, options.keyIterations, this.accounts);
    this.transfers = new Transfers(options.files);
    this.fileSystem = new FileSystem(this.jobs, options.files?.capacity);
    this.journal = options.journal === undefined ? null : new Journal(options.journal);
    this.majorVersion = Number.parseInt(options.version, 10);
    const isThere = ([, { before = Infinity }]: [string, Method]) => !(this.majorVersion >= before);
    this.methods = new Map(tables.flatMap((table) => Object.entries(table)).filter(isThere));
  }

  get knowsScram(): boolean {
    return this.options.scramFaults !== false;
  }

  method(name: string): Method | undefined {
    return this.methods.get(name);
  }

  hasService(name: string): boolean {
    return this.methodNames().some((method) => method.startsWith(`${name}.`));
  }

  methodNames(): string[] {
    return [...this.methods.keys()].sort();
  }

  /** Makes the session of a new connection. `peer` is null over a Unix socket. */
  open(transport: Transport, peer: Peer | null, dialect: Dialect): Session {
    this.recorder.stats.connections += 1;
    const origin = this.originOf(peer);
    const session = new Session(this.recorder.stats.connections, transport, origin, dialect);
    this.sessions.add(session);
    this.recorder.stats.open += 1;
    return session;
  }

  originOf(peer: Peer | null): Origin {
    const uid = process.getuid?.() ?? 0;
    const isLocal =
      this.options.treatLoopbackAsRemote !== true &&
      /^(::ffff:)?127\.|^::1$/.test(peer?.host ?? '');
    return {
      text:
        peer === null
          ? `UNIX socket (pid=${process.pid} uid=${uid} gid=${process.getgid?.() ?? 0})`
          : `${peer.host}:${peer.port}`,
      address: peer?.host ?? null,
      secure: peer === null || peer.isTls || isLocal,
      isTls: peer?.isTls === true,
    };
  }

  /** Logs in a connection over the Unix socket as root. Each protocol says when. */
  greet(session: Session): void {
    if (session.origin.address === null && this.options.unixIsRoot !== false)
      session.credentials ??= newCredentials('UNIX_SOCKET', ROOT);
  }

  /** Ends the session of a connection that is gone: its calls stop, its jobs go on without an owner. */
  closed(session: Session): void {
    if (!this.sessions.delete(session)) return;
    this.recorder.stats.open -= 1;
    this.logout(session);
    session.end();
    this.events.drop(session);
  }

  /** The session is logged out again after `idleLimitMs` without a message. */
  login(
    session: Session,
    credentials: Credentials,
    mechanism: MechanismName,
    idleLimitMs = Infinity,
  ): void {
    const isNew = session.credentials === null;
    session.credentials = credentials;
    session.expired = false;
    session.idleLimitMs = idleLimitMs;
    this.recorder.stats.logins += 1;
    this.recorder.stats.loginsBy[mechanism] += 1;
    if (!isNew) return;
    this.events.publish('added', 'auth.sessions', () => ({
      fields: dict({
        id: session.id,
        origin: session.origin.text,
        credentials: credentials.type,
        credentials_data: credentialsData(credentials),
        created_at: datetime(credentials.loginAt),
        secure_transport: session.origin.secure,
      }),
    }));
  }

  /** Subscriptions stay, as on the real server, but events that need a login are no longer sent to the session. */
  logout(session: Session): void {
    if (session.credentials === null) return;
    const wasLogin = session.credentials.type !== 'UNIX_SOCKET';
    session.credentials = null;
    session.expired = false;
    if (wasLogin)
      this.events.publish('removed', 'auth.sessions', () => ({ fields: dict({ id: session.id }) }));
  }

  /** Counts a refused login and resolves after as long as the real server would take. */
  async loginFailed(signal: AbortSignal): Promise<void> {
    this.recorder.stats.failedLogins += 1;
    await delay(this.options.failedLoginDelayMs, undefined, { signal });
  }

  dropAll(withTransfers = false): void {
    const sessions = [...this.sessions];
    for (const session of sessions) session.terminate();
    for (const session of sessions) this.closed(session);
    if (withTransfers) this.transfers.cutAll();
  }

  /** Breaks one connection. Nothing is sent to it any more, and its subscriptions are gone at once. */
  drop(session: Session): void {
    session.terminate();
    this.closed(session);
    session.end();
  }

  /** Ends every connection and every job. */
  end(): void {
    this.dropAll();
    this.events.end();
    this.jobs.abortAll();
    this.transfers.end();
    this.journal?.close();
  }
}

/** Up to `calls` are allowed in `windowMs`; calls beyond are refused after `delayMs`. */
export interface RateLimit {
  readonly calls: number;
  readonly windowMs: number;
  readonly delayMs: number;
}

/** The real server's limit; its delay is 1 to 10 s. */
export const DEFAULT_RATE_LIMIT: RateLimit = { calls: 20, windowMs: 60_000, delayMs: 2_000 };

/** Counts the calls made before a login in fixed windows, for each method and address separately. */
export class RateLimiter {
  private readonly windows = new Map<string, { readonly since: number; calls: number }>();

  constructor(private readonly limit: RateLimit | false) {}

  /** Counts a call. Returns how many ms to wait before it is refused, or null when it is allowed. */
  take(method: string, address: string, now = performance.now()): number | null {
    if (this.limit === false) return null;
    const key = `${method} ${address}`;
    const current = this.windows.get(key);
    if (current === undefined || now - current.since >= this.limit.windowMs) {
      this.windows.set(key, { since: now, calls: 1 });
      return null;
    }
    current.calls += 1;
    return current.calls > this.limit.calls ? this.limit.delayMs : null;
  }
}
