/** `auth.*`: the logins, the logout, and who is logged in. */
import { findAccount, userInfo, type MechanismName } from '../login/accounts.js';
import type { Call, MethodTable } from '../middleware.js';
import {
  CallError,
  EINVAL,
  ValidationErrors,
  notAuthenticated,
  notAuthorized,
  type Complaint,
} from '../python/exceptions.js';
import { complaint, optional, required } from '../python/parameters.js';
import { dict, numberOf, repr, stringOf, type PyValue } from '../python/values.js';
import { MECHANISMS, accept, withBareApiKey } from './mechanisms.js';

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

/** The mechanisms that this server knows. */
function mechanisms({ middleware: { knowsScram } }: Call): MechanismName[] {
  const all = Object.keys(MECHANISMS) as MechanismName[];
  return all.filter((each) => each !== 'SCRAM' || knowsScram);
}

/** Finds the mechanism that `login_data` names, among those allowed here, and checks its members. */
async function login(call: Call, tags: readonly MechanismName[]): Promise<PyValue> {
  const data = call.args[0] instanceof Map ? call.args[0] : new Map<string, PyValue>();
  const tag = data.get('mechanism') ?? null;
  const known = tags.find((each) => each === tag);
  if (known === undefined) {
    const reason = data.has('mechanism')
      ? `Input tag ${repr(tag)} found using 'mechanism' does not match any of the expected tags: ${tags.map(repr).join(', ')}`
      : "Unable to extract tag using discriminator 'mechanism'";
    throw new ValidationErrors([['login_data', reason, EINVAL]]);
  }
  const { needs, choices = {}, login: loginWith } = MECHANISMS[known];
  const complaints = needs.flatMap((name): Complaint[] => {
    const attribute = `login_data.${known}.${name}`;
    const value = data.get(name);
    if (value === undefined) return [[attribute, 'Field required', EINVAL]];
    const allowed = choices[name];
    if (allowed === undefined) return complaint(attribute, value, 'string');
    if (allowed.includes(stringOf(value))) return [];
    return [[attribute, `Input should be ${allowed.map(repr).join(' or ')}`, EINVAL]];
  });
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  return loginWith(call, data);
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

/** What auth.login does: returns whether the user is logged in. */
async function plainLogin(call: Call): Promise<PyValue> {
  const [username, password, otp] = call.args;
  const account = findAccount(call.middleware.accounts, stringOf(username), stringOf(password));
  const isRefused =
    account === null ||
    account.refusal !== undefined ||
    (account.otp !== undefined && account.otp !== otp);
  if (isRefused) {
    await call.middleware.loginFailed(call.signal);
    return false;
  }
  accept(call, { type: 'LOGIN_PASSWORD', mechanism: 'PASSWORD_PLAIN', account });
  return true;
}
