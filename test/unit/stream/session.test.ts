/** A connection's stages joined, over a socket in memory, with verbs of the test's own. */
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { VerbTable } from '../../../lib/protocol/request.js';
import { memoryOf, type Memory } from '../../../lib/stream/memory.js';
import { Session } from '../../../lib/stream/session.js';
import { oneStep } from '../../../lib/steps.js';
import { duplexPair } from '../../support/duplex-pair.js';
import { rest, soon, TestGate, verbOf, type Running } from '../../support/stages.js';

const MEGABYTE = 1024 * 1024;

interface Scene {
  readonly session: Session;
  readonly socket: Duplex;
  readonly client: Duplex;
  readonly running: Running[];
  readonly gate: TestGate;
  readonly lines: string[];
  readonly counts: { came: number; over: number };
  readonly memory: Memory;
  /** What the client has been sent, whole, once it reads. */
  readonly read: () => void;
}

function scene(t: Test, { linger = 60_000, memory = 64 } = {}): Scene {
  const [socket, client] = duplexPair();
  const running: Running[] = [];
  const verb = verbOf(running, { format: { names: ['method'], read: () => oneStep({}) } });
  const gate = new TestGate({ calls: 2 });
  const counts = { came: 0, over: 0 };
  const shared = memoryOf(memory * MEGABYTE);
  const session = new Session(socket, {
    verbs: new VerbTable([['call', verb]]),
    gate,
    client: 1,
    linger,
    lines: { timeout: 30_000 },
    memory: shared,
    clock: gate.clock,
    onRequest: () => counts.came++,
    onOver: () => counts.over++,
  });
  const lines: string[] = [];
  let text = '';
  client.on('error', () => undefined);
  t.teardown(() => {
    session.destroy();
    client.destroy();
  });
  return {
    session,
    socket,
    client,
    running,
    gate,
    lines,
    counts,
    memory: shared,
    read: () =>
      client.on('data', (chunk: Buffer) => {
        const parts = (text + chunk.toString()).split('\n');
        text = parts.pop() ?? '';
        lines.push(...parts);
      }),
  };
}

function call(id: number, more = ''): string {
  return `{"command":"call","method":"m","id":${id}${more}}\n`;
}

t.test('answers come in order, one request at a time', async (t) => {
  const { client, running, lines, read, counts } = scene(t);
  read();
  client.write(call(1) + call(2) + call(3));
  for (const id of [1, 2, 3]) {
    await soon(() => running.length === id);
    await rest();
    t.equal(running.length, id, 'the next one waits');
    running[id - 1]?.end(`${id}0`);
  }
  await soon(() => lines.length === 3);
  t.same(lines, [
    '{"type":"result","id":1,"result":10}',
    '{"type":"result","id":2,"result":20}',
    '{"type":"result","id":3,"result":30}',
  ]);
  t.same(counts, { came: 3, over: 3 });
});

t.test('after a half-close everything that was sent is answered, then it ends', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.end(call(1) + call(2));
  await soon(() => running.length === 1);
  running[0]?.end('1');
  await soon(() => running.length === 2);
  running[1]?.end('2');
  t.equal(await session.closed, null);
  t.equal(lines.length, 2);
});

t.test('F41: a request is over when its answer has been taken, and no sooner', async (t) => {
  const { client, gate, running, read, counts, lines } = scene(t, { linger: 1 });
  client.write(call(1) + call(2));
  await soon(() => running.length === 1);
  running[0]?.end(`"${'x'.repeat(MEGABYTE)}"`);
  await rest();
  gate.clock.pass(60_000);
  await rest();
  t.same([counts.came > 0, counts.over, running.length], [true, 0, 1], 'nor does the next one run');
  read();
  await soon(() => running.length === 2);
  t.equal(counts.over, 1);
  running[1]?.end('2');
  await soon(() => lines.length === 2);
});

t.test('a client that leaves is told to those who work for it, and counted out', async (t) => {
  const { client, session, running, counts, gate } = scene(t);
  client.write(call(1) + call(2));
  await soon(() => running.length === 1);
  client.destroy();
  await session.checkClient();
  t.match(await session.closed, { code: 'EPIPE' });
  t.equal(running[0]?.context.cancellation.isCancelled, true);
  t.equal(counts.came, counts.over);
  running[0]?.end('1');
  await rest();
  t.same([running.length, gate.scheduler.active], [1, 0]);
});

