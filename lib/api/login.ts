/** What options say of the login, and that they make sense. */
import { MidcltError } from '../errors.js';
import type { LoginOptions, LoginTarget } from '../login/target.js';
import type { AskOtp } from '../middleware/login/login.js';
import type { ClientOptions } from './client.js';

/** Where to, and as whom. Never asks on a terminal. */
export async function loginOf(options: ClientOptions): Promise<LoginTarget> {
  const { uri = null, username = null, password = null, apiKey = null } = options;
  const { insecure = false, plain = false, channelBinding = true, force = false } = options;
  const isAnonymous = username === null || username === '';
  if (!isAnonymous && apiKey === null && (password === null || password === '')) {
    throw new MidcltError('REQUEST', `No password is given for the user ${username}`);
  }
  const { toLoginTarget } = require('../login/target.js') as typeof import('../login/target.js');
  const login: LoginOptions = {
    ...{ uri, username, password, apiKey, plain, force, insecure },
    ...{ passwordFile: null, otp: null, noChannelBinding: !channelBinding },
  };
  return toLoginTarget(login, (line) => {
    process.emitWarning(line.replace(/^Warning: /, ''));
  });
}

/** A library asks nobody by itself. */
export function askOnce(otp: string | (() => Promise<string>) | null): AskOtp | null {
  if (otp === null || otp === '') return null;
  return async (attempt) => {
    if (attempt !== null && attempt > 0) return null;
    return typeof otp === 'string' ? otp : otp();
  };
}

export function atLeast(name: string, value: number, least: number): number {
  if (value >= least) return value;
  throw new MidcltError('REQUEST', `'${name}' must be a positive number, not ${value}`);
}
