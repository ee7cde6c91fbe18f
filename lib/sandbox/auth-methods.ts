import { findAccount, userInfo, type Account } from './accounts.js';
import {
  CallError,
  EINVAL,
  PyException,
  ValidationErrors,
  notAuthenticated,
  type Complaint,
} from './exceptions.js';
import { text, type Call, type MethodTable } from './methods.js';
import { complaint, optional, required } from './parameters.js';
import { repr } from './pydump.js';
import { newCredentials, type Credentials } from './session.js';
import { dict, isTruthy, type PyDict, type PyValue } from './values.js';

type Mechanism = (call: Call, data: PyDict) => Promise<PyValue> | PyValue;

/** The mechanisms of auth.login_ex and the members each needs (all strings), in the server's order. */
const MECHANISMS: Readonly<
  Record<string, { readonly needs: readonly string[]; readonly login: Mechanism }>
> = {
  API_KEY_PLAIN: { needs: ['username', 'api_key'], login: unsupported('ApiKeyPamAuthenticator') },
  PASSWORD_PLAIN: { needs: ['username', 'password'], login: withPassword },
  TOKEN_PLAIN: { needs: ['token'], login: withToken },
  OTP_TOKEN: { needs: ['otp_token'], login: withOneTimePassword },
  SCRAM: { needs: ['scram_type', 'rfc_str'], login: unsupported('ScramPamAuthenticator') },
};

/** `auth.*`: the ways in and out. */
export const authMethods: MethodTable = {
  'auth.mechanism_choices': {
    access: 'anyone',
    params: [],
    run: () => ['API_KEY_PLAIN', 'TOKEN_PLAIN', 'PASSWORD_PLAIN', 'SCRAM'],
  },

  'auth.login_ex': {
    access: 'anyone',
    params: [required('login_data', 'dict')],
    run: (call) => login(call, Object.keys(MECHANISMS)),
  },

  'auth.login_ex_continue': {
    access: 'anyone',
    params: [required('login_data', 'dict')],
    run: (call) => login(call, ['OTP_TOKEN']),
  },

  'auth.login': {
    access: 'anyone',
    params: [
      required('username', 'string'),
      required('password', 'string'),
      optional('otp_token', 'string', null),
    ],
    run: plainLogin,
  },

  'auth.login_with_api_key': {
    access: 'anyone',
    params: [required('api_key', 'string')],
    run: async ({ middleware, signal }) => {
      await middleware.loginFailed(signal); // there are no API keys yet
      return false;
    },
  },

  'auth.logout': {
    params: [],
    run: ({ middleware, session }) => {
      middleware.logout(session);
      return true;
    },
  },

  'auth.me': {
    params: [],
    run: ({ session }) => {
      if (session.credentials === null) throw notAuthenticated();
      return userInfo(session.credentials.account);
    },
  },
};

async function login(call: Call, tags: readonly string[]): Promise<PyValue> {
  const data = call.args[0] instanceof Map ? call.args[0] : new Map<string, PyValue>();
  const tag = data.get('mechanism') ?? null;
  const mechanism = typeof tag === 'string' && tags.includes(tag) ? MECHANISMS[tag] : undefined;
  if (typeof tag !== 'string' || mechanism === undefined) {
    const reason = data.has('mechanism')
      ? `Input tag ${repr(tag)} found using 'mechanism' does not match any of the expected tags: ${tags.map(repr).join(', ')}`
      : "Unable to extract tag using discriminator 'mechanism'";
    throw new ValidationErrors([['login_data', reason, EINVAL]]);
  }
  const complaints = mechanism.needs.flatMap((name): Complaint[] => {
    const attribute = `login_data.${tag}.${name}`;
    const value = data.get(name);
    return value === undefined
      ? [[attribute, 'Field required', EINVAL]]
      : complaint(attribute, value, 'string');
  });
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  return mechanism.login(call, data);
}

async function withPassword(call: Call, data: PyDict): Promise<PyValue> {
  call.session.secondFactor = null;
  const account = findAccount(text(data.get('username')), text(data.get('password')));
  if (account === null) return authError(call);
  if (account.refusal !== undefined) {
    call.middleware.recorder.stats.failedLogins += 1;
    return dict({ response_type: account.refusal });
  }
  if (account.otp !== undefined) {
    call.session.secondFactor = account;
    return dict({ response_type: 'OTP_REQUIRED', username: account.name });
  }
  return succeed(call, 'LOGIN_PASSWORD', account, data);
}

/** One attempt: a wrong code means starting over with the password. */
async function withOneTimePassword(call: Call, data: PyDict): Promise<PyValue> {
  const account = call.session.secondFactor;
  if (account === null) throw new CallError('OTP_TOKEN: no authentication in progress', EINVAL);
  call.session.secondFactor = null;
  if (data.get('otp_token') !== account.otp) return authError(call);
  return succeed(call, 'LOGIN_PASSWORD', account, data);
}

async function withToken(call: Call, data: PyDict): Promise<PyValue> {
  const account = call.middleware.tokens.redeem(text(data.get('token')));
  return account === null ? authError(call) : succeed(call, 'TOKEN', account, data);
}

/** Not there yet. Over a Unix socket the real server can't do these either, and says so. */
function unsupported(authenticator: string): Mechanism {
  return (call) => {
    const { origin } = call.session;
    if (origin.address !== null) return authError(call);
    const reason = `${origin.text}: unexpected origin for ${authenticator}`;
    throw new PyException('TypeError', reason, `TypeError(${repr(reason)})`);
  };
}

async function plainLogin(call: Call): Promise<PyValue> {
  const [username, password, otp] = call.args;
  const account = findAccount(text(username), text(password));
  const isRefused =
    account === null ||
    account.refusal !== undefined ||
    (account.otp !== undefined && account.otp !== otp);
  if (isRefused) {
    await call.middleware.loginFailed(call.signal);
    return false;
  }
  call.middleware.login(call.session, newCredentials('LOGIN_PASSWORD', account));
  return true;
}

async function authError({ middleware, signal }: Call): Promise<PyValue> {
  await middleware.loginFailed(signal);
  return dict({ response_type: 'AUTH_ERR' });
}

function succeed(
  { middleware, session }: Call,
  type: Credentials['type'],
  account: Account,
  data: PyDict,
): PyValue {
  middleware.login(session, newCredentials(type, account));
  const options = data.get('login_options');
  const wants = (name: string, fallback: boolean): boolean =>
    options instanceof Map && options.has(name) ? isTruthy(options.get(name) ?? null) : fallback;
  return dict({
    response_type: 'SUCCESS',
    user_info: wants('user_info', true) ? userInfo(account) : null,
    authenticator: 'LEVEL_1',
    reconnect_token: wants('reconnect_token', false) ? middleware.tokens.issue(account) : null,
  });
}
