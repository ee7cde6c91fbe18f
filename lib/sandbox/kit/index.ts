/**
 * `midclt/sandbox`: a simulated middleware for tests of scripts. It answers what a test says, by the server's own protocols,
 * over real sockets: to a script in this process and in others.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { launch, SERVER_METHODS, type FileFault } from '../index.js';
import type { Account } from '../login/accounts.js';
import type { ApiKey } from '../login/api-keys.js';
import { systemMethods } from '../methods/system.js';
import type { MethodTable } from '../middleware.js';
import { query as queryRows } from '../python/parameters.js';
import type { PyDict } from '../python/values.js';
import { tableOf, type CannedMethods } from './canned.js';
import { fromServer, toServer, type Value } from './values.js';

export {
  CallError,
  InstanceNotFound,
  ValidationErrors,
  type ValidationComplaint,
} from './errors.js';
export type {
  CallContext,
  Caller,
  CannedDownload,
  CannedJob,
  CannedMethod,
  CannedMethods,
  CannedUpload,
  JobContext,
  JobStep,
  UploadContext,
} from './canned.js';
export type { FileFault } from '../index.js';
export type { Value } from './values.js';

/** Who may log in over `ws:` and `wss:`. */
export interface User {
  readonly username: string;
  readonly password?: string | undefined;
  /** As a client gives it: `1-LETTERS_AND_DIGITS`. */
  readonly apiKey?: string | undefined;
  /** False: sees its own jobs alone, and no events but theirs. Default: true. */
  readonly isAdmin?: boolean | undefined;
  /** The one-time code that its password alone is not enough without. */
  readonly otp?: string | undefined;
}

/** What goes wrong. Each is off unless given, and off again with false, null or 0. */
export interface Faults {
  /** So many ms pass before a call is looked at. */
  readonly latency?: number | undefined;
  /** New connections are answered with this HTTP status, such as 503. */
  readonly refuse?: number | null | undefined;
  /** Nothing is read or answered, though connections stay open. What came meanwhile is answered afterwards. */
  readonly stall?: boolean | undefined;
  /** Downloads and uploads go wrong, those under way included. */
  readonly files?: FileFault | null | undefined;
}

/** Where nothing is said of `unix`, `ws` and `wss`, there is a Unix socket. */
export interface SandboxOptions extends CannedMethods {
  /** A Unix socket, whose clients are root without a login: at this path, or with true in a private temporary directory. */
  readonly unix?: boolean | string | undefined;
  /** `ws:` on this port of 127.0.0.1, or with true on any free one. */
  readonly ws?: boolean | number | undefined;
  /** `wss:`, likewise, with a certificate made for it. */
  readonly wss?: boolean | number | undefined;
  /** Default: `admin` with the password `password`. */
  readonly users?: readonly User[] | undefined;
  /** What system.version says, after `TrueNAS-`. */
  readonly version?: string | undefined;
  readonly faults?: Faults | undefined;
}

/** A call of a canned method. */
export interface SandboxCall {
  readonly method: string;
  /** As JavaScript values: BigInt for integers that no number holds, Date and Set. */
  readonly params: readonly unknown[];
}

export interface EventOptions {
  /** Default: `changed`. */
  readonly msg?: 'added' | 'changed' | 'removed' | undefined;
  /** Of what was added, changed or removed. */
  readonly id?: Value | undefined;
}

/** A running sandbox. */
export interface Sandbox extends AsyncDisposable {
  /** What to connect to: the first there is of `unix`, `ws` and `wss`. */
  readonly uri: string;
  readonly uris: {
    readonly unix: string | null;
    readonly ws: string | null;
    readonly wss: string | null;
  };
  /** A file with the certificate of `wss:`, for `--ca-file` or NODE_EXTRA_CA_CERTS of another process; null without `wss`. */
  readonly certificateFile: string | null;
  /** The calls of canned methods so far, as they came. To forget them: `calls.length = 0`. */
  readonly calls: SandboxCall[];
  /** Sends an event to those who have subscribed to it. Returns how many connections these are. */
  emit(event: string, fields?: Value, options?: EventOptions): number;
  /** Resolves when somebody has subscribed to the event, or had. Rejects when the sandbox is closed before. */
  subscribed(event: string): Promise<void>;
  /** Turns faults on and off; those that are not named stay as they are. */
  setFaults(faults: Faults): void;
  /** Breaks every connection, downloads and uploads included. It goes on listening. */
  drop(): void;
  /**
   * Lets every login expire, and every token. Over `unix`, where nobody logs in, a client is refused (ENOTAUTHENTICATED)
   * while its connection is young, and connects again when it is older.
   */
  expireSessions(): void;
  /** Ends connections, jobs and listeners, and removes its files. */
  close(): Promise<void>;
}

const DEFAULT_USERS: readonly User[] = [{ username: 'admin', password: 'password' }];

/** The fewest that clients take: tests are not to wait for a key to be hashed. */
const KEY_ITERATIONS = 50_000;

/** What every client may ask. All else is for the test to say. */
const SYSTEM = ['system.version', 'system.version_short', 'system.ready', 'system.state'];

