/** API keys in the sandbox, looked at with a SCRAM client of this file's own. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import t, { type Test as TapTest } from 'tap';
import { WebSocket } from 'ws';
import {
  API_KEYS,
  startSandbox,
  type Sandbox,
  type SandboxOptions,
} from '../../../../lib/sandbox/index.js';

const DELAY_MS = 300;
/** What at least is measured of it: timers ring by whole milliseconds, and may be early by one. */
const DELAYED_MS = DELAY_MS - 5;
/** What is answered although refusals take this long is not delayed, on however busy a machine. */
const ENDLESS_MS = 3_600_000;
const ITERATIONS = 1000;

interface Message {
  readonly result?: {
    readonly response_type: string;
    readonly scram_type?: string;
    readonly rfc_str?: string;
    readonly user_info?: { readonly pw_name: string } | null;
  };
  readonly error?: { readonly code: number; readonly data: Record<string, unknown> };
  readonly ms: number;
}

/** Calls in turn, each timed. */
class Client {
  private constructor(private readonly socket: WebSocket) {}

  static async open(sandbox: Sandbox, transport: 'unix' | 'ws' | 'wss'): Promise<Client> {
    const host = '127.0.0.1';
    const url = {
      unix: `ws+unix:${sandbox.unixPath ?? ''}:/api/current`,
      ws: `ws://${host}:${sandbox.wsPort ?? 0}/api/current`,
      wss: `wss://${host}:${sandbox.wssPort ?? 0}/api/current`,
    }[transport];
    const socket = new WebSocket(url, { perMessageDeflate: false, rejectUnauthorized: false });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Client(socket);
  }

  async call(method: string, ...params: unknown[]): Promise<Message> {
    const since = performance.now();
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }));
    const text = await new Promise<string>((resolve) =>
      this.socket.once('message', (data: Buffer) => {
        resolve(data.toString());
      }),
    );
    return { ...(JSON.parse(text) as Message), ms: performance.now() - since };
  }

  scram(
    type: 'CLIENT_FIRST_MESSAGE' | 'CLIENT_FINAL_MESSAGE',
    text: string,
    options: object = {},
  ): Promise<Message> {
    const data = { mechanism: 'SCRAM', scram_type: type, rfc_str: text, login_options: options };
    return this.call('auth.login_ex', data);
  }

  plain(username: string, key: string): Promise<Message> {
    const data = { mechanism: 'API_KEY_PLAIN', username, api_key: key };
    return this.call('auth.login_ex', data);
  }

  once(listener: (message: unknown) => void): void {
    this.socket.once('message', (data: Buffer) => {
      listener(JSON.parse(data.toString()));
    });
  }

  async who(): Promise<string | null> {
    const { result } = await this.call('auth.me');
    return (result as unknown as { pw_name: string } | undefined)?.pw_name ?? null;
  }
}

/** What a SCRAM login does otherwise than it should. */
interface Deviations {
  readonly gs2?: string;
  readonly binding?: Buffer;
  readonly boundGs2?: string;
  readonly nonce?: string;
  readonly finalNonce?: (nonce: string) => string;
  readonly proof?: (proof: Buffer) => Buffer;
  readonly options?: object;
}

interface Outcome {
  readonly answer: Message;
  /** After which message it was over. */
  readonly at: 'first' | 'final';
  readonly serverFirst?: Record<string, string>;
  readonly isServerGenuine?: boolean;
  readonly nonces?: readonly [Buffer, Buffer];
}

function attributesOf(text = ''): Record<string, string> {
  return Object.fromEntries(text.split(',').map((part) => [part[0] ?? '', part.slice(2)]));
}

/** With another last bit. */
function flipped(bytes: Buffer): Buffer {
  return bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte)) as Buffer;
}

function mac(key: Buffer, data: string): Buffer {
  return createHmac('sha512', key).update(data).digest();
}

