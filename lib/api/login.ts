/** What options say of a connection and its login, and that they make sense. */
import { MidcltError } from '../errors.js';
import type { LoginOptions, LoginTarget } from '../login/target.js';
import type { AskOtp } from '../middleware/login/login.js';

export interface ClientOptions {
  /**
   * `ws://HOST/api/current`, `wss://…` or `ws+unix:///PATH`, or a host alone, which means `wss://HOST/api/current`; none is the
   * middleware of this machine.
   */
  readonly uri?: string | null | undefined;
  /** None logs in as nobody: over the local socket that is the owner of this process. */
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  /** For an account that wants a one-time code: the code, or what gives it when it is wanted. One try. */
  readonly otp?: string | (() => Promise<string>) | null | undefined;
  /**
   * In place of the password: `ID-KEY`, or the path of a file with the key (a name in it stands in
   * for `username`). Logs in by SCRAM-SHA-512: the key itself is not sent.
   */
  readonly apiKey?: string | null | undefined;
  /** False: do without the channel binding that SCRAM has over `wss://`. Default: true. */
  readonly channelBinding?: boolean | undefined;
  /** Send the API key itself, for a middleware that does not know SCRAM. */
  readonly plain?: boolean | undefined;
  /** `plain` over `ws://` to another host, too: the middleware revokes the key. */
  readonly force?: boolean | undefined;
  /** `wss://`: take the server's certificate as it is. */
  readonly insecure?: boolean | undefined;
  /** `wss://`: the path of a file with certificates (PEM) of authorities that are trusted beside the usual ones. */
  readonly caFile?: string | null | undefined;
  /** Seconds for calls that name no timeout. Default: `CALL_TIMEOUT` of the environment, or 60. */
  readonly callTimeout?: number | undefined;
  /** Calls at the middleware at once, this client's own and those of daemons that serve it. Default: 8. */
  readonly concurrency?: number | undefined;
}

/** Where to, and as whom. Never asks on a terminal. */
export async function loginOf(options: ClientOptions): Promise<LoginTarget> {
  const { uri = null, username = null, password = null, apiKey = null } = options;
  const { insecure = false, caFile = null, plain = false } = options;
  const { channelBinding = true, force = false } = options;
  const isAnonymous = username === null || username === '';
  if (!isAnonymous && apiKey === null && (password === null || password === '')) {
    throw new MidcltError('REQUEST', `No password is given for the user ${username}`);
  }
  const { toLoginTarget } = require('../login/target.js') as typeof import('../login/target.js');
  const login: LoginOptions = {
    ...{ uri, username, password, apiKey, plain, force, insecure, caFile },
    ...{ passwordFile: null, otp: null, noChannelBinding: !channelBinding },
  };
  return toLoginTarget(login, (line) => {
    process.emitWarning(line.replace(/^Warning: /, ''));
  });
}

/** Seconds; where none are given those of the environment. */
export function callTimeoutIn(given: number | undefined): number {
  if (given !== undefined) return atLeast('callTimeout', given, Number.MIN_VALUE);
  const { callTimeoutOf } = require('../compose.js') as typeof import('../compose.js');
  return callTimeoutOf(process.env);
}

/** Throws `REQUEST` for what is no object of options. One without a `uri` would be the middleware of this machine. */
export function checkIsOptions(options: unknown): void {
  const isList = options instanceof URL || Array.isArray(options);
  if (typeof options === 'object' && options !== null && !isList) return;
  const what = options === null ? 'null' : isList ? options.constructor.name : typeof options;
  const text = `The options must be an object, such as { uri: 'wss://nas/api/current' }, not ${what}`;
  throw new MidcltError('REQUEST', text);
}

/** Throws `REQUEST` for options of a connection that make no sense. */
export function checkOptions({ callTimeout, concurrency }: ClientOptions): void {
  if (concurrency !== undefined) atLeast('concurrency', concurrency, 1);
  if (callTimeout !== undefined) callTimeoutIn(callTimeout);
}

/** A library asks nobody by itself. */
export function askOnce(otp: string | (() => Promise<string>) | null): AskOtp | null {
  if (otp === null || otp === '') return null;
  return async (attempt) => {
    if (attempt !== null && attempt > 0) return null;
    return typeof otp === 'string' ? otp : otp();
  };
}

function atLeast(name: string, value: number, least: number): number {
  if (value >= least) return value;
  throw new MidcltError('REQUEST', `'${name}' must be a positive number, not ${value}`);
}
