import net from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer, type WebSocket } from 'ws';
import { MidcltError } from '../../../lib/errors.js';
import { noLog } from '../../../lib/logger.js';
import { Connection } from '../../../lib/middleware/connection.js';
import type { Credential } from '../../../lib/middleware/login/credential.js';
import type { AskOtp } from '../../../lib/middleware/login/login.js';
import { startSandbox } from '../../../lib/sandbox/index.js';
import { isLoopback, parseTarget } from '../../../lib/middleware/uri.js';
import { surroundings } from '../../support/daemon.js';
import { Scheduler } from '../../../lib/stream/scheduler.js';
import { until } from '../../support/midclt.js';

const NONE = Buffer.from('[]');
const params = (...values: unknown[]) => Buffer.from(JSON.stringify(values));

async function connect(
  t: Test,
  uri: string,
  credential: Credential | null = null,
  askOtp: AskOtp | null = null,
) {
  const connection = new Connection({ target: parseTarget(uri), credential, askOtp, log: noLog });
  t.teardown(() => {
    connection.close();
  });
  await connection.open();
  return connection;
}

/** A server that does what it is told with every message it gets. */
async function hostile(t: Test, onMessage: (socket: WebSocket, id: string) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      onMessage(socket, (JSON.parse(data.toString()) as { id: string }).id);
    });
  });
  await until('the server to listen', () => server.address() !== null);
  const { port } = server.address() as net.AddressInfo;
  return `ws://127.0.0.1:${port}/api/current`;
}

t.test('calls share a connection and are answered each by its own', async (t) => {
  const { uri } = await surroundings(t);
  const connection = await connect(t, uri);
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      connection.call('test.sleep', params((8 - i) / 40), { timeout: 5000 }),
    ),
  );
  t.same(
    results.map((result) => Number(result)),
    Array.from({ length: 8 }, (_, i) => (8 - i) / 40),
  );
  t.equal(connection.inFlight, 0);
});

t.test('a timeout frees the caller at once, the slot when the late answer comes', async (t) => {
  const { uri } = await surroundings(t);
  const connection = await connect(t, uri);
  const scheduler = new Scheduler({ calls: 1, jobs: 1, lookUps: 1 });
  const lease = scheduler.tryAcquire('call');
  const call = connection.call('test.sleep', params(0.3), { timeout: 50, lease });
  await t.rejects(call, { code: 'TIMEOUT', message: 'Call timeout' });
  lease?.release();
  t.equal(scheduler.active, 1, 'the call still runs there');
  await until('the late answer', () => scheduler.active === 0);
  t.equal(connection.inFlight, 0);
});

t.test('request ids are strings with a prefix no other client has', async (t) => {
  const { uri, sandbox } = await surroundings(t);
  const connection = await connect(t, uri);
  const other = await connect(t, uri);
  await connection.call('core.ping', NONE, { timeout: null });
  const { id } = JSON.parse(sandbox.received.at(-1) ?? '') as { id: string };
  t.match(id, /^[0-9a-f]{12}-1$/);
  t.not(connection.newId().split('-')[0], other.newId().split('-')[0]);
});

t.test('F26: a message the server would close the connection for is not sent', async (t) => {
  const { uri, sandbox } = await surroundings(t);
  const connection = await connect(t, uri);
  const scheduler = new Scheduler({ calls: 1, jobs: 1, lookUps: 1 });
  const lease = scheduler.tryAcquire('call');
  const tooLong = connection.call('test.echo', params('x'.repeat(65_536)), {
    timeout: null,
    lease,
  });
  await t.rejects(tooLong, { code: 'REQUEST', message: /characters for test.echo.*takes 65536/ });
  lease?.release();
  t.equal(scheduler.active, 0);
  t.equal(sandbox.countOf('test.echo'), 0);
  const wide = await connection.call('test.echo', params('ž'.repeat(65_000)), { timeout: null });
  t.ok(wide.length > 65_000, 'characters count, not bytes');
  const upload = connection.call('filesystem.file_receive', params('x'.repeat(2_000_000)), {
    timeout: null,
  });
  await t.rejects(upload, { message: 'Method does not exist' }, 'uploads may be longer');
});