/** RFC 5802 from the client's side. */
async function scramLogin(
  client: Client,
  user: string,
  key: string,
  deviations: Deviations = {},
): Promise<Outcome> {
  const [, id = '', password = ''] = /^(\d+)-(.*)$/.exec(key) ?? [];
  const { gs2 = 'n,,', binding = Buffer.alloc(0), boundGs2 = gs2 } = deviations;
  const mine = randomBytes(32);
  const bare = `n=${user}:${id},r=${deviations.nonce ?? mine.toString('base64')}`;
  const first = await client.scram('CLIENT_FIRST_MESSAGE', gs2 + bare);
  if (first.result?.scram_type !== 'SERVER_FIRST_RESPONSE') return { answer: first, at: 'first' };
  const text = first.result.rfc_str ?? '';
  const serverFirst = attributesOf(text);
  const { r = '', s = '', i = '' } = serverFirst;
  const salted = pbkdf2Sync(password, Buffer.from(s, 'base64'), Number(i), 64, 'sha512');
  const clientKey = mac(salted, 'Client Key');
  const c = Buffer.concat([Buffer.from(boundGs2), binding]).toString('base64');
  const withoutProof = `c=${c},r=${deviations.finalNonce?.(r) ?? r}`;
  const message = `${bare},${text},${withoutProof}`;
  const signature = mac(createHash('sha512').update(clientKey).digest(), message);
  const right = Buffer.from(signature.map((byte, index) => byte ^ (clientKey[index] ?? 0)));
  const proof = deviations.proof?.(right) ?? right;
  const final = `${withoutProof},p=${proof.toString('base64')}`;
  const answer = await client.scram('CLIENT_FINAL_MESSAGE', final, deviations.options);
  return {
    answer,
    at: 'final',
    serverFirst,
    isServerGenuine:
      answer.result?.rfc_str === `v=${mac(mac(salted, 'Server Key'), message).toString('base64')}`,
    nonces: [mine, Buffer.from(r, 'base64')],
  };
}

const [ADMIN = '', READER = '', EXPIRED = '', OTHER = ''] = API_KEYS.map(
  ({ id, key }) => `${id}-${key}`,
);
const BOUND = 'p=tls-server-end-point,,';

async function start(test: TapTest, options: SandboxOptions = {}): Promise<Sandbox> {
  const directory = fs.mkdtempSync('/tmp/m-');
  const sandbox = await startSandbox({
    unix: path.join(directory, 's'),
    ws: 0,
    wss: 0,
    failedLoginDelayMs: DELAY_MS,
    rateLimit: false,
    ...options,
    scram: options.scram === false ? false : { iterations: ITERATIONS, ...options.scram },
  });
  test.teardown(async () => {
    await sandbox.close();
    fs.rmSync(directory, { recursive: true });
  });
  return sandbox;
}

/** The sandbox makes ECDSA certificates with SHA-256. */
function bindingOf(sandbox: Sandbox): Buffer {
  const { raw } = new X509Certificate(sandbox.certificate ?? '');
  return createHash('sha256').update(raw).digest();
}

t.test('a SCRAM login, with channel binding and without', async (test) => {
  const sandbox = await start(test);
  const binding = bindingOf(sandbox);
  const ways = [
    ['wss', { gs2: BOUND, binding }],
    ['wss', {}],
    ['ws', {}],
  ] as const;
  for (const [transport, deviations] of ways) {
    const client = await Client.open(sandbox, transport);
    test.equal(await client.who(), null);
    const { answer, isServerGenuine, serverFirst, nonces } = await scramLogin(
      client,
      'admin',
      ADMIN,
      deviations,
    );
    const { result } = answer;
    test.same(Object.keys(result ?? {}), ['response_type', 'scram_type', 'rfc_str', 'user_info']);
    test.match(result, {
      response_type: 'SCRAM_RESPONSE',
      scram_type: 'SERVER_FINAL_RESPONSE',
      user_info: { pw_name: 'admin' },
    });
    test.ok(isServerGenuine);
    test.match(serverFirst, { i: String(ITERATIONS), s: /^[\w+/]{22}==$/ });
    test.same(nonces?.[1].subarray(0, 32), nonces?.[0], 'the nonce goes on from the client’s');
    test.equal(nonces?.[1].length, 64);
    test.equal(await client.who(), 'admin');
  }
  const client = await Client.open(sandbox, 'ws');
  const { answer } = await scramLogin(client, 'admin', ADMIN, { options: { user_info: false } });
  test.equal(answer.result?.user_info, null);
  test.match(sandbox.stats, { logins: 4, failedLogins: 0, loginsBy: { SCRAM: 4 } });
});

