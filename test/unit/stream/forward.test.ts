import { once } from 'node:events';
import t from 'tap';
import { Cancellation } from '../../../lib/cancellation.js';
import { MidcltError, shuttingDown } from '../../../lib/errors.js';
import type { FinalFrame } from '../../../lib/protocol/frames.js';
import { oneStep } from '../../../lib/steps.js';
import type { Outgoing } from '../../../lib/stream/codec.js';
import { forward, type Forwarding, type Stage } from '../../../lib/stream/forward.js';
import type { Incoming, Patience, Verb } from '../../../lib/stream/verb.js';
import {
  incomingOf,
  progressOf,
  rest,
  resultOf,
  takenFrom,
  TestGate,
  verbOf,
  type Running,
} from '../../support/stages.js';

interface Scene {
  readonly stage: Stage;
  readonly gate: TestGate;
  readonly running: Running[];
  readonly client: Cancellation;
  /** Requests whose final frame was taken, in order. */
  readonly over: number[];
  readonly send: (incoming: Incoming) => boolean;
}

function scene({
  gate = new TestGate(),
  ...more
}: Partial<Omit<Forwarding, 'gate'>> & { gate?: TestGate } = {}): Scene {
  const running: Running[] = [];
  const client = new Cancellation();
  const over: number[] = [];
  const stage = forward({
    gate,
    client: { cancellation: client, isAlive: () => true, isThere: () => true, number: 7 },
    check: () => undefined,
    admit: (frame) => frame,
    ...more,
  });
  const send = (incoming: Incoming) =>
    stage.write({ incoming, over: () => over.push(Number(incoming.id?.toString())) });
  return { stage, gate, running, client, over, send };
}

/** Frames as words. */
function shown({ frame, id }: Outgoing): string {
  const of = id === null ? '' : `${id.toString()} `;
  switch (frame.type) {
    case 'progress':
      return `${of}progress ${frame.percent.toString()}`;
    case 'result':
      return `${of}result ${frame.result.toString()}`;
    case 'error':
      return `${of}error ${frame.error}`;
    case 'event':
      return `${of}event ${frame.event?.toString() ?? 'gap'}`;
  }
}

t.test('progress as it comes, and exactly one final frame, last', async (t) => {
  const { stage, running, send, over } = scene();
  const frames = takenFrom<Outgoing>(stage);
  send(incomingOf(verbOf(running), 1));
  await rest();
  for (const percent of [10, 20]) {
    running[0]?.progress(percent);
    await rest();
  }
  t.same(frames.map(shown), ['1 progress 10', '1 progress 20']);
  running[0]?.end('5');
  await rest();
  t.same(frames.map(shown).slice(2), ['1 result 5']);
  for (const [i, { onTaken }] of frames.entries()) {
    t.same(over, [], `before ${i}`);
    onTaken?.();
  }
  t.same(over, [1], 'only the last ends the request');
  t.equal(frames.length, 3);
});

t.test('a verb that tells of progress when it has answered is not listened to', async (t) => {
  const { stage, running, send } = scene();
  const frames = takenFrom<Outgoing>(stage);
  const verb = verbOf(running);
  send(incomingOf(verb, 1));
  send(incomingOf(verb, 2));
  await rest();
  running[0]?.end('5');
  running[0]?.progress(10);
  await rest();
  running[0]?.progress(20);
  running[0]?.end('6');
  running[0]?.fail(new Error('late'));
  await rest();
  running[1]?.end('7');
  await rest();
  t.same(frames.map(shown), ['1 progress 10', '1 result 5', '2 result 7']);
});

t.test('each frame carries what the writer needs of its request', async (t) => {
  const { stage, running, send } = scene();
  const frames = takenFrom<Outgoing>(stage);
  const form = { terminal: true, sized: false };
  const format = { names: [], read: () => oneStep({}), text: () => form };
  const incoming = incomingOf(verbOf(running, { format }), 1, { jobId: true, version: '0.0.1' });
  send(incoming);
  await rest();
  t.match(running[0]?.context, { client: 7, timeout: null, deadline: Infinity });
  running[0]?.progress(1);
  running[0]?.end('null');
  await rest();
  for (const frame of frames) {
    t.match(frame, { id: incoming.id, options: incoming.request, text: form });
  }
  t.equal(frames.length, 2);
});

