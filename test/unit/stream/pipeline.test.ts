/** All stages joined, from a socket in memory and back to it, with verbs of the test's own. */
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { Cancellation } from '../../../lib/cancellation.js';
import { MidcltError, shuttingDown } from '../../../lib/errors.js';
import { VerbTable } from '../../../lib/protocol/request.js';
import { oneStep } from '../../../lib/steps.js';
import type { Forwarding } from '../../../lib/stream/forward.js';
import type { LineLimits } from '../../../lib/stream/guard.js';
import { joinPipeline } from '../../../lib/stream/pipeline.js';
import type { Verb } from '../../../lib/stream/verb.js';
import { duplexPair } from '../../support/duplex-pair.js';
import { resultOf, rest, soon, TestGate, verbOf, type Running } from '../../support/stages.js';

interface Options {
  readonly forwarding?: Partial<Forwarding>;
  readonly lines?: LineLimits;
  readonly socket?: Duplex;
}

function scene(t: Test, { forwarding = {}, lines: limits = {}, socket }: Options = {}) {
  const [ours, client] = duplexPair();
  const gate = new TestGate({ calls: 2 });
  const running: Running[] = [];
  const cancellation = new Cancellation();
  /** Also answered at once, by `echo`: the request's id, or an error. */
  const echo: Verb = {
    ...verbOf(running),
    slotClass: () => 'none',
    run: ({ id }) =>
      id ? Promise.resolve(resultOf(id.toString())) : Promise.reject(new Error('no id')),
  };
  const text: Verb = {
    ...echo,
    format: { ...echo.format, text: () => ({ terminal: false, sized: false }) },
  };
  const broken: Verb = {
    ...echo,
    format: { names: ['broken'], read: () => oneStep({}) },
    run: () => {
      throw new MidcltError('CALL', 'broken');
    },
  };
  const verbs = new VerbTable([
    ['call', verbOf(running)],
    ['echo', echo],
    ['text', text],
    ['broken', broken],
  ]);
  const over: (number | null)[] = [];
  const errors: (Error & { code?: string })[] = [];
  const counts = { came: 0 };
  const pipeline = joinPipeline(socket ?? ours, {
    lines: limits,
    clock: gate.clock,
    verbs,
    forwarding: {
      gate,
      client: { cancellation, isAlive: () => true, isThere: () => true, number: 1 },
      check: () => undefined,
      admit: (frame) => frame,
      ...forwarding,
    },
    onRequest: () => counts.came++,
    onOver: ({ id }) => over.push(id && Number(id.toString())),
    onError: (error) => errors.push(error),
  });
  for (const end of [ours, client]) end.on('error', () => undefined); // the session sees its own
  t.teardown(() => {
    ours.destroy();
    client.destroy();
    pipeline.deliver.destroy();
  });
  const lines: string[] = [];
  let rest = '';
  const read = () =>
    client.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
  return { ...pipeline, gate, running, over, errors, counts, socket: ours, client, lines, read };
}

const line = (command: string, id: number, more = '') =>
  `{"command":"${command}","id":${id}${more}}\n`;
const result = (id: number) => `{"type":"result","id":${id},"result":${id}}`;

t.test('a request’s line becomes its frames’ lines, in order', async (t) => {
  const { client, running, lines, read, over, counts } = scene(t);
  read();
  client.write(line('call', 1) + line('echo', 2) + line('text', 3) + line('call', 4));
  await soon(() => running.length === 1);
  running[0]?.progress(50);
  await soon(() => lines.length === 1);
  await rest();
  t.same([over, running.length], [[], 1], 'the others wait');
  running[0]?.end('1');
  await soon(() => running.length === 2);
  t.same(over, [1, 2, 3]);
  running[1]?.end('4');
  await soon(() => over.length === 4);
  t.same(lines, [
    '{"type":"progress","id":1,"percent":50,"description":null,"state":"RUNNING"}',
    ...[result(1), result(2), '0', '3', result(4)],
  ]);
  t.equal(counts.came, 4);
});