t.test('SCRAM logins that fail, at once or after the delay', async (test) => {
  const apiKeys = [...API_KEYS, { id: 6, key: 'six', username: 'admin', revoked: true }];
  const sandbox = await start(test, { apiKeys });
  const endless = await start(test, { apiKeys, failedLoginDelayMs: ENDLESS_MS });
  const binding = bindingOf(sandbox);
  const wrong = flipped(binding);
  const bound = { gs2: BOUND, binding };
  type Row = readonly [
    name: string,
    transport: 'ws' | 'wss',
    at: Outcome['at'],
    deviations?: Deviations,
    user?: string,
    key?: string,
  ];
  const another = (nonce: string) => (nonce.startsWith('A') ? 'B' : 'A') + nonce.slice(1);
  const rows: readonly Row[] = [
    ['wrong binding', 'wss', 'final', { gs2: BOUND, binding: wrong }],
    ['no binding', 'wss', 'final', { gs2: BOUND }],
    ['y: the client thinks the server cannot bind', 'wss', 'final', { gs2: 'y,,' }],
    ['another type of binding', 'wss', 'final', { gs2: 'p=tls-unique,,', binding }],
    ['the header said p=, the binding n', 'wss', 'final', { gs2: BOUND, boundGs2: 'n,,' }],
    [
      'the header said n, the binding p=',
      'wss',
      'final',
      { ...bound, gs2: 'n,,', boundGs2: BOUND },
    ],
    ['binding without TLS', 'ws', 'first', bound],
    ['wrong key', 'wss', 'final', bound, 'admin', '2-wrong'],
    ['unknown key', 'wss', 'first', bound, 'admin', '99-wrong'],
    ['expired key', 'wss', 'first', bound, 'admin', EXPIRED],
    ['revoked key', 'wss', 'first', bound, 'admin', '6-six'],
    ['key of another user', 'wss', 'first', bound, 'admin', OTHER],
    ['unknown user', 'wss', 'first', bound, 'nobody', ADMIN],
    ['a short nonce', 'ws', 'first', { nonce: randomBytes(31).toString('base64') }],
    ['a nonce that is no base64', 'ws', 'first', { nonce: 'n'.repeat(43) + '!' }],
    ['authzid', 'ws', 'first', { gs2: 'n,a=admin,' }],
    ['a flag there is not', 'ws', 'first', { gs2: 'x,,' }],
    ['another nonce at last', 'ws', 'final', { finalNonce: another }],
    ['a shorter nonce at last', 'ws', 'final', { finalNonce: (nonce) => nonce.slice(0, 44) }],
    ['a proof with one bit off', 'ws', 'final', { proof: flipped }],
    ['a short proof', 'ws', 'final', { proof: (proof) => proof.subarray(1) }],
    ['a long proof', 'ws', 'final', { proof: (proof) => Buffer.concat([proof, proof]) }],
  ];
  const check = async ([name, transport, at, deviations, user, key]: Row): Promise<void> => {
    const client = await Client.open(at === 'final' ? sandbox : endless, transport);
    const outcome = await scramLogin(client, user ?? 'admin', key ?? ADMIN, deviations);
    test.same(outcome.answer.result, { response_type: 'AUTH_ERR' }, name);
    test.equal(outcome.at, at, `${name}: at the ${at} message`);
    if (at === 'final') test.ok(outcome.answer.ms >= DELAYED_MS, `${name} is delayed`);
    test.equal(await client.who(), null);
  };
  await Promise.all(rows.map(check));
  test.equal(sandbox.stats.logins + endless.stats.logins, 0);
  test.equal(sandbox.stats.failedLogins + endless.stats.failedLogins, rows.length);
});

t.test('a SCRAM login is one first message and one final message', async (test) => {
  const sandbox = await start(test, { failedLoginDelayMs: 0 });
  const client = await Client.open(sandbox, 'ws');
  const notInProgress = {
    error: {
      code: -32001,
      data: { errname: 'EFAULT', reason: '[EFAULT] SCRAM authentication is not in progress' },
    },
  };
  const final = () => client.scram('CLIENT_FINAL_MESSAGE', 'c=biws,r=x,p=y');
  const nonce = randomBytes(32).toString('base64');
  const first = () => client.scram('CLIENT_FIRST_MESSAGE', `n,,n=admin:2,r=${nonce}`);
  test.match(await final(), notInProgress);
  test.match((await first()).result, { scram_type: 'SERVER_FIRST_RESPONSE', user_info: null });
  test.match(await final(), { result: { response_type: 'AUTH_ERR' } });
  test.match(await final(), notInProgress, 'a failed one is over');
  const nonces = [await first(), await first()].map(({ result }) => result?.rfc_str);
  test.not(nonces[0], nonces[1], 'a second first message starts over');
  await client.scram('CLIENT_FIRST_MESSAGE', 'hello');
  test.match(await final(), notInProgress, 'so does a bad one');
  test.equal((await scramLogin(client, 'admin', ADMIN)).isServerGenuine, true);
  test.match(await final(), notInProgress, 'a successful one is over');
  test.equal(await client.who(), 'admin', 'and stays');
  const other = await client.call('auth.login_ex', {
    mechanism: 'SCRAM',
    scram_type: 'HELLO',
    rfc_str: '',
  });
  test.match(other.error, {
    code: -32602,
    data: {
      reason:
        '[EINVAL] login_data.SCRAM.scram_type: ' +
        "Input should be 'CLIENT_FIRST_MESSAGE' or 'CLIENT_FINAL_MESSAGE'\n",
    },
  });
  test.match(await client.call('auth.login_ex', { mechanism: 'SCRAM' }), {
    error: { code: -32602 },
  });
});

