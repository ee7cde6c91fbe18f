/** Ways to log in. Each sends its messages through the given call and rejects with why it failed. */
import { MidcltError, asMidcltError } from '../../errors.js';
import { elementsOf, membersOf, quote, stringOf, type Members } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import type { Target } from '../uri.js';
import { CallFailure } from '../wire/failure.js';
import {
  LoginError,
  type ApiKeyCredential,
  type Credential,
  type PasswordCredential,
} from './credential.js';

/**
 * Gives the account's current one-time code; null ends the login. `attempt` is 0, then how many
 * codes were wrong; null asks for a code that is at hand, and for nobody to be bothered.
 */
export type AskOtp = (attempt: number | null) => Promise<string | null>;

/** What a login runs over. */
interface LoginChannel {
  readonly target: Target;
  readonly call: (method: string, params: Json) => Promise<Json>;
  /** The server's own certificate (DER), null without TLS. */
  readonly certificate: () => Buffer | null;
  /** Called when the account wants a one-time code; null: there is none to give. */
  readonly askOtp: AskOtp | null;
}

const INVALID_PARAMS = -32602;
const EBUSY = 16;

/** What the middleware's own keys are made with (500,000), and some room. */
const ITERATIONS = { least: 50_000, most: 5_000_000 };

/** The texts of refusals of one kind of credential. */
interface Refusals {
  readonly AUTH_ERR: string;
  readonly EXPIRED: string;
}

const EXPIRED = 'The API key has expired or was revoked';
const INTERCEPTED =
  ', or the certificate that the server showed is not its own: somebody between may be reading ' +
  '(channel binding)';

/** What a later login needs. */
interface Login {
  /** The credential was not enough: a one-time code went with it. */
  readonly wasWithCode: boolean;
  /** Logs in once in place of password and code; null where the server gave none. */
  readonly token: string | null;
}

const REPEATABLE: Login = { wasWithCode: false, token: null };

/** Rejects with a `LOGIN` error when the middleware refuses the credential, and is not tried again. */
export async function login(credential: Credential, channel: LoginChannel): Promise<Login> {
  try {
    if (channel.target.wire === 'legacy') return await withLegacy(credential, channel);
    if (credential.kind === 'password') return await withPassword(credential, channel);
    if (credential.mechanism === 'PLAIN') await withPlainKey(credential, channel);
    else await withScram(credential, channel);
    return REPEATABLE;
  } catch (thrown) {
    throw toLoginError(asMidcltError(thrown), secretOf(credential));
  }
}

/** Logs in with what an earlier login with a one-time code has left. Rejects as {@link login}. */
export async function loginWithToken(
  token: string,
  call: LoginChannel['call'],
): Promise<string | null> {
  try {
    const answer = await ask(call, { mechanism: 'TOKEN_PLAIN', token }, WITH_TOKEN);
    const gone = 'The token that stood for the one-time code is not valid any more';
    succeed(answer, { AUTH_ERR: gone, EXPIRED: gone });
    return stringOf(answer?.get('reconnect_token'));
  } catch (thrown) {
    throw toLoginError(asMidcltError(thrown), token);
  }
}

async function withLegacy(credential: Credential, channel: LoginChannel): Promise<Login> {
  // This wire does not say whether it wants a code. One that is given is sent along; nobody is asked for one.
  const code = (await channel.askOtp?.(null)) ?? null;
  await legacyLogin(credential, channel.call, code);
  return { wasWithCode: code !== null, token: null };
}

/**
 * The failure in one line. Without its cause, trace and extra, which may repeat what was sent; what
 * the middleware says is shown, except for the secret itself.
 */
