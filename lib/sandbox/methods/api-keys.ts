/** `api_key.*`: keys are made, listed and deleted. */
import { findUser, userId } from '../login/accounts.js';
import type { KeyRecord } from '../login/api-keys.js';
import type { Call, MethodTable } from '../middleware.js';
import {
  CallError,
  EACCES,
  EINVAL,
  ValidationErrors,
  instanceNotFound,
  notAuthenticated,
  type Complaint,
} from '../python/exceptions.js';
import { QUERY_PARAMETERS, complaint, query, required } from '../python/parameters.js';
import { PyDateTime, dict, int, numberOf, stringOf, type PyDict } from '../python/values.js';

const MOST_NAME = 200;
/** Servers before this one hash keys in another way, and tell so. */
const WITH_SCRAM = 26;
/** What is shown of a secret to who may not see it. */
const REDACTED = '********';

export const apiKeyMethods: MethodTable = {
  'api_key.create': { params: [required('api_key_create', 'dict')], run: create },

  'api_key.query': {
    params: QUERY_PARAMETERS,
    run: async (call) => {
      const { middleware, session, args } = call;
      const rows = await Promise.all(
        middleware.apiKeys.records.map((record) => entryOf(call, record, !session.isAdmin)),
      );
      return query(rows, args[0] ?? [], args[1] ?? null);
    },
  },

  'api_key.delete': {
    params: [required('id', 'integer')],
    run: (call) => {
      const { middleware, args } = call;
      const id = numberOf(args[0]) ?? 0;
      const record = middleware.apiKeys.find(id);
      if (record === null) throw instanceNotFound(`ApiKey ${id} does not exist`);
      requirePrivilege(call, record.account.name);
      middleware.apiKeys.delete(id);
      return true;
    },
  },
};

async function create(call: Call): Promise<PyDict> {
  const { middleware, args } = call;
  const data = args[0] instanceof Map ? args[0] : dict({});
  checkForm(data);
  const [name, username] = [stringOf(data.get('name') ?? 'nobody'), stringOf(data.get('username'))];
  requirePrivilege(call, username);
  const expires = data.get('expires_at') ?? null;
  const expiresAt = expires instanceof PyDateTime ? expires.ms : undefined;
  const account = findUser(middleware.accounts, username);
  const wrong: string[] = [];
  if (middleware.apiKeys.records.some((record) => record.name === name))
    wrong.push('name must be unique');
  if (expiresAt !== undefined && expiresAt < Date.now())
    wrong.push('Expiration date is in the past');
  if (account === null) wrong.push('User does not exist.');
  if (account === null || wrong.length > 0)
    throw new ValidationErrors(wrong.map((text) => ['api_key_create', text, EINVAL]));
  const { record, key } = middleware.apiKeys.create(account, { name, expiresAt });
  const entry = await entryOf(call, record, false);
  entry.set('key', `${record.id}-${key}`);
  if (knowsScram(call)) {
    const { clientKey } = await record.credentials();
    entry.set('client_key', clientKey?.toString('base64') ?? null);
  }
  return entry;
}

function checkForm(data: PyDict): void {
  const complaints: Complaint[] = [];
  const at = (name: string) => `api_key_create.${name}`;
  const expected = ['name', 'username', 'expires_at'];
  for (const [name, value] of data) {
    if (!expected.includes(name))
      complaints.push([at(name), 'Extra inputs are not permitted', EINVAL]);
    else if (name !== 'expires_at') complaints.push(...complaint(at(name), value, 'string'));
    else if (value !== null && !(value instanceof PyDateTime))
      complaints.push([at(name), 'Input should be a valid datetime', EINVAL]);
  }
  if (!data.has('username')) complaints.push([at('username'), 'Field required', EINVAL]);
  const name = data.get('name');
  if (typeof name === 'string' && name === '')
    complaints.push([at('name'), 'String should have at least 1 character', EINVAL]);
  if (typeof name === 'string' && name.length > MOST_NAME)
    complaints.push([at('name'), `String should have at most ${MOST_NAME} characters`, EINVAL]);
  if (complaints.length > 0) throw new ValidationErrors(complaints);
}

/** Keys of others are an administrator's business. */
function requirePrivilege({ session }: Call, username: string): void {
  if (session.credentials === null) throw notAuthenticated();
  const { name } = session.credentials.account;
  if (session.isAdmin || name === username) return;
  const why = 'authenticated user lacks privileges to create or modify API keys of other users.';
  throw new CallError(`${name}: ${why}`, EACCES);
}

function knowsScram({ middleware }: Call): boolean {
  return middleware.majorVersion >= WITH_SCRAM;
}

async function entryOf(call: Call, record: KeyRecord, isRedacted: boolean): Promise<PyDict> {
  const { storedKey, serverKey } = await record.credentials();
  const secret = (value: Buffer) => (isRedacted ? REDACTED : value.toString('base64'));
  const { salt, iterations, account, expiresAt, wasRevoked } = record;
  const proof = knowsScram(call)
    ? {
        iterations: int(iterations),
        salt: secret(salt),
        stored_key: secret(storedKey),
        server_key: secret(serverKey),
      }
    : { keyhash: REDACTED };
  return dict({
    id: int(record.id),
    name: record.name,
    username: account.name,
    user_identifier: int(userId(call.middleware.accounts, account)),
    ...proof,
    created_at: new PyDateTime(record.createdAt),
    expires_at: expiresAt === null ? null : new PyDateTime(expiresAt),
    local: true,
    revoked: wasRevoked,
    revoked_reason: wasRevoked ? 'Sent over a connection that is not secure' : null,
  });
}