t.test('the session is the key’s user’s, whatever the user needs for a password', async (test) => {
  const sandbox = await start(test, {
    apiKeys: [...API_KEYS, { id: 7, key: 'seven', username: 'noapi' }],
  });
  const root = await Client.open(sandbox, 'unix');
  const client = await Client.open(sandbox, 'ws');
  for (const [user, key] of [
    ['reader', READER],
    ['otp', OTHER],
    ['admin', ADMIN],
  ] as const) {
    test.match((await scramLogin(client, user, key)).answer.result?.user_info, { pw_name: user });
    test.equal(await client.who(), user);
  }
  const denied = await scramLogin(client, 'noapi', '7-seven');
  test.same(denied.answer.result, { response_type: 'DENIED' });
  test.same((await client.plain('noapi', '7-seven')).result, { response_type: 'DENIED' });
  await root.call('core.subscribe', 'auth.sessions');
  const last = await Client.open(sandbox, 'ws');
  const added = new Promise<unknown>((resolve) => {
    root.once((message) => {
      resolve(message);
    });
  });
  await scramLogin(last, 'admin', ADMIN);
  test.match(await added, {
    params: { fields: { credentials: 'API_KEY', credentials_data: { api_key: { id: 2 } } } },
  });
});

t.test('an API key in the clear', async (test) => {
  const apiKeys = [...API_KEYS, { id: 6, key: 'six-six', username: 'admin', revoked: true }];
  const sandbox = await start(test, { apiKeys });
  const endless = await start(test, { apiKeys, failedLoginDelayMs: ENDLESS_MS });
  for (const transport of ['ws', 'wss'] as const) {
    const rows = [
      ['admin', ADMIN.slice(0, -1), 'AUTH_ERR', null],
      ['admin', READER, 'AUTH_ERR', 'reader'],
      ['nobody', ADMIN, 'AUTH_ERR', 'admin'],
      ['admin', '99-x', 'AUTH_ERR', null],
      ['admin', ADMIN.slice(2), 'AUTH_ERR', null],
      ['admin', '', 'AUTH_ERR', null],
      ['admin', EXPIRED, 'EXPIRED', null],
      ['admin', '6-six-six', 'EXPIRED', null],
      ['admin', '6-six', 'AUTH_ERR', null],
    ] as const;
    const check = async ([user, key, response, owner]: (typeof rows)[number]): Promise<void> => {
      const client = await Client.open(sandbox, transport);
      const isDelayed = response === 'AUTH_ERR';
      const asked = isDelayed ? client : await Client.open(endless, transport);
      const { result, ms } = await asked.plain(user, key);
      test.same(result, { response_type: response }, `${user} ${key}`);
      if (isDelayed) test.ok(ms >= DELAYED_MS, `${Math.round(ms)} ms`);
      const bare = await client.call('auth.login_with_api_key', key);
      test.equal(bare.result, owner !== null, 'without a user, the key is enough');
      test.equal(await client.who(), owner);
    };
    await Promise.all(rows.map(check));
    const client = await Client.open(sandbox, transport);
    test.match((await client.plain('admin', ADMIN)).result, {
      response_type: 'SUCCESS',
      authenticator: 'LEVEL_1',
      reconnect_token: null,
      user_info: { pw_name: 'admin' },
    });
    test.equal((await client.call('auth.login_with_api_key', OTHER)).result, true);
    test.equal(await client.who(), 'otp');
  }
  test.match(sandbox.stats, { logins: 8, loginsBy: { API_KEY_PLAIN: 8, SCRAM: 0 } });
});

