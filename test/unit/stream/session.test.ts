/** A connection's stages joined, over a socket in memory, with verbs of the test's own. */
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import type { FinalFrame, Request } from '../../../lib/protocol/frames.js';
import { VerbTable } from '../../../lib/protocol/request.js';
import type { Gate } from '../../../lib/stream/acquire.js';
import { memoryOf } from '../../../lib/stream/memory.js';
import { Scheduler } from '../../../lib/stream/scheduler.js';
import { Session } from '../../../lib/stream/session.js';
import type { Context, Verb } from '../../../lib/stream/verb.js';
import { oneStep } from '../../../lib/steps.js';
import { duplexPair } from '../../support/duplex-pair.js';

const MEGABYTE = 1024 * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Calls that are under way: each ends when the test says so. */
interface Running {
  readonly request: Request;
  readonly context: Context;
  readonly end: (result: string) => void;
}

interface Scene {
  readonly session: Session;
  readonly client: Duplex;
  readonly running: Running[];
  readonly scheduler: Scheduler;
  readonly lines: string[];
  readonly counts: { came: number; over: number };
  /** What the client has been sent, whole, once it reads. */
  readonly read: () => void;
  readonly isReady: { value: boolean };
}

function scene(t: Test, { linger = 60_000, memory = 64 } = {}): Scene {
  const [socket, client] = duplexPair();
  const running: Running[] = [];
  const verb: Verb = {
    format: { names: ['method'], read: () => oneStep({}) },
    slotClass: () => 'call',
    patience: () => ({ toSend: null, toAnswer: null, isShared: false }),
    run: (request, context) =>
      new Promise<FinalFrame>((resolve) => {
        running.push({
          request,
          context,
          end: (result) => {
            context.lease.release();
            resolve({ type: 'result', result: Buffer.from(result) });
          },
        });
      }),
  };
  const scheduler = new Scheduler({ calls: 2, jobs: 2, lookUps: 1 });
  const isReady = { value: true };
  const gate: Gate = {
    scheduler,
    isReady: () => isReady.value,
    ready: () => Promise.resolve(),
  };
  const counts = { came: 0, over: 0 };
  const session = new Session(socket, {
    verbs: new VerbTable([['call', verb]]),
    gate,
    client: 1,
    linger,
    lines: {},
    memory: memoryOf(memory * MEGABYTE),
    onRequest: () => counts.came++,
    onOver: () => counts.over++,
  });
  const lines: string[] = [];
  let text = '';
  t.teardown(() => {
    session.destroy();
    client.destroy();
  });
  return {
    session,
    client,
    running,
    scheduler,
    lines,
    counts,
    isReady,
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

async function until(check: () => boolean): Promise<void> {
  for (let turns = 0; !check(); turns++) {
    if (turns > 10_000) throw new Error('waited in vain');
    await turn();
  }
}

t.test('answers come in order, one request at a time', async (t) => {
  const { client, running, lines, read, counts } = scene(t);
  read();
  client.write(call(1) + call(2) + call(3));
  for (const id of [1, 2, 3]) {
    await until(() => running.length === id);
    await turn();
    t.equal(running.length, id, 'the next one waits');
    running[id - 1]?.end(`${id}0`);
  }
  await until(() => lines.length === 3);
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
  await until(() => running.length === 1);
  running[0]?.end('1');
  await until(() => running.length === 2);
  running[1]?.end('2');
  t.equal(await session.closed, null);
  t.equal(lines.length, 2);
});

t.test('F41: a request is over when its answer has been taken, and no sooner', async (t) => {
  const { client, running, read, counts, lines } = scene(t, { linger: 1 });
  client.write(call(1) + call(2));
  await until(() => running.length === 1);
  running[0]?.end(`"${'x'.repeat(MEGABYTE)}"`);
  for (let i = 0; i < 100; i++) await turn();
  t.same([counts.came > 0, counts.over, running.length], [true, 0, 1], 'nor does the next one run');
  read();
  await until(() => running.length === 2);
  t.equal(counts.over, 1);
  running[1]?.end('2');
  await until(() => lines.length === 2);
});

t.test('a client that leaves is told to those who work for it, and counted out', async (t) => {
  const { client, session, running, counts, scheduler } = scene(t);
  client.write(call(1) + call(2));
  await until(() => running.length === 1);
  client.destroy();
  await session.checkClient();
  t.match(await session.closed, { code: 'EPIPE' });
  t.equal(running[0]?.context.cancellation.isCancelled, true);
  t.equal(counts.came, counts.over);
  running[0]?.end('1');
  await turn();
  t.same([running.length, scheduler.active], [1, 0]);
});

t.test('draining answers what runs, refuses what waits, and ends', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.write(call(1) + call(2));
  await until(() => running.length === 1);
  const drained = session.drain();
  await turn();
  running[0]?.end('1');
  await drained;
  await until(() => lines.length === 2);
  t.match(JSON.parse(lines[1] ?? ''), { id: 2, error: /shutting down; the request was not sent/ });
  t.equal(running.length, 1);
  t.equal(await session.closed, null);
});

t.test('draining leaves a connection that is to be kept', async (t) => {
  const { client, session, running, read } = scene(t);
  read();
  client.write(call(1, ',"keep":true'));
  await until(() => running.length === 1);
  running[0]?.end('1');
  await session.drain();
  t.ok(session.isKept);
  t.notOk(client.destroyed);
});

t.test('`close` ends it after that answer, whatever was sent behind', async (t) => {
  const { client, session, running, lines, read } = scene(t);
  read();
  client.write(call(1, ',"close":true') + call(2));
  await until(() => running.length === 1);
  running[0]?.end('1');
  t.equal(await session.closed, null);
  t.equal(lines.length, 1);
  t.equal(running.length, 1);
});

t.test('lingers for what may come, and ends if nothing does', async (t) => {
  const { client, session, running, read } = scene(t, { linger: 50 });
  read();
  for (const id of [1, 2, 3]) {
    client.write(call(id));
    await until(() => running.length === id);
    running[id - 1]?.end('1');
    await turn();
  }
  t.equal(await session.closed, null);
});

t.test('F45: a result for which there is no room is said to be lost', async (t) => {
  const { client, running, lines, read } = scene(t, { memory: 1 });
  client.write(call(1));
  await until(() => running.length === 1);
  running[0]?.end(`"${'x'.repeat(MEGABYTE)}"`);
  read();
  await until(() => lines.length === 1);
  t.match(JSON.parse(lines[0] ?? ''), {
    type: 'error',
    error_type: 'ClientException',
    error:
      'The result has 1048578 bytes, and the daemon has room for 786432 (--memory). The call was run; its result is lost',
  });
});