t.test('logs in with a password over ws:', async (t) => {
  const sandbox = await startSandbox({ ws: 0, failedLoginDelayMs: 0 });
  t.teardown(() => sandbox.close());
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const login = (username: string, password: string) =>
    connect(t, uri, { kind: 'password', username, password });
  const connection = await login('admin', 'admin-pw');
  const me = await connection.call('auth.me', NONE, { timeout: 5000 });
  t.match(JSON.parse(me.toString()), { pw_name: 'admin' });
  const refused: [string, string, RegExp][] = [
    ['admin', 'wrong', /^Failed to login: Invalid username or password$/],
    ['nosuch', 'x', /^Failed to login: Invalid username or password$/],
    ['noapi', 'noapi-pw', /does not have API access/],
    ['expired', 'expired-pw', /expired/],
    ['otp', 'otp-pw', /one-time code/],
  ];
  for (const [username, password, message] of refused) {
    const error = await login(username, password).catch((thrown: unknown) => thrown as Error);
    t.match(error, { code: 'LOGIN', message });
    if (password !== 'x') t.notOk((error as Error).message.includes(password));
  }
  const anonymous = await connect(t, uri);
  await t.rejects(anonymous.call('system.info', NONE, { timeout: 5000 }), {
    message: '[ENOTAUTHENTICATED] Not authenticated',
  });
});

t.test('asks for one-time codes as long as it is given some', async (t) => {
  const sandbox = await startSandbox({ ws: 0, failedLoginDelayMs: 0 });
  t.teardown(() => sandbox.close());
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const login = (codes: readonly (string | null)[], username = 'otp') => {
    const asked: (number | null)[] = [];
    const askOtp: AskOtp = async (attempt) => {
      asked.push(attempt);
      return codes[attempt ?? 0] ?? null;
    };
    const credential = { kind: 'password', username, password: `${username}-pw` } as const;
    const outcome = connect(t, uri, credential, askOtp).then(
      () => 'in',
      (error: unknown) => (error as Error).message,
    );
    return outcome.then((text) => ({ text, asked }));
  };
  const text = 'Failed to login: Invalid one-time code';
  t.match(await login([], 'admin'), { text: 'in', asked: [] });
  t.match(await login(['123456']), { text: 'in', asked: [0] });
  t.match(await login(['1', '2', '123456']), { text: 'in', asked: [0, 1, 2] });
  t.same(await login(['1', '2', null]), { text, asked: [0, 1, 2] });
  t.match(await login([null]), { text: /wants a one-time code: give it with --otp$/, asked: [0] });
});

t.test('says what is wrong with the other side', async (t) => {
  const { home, uri, sandbox } = await surroundings(t);
  const failing: [string, RegExp][] = [
    [`ws+unix://${home}/missing.sock`, /Cannot connect to ws\+unix:.*\(ENOENT\).*running there\?/],
    ['ws://127.0.0.1:1/api/current', /Cannot connect to ws:.*\(ECONNREFUSED\)/],
    [`${uri}:/api/v1.0`, /HTTP status 404/],
  ];
  for (const [bad, message] of failing) {
    await t.rejects(connect(t, bad), { code: 'CONNECT', message });
  }
  sandbox.setRefusing(502);
  await t.rejects(connect(t, uri), { code: 'CONNECT', message: /HTTP status 502/ });
});

