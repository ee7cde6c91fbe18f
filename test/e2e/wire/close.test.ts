/** When a connection ends: linger, `close`, `keep`, half-close, and the tools people use. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { exchange, startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { inTime } from '../../support/in-time.js';
import { shell, until, missing } from '../../support/midclt.js';
import { call, converse, PING } from '../../support/wire.js';

/** Far beyond the linger, far below a test's patience. */
const BEYOND_LINGER = 1800;

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t, { args: ['--linger', '0.6'] });
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const sh = (command: string, input?: string) =>
  shell(command, {
    home: daemon.home,
    env: { SOCK: daemon.socket },
    ...(input === undefined ? {} : { input }),
  });

t.test('after the last answer the connection ends by itself, its client still open', async (t) => {
  const { frames, took } = await exchange(daemon.socket, PING + call('test.echo', '[1]'));
  t.equal(frames.length, 2);
  t.ok(took >= 550 && took < 30_000, `took ${took} ms`);
});

t.test('a linger of one second is the default', async (t) => {
  const own = await startDaemon(t);
  const { took } = await exchange(own.socket, PING);
  t.ok(took >= 950 && took < 30_000, `took ${took} ms`);
});

t.test('the linger counts from the last answer, not from the last request', async (t) => {
  const { frames } = await exchange(daemon.socket, call('test.sleep', '[0.8]') + PING);
  t.equal(frames.length, 2);
});

t.test('a request within the linger starts it anew', async (t) => {
  const own = await startDaemon(t, { args: ['--linger', '3'] });
  // While all five take no longer than that, no pause was as long as the linger.
  const conversation = await inTime(6500, async () => {
    const conversation = await converse(t, own.socket);
    for (let round = 0; round < 5; round += 1) {
      conversation.send(PING);
      t.match(await conversation.frame(), { result: 'pong' });
      await wait(1000);
    }
    return conversation;
  });
  await until('the end', () => conversation.ended());
});

t.test('close: true ends the connection right after that request', async (t) => {
  const own = await startDaemon(t, { args: ['--linger', '30'] });
  for (const request of [
    '{"command":"ping","close":true}\n',
    call('test.job', '[2, 0.05]', { job: true }, { close: true, id: 1 }),
    '{"command":"nope","close":true}\n',
    call('test.fail', '[]', undefined, { close: true }),
  ]) {
    const { frames, took } = await exchange(own.socket, request);
    t.not(frames.at(-1)?.type, 'progress');
    t.ok(took < 25_000, `${request.trim()} took ${took} ms`);
  }
});

t.test('what comes after a request with close: true is not answered', async (t) => {
  const conversation = await converse(t, daemon.socket);
  conversation.send('{"command":"ping","close":true,"id":1}\n{"command":"ping","id":2}\n');
  t.match(await conversation.frame(), { id: 1, result: 'pong' });
  await until('the end', () => conversation.ended());
  t.equal(conversation.lines.length, 1);
});

t.test('the request before one with close: true is answered too', async (t) => {
  const { frames } = await exchange(
    daemon.socket,
    call('test.sleep', '[0.2]', undefined, { id: 1 }) + '{"command":"ping","close":true,"id":2}\n',
  );
  t.strictSame(
    frames.map((frame) => frame.id),
    [1, 2],
  );
});

t.test('keep: true keeps the connection open beyond the linger', async (t) => {
  const conversation = await converse(t, daemon.socket);
  conversation.send('{"command":"ping","keep":true}\n');
  t.match(await conversation.frame(), { result: 'pong' });
  await wait(BEYOND_LINGER);
  t.notOk(conversation.ended());
  conversation.send('{"command":"ping","keep":true}\n');
  t.match(await conversation.frame(), { result: 'pong' });
  conversation.end();
  await until('the end', () => conversation.ended());
});

t.test('keep: true counts also while an earlier answer still lingers', async (t) => {
  const conversation = await inTime(500, async () => {
    const conversation = await converse(t, daemon.socket);
    conversation.send(PING);
    t.match(await conversation.frame(), { result: 'pong' });
    conversation.send('{"command":"ping","keep":true}\n');
    t.match(await conversation.frame(), { result: 'pong' });
    return conversation;
  });
  await wait(BEYOND_LINGER);
  t.notOk(conversation.ended());
  conversation.send(PING);
  t.match(await conversation.frame(), { result: 'pong' });
  await until('the end', () => conversation.ended());
});

t.test('a connection that has sent nothing stays open', async (t) => {
  const conversation = await converse(t, daemon.socket);
  await wait(BEYOND_LINGER);
  t.notOk(conversation.ended());
  conversation.send(PING);
  t.match(await conversation.frame(), { result: 'pong' });
});

