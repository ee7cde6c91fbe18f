/** Writes to a socket in memory, which has taken what its other side has read, or has room for: 1024 bytes. */
import { once } from 'node:events';
import { Duplex, Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { Stringify, type EncodedFrame } from '../../../lib/stream/codec.js';
import { Deliver } from '../../../lib/stream/deliver.js';
import { duplexPair } from '../../support/duplex-pair.js';
import { rest, soon, takenFrom, TestClock } from '../../support/stages.js';

const CHUNK = 64 * 1024;

function scene(t: Test) {
  const clock = new TestClock();
  const [socket, client] = duplexPair();
  const deliver = new Deliver(socket, clock);
  const taken: string[] = [];
  const errors: (Error & { code?: string })[] = [];
  deliver.on('error', (error) => errors.push(error));
  socket.on('error', () => undefined); // it is the session's to see it
  t.teardown(() => {
    deliver.destroy();
    socket.destroy();
    client.destroy();
  });
  const frame = (name: string, pieces: EncodedFrame['pieces'], onTaken?: () => void) => ({
    pieces,
    onTaken: () => {
      taken.push(name);
      onTaken?.();
    },
  });
  return { clock, socket, client, deliver, taken, errors, frame };
}

const bytes = (size: number, of = 'x') => Buffer.alloc(size, of);

t.test('F41: a frame is over when the socket has taken its last byte, and no sooner', async (t) => {
  const { client, deliver, taken, frame } = scene(t);
  deliver.write(frame('small', [bytes(100)]));
  await rest();
  t.same(taken, ['small'], 'the system has room for it');
  for (const pieces of [
    [bytes(5000)],
    [bytes(1000), bytes(5000)],
    [bytes(3 * CHUNK + 1)],
    [bytes(900), null, bytes(900), null, bytes(10)],
  ]) {
    const size = pieces.reduce((sum, piece) => sum + (piece?.length ?? 0), 0);
    deliver.write(frame('large', pieces));
    let read = 0;
    await rest();
    while (taken.length === 1) {
      t.ok(read < size, `${read} of ${size}`);
      // One chunk at a time, as a slow reader would.
      await soon(() => client.readableLength > 0);
      read += (client.read() as Buffer).length;
      await rest();
    }
    t.ok(read >= size - 1024, `${read} of ${size}`);
    taken.splice(1);
    await rest();
    client.read();
  }
});

t.test('frames go one by one, in order, and those that come wait', async (t) => {
  const { client, deliver, taken, frame } = scene(t);
  const begun: string[] = [];
  const one = (name: string) =>
    frame(
      name,
      (function* () {
        begun.push(name);
        yield bytes(3000, name);
        yield bytes(3000, name);
      })(),
    );
  t.notOk(deliver.write(one('a')), 'it asks for no more');
  deliver.write(one('b'));
  await rest();
  t.same([begun, taken], [['a'], []]);
  const read = takenFrom<Buffer>(client);
  deliver.end(one('c'));
  await once(client, 'end');
  t.equal(
    Buffer.concat(read).toString(),
    ['a', 'b', 'c'].map((name) => name.repeat(6000)).join(''),
  );
  t.same(
    [begun, taken],
    [
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ],
  );
});

t.test('a long frame is made only as fast as it is taken', async (t) => {
  const { client, deliver, taken, frame } = scene(t);
  let made = 0;
  const pieces = function* () {
    for (; made < 100; made++) yield bytes(10_000);
  };
  deliver.write(frame('long', pieces()));
  await rest();
  t.ok(made <= 1, `${made} pieces made`);
  client.resume();
  await soon(() => taken.length === 1);
  t.equal(made, 100);
});

t.test(
  'a large piece goes in parts, of which the slow reader takes one after the other',
  async (t) => {
    const sizes: number[] = [];
    const reader = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        sizes.push(chunk.length);
        setImmediate(done);
      },
    });
    const deliver = new Deliver(reader);
    deliver.write({ pieces: [bytes(CHUNK)], onTaken: null });
    deliver.write({ pieces: [bytes(2 * CHUNK + 5)], onTaken: null });
    deliver.end({ pieces: [bytes(1), bytes(CHUNK + 1)], onTaken: null });
    await once(reader, 'finish');
    t.same(sizes, [CHUNK, CHUNK, CHUNK, 5, 1, CHUNK, 1]);
  },
);

t.test(
  'what is long in the making lets others have their turn, however small its steps',
  async (t) => {
    const { client, deliver, taken, frame } = scene(t);
    client.resume();
    let isMade = false;
    const steps = function* () {
      const end = performance.now() + 50;
      for (let i = 0; i < 1_000_000 || performance.now() < end; i++) yield null;
      isMade = true;
      yield bytes(1);
    };
    deliver.write(frame('slow', steps()));
    t.notOk(isMade);
    await soon(() => taken.length > 0);
    t.same(taken, ['slow']);
  },
);

t.test('after the end of its input the socket ends, once it has taken everything', async (t) => {
  const { socket, client, deliver, taken, frame } = scene(t);
  deliver.write(frame('1', [bytes(5000)]));
  deliver.end(frame('2', [bytes(10)]));
  await rest();
  t.notOk(socket.writableEnded);
  client.resume();
  await once(client, 'end');
  t.same(taken, ['1', '2']);
  t.ok(socket.writableFinished);
});

