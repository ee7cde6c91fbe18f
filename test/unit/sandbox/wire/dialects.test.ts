/** The legacy wire, `/websocket`: what its capture (test/unit/sandbox/wire/recorded.test.ts) has in summary only, or not at all. */
import t, { type Test as TapTest } from 'tap';
import { API_KEYS, type SandboxOptions } from '../../../../lib/sandbox/index.js';
import { surroundings } from '../../../support/daemon.js';
import { talk, type Message, type Talk } from '../../../support/web-socket.js';

const CONNECT = { msg: 'connect', version: '1', support: ['1'], features: [] };

interface Legacy extends Talk {
  readonly call: (method: string, params?: unknown, id?: unknown) => Promise<Message>;
}

function call(method: string, params: unknown = [], id: unknown = method): object {
  return { msg: 'method', id, method, params };
}

async function start(t: TapTest, options: Partial<SandboxOptions> = {}) {
  const faster = { ws: 0, rateLimit: false, failedLoginDelayMs: 0 } as const;
  const { home, sandbox } = await surroundings(t, { ...faster, ...options });
  const open = async (url: string): Promise<Legacy> => {
    const talking = await talk(t, url);
    return { ...talking, call: (...args) => talking.ask(call(...args)) };
  };
  return {
    sandbox,
    tcp: () => open(`ws://127.0.0.1:${sandbox.wsPort}/websocket`),
    unix: () => open(`ws+unix:${home}/mw.sock:/websocket`),
  };
}

/** Connected, as root. */
async function connected(server: { unix: () => Promise<Legacy> }): Promise<Legacy> {
  const client = await server.unix();
  await client.ask(CONNECT);
  return client;
}

function errorOf({ error }: Message): Message {
  return error as Message;
}

t.test("a Unix connection is root's from its greeting on", async (t) => {
  const { unix } = await start(t);
  const client = await unix();
  t.same(await client.call('auth.me'), { msg: 'failed', version: '1' });
  client.send(`{"msg": "connect", "padding": "${'x'.repeat(8192)}"}`);
  t.equal(await client.closed(), '1007 Anonymous connection max message length is 8 kB');
  const root = await connected({ unix });
  t.match(await root.call('auth.me'), { result: { pw_name: 'root' } });
});

t.test('passwords, one-time codes and API keys log in', async (t) => {
  const { tcp, sandbox } = await start(t, { scram: { iterations: 1000 } });
  const attempt = async (method: string, ...params: string[]): Promise<unknown[]> => {
    const client = await tcp();
    await client.ask(CONNECT);
    const { result } = await client.call(method, params);
    const me = await client.call('auth.me');
    client.socket.terminate();
    return [result, (me.result as Message | undefined)?.pw_name ?? errorOf(me).error];
  };
  const [{ id, key }] = API_KEYS as [(typeof API_KEYS)[number]];
  t.same(await attempt('auth.login', 'admin', 'admin-pw'), [true, 'admin']);
  t.same(await attempt('auth.login', 'admin', 'wrong'), [false, 207]);
  t.same(await attempt('auth.login', 'otp', 'otp-pw'), [false, 207]);
  t.same(await attempt('auth.login', 'otp', 'otp-pw', '000000'), [false, 207]);
  t.same(await attempt('auth.login', 'otp', 'otp-pw', '123456'), [true, 'otp']);
  t.same(await attempt('auth.login_with_api_key', `${id}-${key}`), [true, 'admin']);
  t.same(await attempt('auth.login_with_api_key', `${id}-wrong`), [false, 207]);
  t.match(sandbox.stats, { logins: 3, failedLogins: 4 });
});