t.test('whatever goes wrong becomes the final frame, and the next request follows', async (t) => {
  const { stage, gate, running, send, over } = scene({ gate: new TestGate({ calls: 2 }) });
  gate.scheduler.tryAcquire('call'); // somebody else's, which nobody else is to release
  const frames = takenFrom<Outgoing>(stage);
  const broken: [Incoming, string][] = [
    [incomingOf(null, 0, { command: 'x' }), 'Unknown command: x'],
    [{ request: null, id: null, error: new MidcltError('REQUEST', 'no request') }, 'no request'],
  ];
  const fails = (name: string): (() => never) => {
    return () => {
      throw new MidcltError('CALL', `broken ${name}`);
    };
  };
  for (const name of ['check', 'patience', 'slotClass', 'run'] as const) {
    broken.push([incomingOf(verbOf(running, { [name]: fails(name) }), 0), `broken ${name}`]);
  }
  const rejects = () => Promise.reject(new MidcltError('LOST', 'lost'));
  broken.push([incomingOf(verbOf(running, { run: rejects }), 0), 'lost']);
  for (const [incoming, message] of broken) {
    send(incoming);
    await rest();
    t.match(frames.at(-1)?.frame, { type: 'error', error: message });
    frames.at(-1)?.onTaken?.();
    t.equal(gate.scheduler.active, 1, 'its lease is back, and no other');
  }
  t.same([frames.length, over.length], [broken.length, broken.length]);
  send(incomingOf(verbOf(running), 1));
  await rest();
  running[0]?.end('1');
  await rest();
  t.equal(frames.map(shown).at(-1), '1 result 1');
});

t.test('no request is run once that is over', async (t) => {
  const { stage, gate, running, send } = scene({
    check: () => {
      throw shuttingDown();
    },
  });
  const frames = takenFrom<Outgoing>(stage);
  send(incomingOf(verbOf(running), 1));
  await rest();
  t.match(frames, [{ frame: { type: 'error', error: /was not sent/, isNotSent: true } }]);
  t.same([running.length, gate.scheduler.active], [0, 0]);
});

t.test('F16: the slot is free when the verb has answered, or sooner', async (t) => {
  const { stage, gate, running, send } = scene({ gate: new TestGate({ calls: 2 }) });
  gate.scheduler.tryAcquire('call'); // somebody else's
  stage.resume();
  const verb = verbOf(running);
  send(incomingOf(verb, 1));
  await rest();
  t.equal(gate.scheduler.active, 2);
  running[0]?.end('1');
  await rest();
  t.equal(gate.scheduler.active, 1);
  send(incomingOf(verb, 2));
  await rest();
  running[1]?.context.lease.release();
  t.equal(gate.scheduler.active, 1, 'it runs on without');
  running[1]?.end('1');
  await rest();
  t.equal(gate.scheduler.active, 1, 'released once');
});

t.test('F16: a lease that is shared is held until the last has released it', async (t) => {
  const { stage, gate, running, send } = scene();
  const frames = takenFrom<Outgoing>(stage);
  send(incomingOf(verbOf(running), 1));
  await rest();
  const end = running[0]?.context.lease.share();
  running[0]?.fail(new MidcltError('TIMEOUT', 'late'));
  await rest();
  t.same(frames.map(shown), ['1 error late']);
  t.equal(gate.scheduler.active, 1, 'the server may still be at work on it');
  send(incomingOf(verbOf(running), 2));
  await rest();
  t.same([running.length, gate.scheduler.waiting], [1, 1]);
  end?.();
  await rest();
  t.same([running.length, gate.scheduler.waiting], [2, 0]);
  running[1]?.end('2');
  await rest();
  t.equal(gate.scheduler.active, 0);
});

