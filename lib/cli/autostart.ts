/** Starts daemons in the background: because a call needs one, or because it was asked for. */
import path from 'node:path';
import { sendStop } from '../client.js';
import { callTimeoutOf } from '../compose.js';
import { isMidcltError, MidcltError } from '../errors.js';
import { daemonPaths } from '../paths.js';
import { DEFAULT_CALL_TIMEOUT, VERSION } from '../protocol.js';
import { DEFAULT_URI, parseTarget } from '../uri.js';
import { isOlder } from '../version.js';
import type { Arguments } from './arguments.js';
import { startDetached } from './handover.js';
import { sayLine } from './output.js';
import { upstreamOf } from './upstream.js';

/**
 * Resolves when the daemon for which `missing` was the error accepts connections, whoever has
 * started it. Rejects with that error where none can be started without asking, or with the
 * reason for which none has started.
 */
export async function startForCall(args: Arguments, missing: MidcltError): Promise<void> {
  if (!canLogIn(args)) throw missing;
  try {
    await start(args, DEFAULT_CALL_TIMEOUT);
  } catch (error) {
    if (!isMidcltError(error)) throw error;
    if (error.code === 'RUNNING') return; // somebody else was faster
    if (error.code === 'CONNECT' && args.uri === null) {
      // No TrueNAS here at all: what the Python client says, and why.
      throw new MidcltError('NO_DAEMON', `${missing.message}\n${error.message}`);
    }
    const text = `No daemon is running, and none could be started: ${error.message}`;
    throw new MidcltError(error.code, text);
  }
}

/** `daemon --detach`: resolves with what is to be printed. */
export async function startInBackground(args: Arguments): Promise<string | null> {
  return start(args, callTimeoutOf(process.env));
}

/**
 * The daemon that has just answered is of another version: if it is older, has nothing to do and can be
 * started again without asking, a new one takes its place. Says nothing: the call has its answer.
 */
export async function replaceOlder(args: Arguments, version: string): Promise<void> {
  if (!isOlder(version, VERSION) || !canLogIn(args)) return;
  try {
    const answer = await sendStop(daemonPaths(args.uri, args.username), { ifIdle: true });
    if (typeof answer === 'string') await start(args, DEFAULT_CALL_TIMEOUT);
  } catch {
    // it is busy, or gone, or another call is at it
  }
}

async function start(args: Arguments, callTimeout: number): Promise<string | null> {
  const { credential, askOtp } = await upstreamOf(args, sayLine);
  const { uri, username, insecure, lifetime, logFile, logLevel } = args;
  const { concurrency, linger, maxConnections } = args;
  const limits = { concurrency, linger, maxConnections };
  const daemon = { lifetime, logFile: absolute(logFile), logLevel, ...limits };
  return startDetached({ uri, username, insecure, credential, callTimeout, ...daemon }, askOtp);
}

/** The daemon runs in `/`. */
function absolute(file: string | null): string | null {
  return file === null || file === '-' ? file : path.resolve(file);
}

/** Is there a login, or no need of one? */
function canLogIn({ uri, username, password, passwordFile, apiKey }: Arguments): boolean {
  if (parseTarget(uri ?? DEFAULT_URI).scheme === 'ws+unix' && !username) return true;
  if (apiKey !== null) return true;
  const hasPassword = Boolean(password) || (passwordFile !== null && passwordFile !== '-');
  return Boolean(username) && hasPassword;
}