t.test('the 21st call outstanding is refused', async (t) => {
  const server = await start(t);
  const client = await connected(server);
  for (let id = 0; id < 22; id += 1) client.send(call('test.sleep', [1], id));
  const answers: Message[] = [];
  while (answers.length < 22) answers.push(await client.next());
  t.same(
    answers.slice(0, 2).map((answer) => [answer.id, errorOf(answer).error]),
    [
      [20, 109],
      [21, 109],
    ],
  );
  t.same(
    answers.slice(2).map(({ id, result }) => [id, result]),
    Array.from({ length: 20 }, (_, id) => [id, 1]),
  );
  t.match(server.sandbox.stats, { calls: 22, maxRunning: 10 });
});

t.test(
  'jobs answer with their id whatever core.set_options says, and name no request',
  async (t) => {
    const server = await start(t);
    const client = await connected(server);
    t.match(await client.call('core.set_options', [{ legacy_jobs: false }]), {
      result: { legacy_jobs: false },
    });
    const { result: job } = await client.call('test.job', [1, 0.01]);
    t.equal(job, 1);
    t.match(await client.call('core.get_jobs', [[['id', '=', job]]]), {
      result: [{ message_ids: [] }],
    });
  },
);

t.test('params: a list, or anything that is false', async (t) => {
  const server = await start(t);
  const client = await connected(server);
  for (const params of [[], {}, null, 0, '', false])
    t.equal((await client.call('core.ping', params)).result, 'pong', JSON.stringify(params));
  for (const params of [{ a: 1 }, 'x', 1, true])
    t.same((await client.call('core.ping', params)).error, {
      error: 22,
      errname: 'EINVAL',
      type: null,
      reason: '`params` must be a list.',
      trace: null,
      extra: null,
    });
});

t.test('each kind of failure has its errno', async (t) => {
  const server = await start(t);
  const client = await connected(server);
  const errors: [method: string, params: unknown[], expected: Message][] = [
    ['test.raise_', ['validation1'], { error: 22, type: 'VALIDATION' }],
    ['test.raise_', ['notfound'], { error: 2, type: 'VALIDATION', reason: /^\[ENOENT\] None: / }],
    ['test.raise_', ['exception'], { error: 22, type: null, reason: 'boom', extra: null }],
    ['test.raise_', ['match'], { error: 22, type: null, reason: 'MatchNotFound()' }],
    ['test.fail', [5, 'no', { a: 1 }], { error: 5, reason: '[EIO] no', extra: { a: 1 } }],
    ['core.ping', [1], { error: 11, errname: 'EAGAIN', type: 'VALIDATION' }],
    ['test.unserializable', [], { error: 22, reason: /is not JSON serializable$/ }],
    ['nodot', [], { error: 74, errname: 'EBADMSG', reason: '[EBADMSG] Invalid method name' }],
    ['a.b.c', [], { error: 201, reason: "[ENOMETHOD] Service 'a.b' not found" }],
  ];
  for (const [method, params, expected] of errors)
    t.match(errorOf(await client.call(method, params)), expected, `${method} ${params.join()}`);
});

t.test('events come bare; a source ends with nosub', async (t) => {
  const server = await start(t);
  const client = await connected(server);
  t.same(await client.ask({ msg: 'sub', id: 's', name: 'test.event' }), {
    msg: 'ready',
    subs: ['s'],
  });
  client.send(call('test.emit', ['REMOVED', { i: 0 }, 5]));
  const removed = { msg: 'removed', collection: 'test.event', id: 5, extra: { fields: { i: 0 } } };
  t.same(await client.next(), removed);
  t.equal((await client.next()).result, 1);
  t.same(await client.ask({ msg: 'sub', id: 's', name: '*' }), { msg: 'ready', subs: ['s'] });
  client.send({ msg: 'unsub', id: 's' });
  t.equal((await client.call('test.emit', ['ADDED'])).result, 1, 'nobody wants it any more');

  const source = 'test.ticker:{"interval": 60}';
  t.equal((await client.ask({ msg: 'sub', id: 't', name: source })).msg, 'ready');
  t.same(await client.next(), { msg: 'added', collection: source, fields: { n: 0 } });
  t.same(await client.ask({ msg: 'unsub', id: 't' }), { msg: 'nosub', collection: source });
  const bad = 'test.ticker:{"count": "x"}';
  t.match(await client.ask({ msg: 'sub', id: 'b', name: bad }), {
    msg: 'nosub',
    collection: bad,
    error: { error: 11, type: 'VALIDATION', trace: null },
  });
  t.equal((await client.next()).msg, 'ready');
});