t.test('an API key shown to who might listen is a key no more', async (test) => {
  const sandbox = await start(test, { treatLoopbackAsRemote: true });
  const [plain, secure] = [await Client.open(sandbox, 'ws'), await Client.open(sandbox, 'wss')];
  const expired = { response_type: 'EXPIRED' };
  test.match((await secure.plain('admin', ADMIN)).result, { response_type: 'SUCCESS' });
  test.same((await plain.plain('admin', '2-wrong')).result, { response_type: 'AUTH_ERR' });
  test.same((await plain.plain('otp', ADMIN)).result, { response_type: 'AUTH_ERR' });
  const safe = await scramLogin(plain, 'admin', ADMIN);
  test.ok(safe.isServerGenuine, 'SCRAM does not show it');
  test.same((await plain.plain('admin', ADMIN)).result, expired);
  test.same((await secure.plain('admin', ADMIN)).result, expired);
  test.equal((await scramLogin(secure, 'admin', ADMIN)).at, 'first');
  test.equal((await plain.call('auth.login_with_api_key', READER)).result, false);
  test.same((await secure.plain('reader', READER)).result, expired);
  test.match((await secure.plain('otp', OTHER)).result, { response_type: 'SUCCESS' });
});

t.test('a Unix socket takes no API key', async (test) => {
  const client = await Client.open(await start(test), 'unix');
  const refusal = (authenticator: string) => ({
    error: {
      code: -32001,
      data: {
        errname: 'EINVAL',
        reason: new RegExp(`^UNIX socket \\(.*\\): unexpected origin for ${authenticator}$`),
      },
    },
  });
  const api = refusal('ApiKeyPamAuthenticator');
  test.match(await client.plain('admin', ADMIN), api);
  test.match(await client.call('auth.login_with_api_key', ADMIN), api);
  const { answer } = await scramLogin(client, 'admin', ADMIN);
  test.match(answer, refusal('ScramPamAuthenticator'));
  test.equal(await client.who(), 'root');
});

t.test('SCRAM is two calls to the rate limit', async (test) => {
  const rateLimit = { calls: 20, windowMs: 60_000, delayMs: 5 };
  const sandbox = await start(test, { rateLimit });
  for (let login = 1; login <= 10; login += 1) {
    const outcome = await scramLogin(await Client.open(sandbox, 'ws'), 'admin', ADMIN);
    test.ok(outcome.isServerGenuine, `login ${login}`);
  }
  const eleventh = await scramLogin(await Client.open(sandbox, 'wss'), 'admin', ADMIN);
  test.equal(eleventh.at, 'first');
  test.match(eleventh.answer, { error: { code: -32001, data: { errname: 'EBUSY' } } });
});

t.test('faults are seen by a client that looks', async (test) => {
  const login = async (scram: SandboxOptions['scram']): Promise<Outcome> =>
    scramLogin(await Client.open(await start(test, { scram }), 'ws'), 'admin', ADMIN);
  const unsigned = await login({ badSignature: true });
  test.match(unsigned.answer.result, { scram_type: 'SERVER_FINAL_RESPONSE' });
  test.equal(unsigned.isServerGenuine, false);
  const { nonces } = await login({ nonceTamper: true });
  test.notSame(nonces?.[1].subarray(0, 32), nonces?.[0]);
  const few = await login({ lowIterations: 1 });
  test.equal(few.serverFirst?.['i'], '1');
  test.same(few.answer.result, { response_type: 'AUTH_ERR' }, 'they are not the key’s');
  const weak = await login({ iterations: 1 });
  test.equal(weak.serverFirst?.['i'], '1');
  test.ok(weak.isServerGenuine);
});

t.test('an older server does not know SCRAM', async (test) => {
  const client = await Client.open(await start(test, { scram: false }), 'ws');
  const choices = ['API_KEY_PLAIN', 'TOKEN_PLAIN', 'PASSWORD_PLAIN'];
  test.same((await client.call('auth.mechanism_choices')).result, choices);
  const { answer } = await scramLogin(client, 'admin', ADMIN);
  test.match(answer.error, {
    code: -32602,
    data: {
      reason:
        "[EINVAL] login_data: Input tag 'SCRAM' found using 'mechanism' does not match any of the " +
        "expected tags: 'API_KEY_PLAIN', 'PASSWORD_PLAIN', 'TOKEN_PLAIN', 'OTP_TOKEN'\n",
    },
  });
});