/** Starts a sandbox. Rejects with a TypeError or RangeError for options that make no sense, and with the system's error. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { version, users = DEFAULT_USERS, faults = {} } = options;
  const calls: SandboxCall[] = [];
  const canned = tableOf(options, (method, params) => {
    calls.push({ method, params });
  });
  const [accounts, apiKeys] = [users.map(accountOf), users.flatMap(keyOf)];
  const isAnywhere = [options.unix, options.ws, options.wss].some((place) => isAsked(place));
  const unix = isAnywhere ? (options.unix ?? false) : true;
  const directory = unix === true || isAsked(options.wss) ? new Directory() : null;
  const launched = launch(
    {
      unix:
        typeof unix === 'string' ? absolute(unix) : unix ? directory?.file('nas.sock') : undefined,
      ws: portOf(options.ws),
      wss: portOf(options.wss),
      version,
      accounts,
      apiKeys,
      scram: { iterations: KEY_ITERATIONS },
      rateLimit: false,
      failedLoginDelayMs: 0,
    },
    [...SERVER_METHODS, systemTable(), canned],
  );
  const { sandbox, middleware } = await launched.catch((error: unknown) => {
    directory?.remove();
    throw error;
  });
  const { unixPath, wsPort, wssPort, certificate } = sandbox;
  const uris = {
    unix: unixPath === null ? null : `ws+unix://${unixPath}`,
    ws: wsPort === null ? null : `ws://127.0.0.1:${wsPort}/api/current`,
    wss: wssPort === null ? null : `wss://127.0.0.1:${wssPort}/api/current`,
  };
  const certificateFile = certificate === null ? null : (directory?.file('ca.pem') ?? null);
  if (certificateFile !== null) fs.writeFileSync(certificateFile, certificate ?? '');
  const setFaults = ({ latency, refuse, stall, files }: Faults): void => {
    if (latency !== undefined) middleware.latencyMs = latency;
    if (refuse !== undefined) sandbox.setRefusing(refuse === 0 ? null : refuse);
    if (stall !== undefined) sandbox.setStalled(stall);
    if (files !== undefined) sandbox.setFileFault(files);
  };
  setFaults(faults);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= sandbox.close().finally(() => directory?.remove());
    return closing;
  };
  return {
    uri: uris.unix ?? uris.ws ?? uris.wss ?? '',
    uris,
    certificateFile,
    calls,
    emit: (event, fields = {}, { msg = 'changed', id } = {}) => {
      const body = {
        fields: toServer(fields, 'fields'),
        ...(id !== undefined && { id: toServer(id, 'id') }),
      };
      return middleware.events.publish(msg, event, () => body);
    },
    subscribed: (event) => middleware.events.subscribed(event),
    setFaults,
    drop: () => {
      sandbox.dropAll(true);
    },
    expireSessions: () => {
      sandbox.expireSessions();
      sandbox.expireTokens();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * What a `*.query` method answers of these rows: filtered, sorted and cut as its parameters say. For a canned one:
 * `'pool.query': (params) => query(pools, params)`.
 */
export function query(rows: readonly object[], params: readonly unknown[]): unknown {
  const [filters = [], options = {}] = params;
  const [all, ...asked] = [rows, filters, options].map((each, index) =>
    toServer(each, ['rows', 'filters', 'options'][index] ?? ''),
  );
  const [given = [], how = null] = asked;
  return fromServer(queryRows(all as PyDict[], given, how));
}

function isAsked(place: boolean | string | number | undefined): boolean {
  return place !== undefined && place !== false;
}

/** As clients need it in a URI. An empty one is left for the system to refuse. */
function absolute(socket: string): string {
  return socket === '' ? socket : path.resolve(socket);
}

function portOf(place: boolean | number | undefined): number | undefined {
  return typeof place === 'number' ? place : place === true ? 0 : undefined;
}

function systemTable(): MethodTable {
  return Object.fromEntries(
    Object.entries(systemMethods).filter(([name]) => SYSTEM.includes(name)),
  );
}

function accountOf({ username, password, isAdmin = true, otp }: User, index: number): Account {
  const uid = 3000 + index;
  const more = otp === undefined ? {} : { otp };
  return { name: username, password: password ?? null, uid, admin: isAdmin, ...more };
}

function keyOf({ username, apiKey }: User): ApiKey[] {
  if (apiKey === undefined) return [];
  const [, id, key] = /^([1-9]\d{0,8})-(.+)$/s.exec(apiKey) ?? [];
  if (key === undefined)
    throw new TypeError(`The API key of ${username} is a number, '-' and the key`);
  return [{ id: Number(id), key, username }];
}

/** The longest directory in which a Unix socket's path is short enough for every system. */
const LONGEST = 60;

/** A temporary directory that nobody else can look into, removed at the latest when the process ends. */
class Directory {
  static readonly #made = new Set<string>();
  readonly #path: string;

  constructor() {
    const base = os.tmpdir();
    this.#path = fs.mkdtempSync(path.join(base.length > LONGEST ? '/tmp' : base, 'midclt-'));
    if (Directory.#made.size === 0) process.on('exit', Directory.#removeAll);
    Directory.#made.add(this.#path);
  }

  file(name: string): string {
    return path.join(this.#path, name);
  }

  remove(): void {
    fs.rmSync(this.#path, { recursive: true, force: true });
    Directory.#made.delete(this.#path);
    if (Directory.#made.size === 0) process.removeListener('exit', Directory.#removeAll);
  }

  static readonly #removeAll = (): void => {
    for (const made of Directory.#made) fs.rmSync(made, { recursive: true, force: true });
  };
}
