/** The ways in with an API key: the key itself, or SCRAM's proof of having it. */
import type { KeyRecord } from './api-keys.js';
import { CallError, PyException } from '../python/exceptions.js';
import { authError, enter, refuse, succeed, userInfoFor } from './login.js';
import { text, type Call } from '../methods/table.js';
import { repr } from '../python/dump.js';
import { ScramExchange, parseClientFirst } from './scram.js';
import { dict, type PyDict, type PyValue } from '../python/values.js';

/** A SCRAM login of a session that waits for the client's final message. */
export interface ScramLogin {
  readonly record: KeyRecord;
  readonly exchange: ScramExchange;
}

type Verdict =
  | { readonly record: KeyRecord; readonly refusal?: undefined }
  | { readonly refusal: 'AUTH_ERR' | 'EXPIRED' | 'DENIED' };

/** API_KEY_PLAIN of auth.login_ex. */
export async function withApiKey(call: Call, data: PyDict): Promise<PyValue> {
  const verdict = await judge(call, text(data.get('api_key')), text(data.get('username')));
  if (verdict.refusal === 'AUTH_ERR') return authError(call);
  if (verdict.refusal !== undefined) return refuse(call, verdict.refusal);
  return succeed(call, entryOf(verdict.record, 'API_KEY_PLAIN'), data);
}

/** auth.login_with_api_key: whether the key was accepted. */
export async function withBareApiKey(call: Call): Promise<boolean> {
  const verdict = await judge(call, text(call.args[0]));
  if (verdict.refusal === undefined) enter(call, entryOf(verdict.record, 'API_KEY_PLAIN'));
  else await call.middleware.loginFailed(call.signal);
  return verdict.refusal === undefined;
}

/** SCRAM of auth.login_ex, one message of it. */
export function withScram(call: Call, data: PyDict): Promise<PyValue> | PyValue {
  requireTcp(call, 'ScramPamAuthenticator');
  const message = text(data.get('rfc_str'));
  return data.get('scram_type') === 'CLIENT_FIRST_MESSAGE'
    ? begin(call, message)
    : conclude(call, message, data);
}

/** Who could have been overheard has no key any more. */
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

function begin(call: Call, message: string): PyValue {
  const { middleware, session } = call;
  session.scram = null;
  const first = parseClientFirst(message);
  if (first === null || (first.flag === 'p' && !session.origin.isTls)) return refuse(call);
  const record = middleware.apiKeys.find(first.keyId);
  if (record?.account.name !== first.username || record.isExpired) return refuse(call);
  void record.credentials(); // made while the client makes its own
  const faults = middleware.options.scramFaults || undefined;
  const exchange = new ScramExchange(first, record.salt, record.iterations, faults);
  session.scram = { record, exchange };
  return scramResponse('SERVER_FIRST_RESPONSE', exchange.serverFirst, null);
}

/** One attempt: whatever comes of it, the next starts over. */
async function conclude(call: Call, message: string, data: PyDict): Promise<PyValue> {
  const { middleware, session } = call;
  const login = session.scram;
  if (login === null) throw new CallError('SCRAM authentication is not in progress');
  session.scram = null;
  const { record, exchange } = login;
  const endPoint = session.origin.isTls ? middleware.endPoint() : null;
  const final = exchange.finish(message, await record.credentials(), endPoint);
  if (final === null || record.isExpired) return authError(call);
  const { account } = record;
  if (account.refusal !== undefined) return refuse(call, account.refusal);
  enter(call, entryOf(record, 'SCRAM'));
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

function entryOf({ account, id }: KeyRecord, mechanism: 'API_KEY_PLAIN' | 'SCRAM') {
  return { type: 'API_KEY', mechanism, account, keyId: id } as const;
}

/** Over a Unix socket the real server can't do these. */
function requireTcp({ session: { origin } }: Call, authenticator: string): void {
  if (origin.address !== null) return;
  const reason = `${origin.text}: unexpected origin for ${authenticator}`;
  throw new PyException('TypeError', reason, `TypeError(${repr(reason)})`);
}