t.test('draining answers what runs, refuses what waits, and ends', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.write(call(1) + call(2));
  await soon(() => running.length === 1);
  const drained = session.drain();
  await rest();
  running[0]?.end('1');
  await drained;
  await soon(() => lines.length === 2);
  t.match(JSON.parse(lines[1] ?? ''), { id: 2, error: /shutting down; the request was not sent/ });
  t.equal(running.length, 1);
  t.equal(await session.closed, null);
});

const NOT_SENT = {
  ...{ type: 'error', error: /shutting down; the request was not sent/, not_sent: true },
};

t.test('F31: draining, whose request came in part is told that it was not sent', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.write('{"command":"call","method":"m","par');
  await rest();
  await session.drain();
  await soon(() => lines.length === 1);
  t.match(JSON.parse(lines[0] ?? ''), NOT_SENT);
  t.same([running.length, await session.closed], [0, null]);
});

t.test('F31: draining, so is who sent that part behind a request in flight', async (t) => {
  for (const keep of ['', ',"keep":true']) {
    const { client, session, running, lines, read } = scene(t);
    read();
    client.write(`${call(1, keep)}{"command":"call","method":"m","par`);
    await soon(() => running.length === 1);
    const drained = session.drain();
    await rest();
    t.equal(lines.length, 0, 'first comes the answer to what is in flight');
    running[0]?.end('1');
    await drained;
    await soon(() => lines.length === 2);
    t.match(JSON.parse(lines[0] ?? ''), { id: 1, result: 1 });
    t.match(JSON.parse(lines[1] ?? ''), NOT_SENT);
    t.equal(running.length, 1);
  }
});

t.test('draining, who sends one request after another does not hold it up', async (t) => {
  const { client, session, running, read } = scene(t);
  read();
  client.write(call(1));
  await soon(() => running.length === 1);
  let isDrained = false;
  const drained = session.drain().then(() => (isDrained = true));
  running[0]?.end('1');
  let id = 2;
  await soon(() => {
    if (!client.destroyed && !client.writableEnded) client.write(call(id++));
    return isDrained;
  });
  await drained;
  t.equal(running.length, 1);
});

t.test('F31: draining, so is whose request waits for memory', async (t) => {
  const { client, session, memory, lines, read } = scene(t, { memory: 1 });
  read();
  const { requests } = memory;
  // Somebody else's, and it will be over.
  t.ok(requests.completed(0, requests.size));
  client.write(call(1, `,"version":"${'x'.repeat(100_000)}"`));
  await rest();
  await session.drain();
  await soon(() => lines.length === 1);
  t.match(JSON.parse(lines[0] ?? ''), NOT_SENT);
});

t.test('F31: draining, a request that was just read is answered', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.write(call(1));
  await session.drain();
  await soon(() => lines.length === 1);
  t.match(JSON.parse(lines[0] ?? ''), { id: 1, error: NOT_SENT.error });
  t.equal(running.length, 0);
});

t.test('draining leaves a connection that is to be kept', async (t) => {
  const { client, socket, session, running, read } = scene(t);
  read();
  client.write(call(1, ',"keep":true'));
  await soon(() => running.length === 1);
  running[0]?.end('1');
  await session.drain();
  await rest();
  t.ok(session.isKept);
  t.notOk(socket.writableEnded);
});

t.test('`close` ends it after that answer, whatever was sent behind', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.write(call(1, ',"close":true') + call(2));
  await soon(() => running.length === 1);
  running[0]?.end('1');
  t.equal(await session.closed, null);
  t.equal(lines.length, 1);
  t.equal(running.length, 1);
});

t.test('lingers for what may come, and ends if nothing does', async (t) => {
  const { client, gate, session, socket, running, counts, read } = scene(t, { linger: 1000 });
  read();
  gate.clock.pass(60_000);
  t.notOk(socket.destroyed, 'a client that has not asked yet has its time');
  for (const id of [1, 2, 3]) {
    client.write(call(id));
    await soon(() => running.length === id);
    gate.clock.pass(60_000);
    running[id - 1]?.end('1');
    await soon(() => counts.over === id);
    gate.clock.pass(999);
    await rest();
    t.notOk(socket.destroyed);
  }
  client.write('{"comm');
  await rest();
  gate.clock.pass(5000);
  await rest();
  t.notOk(socket.destroyed, 'nor while a line is under way');
  client.write(`and":"x","id":4}\n`);
  await soon(() => counts.over === 4);
  gate.clock.pass(1000);
  t.equal(await session.closed, null);
  t.equal(gate.clock.waiting, 0);
});

