/** Ways to log in. Each sends its messages through the given call and rejects with why it failed. */
import { asMidcltError, MidcltError } from '../errors.js';
import { elementsOf, membersOf, quote, stringOf, type Members } from '../members.js';
import type { Json } from '../protocol.js';
import { isLoopback, type Target } from '../uri.js';
import {
  LoginError,
  type ApiKeyCredential,
  type Credential,
  type PasswordCredential,
} from './credential.js';
import { CallFailure } from './failure.js';
import { legacyLogin, NOT_THE_KEY } from './legacy-login.js';

/** What a login runs over. */
export interface Channel {
  readonly target: Target;
  readonly call: (method: string, params: Json) => Promise<Json>;
  /** The server's own certificate (DER), null without TLS. */
  readonly certificate: () => Buffer | null;
}

const INVALID_PARAMS = -32602;
const EBUSY = 16;

/** What the middleware's own keys are made with (500,000), and some room. */
const ITERATIONS = { least: 50_000, most: 5_000_000 };

/** What the answers say of one kind of credential. */
interface Refusals {
  readonly AUTH_ERR: string;
  readonly EXPIRED: string;
}

const EXPIRED = 'The API key has expired or was revoked';
const INTERCEPTED =
  ', or the certificate that the server showed is not its own: somebody between may be reading ' +
  '(channel binding)';

/**
 * Throws a `LOGIN` error for a credential that must not be used on the way to this target. Asked
 * before anything is sent.
 */
export function checkTransport(credential: Credential, target: Target): void {
  if (credential.kind !== 'api-key' || target.scheme !== 'ws' || isLoopback(target)) return;
  const { mechanism, channelBinding, force } = credential;
  if (mechanism === 'PLAIN' && !force) {
    throw new LoginError(
      `the API key is not sent unencrypted to ${target.uri}, since the middleware revokes such a ` +
        'key. Use wss://, or leave out --plain (--force sends it all the same)',
    );
  }
  if (mechanism === 'SCRAM' && channelBinding) {
    throw new LoginError(
      `there is no channel binding over ${target.uri}, which is not encrypted. Use wss://, or ` +
        '--no-channel-binding to do without it',
    );
  }
}

/** Rejects with a `LOGIN` error when the middleware refuses the credential, and is not tried again. */
export async function login(credential: Credential, channel: Channel): Promise<void> {
  try {
    if (channel.target.wire === 'legacy') await legacyLogin(credential, channel.call);
    else if (credential.kind === 'password') await withPassword(credential, channel);
    else if (credential.mechanism === 'PLAIN') await withPlainKey(credential, channel);
    else await withScram(credential, channel);
  } catch (thrown) {
    throw explained(asMidcltError(thrown), secretOf(credential));
  }
}

/**
 * The failure in one line. Without its cause, trace and extra, which may repeat what was sent; what
 * the middleware says is shown, except for the secret itself.
 */
function explained(error: MidcltError, secret: string): MidcltError {
  if (error.code === 'LOGIN') return error;
  const shown = secret.length < 6 ? error.message : error.message.replaceAll(secret, '…');
  if (error.code !== 'CALL') return new MidcltError(error.code, `Failed to login: ${shown}`);
  const { errno = null, rpcCode = null } = error instanceof CallFailure ? error : {};
  if (errno === EBUSY) {
    const text = `${shown}: too many logins from this address; try again in a minute`;
    return new LoginError(text, 'much later');
  }
  return new LoginError(shown, rpcCode === INVALID_PARAMS ? 'never' : 'later');
}

function secretOf(credential: Credential): string {
  if (credential.kind === 'password') return credential.password;
  return credential.key.kind === 'raw' ? credential.key.secret : '';
}

async function withPassword(credential: PasswordCredential, { call }: Channel): Promise<void> {
  const { username, password } = credential;
  const answer = await ask(call, { mechanism: 'PASSWORD_PLAIN', username, password }, PLAIN);
  succeed(answer, {
    AUTH_ERR: 'Invalid username or password',
    EXPIRED: 'Account credentials have expired',
  });
}

