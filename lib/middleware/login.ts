/** Ways to log in. Each sends its messages through the given call and rejects with why it failed. */
import { MidcltError } from '../errors.js';
import { elementsOf, membersOf, quote, stringOf } from '../members.js';
import type { Json } from '../protocol.js';

export interface Credential {
  readonly kind: 'password';
  readonly username: string;
  readonly password: string;
}

export type LoginCall = (method: string, params: Json) => Promise<Json>;

/** Rejects with a `LOGIN` error when the middleware refuses the credential. */
export async function login(credential: Credential, call: LoginCall): Promise<void> {
  const { username, password } = credential;
  const data =
    `{"mechanism": "PASSWORD_PLAIN", "username": ${quote(username)}, "password": ${quote(password)}, ` +
    '"login_options": {"user_info": false}}';
  const answer = membersOf(await call('auth.login_ex', Buffer.from(`[${data}]`)));
  const type = stringOf(answer?.get('response_type'));
  if (type === 'SUCCESS') return;
  throw new MidcltError('LOGIN', `Failed to login: ${refusal(type, answer?.get('urls'))}`);
}

function refusal(type: string | null, urls: Json | undefined): string {
  switch (type) {
    case 'AUTH_ERR':
      return 'Invalid username or password';
    case 'EXPIRED':
      return 'Account credentials have expired';
    case 'DENIED':
      return 'Account does not have API access';
    case 'OTP_REQUIRED':
      return 'The account wants a one-time code, which is not supported yet';
    case 'REDIRECT': {
      const list = elementsOf(urls)?.map((url) => stringOf(url)) ?? [];
      return `Authentication must be performed on the active storage controller: ${list.join(', ')}`;
    }
    default:
      return `The middleware answered ${type ?? 'something else than a login response'}`;
  }
}
