/** What every way to log in has in common: how it ends. */
import { userInfo, type Account } from './accounts.js';
import type { Call } from '../methods/table.js';
import { newCredentials, type Credentials } from '../wire/session.js';
import type { Mechanism } from '../stats.js';
import { dict, isTruthy, type PyDict, type PyValue } from '../python/values.js';

/** Who logged in, and how. */
export interface Entry {
  readonly type: Credentials['type'];
  readonly mechanism: Mechanism;
  readonly account: Account;
  readonly keyId?: number;
  readonly idleLimitMs?: number;
}

/** Refused, after as long as the real server takes. */
export async function authError({ middleware, signal }: Call): Promise<PyValue> {
  await middleware.loginFailed(signal);
  return dict({ response_type: 'AUTH_ERR' });
}

/** Refused without a delay. */
export function refuse({ middleware }: Call, response = 'AUTH_ERR'): PyValue {
  middleware.recorder.stats.failedLogins += 1;
  return dict({ response_type: response });
}

/** Logs a session in. */
export function enter({ middleware, session }: Call, entry: Entry): void {
  const { type, mechanism, account, keyId, idleLimitMs } = entry;
  middleware.login(session, newCredentials(type, account, keyId), mechanism, idleLimitMs);
}

/** Logs a session in and says so as auth.login_ex does. */
export function succeed(call: Call, entry: Entry, data: PyDict): PyValue {
  enter(call, entry);
  return dict({
    response_type: 'SUCCESS',
    user_info: userInfoFor(entry.account, data),
    authenticator: 'LEVEL_1',
    reconnect_token: wants(data, 'reconnect_token', false)
      ? call.middleware.tokens.issue(entry.account)
      : null,
  });
}

/** The user's data, or null when `login_options` say so. */
export function userInfoFor(account: Account, data: PyDict): PyValue {
  return wants(data, 'user_info', true) ? userInfo(account) : null;
}

function wants(data: PyDict, name: string, fallback: boolean): boolean {
  const options = data.get('login_options');
  return options instanceof Map && options.has(name)
    ? isTruthy(options.get(name) ?? null)
    : fallback;
}
