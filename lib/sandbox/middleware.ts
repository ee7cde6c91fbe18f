import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './login/accounts.js';
import { ApiKeys, type ApiKey } from './login/api-keys.js';
import { authMethods } from './login/auth-methods.js';
import { coreMethods } from './methods/core.js';
import { Events } from './methods/events.js';
import { Gate } from './wire/gate.js';
import { Jobs } from './methods/jobs.js';
import { Journal } from './journal.js';
import type { Method } from './methods/table.js';
import { RateLimiter, type RateLimit } from './login/rate-limit.js';
import type { ScramFaults } from './login/scram.js';
import {
  Session,
  credentialsData,
  newCredentials,
  type Credentials,
  type Dialect,
  type Origin,
  type Wire,
} from './wire/session.js';
import { Recorder, type Mechanism } from './stats.js';
import { systemMethods } from './methods/system.js';
import { testJobMethods } from './methods/test-jobs.js';
import { testMethods } from './methods/test.js';
import { Tokens, type TokenOptions } from './tokens.js';
import { datetime, dict, int } from './python/values.js';

export interface MiddlewareOptions {
  readonly failedLoginDelayMs: number;
  readonly rateLimit: RateLimit | false;
  readonly version: string;
  /** In PEM; without one there is no TLS. */
  readonly certificate?: string | undefined;
  readonly apiKeys?: readonly ApiKey[] | undefined;
  readonly keyIterations?: number | undefined;
  /** Ways to do SCRAM wrong; false: an older server, which doesn't know it. */
  readonly scramFaults?: ScramFaults | false | undefined;
  readonly treatLoopbackAsRemote?: boolean | undefined;
  readonly unixIsRoot?: boolean | undefined;
  readonly tokens?: TokenOptions | undefined;
  /** A file for the calls that are run. */
  readonly journal?: string | undefined;
}

/** The other end of a TCP connection. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** One of the two ways to talk to it, each with a path of its own. */
export interface Protocol {
  readonly dialect: Dialect;
  opened(middleware: Middleware, session: Session): void;
  /** Takes one text message; whatever it leads to is answered on that session. */
  receive(middleware: Middleware, session: Session, text: string): void;
}

/** The simulated server behind its listeners: sessions, jobs, events, methods. */
export class Middleware {
  readonly recorder = new Recorder();
  readonly events = new Events();
  readonly tokens: Tokens;
  readonly limiter: RateLimiter;
  readonly apiKeys: ApiKeys;
  readonly started = Date.now();
  readonly jobs = new Jobs((kind, job) => {
    this.events.publish(
      kind,
      'core.get_jobs',
      () => ({ id: int(job.id), fields: job.fields() }),
      (session) => job.isVisibleTo(session),
    );
  });
  readonly sessions = new Set<Session>();
  readonly gate = new Gate();
  readonly journal: Journal | null;
  private hashed: Buffer | null | undefined;
  private readonly methods = new Map<string, Method>(
    [coreMethods, authMethods, systemMethods, testMethods, testJobMethods].flatMap((table) =>
      Object.entries(table),
    ),
  );

  constructor(readonly options: MiddlewareOptions) {
    this.tokens = new Tokens(options.tokens);
    this.limiter = new RateLimiter(options.rateLimit);
    this.apiKeys = new ApiKeys(options.apiKeys, options.keyIterations);
    this.journal = options.journal === undefined ? null : new Journal(options.journal);
  }

  get knowsScram(): boolean {
    return this.options.scramFaults !== false;
  }

  /** What channel bindings to this server are made of; null when there is nothing. */
  endPoint(): Buffer | null {
    const { certificate } = this.options;
    if (this.hashed === undefined)
      this.hashed = certificate === undefined ? null : endPointOf(certificate);
    return this.hashed;
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

  /** A connection; `peer` is null over a Unix socket. */
  open(wire: Wire, peer: Peer | null, dialect: Dialect): Session {
    const uid = process.getuid?.() ?? 0;
    const isLocal =
      this.options.treatLoopbackAsRemote !== true &&
      /^(::ffff:)?127\.|^::1$/.test(peer?.host ?? '');
    const origin: Origin = {
      text:
        peer === null
          ? `UNIX socket (pid=${process.pid} uid=${uid} gid=${process.getgid?.() ?? 0})`
          : `${peer.host}:${peer.port}`,
      address: peer?.host ?? null,
      secure: peer === null || peer.isTls || isLocal,
      isTls: peer?.isTls === true,
    };
    this.recorder.stats.connections += 1;
    const session = new Session(this.recorder.stats.connections, wire, origin, dialect);
    this.sessions.add(session);
    this.recorder.stats.open += 1;
    return session;
  }

  /** Over a Unix socket a connection becomes root's, when its protocol says so. */
  greet(session: Session): void {
    if (session.origin.address === null && this.options.unixIsRoot !== false)
      session.credentials ??= newCredentials('UNIX_SOCKET', ROOT);
  }

  /** The connection is gone: its calls stop, its jobs run on without an owner. */
  closed(session: Session): void {
    if (!this.sessions.delete(session)) return;
    this.recorder.stats.open -= 1;
    this.logout(session);
    session.end();
    this.events.drop(session);
  }

  /** Without a message for `idleLimitMs` it is logged out again. */
  login(
    session: Session,
    credentials: Credentials,
    mechanism: Mechanism,
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

  /** Subscriptions stay, as on the real server; what needs a login no longer reaches them. */
  logout(session: Session): void {
    if (session.credentials === null) return;
    const wasLogin = session.credentials.type !== 'UNIX_SOCKET';
    session.credentials = null;
    session.expired = false;
    if (wasLogin)
      this.events.publish('removed', 'auth.sessions', () => ({ fields: dict({ id: session.id }) }));
  }

  /** Counts a refused login and lets it wait as long as the real server would. */
  async loginFailed(signal: AbortSignal): Promise<void> {
    this.recorder.stats.failedLogins += 1;
    await delay(this.options.failedLoginDelayMs, undefined, { signal });
  }

  dropAll(): void {
    for (const session of this.sessions) session.terminate();
  }

  /** No call is run any more, and no job. */
  end(): void {
    this.dropAll();
    this.jobs.abortAll();
    this.journal?.close();
  }
}

/** A library of 130 kB, loaded for channel bindings alone. */
function endPointOf(certificate: string): Buffer | null {
  const file = require('./wire/end-point.js') as typeof import('./wire/end-point.js');
  return file.endPointOf(certificate);
}