t.test('F16: a client that leaves while its request waits: it is never run', async (t) => {
  const { stage, gate, running, client, send, over } = scene();
  const frames = takenFrom<Outgoing>(stage);
  const held = gate.scheduler.tryAcquire('call');
  send(incomingOf(verbOf(running), 1));
  await rest();
  t.equal(gate.scheduler.waiting, 1);
  client.cancel();
  await rest();
  t.match(frames, [{ frame: { type: 'error', error: /went away/ } }]);
  t.equal(gate.scheduler.waiting, 0);
  held?.release();
  t.same([gate.scheduler.active, running.length, over], [0, 0, []]);
});

t.test('F16: a verb is told that its client has gone, and its lease comes back', async (t) => {
  const { stage, gate, running, client, send } = scene();
  const frames = takenFrom<Outgoing>(stage);
  send(incomingOf(verbOf(running), 1));
  await rest();
  const { context, fail } = running[0]!;
  context.cancellation.on(() => {
    fail(new MidcltError('CLOSED', 'gone'));
  });
  client.cancel();
  await rest();
  t.same(frames.map(shown), ['1 error gone']);
  t.equal(gate.scheduler.active, 0);
});

t.test(
  'what comes after takes nothing: no further request is run, none holds a slot',
  async (t) => {
    const { stage, gate, running, send } = scene({ gate: new TestGate({ calls: 5 }) });
    const verb = verbOf(running);
    t.notOk(send(incomingOf(verb, 1)), 'it asks for no more than one');
    send(incomingOf(verb, 2));
    send(incomingOf(verb, 3));
    await rest();
    running[0]?.end('1');
    await rest();
    t.same([running.length, gate.scheduler.active], [1, 0]);
    t.ok(stage.writableNeedDrain);
    const frames = takenFrom<Outgoing>(stage);
    await rest();
    t.equal(running.length, 2);
    running[1]?.end('2');
    await rest();
    running[2]?.end('3');
    await rest();
    t.same(frames.map(shown), ['1 result 1', '2 result 2', '3 result 3']);
  },
);

t.test(
  'of progress that nobody takes the newest sixteen are kept, and what it came to',
  async (t) => {
    const { stage, running, send } = scene();
    send(incomingOf(verbOf(running), 1));
    await rest();
    for (let percent = 1; percent <= 1000; percent++) running[0]?.progress(percent);
    t.equal(stage.readableLength, 1);
    running[0]?.end('1');
    await rest();
    const frames = takenFrom<Outgoing>(stage);
    await rest();
    const newest = Array.from({ length: 16 }, (_, i) => `1 progress ${985 + i}`);
    t.same(frames.map(shown), ['1 progress 1', ...newest, '1 result 1']);
  },
);

t.test('F45: of long progress that nobody takes the newest is kept', async (t) => {
  const { stage, running, send } = scene();
  send(incomingOf(verbOf(running), 1));
  await rest();
  for (const percent of [1, 2, 3]) running[0]?.progress(percent, 'x'.repeat(5000));
  running[0]?.end('1');
  await rest();
  const frames = takenFrom<Outgoing>(stage);
  await rest();
  t.same(frames.map(shown), ['1 progress 1', '1 progress 3', '1 result 1']);
});

t.test(
  'progress that came all at once is told step by step without waiting for more',
  async (t) => {
    const { stage, running, send } = scene();
    send(incomingOf(verbOf(running), 1));
    await rest();
    for (const percent of [1, 2, 3, 4]) running[0]?.progress(percent);
    const frames: Outgoing[] = [];
    stage.on('data', (frame: Outgoing) => {
      frames.push(frame);
      setImmediate(() => frame.onTaken?.());
    });
    await rest();
    t.same(
      frames.map(shown),
      [1, 2, 3, 4].map((percent) => `1 progress ${percent}`),
    );
    running[0]?.progress(5);
    await rest();
    running[0]?.progress(6);
    running[0]?.end('1');
    await rest();
    t.same(frames.map(shown).slice(4), ['1 progress 5', '1 progress 6', '1 result 1']);
  },
);

