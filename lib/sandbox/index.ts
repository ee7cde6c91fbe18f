/** The embedded middleware: a simulation with a handful of methods, for tests and for trying things out. */
import type { FileFault, FileOptions } from './files/transfers.js';
import type { Account, TokenOptions } from './login/accounts.js';
import type { ApiKey } from './login/api-keys.js';
import type { ScramFaults } from './login/scram.js';
import { apiKeyMethods } from './methods/api-keys.js';
import { authMethods } from './methods/auth.js';
import { catalogMethods } from './methods/catalog.js';
import { coreMethods } from './methods/core.js';
import { fileMethods } from './methods/files.js';
import { systemMethods } from './methods/system.js';
import { testFileMethods } from './methods/test-files.js';
import { testJobMethods } from './methods/test-jobs.js';
import { testMethods } from './methods/test.js';
import { DEFAULT_RATE_LIMIT, Middleware, type MethodTable, type RateLimit } from './middleware.js';
import type { Stats } from './recorder.js';
import type { Certificate } from './wire/certificate.js';
import { Gate, listen, type Address, type Listener } from './wire/listeners.js';

export type { FileFault, FileOptions } from './files/transfers.js';
export { API_KEYS, type ApiKey } from './login/api-keys.js';
export type { RateLimit } from './middleware.js';
export type { Stats } from './recorder.js';
export type { Certificate } from './wire/certificate.js';

/** How the sandbox does SCRAM. All members but `iterations` are faults, for tests of a client's checks. */
export interface ScramOptions extends ScramFaults {
  /** How often the API keys are hashed; 500,000 unless given, as on the real server. */
  readonly iterations?: number;
}

/** Where to listen and how strict to be. At least one of `unix`, `ws` and `wss` makes sense. */
export interface SandboxOptions {
  /** A Unix socket's path; connections over it are root's without a login. */
  readonly unix?: string | undefined;
  /**
   * False: connections over the Unix socket are not logged in as root, as if they were another user's. For tests,
   * which run as one user.
   */
  readonly unixIsRoot?: boolean | undefined;
  /** A TCP port for `ws:`; 0 takes any free one. */
  readonly ws?: number | undefined;
  /** A TCP port for `wss:`; 0 takes any free one. */
  readonly wss?: number | undefined;
  /** The certificate of `wss:`; made for this sandbox unless given. */
  readonly certificate?: Certificate | undefined;
  /** The address `ws:` and `wss:` are bound to; 127.0.0.1 unless given. */
  readonly host?: string | undefined;
  /** How long a refused login takes, in ms; 2000 unless given, about as long as the real server. */
  readonly failedLoginDelayMs?: number | undefined;
  /** The limit on calls before a login, over TCP; false lifts it. */
  readonly rateLimit?: RateLimit | false | undefined;
  /**
   * What system.version says, after `TrueNAS-`. Before 25 core.get_methods tells less, as those servers did; up to
   * 26 there is core.get_events.
   */
  readonly version?: string | undefined;
  /** The users, in place of the sandbox's own. */
  readonly accounts?: readonly Account[] | undefined;
  /** The API keys, in place of the sandbox's own ({@link API_KEYS}). */
  readonly apiKeys?: readonly ApiKey[] | undefined;
  /** False: the server doesn't know SCRAM, as those before 26. */
  readonly scram?: ScramOptions | false | undefined;
  /**
   * Plain `ws:` connections from this machine count as insecure: an API key that is sent over one is revoked. For
   * tests, which have no other machine.
   */
  readonly treatLoopbackAsRemote?: boolean | undefined;
  /** How tokens behave; as on the real server unless given. */
  readonly tokens?: TokenOptions | undefined;
  /** How files are kept and served; as on the real server unless given. */
  readonly files?: FileOptions | undefined;
  /**
   * A file to which each call is appended before it is run, as a line of JSON: `method`, `params`
   * (not of `auth.*`) and `connection`, a number from 1 on, 0 for an upload. It tells what was run after the sandbox
   * was killed. A call that joined another's job is not in it. The method of a download has a line after core.download's.
   */
  readonly journal?: string | undefined;
}

/** A running sandbox. */
export interface Sandbox {
  readonly unixPath: string | null;
  /** The port `ws:` listens on. */
  readonly wsPort: number | null;
  /** The port `wss:` listens on. */
  readonly wssPort: number | null;
  /** The certificate of `wss:`, in PEM. A client that has it as an authority accepts it. */
  readonly certificate: string | null;
  readonly stats: Stats;
  /** The last 1000 messages, byte for byte as they came. */
  readonly received: readonly string[];
  /** How many requests named a method. */
  countOf(method: string): number;
  /**
   * Breaks every WebSocket without a close frame (1006), and if told the downloads and uploads under way; it goes
   * on listening.
   */
  dropAll(withTransfers?: boolean): void;
  /** Breaks the downloads and uploads under way. */
  cutTransfers(): void;
  /** Lets downloads and uploads go wrong, those under way included, until it is called with null. */
  setFileFault(fault: FileFault | null): void;
  /** Lets every token expire that was issued so far, those of downloads included. */
  expireTokens(): void;
  /** Sends the first half of a message on every connection, and breaks it. */
  cutMidMessage(): void;
  /** Closes every connection with this code, one that a close frame may have. */
  closeAll(code: number, reason: string): void;
  /** Sends this on every connection as it is: a string as a text message, a Buffer as a binary one. */
  sendRaw(data: string | Buffer): void;
  /** Lets every session that is logged in expire: it is logged out when its next message comes. */
  expireSessions(): void;
  /**
   * While true nothing is read or answered, pings and handshakes included, though connections stay open. Afterwards
   * everything that came meanwhile is read and answered.
   */
  setStalled(isStalled: boolean): void;
  /** Lets handshakes be answered with an HTTP status, such as 502; null accepts them again. */
  setRefusing(status: number | null): void;
  /** Ends connections, jobs and listeners, and removes the socket file. */
  close(): Promise<void>;
}