t.test('half a request keeps the connection open until it is whole', async (t) => {
  const conversation = await converse(t, daemon.socket);
  conversation.send(PING + PING.slice(0, 9));
  t.match(await conversation.frame(), { result: 'pong' });
  conversation.send(PING.slice(9));
  t.match(await conversation.frame(), { result: 'pong' });
});

t.test('F45: so does a whole one that waits for memory', async (t) => {
  const memory = await startDaemon(t, { args: ['--memory', '32', '--linger', '0.3'] });
  const long = (bytes: number) => PING.replace('}', `${' '.repeat(bytes)}}`);
  // Eight MiB are for requests: these hold nearly all of that, behind calls that go on.
  const fillers = await Promise.all([1, 2, 3, 4].map(() => converse(t, memory.socket)));
  for (const { send } of fillers) send(call('test.sleep', '[3600]') + long(2_100_000));
  const other = await converse(t, memory.socket);
  const isFull = async () => {
    const probe = await converse(t, memory.socket);
    probe.send(long(100_000));
    for (let pings = 0; pings < 50; pings++) {
      other.send('{"command":"ping","keep":true}\n');
      await other.frame();
    }
    return probe.lines.length === 0;
  };
  await until('all memory to be taken', isFull);
  const asker = await converse(t, memory.socket);
  asker.send(PING + long(100_000)); // together: there is little time to linger
  t.match(await asker.frame(), { result: 'pong' });
  other.send(PING);
  await until('the end of one that has nothing more to say', () => other.ended());
  t.notOk(asker.ended());
  for (const { destroy } of fillers) destroy();
  t.match(await asker.frame(), { result: 'pong' });
});

t.test('a silent connect and close leaves the daemon well', async (t) => {
  for (let round = 0; round < 20; round += 1)
    await new Promise((resolve) => {
      const socket = net.connect(daemon.socket, () => socket.destroy());
      socket.on('close', resolve);
    });
  const { frames } = await exchange(daemon.socket, '', { halfClose: true });
  t.strictSame(frames, [], 'a half-close without a request is answered by the end alone');
  t.match((await exchange(daemon.socket, PING)).frames, [{ result: 'pong' }]);
  t.notOk(daemon.stderr());
});

t.test('half-close is honoured: everything is answered in order, then comes the end', async (t) => {
  const requests = Array.from({ length: 100 }, (_, id) =>
    id % 25 === 0
      ? call('test.sleep', '[0.1]', undefined, { id })
      : call('core.ping', '[]', undefined, { id }),
  );
  const { frames } = await exchange(daemon.socket, requests.join(''), { halfClose: true });
  t.strictSame(
    frames.map((frame) => frame.id),
    requests.map((_, id) => id),
  );
});

t.test('a half-close during a job does not end it', async (t) => {
  const text = call('test.job', '[3, 0.2, null, "whole"]', { job: true });
  const { frames } = await exchange(daemon.socket, text, { halfClose: true });
  t.strictSame(frames.at(-1), { type: 'result', result: 'whole' });
});

t.test('printf … | nc -U SOCK ends by itself', { skip: missing('nc') }, async (t) => {
  const run = await sh(`printf '{"command":"ping"}\\n' | nc -U "$SOCK"`);
  t.match(run, { code: 0, stderr: '' });
  t.match(run.stdout, /^\{"type": ?"result", ?"result": ?"pong"\}\n$/);
});

t.test('nc -U that keeps its input open ends by itself too', { skip: missing('nc') }, async (t) => {
  const child = spawn('nc', ['-U', daemon.socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stdin.on('error', () => undefined);
  let closed = false;
  child.stdout.on('close', () => (closed = true));
  child.stdin.write(call('test.sleep', '[0.5]'));
  await until('nc to see the end', () => closed);
  t.match(out, /^\{"type": ?"result"/);
});

t.test('nc -N -U gets every answer, in order', { skip: missing('nc') }, async (t) => {
  const run = await sh(
    'nc -N -U "$SOCK"',
    call('test.sleep', '[2]', undefined, { id: 1 }) + '{"command":"ping","id":2}\n',
  );
  t.equal(run.code, 0);
  const ids = [...run.stdout.matchAll(/"id": ?(\d)/g)].map((match) => match[1]);
  t.strictSame(ids, ['1', '2']);
});

t.test(
  'socat -t 86400 gets every answer from a file, in order',
  { skip: missing('socat') },
  async (t) => {
    const text = [1, 2, 3, 4].map((id) =>
      call(id % 2 ? 'test.sleep' : 'core.ping', id % 2 ? '[1]' : '[]', undefined, { id }),
    );
    fs.writeFileSync(`${daemon.home}/requests`, text.join('').trimEnd());
    const run = await sh('socat -t 86400 - "UNIX:$SOCK" < requests');
    t.match(run, { code: 0, stderr: '' });
    const ids = [...run.stdout.matchAll(/"id": ?(\d)/g)].map((match) => match[1]);
    t.strictSame(ids, ['1', '2', '3', '4']);
  },
);