t.test('an id means a subscription of its own connection', async (t) => {
  const server = await start(t);
  const [one, other] = [await connected(server), await connected(server)];
  for (const client of [one, other]) await client.ask({ msg: 'sub', id: 's', name: 'test.event' });
  other.send({ msg: 'unsub', id: 's' });
  await other.call('core.ping');
  one.send(call('test.emit', ['ADDED', { a: 1 }]));
  t.equal((await one.next()).msg, 'added');
  t.same(other.pending, []);
});

t.test('who may not read an event is told, and gets none', async (t) => {
  const { tcp } = await start(t);
  const client = await tcp();
  await client.ask(CONNECT);
  await client.call('auth.login', ['reader', 'reader-pw']);
  const answer = await client.ask({ msg: 'sub', id: 's', name: 'auth.sessions' });
  t.match(answer, { msg: 'result', id: 's', error: { error: 13, reason: 'Not authorized' } });
});

t.test('what the server stumbles over ends the connection', async (t) => {
  const server = await start(t);
  const endings: [message: string, closing: string][] = [
    ['[]', '1007 Batch messages are not supported at this time'],
    ['5', '1007 Invalid Message Format'],
    ['{}', "1011 'msg'"],
    ['{"msg": "method"}', "1011 'id'"],
    ['{"msg": "method", "id": 1, "method": 5}', "1011 'int' object has no attribute 'rsplit'"],
    ['{"msg": "method", "method": "no.such"}', "1011 'id'"],
    ['{"msg": "sub", "id": 1}', "1011 'name'"],
    ['{"msg": "sub", "name": "test.event"}', "1011 'id'"],
    ['{"msg": "unsub"}', "1011 'id'"],
    [`{"msg": "x", "x": "${'x'.repeat(65536)}"}`, '1009 Max message length is 64 kB'],
  ];
  for (const [message, closing] of endings) {
    const client = await connected(server);
    client.send(message);
    t.equal(await client.closed(), closing, message.slice(0, 60));
  }
  const client = await connected(server);
  t.match(errorOf(await client.ask({ msg: 'method', id: 1 })), { error: 22, trace: null });
  t.equal((await client.call('core.ping')).result, 'pong', 'it goes on');
});

t.test('the limit on calls before a login counts both wires', async (t) => {
  const rateLimit = { calls: 2, windowMs: 60_000, delayMs: 5 };
  const { tcp, sandbox } = await start(t, { rateLimit });
  const client = await tcp();
  await client.ask(CONNECT);
  const modern = await talk(t, `ws://127.0.0.1:${sandbox.wsPort}/api/current`);
  const ping = { jsonrpc: '2.0', method: 'core.ping', params: [], id: 1 };
  t.equal((await modern.ask(ping)).result, 'pong');
  t.equal((await client.call('core.ping')).result, 'pong');
  t.match(errorOf(await client.call('core.ping')), { error: 16, errname: 'EBUSY', type: null });
});

t.test('an expired session is logged out by its next message, whatever that is', async (t) => {
  const server = await start(t);
  const client = await connected(server);
  await client.call('test.expire_session');
  t.match(await client.ask({ msg: 'sub', id: 's', name: 'test.event' }), { error: { error: 13 } });
  t.equal(errorOf(await client.call('auth.me')).error, 207);
  t.same((await client.ask(CONNECT)).msg, 'connected');
  t.match(await client.call('auth.me'), { result: { pw_name: 'root' } });
});
