/** F26 and F28: requests that are too big cost their own client an error, nobody else anything. */
import net from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';
import {
  call,
  converse,
  paramsOf,
  PING,
  residentMegabytes,
  type Frame,
} from '../../support/wire.js';

const MEGABYTE = 1024 * 1024;

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

/** Writes a line of `size` bytes without its newline, as fast as the daemon takes it. */
async function flood(t: Test, size: number): Promise<{ socket: net.Socket; text: () => string }> {
  const socket = net.connect({ path: daemon.socket, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'connect');
  const chunk = Buffer.alloc(256 * 1024, 'x');
  socket.write('{"command":"call","method":"test.echo","params":["');
  for (let sent = 0; sent < size; sent += chunk.length)
    if (!socket.write(chunk)) await once(socket, 'drain');
  return { socket, text: () => text };
}

const frames = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Frame);

t.test('F28: a line of 3 MB is refused, the next one answered', async (t) => {
  const conversation = await converse(t, daemon.socket);
  conversation.send(call('test.echo', `["${'x'.repeat(3 * MEGABYTE)}"]`) + PING);
  t.match(await conversation.frame(), { type: 'error', error: /\S/, error_type: /^\w+$/ });
  t.strictSame(await conversation.frame(), { type: 'result', result: 'pong' });
  await until('the end', () => conversation.ended());
  t.equal(conversation.lines.length, 2);
});

t.test('F28: a line of 3 MB without newline is refused before it ends', async (t) => {
  const { socket, text } = await flood(t, 3 * MEGABYTE);
  await until('the refusal', () => text().includes('\n'));
  t.match(frames(text()), [{ type: 'error' }]);
  socket.write(`"]}\n${PING}`);
  await until('the pong', () => frames(text()).length > 1);
  t.match(frames(text()), [{ type: 'error' }, { type: 'result', result: 'pong' }]);
});

t.test('F28: a line of 3 MB that ends with its client is refused once', async (t) => {
  const { socket, text } = await flood(t, 3 * MEGABYTE);
  socket.end();
  await once(socket, 'end');
  t.match(frames(text()), [{ type: 'error' }]);
  t.equal(frames(text()).length, 1);
});

t.test('F28: 100 MB without a newline cost no memory and no other client', async (t) => {
  const pid = daemon.child.pid!;
  await flood(t, 32 * MEGABYTE); // what a first time costs is not what is measured
  const other = await converse(t, daemon.socket);
  const before = residentMegabytes(pid);
  let peak = before;
  let pongs = 0;
  const flooded = new AbortController();
  const watching = (async () => {
    while (!flooded.signal.aborted) {
      other.send('{"command":"ping","keep":true}\n');
      t.match(await other.frame(), { result: 'pong' });
      pongs += 1;
      peak = Math.max(peak, residentMegabytes(pid));
    }
  })();
  const { socket, text } = await flood(t, 100 * MEGABYTE);
  flooded.abort();
  await watching;
  t.ok(pongs > 3, `${pongs} pings of another client meanwhile`);
  t.ok(peak - before < 50, `${Math.round(peak - before)} MB more at most`);
  t.match(frames(text()), [{ type: 'error' }]);
  socket.write(`\n${PING}`);
  await until('the pong', () => frames(text()).length > 1);
  t.match(frames(text()).at(-1), { type: 'result', result: 'pong' });
});

t.test('F26: a request beyond 65,536 characters is refused to its client alone', async (t) => {
  const slow = await converse(t, daemon.socket);
  const slept = daemon.sandbox.countOf('test.sleep');
  slow.send(call('test.sleep', '[1]'));
  await until('the slow call to arrive', () => daemon.sandbox.countOf('test.sleep') > slept);
  const conversation = await converse(t, daemon.socket);
  for (const size of [65_536, 65_600, 70_000, 200_000, 1_000_000]) {
    conversation.send(call('test.echo', `["${'x'.repeat(size)}"]`, undefined, { keep: true }));
    t.match(await conversation.frame(), { type: 'error', error: /\S/ }, `${size} characters`);
  }
  conversation.send(PING);
  t.match(await conversation.frame(), { type: 'result' });
  t.match(await slow.frame(), { type: 'result', result: 1 });
  t.equal(daemon.sandbox.stats.connections, 1, 'the shared connection lives');
  t.equal(daemon.sandbox.countOf('test.echo'), 0);
});