t.test('F45: does not end while a whole request waits for memory', async (t) => {
  const { client, gate, memory, socket, running, counts, read } = scene(t, {
    ...{ linger: 1000, memory: 1 },
  });
  read();
  client.write(call(1));
  await soon(() => running.length === 1);
  running[0]?.end('1');
  await soon(() => counts.over === 1);
  const { requests } = memory;
  // Somebody else's.
  t.ok(requests.completed(0, requests.size));
  client.write(call(2, ' '.repeat(100_000)));
  await rest();
  gate.clock.pass(100_000);
  await rest();
  t.same([socket.destroyed, running.length], [false, 1]);
  requests.giveComplete(requests.size);
  await soon(() => running.length === 2);
});

t.test('a connection that is to be kept does not end for want of requests', async (t) => {
  const { client, gate, socket, running, counts, read } = scene(t, { linger: 1000 });
  read();
  client.write(call(1, ',"keep":true'));
  await soon(() => running.length === 1);
  running[0]?.end('1');
  await soon(() => counts.over === 1);
  gate.clock.pass(3_600_000);
  await rest();
  t.notOk(socket.destroyed);
});

t.test('F41: draining, a client that takes nothing of its answer is given up', async (t) => {
  const { client, gate, session, running, counts } = scene(t);
  client.write(call(1) + call(2));
  await soon(() => running.length === 1);
  running[0]?.end(`"${'x'.repeat(MEGABYTE)}"`);
  await rest();
  gate.clock.pass(60_000);
  let isDrained = false;
  const drained = session.drain().then(() => (isDrained = true));
  for (let chunk = 0; chunk < 3; chunk++) {
    gate.clock.pass(29_999);
    await rest();
    t.notOk(isDrained);
    client.read();
    await rest();
  }
  gate.clock.pass(30_000);
  await drained;
  t.match(await session.closed, { message: /before it was answered/ }, 'its answer was not taken');
  t.same([running.length, counts.came, gate.clock.waiting], [1, counts.over, 0]);
});

t.test('F45: memory of a request comes back when it is over, or its client goes', async (t) => {
  const { client, session, running, counts, memory, gate, read } = scene(t, { linger: 1000 });
  read();
  const long = ' '.repeat(100_000);
  client.write(call(1, long));
  await soon(() => running.length === 1);
  t.ok(memory.requests.used > 50_000);
  running[0]?.end('1');
  await soon(() => counts.over === 1);
  t.equal(memory.requests.used, 0);
  t.ok(gate.clock.waiting <= 1, 'it lingers, by one clock');
  client.write(call(2, long));
  await soon(() => running.length === 2);
  t.ok(memory.requests.used > 50_000);
  running[1]?.end('2');
  await soon(() => counts.over === 2);
  client.write(call(3, long) + call(4, long).slice(0, 90_000));
  await soon(() => running.length === 3);
  session.destroy();
  await session.closed;
  t.same([memory.requests.used, gate.clock.waiting], [0, 0]);
});

t.test('destroyed, it counts out what is under way, and runs nothing more', async (t) => {
  for (const size of [10, MEGABYTE]) {
    const { client, gate, session, running, counts } = scene(t);
    client.write(call(1) + call(2) + call(3));
    await soon(() => running.length === 1);
    if (size > 10) running[0]?.end(`"${'x'.repeat(size)}"`);
    await rest();
    session.destroy();
    t.match(await session.closed, { code: 'CLOSED', message: /went away before/ });
    running[0]?.end('1');
    await rest();
    t.equal(running.length, 1);
    t.same([counts.came, gate.scheduler.active, gate.clock.waiting], [counts.over, 0, 0]);
  }
});

t.test('F45: a result for which there is no room is said to be lost', async (t) => {
  const { client, running, lines, read } = scene(t, { memory: 1 });
  client.write(call(1));
  await soon(() => running.length === 1);
  running[0]?.end(`"${'x'.repeat(MEGABYTE)}"`);
  read();
  await soon(() => lines.length === 1);
  t.match(JSON.parse(lines[0] ?? ''), {
    type: 'error',
    error_type: 'ClientException',
    error:
      'The result has 1048578 bytes, and the daemon has room for 786432 (--memory). The call was run; its result is lost',
  });
});