function toLoginError(error: MidcltError, secret: string): MidcltError {
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

/** How a server's refusal of a password begins. */
export const WRONG_PASSWORD = 'Invalid username or password';

async function withPassword(credential: PasswordCredential, channel: LoginChannel): Promise<Login> {
  const { call, askOtp } = channel;
  const { username, password } = credential;
  const texts = {
    AUTH_ERR: WRONG_PASSWORD,
    EXPIRED: 'Account credentials have expired',
  };
  let code: string | null = null;
  for (let wrong = 0; ; wrong++) {
    const answer = await ask(call, { mechanism: 'PASSWORD_PLAIN', username, password }, PLAIN);
    if (typeOf(answer) !== 'OTP_REQUIRED' || !askOtp) {
      succeed(answer, texts);
      return REPEATABLE;
    }
    code ??= await askOtp(0);
    if (code === null) throw refusal(answer, texts);
    const second = await ask(call, { mechanism: 'OTP_TOKEN', otp_token: code }, WITH_TOKEN);
    if (typeOf(second) !== 'AUTH_ERR') {
      succeed(second, texts);
      return { wasWithCode: true, token: stringOf(second?.get('reconnect_token')) };
    }
    // That ended the attempt: the next one, if there is a code for it, begins with the password.
    code = await askOtp(wrong + 1);
    if (code === null) throw new LoginError('Invalid one-time code');
  }
}

async function withPlainKey(credential: ApiKeyCredential, { call }: LoginChannel): Promise<void> {
  const { username, key } = credential;
  if (key.kind !== 'raw') {
    throw new LoginError(NOT_THE_KEY);
  }
  const data = { mechanism: 'API_KEY_PLAIN', username, api_key: `${key.id}-${key.secret}` };
  const answer = await ask(call, data, PLAIN);
  succeed(answer, { AUTH_ERR: `Invalid API key, or not one of ${username}'s`, EXPIRED });
}

async function withScram(credential: ApiKeyCredential, channel: LoginChannel): Promise<void> {
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

function bindingOf({ target, certificate }: LoginChannel): Buffer | null {
  if (target.scheme !== 'wss') return null;
  const der = certificate();
  if (der === null) throw new LoginError('no channel binding: the server showed no certificate');
  const { serverEndPoint } = require('./binding.js') as typeof import('./binding.js');
  return serverEndPoint(der);
}

/** `user_info` may be long, and is not needed. */
const PLAIN = ', "login_options": {"user_info": false}';
const WITH_TOKEN = ', "login_options": {"user_info": false, "reconnect_token": true}';

async function ask(
  call: LoginChannel['call'],
  data: Readonly<Record<string, string>>,
  more = '',
): Promise<Members | null> {
  const members = Object.entries(data).map(([name, value]) => `"${name}": ${quote(value)}`);
  return membersOf(await call('auth.login_ex', Buffer.from(`[{${members.join(', ')}${more}}]`)));
}

function typeOf(answer: Members | null): string | null {
  return stringOf(answer?.get('response_type'));
}

function succeed(answer: Members | null, texts: Refusals): void {
  if (typeOf(answer) !== 'SUCCESS') throw refusal(answer, texts);
}

/** The message of the next step; throws for any other answer. */
function scramMessage(answer: Members | null, step: string, texts: Refusals): string {
  if (typeOf(answer) !== 'SCRAM_RESPONSE') throw refusal(answer, texts);
  const message = stringOf(answer?.get('rfc_str'));
  if (stringOf(answer?.get('scram_type')) === step && message !== null) return message;
  throw new LoginError(`SCRAM: the middleware's answer is not its ${step}`);
}

function refusal(answer: Members | null, texts: Refusals): MidcltError {
  const type = typeOf(answer);
  switch (type) {
    case 'AUTH_ERR':
    case 'EXPIRED':
      return new LoginError(texts[type]);
    case 'DENIED':
      return new LoginError('Account does not have API access');
    case 'OTP_REQUIRED':
      return new LoginError('The account wants a one-time code: give it with --otp');
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

type Call = (method: string, params: Json) => Promise<Json>;

/** Logs in on the legacy wire, by methods that answer true or false. Rejects with a `LOGIN` error when it refuses. */
async function legacyLogin(
  credential: PasswordCredential | ApiKeyCredential,
  call: Call,
  otp: string | null = null,
): Promise<void> {
  const ask = async (method: string, ...values: string[]): Promise<boolean> => {
    const answer = await call(method, Buffer.from(`[${values.map(quote).join(', ')}]`));
    return answer.toString() === 'true';
  };
  if (credential.kind === 'password') {
    const { username, password } = credential;
    const code = otp === null ? [] : [otp];
    if (await ask('auth.login', username, password, ...code)) return;
    const which = otp === null ? '' : ' or one-time code';
    throw new LoginError(`${WRONG_PASSWORD}${which}`);
  }
  const { key, mechanism } = credential;
  if (mechanism === 'SCRAM') {
    throw new LoginError(
      'the legacy /websocket does not know SCRAM; --plain sends the API key itself',
    );
  }
  if (key.kind !== 'raw') throw new LoginError(NOT_THE_KEY);
  if (await ask('auth.login_with_api_key', `${key.id}-${key.secret}`)) return;
  throw new LoginError('Invalid API key');
}

const NOT_THE_KEY = '--plain sends the key itself, and the key file has only what SCRAM needs';
