/** What a test can make the sandbox do, and see of it. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test as TapTest } from 'tap';
import { startSandbox, type SandboxOptions } from '../../../lib/sandbox/index.js';
import { surroundings } from '../../support/daemon.js';
import { makeHome, until } from '../../support/midclt.js';
import { startSandboxProcess } from '../../support/sandbox-process.js';
import { talk, type Talk } from '../../support/web-socket.js';

const DAY_MS = 24 * 60 * 60 * 1000;

function call(method: string, params: unknown[] = [], id: unknown = method): object {
  return { jsonrpc: '2.0', method, params, id };
}

async function start(t: TapTest, options: Partial<SandboxOptions> = {}) {
  const { home, sandbox } = await surroundings(t, { ws: 0, wss: 0, ...options });
  const tcp = (path: string) => `ws://127.0.0.1:${sandbox.wsPort}${path}`;
  return {
    home,
    sandbox,
    tcp,
    unix: () => talk(t, `ws+unix:${home}/mw.sock:/api/current`),
    ws: () => talk(t, tcp('/api/current')),
    wss: () =>
      talk(t, `wss://127.0.0.1:${sandbox.wssPort}/api/current`, { ca: sandbox.certificate! }),
    legacy: () => talk(t, tcp('/websocket')),
  };
}

/** One connection of each kind. */
async function everyKind(server: Awaited<ReturnType<typeof start>>): Promise<Talk[]> {
  return [await server.unix(), await server.ws(), await server.wss(), await server.legacy()];
}

t.test('expired sessions are found logged out, once, and log in again', async (t) => {
  const server = await start(t);
  const [user, other, stranger] = [await server.ws(), await server.unix(), await server.ws()];
  await user.ask(call('auth.login', ['admin', 'admin-pw']));
  server.sandbox.expireSessions();
  for (const client of [user, other])
    t.match(await client.ask(call('auth.me')), { error: { data: { error: 207 } } });
  t.equal((await stranger.ask(call('auth.login', ['admin', 'admin-pw']))).result, true);
  t.match(await stranger.ask(call('auth.me')), { result: { pw_name: 'admin' } }, 'came later');
  await user.ask(call('auth.login', ['admin', 'admin-pw']));
  t.match(await user.ask(call('auth.me')), { result: { pw_name: 'admin' } });
});

t.test('raw messages reach every connection as they are', async (t) => {
  const server = await start(t);
  const clients = await everyKind(server);
  server.sandbox.sendRaw('{"no": JSON');
  server.sandbox.sendRaw(Buffer.from([0, 255]));
  for (const client of clients) {
    t.equal(await client.text(), '{"no": JSON');
    t.equal(await client.text(), '<00ff>', 'binary');
  }
});

t.test('every connection is closed with any code', async (t) => {
  const server = await start(t);
  for (const [code, reason] of [
    [1001, ''],
    [1012, 'restart'],
    [4000, 'ž'],
  ] as const) {
    const clients = await everyKind(server);
    server.sandbox.closeAll(code, reason);
    for (const client of clients) t.equal(await client.closed(), `${code} ${reason}`.trimEnd());
  }
});