/** What every server has, whatever it is a server of. */
export const SERVER_METHODS: readonly MethodTable[] = [coreMethods, catalogMethods, authMethods];

const METHODS: readonly MethodTable[] = [
  ...SERVER_METHODS,
  apiKeyMethods,
  systemMethods,
  fileMethods,
  testMethods,
  testJobMethods,
  testFileMethods,
];

/** Starts a simulated middleware. Rejects with the system's error when it can't listen. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  return (await launch(options, METHODS)).sandbox;
}

/** The same with other methods. Of two of a name the last counts. */
export async function launch(
  options: SandboxOptions,
  methods: readonly MethodTable[],
): Promise<{ readonly sandbox: Sandbox; readonly middleware: Middleware }> {
  const { host = '127.0.0.1', ws, wss, scram } = options;
  const certificate = wss === undefined ? undefined : (options.certificate ?? makeCertificate());
  const middlewareOptions = {
    failedLoginDelayMs: options.failedLoginDelayMs ?? 2000,
    rateLimit: options.rateLimit ?? DEFAULT_RATE_LIMIT,
    version: options.version ?? '27.0.0-SANDBOX',
    endPoint: certificate === undefined ? undefined : endPointOf(certificate.cert),
    accounts: options.accounts,
    apiKeys: options.apiKeys,
    keyIterations: scram === false ? undefined : scram?.iterations,
    scramFaults: scram,
    treatLoopbackAsRemote: options.treatLoopbackAsRemote,
    unixIsRoot: options.unixIsRoot,
    tokens: options.tokens,
    files: options.files,
    journal: options.journal,
  };
  const middleware = new Middleware(middlewareOptions, methods);
  const gate = new Gate();
  let refusing: number | null = null;
  const listeners: Listener[] = [];
  const close = async (): Promise<void> => {
    middleware.end();
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  const open = async (address: Address): Promise<Listener> => {
    const listener = await listen({ middleware, gate, refusal: () => refusing }, address);
    listeners.push(listener);
    return listener;
  };
  let wsPort: number | null = null;
  let wssPort: number | null = null;
  try {
    if (options.unix !== undefined) await open({ path: options.unix });
    if (ws !== undefined) wsPort = (await open({ host, port: ws })).port;
    if (wss !== undefined && certificate !== undefined)
      wssPort = (await open({ host, port: wss, certificate })).port;
  } catch (error) {
    await close();
    throw error;
  }
  const { recorder } = middleware;
  const sandbox: Sandbox = {
    unixPath: options.unix ?? null,
    wsPort,
    wssPort,
    certificate: certificate?.cert ?? null,
    stats: recorder.stats,
    received: recorder.received,
    countOf: (method) => recorder.countOf(method),
    dropAll: (withTransfers) => {
      middleware.dropAll(withTransfers);
    },
    cutTransfers: () => {
      middleware.transfers.cutAll();
    },
    setFileFault: (fault) => {
      middleware.transfers.setFault(fault ?? {});
    },
    expireTokens: () => {
      middleware.tokens.expireAll();
    },
    cutMidMessage: () => {
      for (const { transport } of middleware.sessions) transport.cut();
    },
    closeAll: (code, reason) => {
      for (const { transport } of middleware.sessions) transport.close(code, reason);
    },
    sendRaw: (data) => {
      for (const { transport } of middleware.sessions) transport.send(data);
    },
    expireSessions: () => {
      for (const session of middleware.sessions)
        if (session.credentials !== null) session.expired = true;
    },
    setStalled: (isStalled) => {
      if (isStalled) gate.shut();
      else gate.open();
    },
    setRefusing: (status) => {
      refusing = status;
    },
    close,
  };
  return { sandbox, middleware };
}

function makeCertificate(): Certificate {
  return certificates().makeCertificate();
}

/** Computed when it is first asked for. */
function endPointOf(pem: string): () => Buffer | null {
  let endPoint: Buffer | null | undefined;
  return () => (endPoint === undefined ? (endPoint = certificates().endPointOf(pem)) : endPoint);
}

/** This file brings a library of 130 kB, which only `wss:` needs. */
function certificates(): typeof import('./wire/certificate.js') {
  return require('./wire/certificate.js') as typeof import('./wire/certificate.js');
}