t.test('a client that leaves: what it has not taken is never said to be over', async (t) => {
  const { client, deliver, taken, errors, frame } = scene(t);
  deliver.write(frame('1', [bytes(5000), bytes(5000)]));
  deliver.write(frame('2', [bytes(10)]));
  await rest();
  client.destroy();
  await soon(() => errors.length > 0);
  await rest();
  t.same([errors.map(({ code }) => code), taken], [['EPIPE'], []]);
});

t.test('nor is it on a socket that was destroyed before, or while it was written to', async (t) => {
  const before = scene(t);
  before.socket.destroy();
  before.deliver.write(before.frame('1', [bytes(10)]));
  await soon(() => before.errors.length > 0);
  t.same(before.taken, []);
  for (const pieces of [[bytes(5000)], [bytes(5000), bytes(10)], [bytes(2 * CHUNK)]]) {
    const { deliver, socket, taken, frame } = scene(t);
    deliver.write(frame('1', pieces));
    await rest();
    socket.destroy();
    await rest();
    t.same(taken, []);
  }
});

t.test('a frame that cannot be made ends the stage, not the process', async (t) => {
  for (const size of [0, 10, 5000]) {
    const { client, deliver, taken, errors, frame } = scene(t);
    client.resume();
    const broken = function* () {
      if (size > 0) yield bytes(size);
      if (size >= 0) throw new Error('broken');
    };
    deliver.write(frame('1', broken()));
    await soon(() => errors.length > 0);
    t.same([errors.map(({ message }) => message), taken], [['broken'], []]);
  }
});

t.test('F41: who takes nothing is waited for, until there is a limit to it', async (t) => {
  const { clock, socket, deliver, taken, frame } = scene(t);
  deliver.write(frame('1', [bytes(5000)]));
  await rest();
  clock.pass(10 * 24 * 3_600_000);
  t.equal(clock.waiting, 0);
  t.notOk(socket.destroyed);
  deliver.limitStall(30_000);
  clock.pass(29_999);
  t.notOk(socket.destroyed);
  clock.pass(1);
  t.ok(socket.destroyed);
  t.same(taken, []);
});

t.test('F41: who takes a little within each limit gets all of it', async (t) => {
  const { clock, socket, client, deliver, taken, frame } = scene(t);
  deliver.limitStall(30_000);
  t.equal(clock.waiting, 0);
  clock.pass(60_000);
  t.notOk(socket.destroyed, 'nothing waits');
  deliver.write(frame('1', [bytes(10 * CHUNK)]));
  for (let parts = 0; parts < 10; parts++) {
    await rest();
    clock.pass(29_000);
    t.notOk(socket.destroyed);
    client.read();
  }
  await soon(() => taken.length === 1);
  clock.pass(60_000);
  t.notOk(socket.destroyed, 'nothing waits any more');
});

t.test('F41: what was taken before counts for nothing in the wait for the next', async (t) => {
  const { clock, socket, client, deliver, taken, frame } = scene(t);
  deliver.limitStall(30_000);
  deliver.write(frame('1', [bytes(5000)]));
  await rest();
  clock.pass(20_000);
  client.read();
  await soon(() => taken.length === 1);
  client.read();
  deliver.write(frame('2', [bytes(5000)]));
  await rest();
  clock.pass(29_999);
  t.notOk(socket.destroyed);
  clock.pass(1);
  t.ok(socket.destroyed);
});

t.test('once destroyed it waits for nothing', async (t) => {
  const { clock, deliver, frame } = scene(t);
  deliver.limitStall(30_000);
  deliver.write(frame('1', [bytes(5000)]));
  await rest();
  t.equal(clock.waiting, 1);
  deliver.destroy();
  t.equal(clock.waiting, 0);
});

t.test('a text for a shell that is read slowly comes whole, in turn, and ends', async (t) => {
  const options = { jobId: false, version: null };
  const plain = { terminal: false, sized: false };
  for (const size of [10, 100_000, 300_000, 1_000_000]) {
    const result = Buffer.from(`"${'x'.repeat(size)}"`);
    const { socket, client, deliver } = scene(t);
    const read: Buffer[] = [];
    const text = new Stringify();
    text.write({ frame: { type: 'result', result }, id: null, options, text: plain });
    text.write({ frame: { type: 'result', result: Buffer.from('1') }, id: null });
    text.pipe(deliver);
    await rest();
    text.end({ frame: { type: 'result', result }, id: null, options, text: plain });
    client.pipe(
      new Writable({
        highWaterMark: 1,
        write(chunk: Buffer, _encoding, done) {
          read.push(chunk);
          setImmediate(() => setImmediate(done));
        },
      }),
    );
    await once(client, 'end');
    t.ok(socket.writableFinished);
    const whole = `0\n${'x'.repeat(size)}\n`;
    t.ok(Buffer.concat(read).toString() === `${whole}{"type":"result","result":1}\n${whole}`);
  }
});