t.test('F45: each final frame, and nothing else, is admitted before it goes on', async (t) => {
  const asked: FinalFrame[] = [];
  const { stage, running, send, over } = scene({
    admit: (frame) => {
      asked.push(frame);
      return resultOf('"other"');
    },
  });
  const frames = takenFrom<Outgoing>(stage);
  send(incomingOf(verbOf(running), 1));
  await rest();
  running[0]?.progress(1);
  running[0]?.end('"mine"');
  await rest();
  t.same(asked, [resultOf('"mine"')]);
  t.same(frames.map(shown), ['1 progress 1', '1 result "other"']);
  frames[1]?.onTaken?.();
  t.same(over, [1]);
});

t.test('the wait counts for the answer where both are one time, and only there', async (t) => {
  const times: [Patience, number | null, number | null][] = [
    [{ toSend: 5000, toAnswer: 1000, isShared: false }, 1000, null],
    [{ toSend: 5000, toAnswer: null, isShared: false }, null, null],
    [{ toSend: 5000, toAnswer: 1000, isShared: true }, 700, 1000],
    [{ toSend: 5000, toAnswer: 200, isShared: true }, 1, 200],
    [{ toSend: null, toAnswer: null, isShared: true }, null, null],
  ];
  for (const [patience, timeout, life] of times) {
    const { stage, gate, running, send } = scene();
    stage.resume();
    const held = gate.scheduler.tryAcquire('call');
    const began = gate.clock.now();
    send(incomingOf(verbOf(running, { patience: () => patience }), 1));
    await rest();
    gate.clock.pass(300);
    held?.release();
    await rest();
    const deadline = life === null ? Infinity : began + life;
    t.match(running[0]?.context, { timeout, deadline });
  }
});

t.test('whose patience ends before it is sent is told so, and not run', async (t) => {
  const { stage, gate, running, send } = scene();
  const frames = takenFrom<Outgoing>(stage);
  const held = gate.scheduler.tryAcquire('call');
  const patience = () => ({ toSend: 1000, toAnswer: null, isShared: false });
  send(incomingOf(verbOf(running, { patience }), 1));
  await rest();
  gate.clock.pass(1000);
  await rest();
  t.match(frames, [{ frame: { type: 'error', error: /waited 1 s for a free slot/ } }]);
  held?.release();
  t.same([running.length, gate.scheduler.active], [0, 0]);
});

t.test('F37: what a verb needs is asked again, and it hears that it is in the way', async (t) => {
  const { stage, gate, running, send } = scene({ gate: new TestGate({ calls: 2, jobs: 1 }) });
  stage.resume();
  const held = gate.scheduler.tryAcquire('job');
  let slotClass: ReturnType<Verb['slotClass']> = 'job';
  let short = 0;
  const verb = verbOf(running, {
    slotClass: () => slotClass,
    onShortOfJobs: () => {
      short++;
      slotClass = 'call';
      setImmediate(() => {
        gate.scheduler.reconsider();
      });
    },
  });
  send(incomingOf(verb, 1));
  await rest();
  t.same([short, running.length, gate.scheduler.active], [1, 1, 2]);
  running[0]?.end('1');
  held?.release();
  await rest();
  t.equal(gate.scheduler.active, 0);
});

t.test('after the end of its input what was taken is answered, then it ends', async (t) => {
  const { stage, running } = scene();
  const frames = takenFrom<Outgoing>(stage);
  stage.end({ incoming: incomingOf(verbOf(running), 1), over: () => undefined });
  let ended = false;
  stage.on('end', () => (ended = true));
  await rest();
  t.notOk(ended);
  running[0]?.end('1');
  await once(stage, 'end');
  t.same(frames.map(shown), ['1 result 1']);
});

t.test('a stage that was destroyed gives nothing any more, and its lease comes back', async (t) => {
  const { stage, gate, running, send } = scene();
  const frames = takenFrom<Outgoing>(stage);
  send(incomingOf(verbOf(running), 1));
  await rest();
  stage.destroy();
  running[0]?.context.progress(progressOf(1));
  running[0]?.end('1');
  await rest();
  t.same([frames.length, gate.scheduler.active], [0, 0]);
});
