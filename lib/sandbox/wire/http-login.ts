/** Who makes an HTTP request, by its Authorization header. */
import type { IncomingMessage } from 'node:http';
import { findAccount } from '../login/accounts.js';
import type { Middleware, Peer } from '../middleware.js';
import { newCredentials, type Credentials } from '../session.js';

/** The request's login; null when there is none, or it is refused (401); a text when it is forbidden (403). */
export async function authenticate(
  middleware: Middleware,
  request: IncomingMessage,
  peer: Peer | null,
): Promise<Credentials | string | null> {
  const [, scheme, value = ''] = /^(Token|Basic|Bearer) (.*)$/.exec(authorization(request)) ?? [];
  if (scheme === 'Token') {
    const token = middleware.tokens.redeem(value, peer?.host ?? null);
    return token === null ? 'Invalid token' : newCredentials('TOKEN', token.account);
  }
  if (scheme === 'Basic') return withPassword(middleware, request, value);
  if (scheme === 'Bearer') return withApiKey(middleware, peer, value);
  return null;
}

/** A token may be in the address, too. */
function authorization({ headers, url = '/' }: IncomingMessage): string {
  const token = new URL(url, 'http://sandbox').searchParams.get('auth_token');
  return headers.authorization ?? (token === null ? '' : `Token ${token}`);
}

async function withPassword(
  middleware: Middleware,
  { socket }: IncomingMessage,
  encoded: string,
): Promise<Credentials | null> {
  const [, name = '', password = ''] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  const account = findAccount(middleware.accounts, name, password);
  if (account !== null && account.refusal === undefined && account.otp === undefined)
    return newCredentials('LOGIN_PASSWORD', account);
  const gone = new AbortController();
  socket.once('close', () => {
    gone.abort();
  });
  await middleware.loginFailed(gone.signal);
  return null;
}

async function withApiKey(
  middleware: Middleware,
  peer: Peer | null,
  text: string,
): Promise<Credentials | null> {
  const found = middleware.apiKeys.locate(text);
  if (found === null || !(await found.record.matches(found.key))) return null;
  const { record } = found;
  if (!middleware.originOf(peer).secure) record.revoke();
  if (record.isExpired || record.account.refusal !== undefined) return null;
  return newCredentials('API_KEY', record.account, record.id);
}
