/** F28 and F29: too many connections, lines that never end: refused in words, and nobody else is hurt. */
import net from 'node:net';
import t from 'tap';
import { DaemonServer } from '../../../lib/index.js';
import { connectClient, ownSurroundings } from '../../support/api.js';
import { exchange, socketsOf, startDaemon } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';
import { call, converse, PING } from '../../support/wire.js';

const KEEP_PING = '{"command":"ping","keep":true}\n';

t.test('F29: one connection too many is told so and closed, the others live on', async (t) => {
  const daemon = await startDaemon(t, { args: ['--max-connections', '3'] });
  const bare = socketsOf(daemon.child.pid!);
  const [silent, busy, third] = [
    await converse(t, daemon.socket),
    await converse(t, daemon.socket),
    await converse(t, daemon.socket),
  ];
  busy.send(call('test.sleep', '[0.5]', undefined, { keep: true }));
  await until('all to be accepted', () => socketsOf(daemon.child.pid!) === bare + 3);
  for (const text of ['', PING, PING.repeat(2000)]) {
    const { frames } = await exchange(daemon.socket, text);
    t.equal(frames.length, 1);
    t.match(frames[0], { type: 'error', error: /\b3\b.*limit/, error_type: 'ClientException' });
    t.same([frames[0]?.trace, frames[0]?.extra], [null, null]);
  }
  t.match(await daemon.d(['call', 'core.ping']), {
    code: 1,
    stdout: '',
    stderr: /\b3 connections/,
  });
  t.match(await busy.frame(), { result: 0.5 });
  silent.send(KEEP_PING);
  t.match(await silent.frame(), { result: 'pong' });
  await until('the refused to be gone', () => socketsOf(daemon.child.pid!) === bare + 3);
  third.destroy();
  await until('room for another', async () => (await daemon.d(['ping'])).code === 0);
});

t.test('F29: the refused who do not go are closed', async (t) => {
  const daemon = await startDaemon(t, { args: ['--max-connections', '1'] });
  const bare = socketsOf(daemon.child.pid!);
  const only = await converse(t, daemon.socket);
  for (let i = 0; i < 300; i++) {
    const socket = net.connect({ path: daemon.socket, allowHalfOpen: true });
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  }
  let most = 0;
  await until(
    'them to be gone',
    () => {
      const now = socketsOf(daemon.child.pid!);
      most = Math.max(most, now);
      return most > bare + 1 && now === bare + 1;
    },
    120_000,
  );
  t.ok(most <= bare + 80, `${most - bare} sockets more at most`);
  only.send(KEEP_PING);
  t.match(await only.frame(), { result: 'pong' });
  t.equal(daemon.stderr(), '');
});

t.test('F29: a line that is not complete in time gets an error, then the end', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const path = `${around.home}/own.sock`;
  const server = new DaemonServer(path, client, 0, { lineTimeout: 0.3 });
  await server.listen();
  const serving = server.serveForever();
  t.teardown(async () => {
    await server.shutdown();
    await serving;
  });

  await t.test('sent byte by byte, behind requests that are answered first', async (t) => {
    const conversation = await converse(t, path);
    conversation.send(call('test.sleep', '[0.1]', undefined, { id: 1 }) + '{"command":"ping"');
    const drip = setInterval(() => {
      conversation.send(' ');
    }, 20);
    t.teardown(() => clearInterval(drip));
    t.match(await conversation.frame(), { id: 1, result: 0.1 });
    const refusal = await conversation.frame();
    t.match(refusal, { error: 'Request is not complete after 0.3 s', error_type: 'ValueError' });
    await until('the end', () => conversation.ended());
    t.equal(conversation.lines.length, 2);
  });

  await t.test('also while an earlier request takes longer than that', async (t) => {
    const conversation = await converse(t, path);
    conversation.send(call('test.sleep', '[0.8]', undefined, { id: 1 }) + '{');
    t.match(await conversation.frame(), { id: 1, result: 0.8 });
    t.match(await conversation.frame(), { error: /not complete/ });
    await until('the end', () => conversation.ended());
  });

  await t.test('and one too long that does not end either', async (t) => {
    const conversation = await converse(t, path);
    conversation.send(Buffer.alloc(3 * 1024 * 1024, 'x'));
    t.match(await conversation.frame(), { error: /longer/ });
    await until('the end', () => conversation.ended());
  });

  await t.test('a line that waits because the daemon is busy is in time', async (t) => {
    const conversation = await converse(t, path);
    const count = 4000;
    conversation.send(call('test.sleep', '[0.7]', undefined, { keep: true }));
    conversation.send(KEEP_PING.repeat(count)); // more than one chunk: some line is cut in two
    t.match(await conversation.frame(), { result: 0.7 });
    for (let i = 0; i < count; i++) if ((await conversation.frame()).result !== 'pong') t.fail();
    conversation.send(KEEP_PING);
    t.match(await conversation.frame(), { result: 'pong' });
  });

  await t.test(
    'a connection without a byte has all the time, as has one between lines',
    async (t) => {
      const silent = await converse(t, path);
      const between = await converse(t, path);
      between.send(KEEP_PING);
      t.match(await between.frame(), { result: 'pong' });
      const slow = await converse(t, path);
      slow.send(call('test.sleep', '[0.7]'));
      t.match(await slow.frame(), { result: 0.7 });
      for (const conversation of [silent, between]) {
        conversation.send(KEEP_PING);
        t.match(await conversation.frame(), { result: 'pong' });
      }
    },
  );
});
