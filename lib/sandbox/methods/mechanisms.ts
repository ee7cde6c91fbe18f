/** The mechanisms of auth.login_ex: what each asks for, what it checks, and how its login ends. */
import { findAccount, userInfo, type Account, type MechanismName } from '../login/accounts.js';
import type { KeyRecord } from '../login/api-keys.js';
import { ScramExchange, parseClientFirst } from '../login/scram.js';
import type { Call } from '../middleware.js';
import { CallError, EINVAL, PyException } from '../python/exceptions.js';
import { dict, isTruthy, repr, stringOf, type PyDict, type PyValue } from '../python/values.js';
import { newCredentials, type Credentials } from '../session.js';

interface Mechanism {
  /** The members that must be there; all are strings. */
  readonly needs: readonly string[];
  /** The values that a member may have, where only some are allowed. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  readonly login: (call: Call, data: PyDict) => Promise<PyValue> | PyValue;
}

/** In the server's order. */
export const MECHANISMS: Readonly<Record<MechanismName, Mechanism>> = {
  API_KEY_PLAIN: { needs: ['username', 'api_key'], login: withApiKey },
  PASSWORD_PLAIN: { needs: ['username', 'password'], login: withPassword },
  TOKEN_PLAIN: { needs: ['token'], login: withToken },
  OTP_TOKEN: { needs: ['otp_token'], login: withOneTimePassword },
  SCRAM: {
    needs: ['scram_type', 'rfc_str'],
    choices: { scram_type: ['CLIENT_FIRST_MESSAGE', 'CLIENT_FINAL_MESSAGE'] },
    login: withScram,
  },
};

/** A login that was accepted. */
interface Accepted {
  readonly type: Credentials['type'];
  readonly mechanism: MechanismName;
  readonly account: Account;
  readonly keyId?: number;
  readonly idleLimitMs?: number;
}

/** Logs the session in. */
export function accept({ middleware, session }: Call, accepted: Accepted): void {
  const { type, mechanism, account, keyId, idleLimitMs } = accepted;
  middleware.login(session, newCredentials(type, account, keyId), mechanism, idleLimitMs);
}

/** Logs the session in. Returns the answer of auth.login_ex. */
function succeed(call: Call, accepted: Accepted, data: PyDict): PyValue {
  accept(call, accepted);
  return dict({
    response_type: 'SUCCESS',
    user_info: userInfoFor(accepted.account, data),
    authenticator: 'LEVEL_1',
    reconnect_token: loginOption(data, 'reconnect_token', false)
      ? call.middleware.tokens.issue(accepted.account)
      : null,
  });
}

/** Refuses after as long as the real server takes. */
async function authError({ middleware, signal }: Call): Promise<PyValue> {
  await middleware.loginFailed(signal);
  return dict({ response_type: 'AUTH_ERR' });
}

/** Refuses without a delay. */
function refuse({ middleware }: Call, response = 'AUTH_ERR'): PyValue {
  middleware.recorder.stats.failedLogins += 1;
  return dict({ response_type: response });
}

/** The user's data, or null when `login_options` say so. */
function userInfoFor(account: Account, data: PyDict): PyValue {
  return loginOption(data, 'user_info', true) ? userInfo(account) : null;
}

function loginOption(data: PyDict, name: string, fallback: boolean): boolean {
  const options = data.get('login_options');
  return options instanceof Map && options.has(name)
    ? isTruthy(options.get(name) ?? null)
    : fallback;
}

async function withPassword(call: Call, data: PyDict): Promise<PyValue> {
  call.session.secondFactor = null;
  const [username, password] = [stringOf(data.get('username')), stringOf(data.get('password'))];
  const account = findAccount(call.middleware.accounts, username, password);
  if (account === null) return authError(call);
  if (account.refusal !== undefined) return refuse(call, account.refusal);
  if (account.otp !== undefined) {
    call.session.secondFactor = account;
    return dict({ response_type: 'OTP_REQUIRED', username: account.name });
  }
  return succeed(call, { type: 'LOGIN_PASSWORD', mechanism: 'PASSWORD_PLAIN', account }, data);
}

/** After a wrong code the client has to begin again with the password. */
async function withOneTimePassword(call: Call, data: PyDict): Promise<PyValue> {
  const account = call.session.secondFactor;
  if (account === null) throw new CallError('OTP_TOKEN: no authentication in progress', EINVAL);
  call.session.secondFactor = null;
  if (data.get('otp_token') !== account.otp) return authError(call);
  return succeed(call, { type: 'LOGIN_PASSWORD', mechanism: 'OTP_TOKEN', account }, data);
}

async function withToken(call: Call, data: PyDict): Promise<PyValue> {
  const { middleware, session } = call;
  const token = middleware.tokens.redeem(stringOf(data.get('token')), session.origin.address);
  if (token === null) return authError(call);
  const { account, ttlSeconds } = token;
  const accepted = { type: 'TOKEN', mechanism: 'TOKEN_PLAIN', account } as const;
  return succeed(call, { ...accepted, idleLimitMs: ttlSeconds * 1000 }, data);
}

async function withApiKey(call: Call, data: PyDict): Promise<PyValue> {
  const verdict = await judge(call, stringOf(data.get('api_key')), stringOf(data.get('username')));
  if (verdict.refusal === 'AUTH_ERR') return authError(call);
  if (verdict.refusal !== undefined) return refuse(call, verdict.refusal);
  return succeed(call, acceptedKey(verdict.record, 'API_KEY_PLAIN'), data);
}

/** What auth.login_with_api_key does: returns whether the key was accepted. */
export async function withBareApiKey(call: Call): Promise<boolean> {
  const verdict = await judge(call, stringOf(call.args[0]));
  if (verdict.refusal === undefined) accept(call, acceptedKey(verdict.record, 'API_KEY_PLAIN'));
  else await call.middleware.loginFailed(call.signal);
  return verdict.refusal === undefined;
}

type Verdict =
  | { readonly record: KeyRecord; readonly refusal?: undefined }
  | { readonly refusal: 'AUTH_ERR' | 'EXPIRED' | 'DENIED' };

/** Checks a key. A key that came over a connection others can listen on is revoked. */
async function judge(call: Call, apiKey: string, username?: string): Promise<Verdict> {
  requireTcp(call, 'ApiKeyPamAuthenticator');
  const found = call.middleware.apiKeys.locate(apiKey);
  if (found === null) return { refusal: 'AUTH_ERR' };
  const { record, key } = found;
  const isTheirs = username === undefined || record.account.name === username;
  if (!isTheirs || !(await record.matches(key))) return { refusal: 'AUTH_ERR' };
  if (!call.session.origin.secure) record.revoke();
  if (record.isExpired) return { refusal: 'EXPIRED' };
  const { refusal } = record.account;
  return refusal === undefined ? { record } : { refusal };
}

function acceptedKey({ account, id }: KeyRecord, mechanism: 'API_KEY_PLAIN' | 'SCRAM'): Accepted {
  return { type: 'API_KEY', mechanism, account, keyId: id };
}

/** Takes one message of a SCRAM login. */
function withScram(call: Call, data: PyDict): Promise<PyValue> | PyValue {
  requireTcp(call, 'ScramPamAuthenticator');
  const message = stringOf(data.get('rfc_str'));
  return data.get('scram_type') === 'CLIENT_FIRST_MESSAGE'
    ? beginScram(call, message)
    : finishScram(call, message, data);
}

function beginScram(call: Call, message: string): PyValue {
  const { middleware, session } = call;
  session.scram = null;
  const first = parseClientFirst(message);
  if (first === null || (first.flag === 'p' && !session.origin.isTls)) return refuse(call);
  const record = middleware.apiKeys.find(first.keyId);
  if (record?.account.name !== first.username || record.isExpired) return refuse(call);
  void record.credentials(); // derives them while the client derives its own
  const faults = middleware.options.scramFaults || undefined;
  const exchange = new ScramExchange(first, record.salt, record.iterations, faults);
  session.scram = { record, exchange };
  return scramResponse('SERVER_FIRST_RESPONSE', exchange.serverFirst, null);
}

/** Whatever comes of it, the next login begins with a first message. */
async function finishScram(call: Call, message: string, data: PyDict): Promise<PyValue> {
  const { middleware, session } = call;
  const login = session.scram;
  if (login === null) throw new CallError('SCRAM authentication is not in progress');
  session.scram = null;
  const { record, exchange } = login;
  const endPoint = session.origin.isTls ? (middleware.options.endPoint?.() ?? null) : null;
  const final = exchange.finish(message, await record.credentials(), endPoint);
  if (final === null || record.isExpired) return authError(call);
  const { account } = record;
  if (account.refusal !== undefined) return refuse(call, account.refusal);
  accept(call, acceptedKey(record, 'SCRAM'));
  return scramResponse('SERVER_FINAL_RESPONSE', final, userInfoFor(account, data));
}

function scramResponse(type: string, message: string, info: PyValue): PyValue {
  return dict({
    response_type: 'SCRAM_RESPONSE',
    scram_type: type,
    rfc_str: message,
    user_info: info,
  });
}

/** The real server fails so when a key is used over a Unix socket. */
function requireTcp({ session: { origin } }: Call, authenticator: string): void {
  if (origin.address !== null) return;
  const reason = `${origin.text}: unexpected origin for ${authenticator}`;
  throw new PyException('TypeError', reason, `TypeError(${repr(reason)})`);
}
