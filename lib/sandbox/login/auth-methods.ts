import { findAccount, userInfo } from './accounts.js';
import {
  CallError,
  EINVAL,
  ValidationErrors,
  notAuthenticated,
  notAuthorized,
  type Complaint,
} from '../python/exceptions.js';
import { withApiKey, withBareApiKey, withScram } from './key-login.js';
import { authError, enter, refuse, succeed } from './login.js';
import { text, type Call, type MethodTable } from '../methods/table.js';
import { complaint, optional, required } from '../python/parameters.js';
import { repr } from '../python/dump.js';
import type { Mechanism } from '../stats.js';
import { dict, numberOf, type PyDict, type PyValue } from '../python/values.js';

/** What a mechanism asks for and does. */
interface Way {
  /** Members that must be there, all strings. */
  readonly needs: readonly string[];
  /** Of a member, all the values it may have. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  readonly login: (call: Call, data: PyDict) => Promise<PyValue> | PyValue;
}

/** The mechanisms of auth.login_ex, in the server's order. */
const MECHANISMS: Readonly<Record<Mechanism, Way>> = {
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

/** `auth.*`: the ways in and out. */
export const authMethods: MethodTable = {
  'auth.mechanism_choices': {
    access: 'anyone',
    params: [],
    run: ({ middleware }) => {
      const choices = ['API_KEY_PLAIN', 'TOKEN_PLAIN', 'PASSWORD_PLAIN'];
      return middleware.knowsScram ? [...choices, 'SCRAM'] : choices;
    },
  },

  'auth.login_ex': {
    access: 'anyone',
    params: [required('login_data', 'dict')],
    run: (call) => login(call, mechanisms(call)),
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
    run: withBareApiKey,
  },

  'auth.generate_token': {
    params: [
      optional('ttl', 'integer', 600n),
      optional('attrs', 'dict', dict({})),
      optional('match_origin', 'boolean', true),
      optional('single_use', 'boolean', false),
    ],
    run: generateToken,
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

function mechanisms({ middleware: { knowsScram } }: Call): Mechanism[] {
  const all = Object.keys(MECHANISMS) as Mechanism[];
  return all.filter((each) => each !== 'SCRAM' || knowsScram);
}

async function login(call: Call, tags: readonly Mechanism[]): Promise<PyValue> {
  const data = call.args[0] instanceof Map ? call.args[0] : new Map<string, PyValue>();
  const tag = data.get('mechanism') ?? null;
  const known = tags.find((each) => each === tag);
  if (known === undefined) {
    const reason = data.has('mechanism')
      ? `Input tag ${repr(tag)} found using 'mechanism' does not match any of the expected tags: ${tags.map(repr).join(', ')}`
      : "Unable to extract tag using discriminator 'mechanism'";
    throw new ValidationErrors([['login_data', reason, EINVAL]]);
  }
  const { needs, choices = {}, login: enterBy } = MECHANISMS[known];
  const complaints = needs.flatMap((name): Complaint[] => {
    const attribute = `login_data.${known}.${name}`;
    const value = data.get(name);
    if (value === undefined) return [[attribute, 'Field required', EINVAL]];
    const allowed = choices[name];
    if (allowed === undefined) return complaint(attribute, value, 'string');
    if (allowed.includes(text(value))) return [];
    return [[attribute, `Input should be ${allowed.map(repr).join(' or ')}`, EINVAL]];
  });
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  return enterBy(call, data);
}

async function withPassword(call: Call, data: PyDict): Promise<PyValue> {
  call.session.secondFactor = null;
  const account = findAccount(text(data.get('username')), text(data.get('password')));
  if (account === null) return authError(call);
  if (account.refusal !== undefined) return refuse(call, account.refusal);
  if (account.otp !== undefined) {
    call.session.secondFactor = account;
    return dict({ response_type: 'OTP_REQUIRED', username: account.name });
  }
  const entry = { type: 'LOGIN_PASSWORD', mechanism: 'PASSWORD_PLAIN', account } as const;
  return succeed(call, entry, data);
}

/** One attempt: a wrong code means starting over with the password. */
async function withOneTimePassword(call: Call, data: PyDict): Promise<PyValue> {
  const account = call.session.secondFactor;
  if (account === null) throw new CallError('OTP_TOKEN: no authentication in progress', EINVAL);
  call.session.secondFactor = null;
  if (data.get('otp_token') !== account.otp) return authError(call);
  return succeed(call, { type: 'LOGIN_PASSWORD', mechanism: 'OTP_TOKEN', account }, data);
}

async function withToken(call: Call, data: PyDict): Promise<PyValue> {
  const { middleware, session } = call;
  const token = middleware.tokens.redeem(text(data.get('token')), session.origin.address);
  if (token === null) return authError(call);
  const { account, ttlSeconds } = token;
  const entry = { type: 'TOKEN', mechanism: 'TOKEN_PLAIN', account } as const;
  return succeed(call, { ...entry, idleLimitMs: ttlSeconds * 1000 }, data);
}

function generateToken({ middleware, session, args }: Call): PyValue {
  const [ttl, attrs, matchOrigin, singleUse] = args;
  const { tokens } = middleware;
  if (session.credentials === null) throw notAuthenticated();
  if (tokens.options.refuseGenerated) throw notAuthorized();
  if (attrs instanceof Map && attrs.size > 0)
    throw new CallError('Token attributes are for root only', EINVAL);
  return tokens.issue(session.credentials.account, {
    ttlSeconds: numberOf(ttl) ?? 600,
    isSingleUse: singleUse === true,
    origin: matchOrigin === true ? session.origin.address : null,
  });
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
  enter(call, { type: 'LOGIN_PASSWORD', mechanism: 'PASSWORD_PLAIN', account });
  return true;
}
