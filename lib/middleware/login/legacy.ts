/** Logging in on the legacy wire: by methods that answer true or false. */
import { quote } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { LoginError, type ApiKeyCredential, type PasswordCredential } from './credential.js';

type Call = (method: string, params: Json) => Promise<Json>;

/** Rejects with a `LOGIN` error when the middleware refuses. */
export async function legacyLogin(
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
    throw new LoginError(`Invalid username or password${which}`);
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

export const NOT_THE_KEY =
  '--plain sends the key itself, and the key file has only what SCRAM needs';