t.test('F26: the limit counts characters, not bytes', async (t) => {
  const conversation = await converse(t, daemon.socket);
  for (const character of ['é', '日', 'x']) {
    conversation.send(
      call('test.echo', `["${character.repeat(65_000)}"]`, undefined, { keep: true }),
    );
    t.match(await conversation.line(), /^\{"type": ?"result"/);
    t.ok(paramsOf(daemon.sandbox, 'test.echo').at(-1) === `["${character.repeat(65_000)}"]`);
  }
  conversation.send(call('test.echo', `["${'é'.repeat(65_537)}"]`));
  t.match(await conversation.frame(), { type: 'error' });
  t.equal(daemon.sandbox.stats.connections, 1);
});

t.test('F26: an astral character is one character to the server', async (t) => {
  const conversation = await converse(t, daemon.socket);
  conversation.send(call('test.echo', `["${'😀'.repeat(40_000)}"]`));
  t.match(await conversation.line(), /^\{"type": ?"result"/);
  t.equal(daemon.sandbox.stats.connections, 1);
});

t.test(
  'F26: an upload is measured in characters, and in bytes only by the server\u2019s 4 MiB',
  async (t) => {
    const arrivedBefore = paramsOf(daemon.sandbox, 'filesystem.file_receive').length;
    const conversation = await converse(t, daemon.socket);
    const send = async (text: string) => {
      const params = `["/x", "${text}"]`;
      conversation.send(call('filesystem.file_receive', params, undefined, { keep: true }));
      await conversation.frame();
      return paramsOf(daemon.sandbox, 'filesystem.file_receive').at(-1) === params;
    };
    t.ok(await send('é'.repeat(1_500_000)), '1.5 million characters of two bytes');
    t.ok(await send('日'.repeat(1_300_000)), '1.3 million of three');
    t.ok(await send('é'.repeat(2_097_000)), 'as many as there may be');
    t.notOk(await send('日'.repeat(1_500_000)), 'more than 4 MiB');
    t.notOk(await send('😀'.repeat(1_500_000)), 'nor is a line of 6 MB');
    t.notOk(await send('é'.repeat(2_097_152)), 'too many characters');
    conversation.send(PING);
    t.match(await conversation.frame(), { type: 'result', result: 'pong' });
    t.equal(paramsOf(daemon.sandbox, 'filesystem.file_receive').length, arrivedBefore + 3);
    t.equal(daemon.sandbox.stats.connections, 1, 'the shared connection lives');
  },
);

t.test(
  'F26: the program sends 1.5 million characters of two bytes through the daemon',
  async (t) => {
    const before = paramsOf(daemon.sandbox, 'filesystem.file_receive').length;
    const text = 'é'.repeat(1_500_000);
    const input = `{"command":"call","method":"filesystem.file_receive","params":["/x","${text}"]}\n`;
    const run = await daemon.d(['batch'], { input });
    t.notMatch(run.stdout, /longer|takes/);
    t.equal(paramsOf(daemon.sandbox, 'filesystem.file_receive').length, before + 1);
  },
);

t.test('F26: the methods that take 2 MiB get them, and no more', async (t) => {
  const conversation = await converse(t, daemon.socket);
  const send = async (size: number) => {
    const params = `["/x", "${'x'.repeat(size)}"]`;
    const line = call('filesystem.file_receive', params, undefined, { keep: true });
    conversation.send(line);
    return conversation.frame();
  };
  const arrived = () => paramsOf(daemon.sandbox, 'filesystem.file_receive').length;
  const before = arrived();
  await send(2_000_000);
  t.equal(arrived(), before + 1, 'the server was asked');
  t.match(await send(2_097_152), { type: 'error' });
  t.equal(arrived(), before + 1);
  t.equal(daemon.sandbox.stats.connections, 1);
});