t.test('however the bytes come, and whatever else is in them', async (t) => {
  const { client, lines, read, over } = scene(t);
  read();
  const text = Buffer.from(
    `${line('echo', 1)}\r\n${line('other', 2)}{"command":"echo","id":"é😀"}\r\nnonsense\n{"command":"echo"}\n${line('broken', 3)}${line('echo', 4).trim()}`,
  );
  for (const byte of text) client.write(Buffer.from([byte]));
  client.end();
  await once(client, 'end');
  t.match(
    lines.map((each) => JSON.parse(each) as unknown),
    [
      { id: 1, result: 1 },
      { type: 'error', error: /not valid JSON/ },
      { type: 'error', id: 2, error: 'Unknown command: other' },
      { type: 'result', id: 'é😀', result: 'é😀' },
      { type: 'error', error: /not valid JSON/ },
      { type: 'error', error: 'no id' },
      { type: 'error', id: 3, error: 'broken' },
      { id: 4, result: 4 },
    ],
  );
  t.equal(over.length, 8);
});

t.test('a half-close: everything that was sent is answered, then the socket ends', async (t) => {
  const { client, socket, running, lines, read, over } = scene(t);
  read();
  client.end(line('call', 1) + line('call', 2) + line('echo', 3).trim());
  await soon(() => running.length === 1);
  await rest();
  t.notOk(socket.writableEnded);
  running[0]?.end('1');
  await soon(() => running.length === 2);
  running[1]?.end('2');
  await once(client, 'end');
  t.same(lines, [1, 2, 3].map(result));
  t.same(over, [1, 2, 3]);
  t.ok(socket.writableFinished);
});

t.test('an end without a request is an end', async (t) => {
  const { client, counts, lines, read } = scene(t);
  read();
  client.end();
  await once(client, 'end');
  t.same([counts.came, lines], [0, []]);
});

t.test(
  'F41: who does not read what it is told is served no further, and read no further',
  async (t) => {
    const { client, running, gate, lines, read, over, counts } = scene(t);
    const flood = Array.from({ length: 5000 }, (_, i) => line('call', i + 2)).join('');
    client.write(line('call', 1));
    for (let i = 0; i < 5; i++) client.write(flood);
    await soon(() => running.length === 1);
    running[0]?.end(`"${'x'.repeat(10_000)}"`);
    await rest();
    t.same([over, running.length, gate.scheduler.active], [[], 1, 0]);
    t.ok(counts.came < 10, `${counts.came} requests came in`);
    t.ok(client.writableLength > 3 * flood.length, 'the rest is where it was');
    read();
    await soon(() => running.length === 2);
    t.same(over, [1]);
    t.equal(lines.length, 1);
    t.ok(counts.came < 12);
  },
);

t.test('who reads slowly is told everything but progress that was passed over', async (t) => {
  const { client, running, lines, read } = scene(t);
  client.write(line('call', 1));
  await soon(() => running.length === 1);
  for (let percent = 1; percent <= 10_000; percent++) {
    running[0]?.progress(percent);
    if (percent % 100 === 0) await rest();
  }
  read();
  await rest();
  const shown = lines.map((each) => (JSON.parse(each) as { percent: number }).percent);
  t.ok(shown.length < 100, `${shown.length} of 10000`);
  t.same([shown[0], shown.at(-1)], [1, 10_000], 'the newest without waiting for more');
  running[0]?.end('1');
  await soon(() => lines.at(-1) === result(1));
});

t.test(
  'F16: a client that leaves: no frame of its is over, no further request is run',
  async (t) => {
    const { client, running, gate, over, errors, deliver } = scene(t);
    client.write(line('call', 1) + line('call', 2));
    await soon(() => running.length === 1);
    running[0]?.end(`"${'x'.repeat(10_000)}"`);
    await rest();
    client.destroy();
    await soon(() => errors.length > 0);
    await rest();
    t.match(errors, [{ code: 'EPIPE' }]);
    t.ok(deliver.destroyed);
    t.same([over, running.length, gate.scheduler.active], [[], 1, 0]);
  },
);