t.test('a message is cut in the middle', async (t) => {
  const server = await start(t);
  const clients = await everyKind(server);
  const raw = net.connect(server.sandbox.wsPort!, '127.0.0.1');
  const bytes: Buffer[] = [];
  raw.on('data', (chunk) => bytes.push(chunk));
  raw.write(
    'GET /api/current HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await until('the handshake', () => server.sandbox.stats.open === 5);
  server.sandbox.cutMidMessage();
  for (const client of clients) {
    t.equal(await client.closed(), '1006');
    t.same(client.pending, []);
  }
  await until('the end', () => raw.closed);
  const frame = Buffer.concat(bytes).toString('latin1').split('\r\n\r\n')[1]!;
  t.same([...Buffer.from(frame, 'latin1').subarray(0, 4)], [0x81, 126, 4, 0], '1024 bytes');
  t.equal(frame.length, 4 + 512);
  t.equal(server.sandbox.stats.open, 0);
});

t.test('a stalled sandbox says nothing and catches up later', async (t) => {
  const server = await start(t);
  const clients = (await everyKind(server)).slice(0, 3);
  const [root] = clients as [Talk];
  let pongs = 0;
  for (const client of clients) client.socket.on('pong', () => (pongs += 1));
  root.send(call('test.sleep', [0.05], 'before'));
  await until('the call', () => server.sandbox.countOf('test.sleep') === 1);
  server.sandbox.setStalled(true);
  for (const client of clients) {
    client.socket.ping();
    for (const id of ['1', '2']) client.send(call('core.ping', [], id));
  }
  for (let sent = 0; sent < 100; sent += 1) root.send(call('test.echo', ['x'.repeat(60_000)]));
  const late = server.ws();
  await new Promise((resolve) => setTimeout(resolve, 200)); // nothing comes: time is all there is to see
  t.same(
    clients.map(({ pending, closing }) => [pending, closing()]),
    clients.map(() => [[], null]),
  );
  t.equal(pongs, 0);
  t.ok(root.socket.bufferedAmount > 1e6, 'most of it is not taken from the client');
  t.equal(server.sandbox.stats.connections, 4, 'no handshake');
  t.equal(server.sandbox.countOf('core.ping'), 0, 'nothing was read');

  server.sandbox.setStalled(false);
  t.equal((await root.next()).id, 'before');
  for (const client of clients)
    for (const id of ['1', '2']) t.match(await client.next(), { id, result: 'pong' });
  await until('the pongs', () => pongs === clients.length);
  t.equal((await (await late).ask(call('core.ping'))).result, 'pong');
});

t.test(
  'messages that came in one piece before a stall are not handled at once after it',
  async (t) => {
    const server = await start(t);
    const root = await server.unix();
    await root.ask(call('core.ping'));
    const messages = Array.from({ length: 60 }, (_, id) => call('core.ping', [], id));
    for (const message of messages) root.send(message);
    while (server.sandbox.countOf('core.ping') < 2) await new Promise(setImmediate);
    server.sandbox.setStalled(true);
    await new Promise((resolve) => setTimeout(resolve, 50)); // what was read by then is held
    t.ok(server.sandbox.countOf('core.ping') < 60, 'not all were handled before');
    server.sandbox.setStalled(false);
    for (let id = 0; id < 60; id += 1) t.match(await root.next(), { id, result: 'pong' });
  },
);

t.test('a stalled sandbox can be ended, and connections of it dropped', async (t) => {
  const server = await start(t);
  const clients = await everyKind(server);
  server.sandbox.setStalled(true);
  server.sandbox.dropAll();
  for (const client of clients) t.equal(await client.closed(), '1006');
  const late = server.ws();
  late.catch(() => undefined);
  await server.sandbox.close();
  await t.rejects(late);
});

t.test('the journal has each call that was run', async (t) => {
  const home = makeHome(t);
  const journal = `${home}/journal`;
  fs.writeFileSync(journal, '{"method": "earlier"}\n');
  const server = await start(t, { journal, failedLoginDelayMs: 0 });
  const lines = () =>
    fs
      .readFileSync(journal, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  const [first, second] = [await server.ws(), await server.unix()];
  first.send(call('test.echo', ['too early']));
  t.match(await first.next(), { error: { data: { error: 207 } } });
  await first.ask(call('auth.login', ['admin', 'admin-pw']));
  for (const refused of [call('no.such'), call('core.ping', [1]), { id: 1 }])
    t.ok((await first.ask(refused)).error);
  const params = [{ id: 1, name: 'žluť', list: [1.5, null] }];
  await second.ask(call('test.echo', params));
  second.send({ jsonrpc: '2.0', method: 'test.echo', params: ['unanswered'] });
  second.send(call('test.job', [1, DAY_MS / 1000]));
  await second.next();
  t.same(lines(), [
    { method: 'earlier' },
    { method: 'auth.login', connection: 1 },
    { method: 'test.echo', params, connection: 2 },
    { method: 'test.echo', params: ['unanswered'], connection: 2 },
    { method: 'test.job', params: [1, 86400], connection: 2 },
  ]);
  await t.rejects(startSandbox({ journal: `${home}/missing/journal` }), { code: 'ENOENT' });
});

t.test('a sandbox in a process of its own is killed and started in its place', async (t) => {
  const home = makeHome(t);
  const unix = `${home}/mw.sock`;
  const journal = `${home}/journal`;
  const sandbox = await startSandboxProcess(t, { unix, ws: 0, wss: 0, journal });
  const { wsPort, wssPort, certificate, pid } = sandbox;
  const url = `ws+unix:${unix}:/api/current`;
  const client = await talk(t, url);
  t.same((await client.ask(call('test.echo', ['one']))).result, ['one']);
  t.equal((await sandbox.ask('stats')).calls, 1);
  t.equal(await sandbox.ask('countOf', 'test.echo'), 1);
  await t.rejects(sandbox.ask('closeAll', 7, ''), /valid error code/);
  client.send(call('test.sleep', [60]));
  await until('the call', () => fs.readFileSync(journal, 'utf8').includes('test.sleep'));
  t.same(await sandbox.kill(), { code: null, signal: 'SIGKILL' });
  t.equal(sandbox.isRunning, false);
  t.equal(await client.closed(), '1006');
  t.ok(fs.existsSync(unix), 'a dead socket');
  await t.rejects(talk(t, url), { code: 'ECONNREFUSED' });
  await t.rejects(sandbox.ask('stats'), /is gone/);

  await sandbox.restart();
  t.not(sandbox.pid, pid);
  t.equal(await sandbox.ask('wsPort'), wsPort);
  for (const again of [
    await talk(t, url),
    await talk(t, `ws://127.0.0.1:${wsPort}/api/current`),
    await talk(t, `wss://127.0.0.1:${wssPort}/api/current`, { ca: certificate! }),
  ])
    t.equal((await again.ask(call('core.ping'))).result, 'pong');
  await sandbox.restart();
  t.equal(fs.readFileSync(journal, 'utf8').match(/core\.ping/g)?.length, 3, 'one journal');
  await t.rejects(startSandboxProcess(t, { unix }), /the sandbox ended: .*EADDRINUSE/);
});
