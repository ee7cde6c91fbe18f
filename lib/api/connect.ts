/** `connect`: a connection of one's own, or the daemon's. */
import path from 'node:path';
import { MidcltError } from '../errors.js';
import { daemonPaths } from '../files/paths.js';
import { noLog } from '../logger.js';
import type { Target } from '../middleware/uri.js';
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_LIFETIME,
  DEFAULT_LINGER,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MEMORY,
} from '../protocol/frames.js';
import { isListening } from '../protocol/client.js';
import { Connection } from './connection.js';
import { coreOf } from './core.js';
import { askOnce, callTimeoutIn, checkIsOptions, checkOptions, loginOf } from './login.js';
import type { ClientOptions } from './login.js';
import type { AnyServer, ServerTypes } from './types.js';
import { unlessAborted, type Way } from './way.js';
import { DaemonWay, DirectWay } from './ways.js';

export interface ConnectOptions extends ClientOptions {
  /**
   * Go through the daemon of this `uri` and `username`, which is started if there is none and this needs no login or one is
   * given. It serves everyone of this user and outlives the process. Default: false, a connection of this process's own.
   */
  readonly daemon?: boolean | undefined;
  /** With `daemon`: start one where there is none. Default: true. */
  readonly autostart?: boolean | undefined;
  /** Keep the process alive until `close()`, not only while something is under way. Default: false. */
  readonly keepAlive?: boolean | undefined;
  /** Gives the attempt up: the promise rejects with the signal's reason. It means nothing to what is connected. */
  readonly signal?: AbortSignal | undefined;
  /** Integers beyond ±(2^53 − 1) come as BigInt. Default: rounded, as JavaScript's numbers are. */
  readonly bigint?: boolean | undefined;
}

/**
 * Resolves with a connection that can make calls. Rejects with `REQUEST` for options that make no sense, `FILES` for a key
 * file that can't be read or a daemon that can't be used, `CONNECT`, `LOGIN`, or with `daemon` `NO_DAEMON`.
 *
 * `S` are the types of the server's methods and events: `connect<TrueNAS>(…)`.
 */
export async function connect<S extends ServerTypes = AnyServer>(
  options: ConnectOptions = {},
): Promise<Connection<S>> {
  checkIsOptions(options);
  options.signal?.throwIfAborted();
  const way = options.daemon === true ? await daemonWay(options) : await directWay(options);
  return new Connection<S>(way, { bigint: options.bigint ?? false, isRaw: false });
}

async function directWay(options: ConnectOptions): Promise<Way> {
  const own = { log: noLog, isUnref: true, endsSubscriptions: false };
  const { core, target } = await coreOf(options, own);
  const way = new DirectWay(target, core, options.keepAlive ?? false);
  try {
    await unlessAborted(way.open(), options.signal);
    return way;
  } catch (error) {
    core.connection.close(); // of an attempt that goes on
    throw error;
  }
}

async function daemonWay(options: ConnectOptions): Promise<Way> {
  const { uri = null, username = null, autostart = true, keepAlive = false, callTimeout } = options;
  checkOptions(options);
  const target = targetOf(options);
  const address = daemonPaths(uri, username);
  const start = async (missing: MidcltError) => {
    if (!autostart || !canLogIn(options)) throw missing;
    await startDaemon(options);
  };
  const way = new DaemonWay(target, address, start, callTimeout);
  if (!(await isListening(address))) await way.ask({ command: 'ping' }, {}, options.signal);
  if (keepAlive) way.hold();
  return way;
}

/** Can a daemon be started without asking anybody? */
function canLogIn({ uri, username, password, apiKey }: ConnectOptions): boolean {
  const isLocal = targetOf({ uri }).scheme === 'ws+unix';
  return Boolean(apiKey) || (username ? Boolean(password) : isLocal);
}

function targetOf({ uri = null, insecure = false, caFile = null }: ConnectOptions): Target {
  const login = require('../login/target.js') as typeof import('../login/target.js');
  return login.targetOf({ uri, insecure, caFile });
}

async function startDaemon(options: ConnectOptions): Promise<void> {
  const { username = null, insecure = false, otp = null } = options;
  const { concurrency = DEFAULT_CONCURRENCY } = options;
  const { credential, target } = await loginOf(options);
  const uri = options.uri ? target.uri : null;
  const caFile = options.caFile ? path.resolve(options.caFile) : null;
  const { startDetached } =
    require('../daemon/handover.js') as typeof import('../daemon/handover.js');
  const daemon = {
    lifetime: DEFAULT_LIFETIME,
    logFile: null,
    logLevel: 'info' as const,
    concurrency,
    linger: DEFAULT_LINGER,
    maxConnections: DEFAULT_MAX_CONNECTIONS,
    memory: DEFAULT_MEMORY,
  };
  const callTimeout = callTimeoutIn(options.callTimeout);
  const who = { uri, username, insecure, ca: target.ca, caFile, credential };
  const handover = { ...who, callTimeout, ...daemon };
  await startDetached(handover, askOnce(otp)).catch((error: unknown) => {
    const isThere = error instanceof MidcltError && error.code === 'RUNNING';
    if (!isThere) throw error; // somebody else was faster
  });
}