t.test('nor where it is the socket here that was destroyed', async (t) => {
  for (const size of [10, 10_000, 200_000]) {
    const { client, socket, running, gate, over } = scene(t);
    client.write(line('call', 1) + line('call', 2));
    await soon(() => running.length === 1);
    if (size > 10) running[0]?.end(`"${'x'.repeat(size)}"`);
    await rest();
    socket.destroy();
    if (size === 10) running[0]?.end('1');
    await rest();
    t.same([over, running.length, gate.scheduler.active], [[], 1, 0], `${size}`);
  }
});

t.test('a socket that fails is told once, whatever was under way', async (t) => {
  const input = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      done(new Error('no space'));
    },
  });
  input.on('error', () => undefined);
  const { over, errors } = scene(t, { socket: input });
  input.push(line('echo', 1) + line('echo', 2));
  await soon(() => errors.length > 0);
  await rest();
  t.same(
    errors.map(({ message }) => message),
    ['no space'],
  );
  t.same(over, []);
});

t.test(
  'draining: what runs is answered, what waits is refused, and so is what comes',
  async (t) => {
    let isDraining = false;
    const check = () => {
      if (isDraining) throw shuttingDown();
    };
    const { client, running, lines, read, over } = scene(t, { forwarding: { check } });
    read();
    client.write(line('call', 1) + line('call', 2));
    await soon(() => running.length === 1);
    isDraining = true;
    running[0]?.end('1');
    await soon(() => over.length === 2);
    client.write(line('echo', 3, ',"not_sent":true'));
    await soon(() => over.length === 3);
    t.equal(lines[0], result(1));
    t.match(
      lines.slice(1).map((each) => JSON.parse(each) as unknown),
      [
        { type: 'error', id: 2, error: /shutting down/ },
        { type: 'error', id: 3, not_sent: true },
      ],
    );
    t.equal(running.length, 1);
  },
);

t.test('once stopped it answers what runs, and lets nothing more through', async (t) => {
  const { client, running, serialize, lines, read, over } = scene(t);
  read();
  client.write(line('call', 1) + line('echo', 2));
  await soon(() => running.length === 1);
  serialize.stop();
  running[0]?.end('1');
  await soon(() => over.length === 1);
  client.write(line('echo', 3));
  await rest();
  t.same([lines, over], [[result(1)], [1]]);
});

t.test('F29: the guard’s refusal has its place in the order, and ends the input', async (t) => {
  const { client, running, lines, read, gate, counts } = scene(t, {
    lines: { length: 100, timeout: 30_000 },
  });
  read();
  client.write(`${line('call', 1)}${'x'.repeat(200)}\n${line('call', 2)}{"comm`);
  await soon(() => running.length === 1);
  running[0]?.end('1');
  await soon(() => running.length === 2);
  gate.clock.pass(30_000);
  await rest();
  t.equal(lines.length, 2);
  running[1]?.end('2');
  await once(client, 'end');
  t.match(
    lines.map((each) => JSON.parse(each) as unknown),
    [
      { id: 1, result: 1 },
      { type: 'error', error: /not valid JSON/ },
      { id: 2, result: 2 },
      { type: 'error', error: 'Request is not complete after 30 s' },
    ],
  );
  t.equal(counts.came, 4);
});

t.test('F45: a result that is refused room is replaced where it stands', async (t) => {
  const { client, lines, read } = scene(t, { forwarding: { admit: () => resultOf('"small"') } });
  read();
  client.write(line('echo', 1));
  await soon(() => lines.length === 1);
  t.same(lines, ['{"type":"result","id":1,"result":"small"}']);
});

t.test('F41: a limit to stalling ends the socket of who takes nothing', async (t) => {
  const { client, socket, running, deliver, gate, over } = scene(t);
  client.write(line('call', 1) + line('call', 2));
  await soon(() => running.length === 1);
  running[0]?.end(`"${'x'.repeat(10_000)}"`);
  await rest();
  deliver.limitStall(30_000);
  gate.clock.pass(30_000);
  await rest();
  t.ok(socket.destroyed);
  t.same([over, running.length], [[], 1]);
});