t.test('every login is counted with its mechanism', async (test) => {
  const sandbox = await start(test);
  const client = await Client.open(sandbox, 'ws');
  const login = async (data: object): Promise<string> => {
    const { result } = await client.call('auth.login_ex', data);
    return (result as unknown as { reconnect_token?: string }).reconnect_token ?? '';
  };
  const password = { mechanism: 'PASSWORD_PLAIN', username: 'admin', password: 'admin-pw' };
  const token = await login({ ...password, login_options: { reconnect_token: true } });
  await login({ mechanism: 'TOKEN_PLAIN', token });
  await login({ mechanism: 'PASSWORD_PLAIN', username: 'otp', password: 'otp-pw' });
  await login({ mechanism: 'OTP_TOKEN', otp_token: '123456' });
  await client.call('auth.login', 'admin', 'admin-pw');
  await client.call('auth.login_with_api_key', ADMIN);
  await scramLogin(client, 'admin', ADMIN);
  test.equal(sandbox.stats.logins, 6);
  test.same(sandbox.stats.loginsBy, {
    API_KEY_PLAIN: 1,
    PASSWORD_PLAIN: 2,
    TOKEN_PLAIN: 1,
    OTP_TOKEN: 1,
    SCRAM: 1,
  });
});

t.test('keys that cannot be are refused', async (test) => {
  const key = { id: 1, key: 'x', username: 'admin' };
  await test.rejects(startSandbox({ ws: 0, apiKeys: [key, key] }), RangeError);
  const nobodys = { ...key, username: 'nobody' };
  await test.rejects(startSandbox({ ws: 0, apiKeys: [nobodys] }), /no user nobody/);
  for (const iterations of [0, 1.5, 2 ** 31])
    await test.rejects(startSandbox({ ws: 0, scram: { iterations } }), RangeError);
});

t.test(
  'a key that is made logs in, by SCRAM and in the clear, until it is deleted',
  async (test) => {
    for (const version of ['27.0.0', '25.10.0']) {
      const sandbox = await start(test, { version, failedLoginDelayMs: 0 });
      const client = await Client.open(sandbox, 'ws');
      const login = (username: string) =>
        client.call('auth.login_ex', {
          ...{ mechanism: 'PASSWORD_PLAIN', username, password: `${username}-pw` },
        });
      const create = { name: 'of a test', username: 'reader' };
      test.match((await client.call('api_key.create', create)).error, { code: -32001 });
      await login('reader');
      const { result } = await client.call('api_key.create', create);
      const { id, key, ...entry } = result as unknown as Record<string, unknown>;
      test.match(entry, {
        ...{ name: 'of a test', username: 'reader', user_identifier: 4, expires_at: null },
        ...{ created_at: { $date: Number }, local: true, revoked: false, revoked_reason: null },
        ...(version.startsWith('27')
          ? { iterations: ITERATIONS, salt: String, stored_key: String, client_key: String }
          : { keyhash: '********' }),
      });
      test.equal(String(key), `${id as number}-${String(key).slice(-64)}`);
      for (const [params, reason] of [
        [[{ name: 'of a test', username: 'reader' }], /api_key_create: name must be unique/],
        [[{ name: 'other', username: 'admin' }], /reader: authenticated user lacks privileges/],
        [[{ name: 'other' }], /api_key_create.username: Field required/],
        [[{ name: '', username: 'reader' }], /should have at least 1 character/],
        [[{ name: 'other', username: 'reader', allowlist: [] }], /allowlist: Extra inputs/],
        [[{ name: 'x', username: 'reader', expires_at: { $date: 0 } }], /is in the past/],
      ] as const) {
        const { error } = await client.call('api_key.create', ...params);
        test.match(error?.data.reason, reason);
      }
      const other = await Client.open(sandbox, 'ws');
      const text = String(key);
      test.equal((await scramLogin(other, 'reader', text)).isServerGenuine, true);
      test.match((await other.plain('reader', text)).result, { response_type: 'SUCCESS' });
      const filter = [['id', '=', id]];
      const [listed] = (await client.call('api_key.query', filter)).result as unknown as object[];
      test.match(listed, { id, name: 'of a test', username: 'reader' });
      test.notMatch(JSON.stringify(listed), text.slice(-64));
      test.match((await client.call('api_key.delete', 2)).error?.data.reason, /lacks privileges/);
      test.equal((await client.call('api_key.delete', id)).result, true);
      test.match((await client.call('api_key.delete', id)).error?.data.reason, /does not exist/);
      test.match((await other.plain('reader', text)).result, { response_type: 'AUTH_ERR' });
      await login('admin');
      const { result: next } = await client.call('api_key.create', create);
      test.not((next as unknown as { id: number }).id, id, 'a number is not used again');
    }
  },
);