async function withPlainKey(credential: ApiKeyCredential, { call }: Channel): Promise<void> {
  const { username, key } = credential;
  if (key.kind !== 'raw') {
    throw new LoginError(NOT_THE_KEY);
  }
  const data = { mechanism: 'API_KEY_PLAIN', username, api_key: `${key.id}-${key.secret}` };
  const answer = await ask(call, data, PLAIN);
  succeed(answer, { AUTH_ERR: `Invalid API key, or not one of ${username}'s`, EXPIRED });
}

async function withScram(credential: ApiKeyCredential, channel: Channel): Promise<void> {
  const { username, key } = credential;
  const { ScramClient } = require('./scram.js') as typeof import('./scram.js');
  const binding = credential.channelBinding ? bindingOf(channel) : null;
  const scram = new ScramClient({
    hash: 'sha512',
    username: `${username}:${key.id}`,
    secret: key.kind === 'raw' ? { password: key.secret } : key,
    binding,
    iterations: ITERATIONS,
  });
  const send = async (type: string, message: string): Promise<Members | null> =>
    ask(channel.call, { mechanism: 'SCRAM', scram_type: type, rfc_str: message });
  let answer: Members | null;
  try {
    answer = await send('CLIENT_FIRST_MESSAGE', scram.first);
  } catch (error) {
    if (!(error instanceof CallFailure) || error.rpcCode !== INVALID_PARAMS) throw error;
    throw new LoginError(
      'the middleware does not know SCRAM (before TrueNAS 26 it does not); --plain sends it the ' +
        `API key itself instead. It said: ${error.message}`,
    );
  }
  const challenge = scramMessage(answer, 'SERVER_FIRST_RESPONSE', {
    AUTH_ERR: `Invalid API key: unknown, expired, or not one of ${username}'s`,
    EXPIRED,
  });
  answer = await send('CLIENT_FINAL_MESSAGE', await scram.answer(challenge));
  const wrong = 'Invalid API key: its number is known, the rest is wrong';
  const final = scramMessage(answer, 'SERVER_FINAL_RESPONSE', {
    AUTH_ERR: binding === null ? wrong : wrong + INTERCEPTED,
    EXPIRED,
  });
  scram.verify(final);
}

function bindingOf({ target, certificate }: Channel): Buffer | null {
  if (target.scheme !== 'wss') return null;
  const der = certificate();
  if (der === null) throw new LoginError('no channel binding: the server showed no certificate');
  const { serverEndPoint } = require('./binding.js') as typeof import('./binding.js');
  return serverEndPoint(der);
}

/** Null asks for no `user_info`, which may be long. */
const PLAIN = ', "login_options": {"user_info": false}';

async function ask(
  call: Channel['call'],
  data: Readonly<Record<string, string>>,
  more = '',
): Promise<Members | null> {
  const members = Object.entries(data).map(([name, value]) => `"${name}": ${quote(value)}`);
  return membersOf(await call('auth.login_ex', Buffer.from(`[{${members.join(', ')}${more}}]`)));
}

function succeed(answer: Members | null, texts: Refusals): void {
  if (stringOf(answer?.get('response_type')) !== 'SUCCESS') throw refusal(answer, texts);
}

/** The message of the next step; throws for any other answer. */
function scramMessage(answer: Members | null, step: string, texts: Refusals): string {
  if (stringOf(answer?.get('response_type')) !== 'SCRAM_RESPONSE') throw refusal(answer, texts);
  const message = stringOf(answer?.get('rfc_str'));
  if (stringOf(answer?.get('scram_type')) === step && message !== null) return message;
  throw new LoginError(`SCRAM: the middleware's answer is not its ${step}`);
}

function refusal(answer: Members | null, texts: Refusals): MidcltError {
  const type = stringOf(answer?.get('response_type'));
  switch (type) {
    case 'AUTH_ERR':
    case 'EXPIRED':
      return new LoginError(texts[type]);
    case 'DENIED':
      return new LoginError('Account does not have API access');
    case 'OTP_REQUIRED':
      return new LoginError('The account wants a one-time code, which is not supported yet');
    case 'REDIRECT': {
      const list = elementsOf(answer?.get('urls'))?.map((url) => stringOf(url)) ?? [];
      return new LoginError(
        `Authentication must be performed on the active storage controller: ${list.join(', ')}`,
        'later', // the controllers may be changing over
      );
    }
    default:
      return new LoginError(
        `The middleware answered ${type ?? 'something else than a login response'}`,
      );
  }
}