t.test('F24: calls in flight when the connection drops fail with an unknown outcome', async (t) => {
  const { uri, sandbox } = await surroundings(t);
  const connection = await connect(t, uri);
  const scheduler = new Scheduler({ calls: 1, jobs: 1, lookUps: 1 });
  const lease = scheduler.tryAcquire('call');
  const call = connection.call('test.sleep', params(30), { timeout: null, lease });
  await until('the call to arrive', () => sandbox.countOf('test.sleep') === 1);
  sandbox.dropAll();
  await t.rejects(call, { code: 'LOST', message: /outcome of test.sleep is unknown/ });
  lease?.release();
  t.equal(scheduler.active, 0);
  await connection.ready(null, 5000);
  const pong = await connection.call('core.ping', NONE, { timeout: 5000 });
  t.equal(pong.toString(), '"pong"', 'the connection heals');
  connection.close();
  t.equal(await connection.ended, null);
  await t.rejects(connection.call('core.ping', NONE, { timeout: null }), {
    code: 'CLOSED',
    message: /not sent/,
  });
});

t.test('F49: closed with an error, it tells what was sent from what was not', async (t) => {
  const { uri, sandbox } = await surroundings(t);
  const connection = await connect(t, uri);
  sandbox.setRefusing(502);
  sandbox.dropAll();
  await until('the loss', () => connection.facts.reconnects === 1);
  const waiting = connection.ready(null, null);
  connection.close(new MidcltError('LOST', 'A bug'), new MidcltError('SHUTDOWN', 'Not sent'));
  const unsent = { code: 'SHUTDOWN', message: 'Not sent' };
  await t.rejects(waiting, unsent);
  await t.rejects(connection.ready(null, null), unsent, 'also later');
  t.match(await connection.ended, { code: 'LOST', message: 'A bug' });

  sandbox.setRefusing(null);
  const other = await connect(t, uri);
  const call = other.call('test.sleep', params(30), { timeout: null });
  await until('the call to arrive', () => sandbox.countOf('test.sleep') === 1);
  other.close(new MidcltError('LOST', 'A bug'), new MidcltError('SHUTDOWN', 'Not sent'));
  await t.rejects(call, { code: 'LOST', message: 'A bug; the outcome of test.sleep is unknown' });
  await t.rejects(other.ready(null, null), unsent);
});

t.test('F36: nothing a server sends crashes it or reaches the wrong call', async (t) => {
  const odd = [
    'x',
    '',
    '[]',
    'null',
    '{"id": 5}',
    '{"jsonrpc": "2.0", "result": 1, "id": "nobody-1"}',
    '{"jsonrpc": "2.0", "result": 1, "id": 1}',
    '{"jsonrpc": "2.0", "result": 1}',
    '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "x"}, "id": null}',
    '{"jsonrpc": "2.0", "method": "collection_update", "params": 5}',
    '{"jsonrpc": "2.0", "method": "collection_update", "params": {"collection": "core.get_jobs"}}',
    '{"jsonrpc": "2.0", "method": "odd"}',
  ];
  const uri = await hostile(t, (socket, id) => {
    for (const text of odd) socket.send(text);
    socket.send(Buffer.from('binary'), { binary: true });
    const answer = `{"jsonrpc": "2.0", "result": "${id}", "id": "${id}"}`;
    socket.send(answer);
    socket.send(answer);
  });
  const connection = await connect(t, uri);
  for (let i = 0; i < 3; i++) {
    const id = connection.newId();
    const result = await connection.call('core.ping', NONE, { timeout: 5000, id });
    t.equal(result.toString(), `"${id}"`);
  }
});

t.test('which hosts are this machine, by name alone', async (t) => {
  const names = ['localhost', 'LOCALHOST.', 'a.localhost', '127.0.0.1', '127.1', '0x7f.1'];
  for (const host of [...names, '127.255.0.9', '[::1]', '[0:0::0:1]', '[::ffff:127.0.0.1]']) {
    t.ok(isLoopback(parseTarget(`ws://${host}:80/api/current`)), host);
  }
  const others = ['nas', 'localhost.example', 'xlocalhost', '127.0.0.1.example', '10.127.0.1'];
  for (const host of [...others, '0.0.0.0', '[::]', '[::2]', '[::ffff:10.0.0.1]', '128.0.0.1']) {
    t.notOk(isLoopback(parseTarget(`ws://${host}:80/api/current`)), host);
  }
});
