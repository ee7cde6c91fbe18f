import t from 'tap';
import { FrameCutter, type Piece } from '../../../../lib/protocol/frame-cutter.js';
import { ReorderBuffer, type Place, type Sink } from '../../../../lib/cli/batch/output.js';
import { seededRandom } from '../../../support/random-json.js';

/** A sink that is full above `capacity` bytes until somebody drains it. */
class Basin implements Sink {
  readonly written: string[] = [];
  private level = 0;
  private listener = (): void => undefined;

  constructor(private readonly capacity = Infinity) {}

  get full(): boolean {
    return this.level > this.capacity;
  }

  onRoom(listener: () => void): void {
    this.listener = listener;
  }

  write(bytes: Buffer): void {
    this.written.push(bytes.toString());
    this.level += bytes.length;
  }

  drain(): void {
    this.level = 0;
    this.listener();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Whether a promise has settled by now. */
async function settled(promise: Promise<unknown> | null): Promise<boolean> {
  let done = promise === null;
  void promise?.then(() => (done = true));
  await turn();
  return done;
}

t.test('answers come out in the order of their places, the first as it comes', async (t) => {
  const sink = new Basin();
  const order = new ReorderBuffer(sink, { places: 10, bytes: 100 });
  const [a, b, c] = [order.take(), order.take(), order.take()];
  c.push(Buffer.from('c'));
  c.end();
  b.push(Buffer.from('b1'));
  t.same(sink.written, []);
  a.push(Buffer.from('a1'));
  a.push(Buffer.from('a2'));
  t.same(sink.written, ['a1', 'a2']);
  t.notOk(await settled(order.idle()));
  a.end();
  t.same(sink.written, ['a1', 'a2', 'b1']);
  b.push(Buffer.from('b2'));
  b.end();
  t.same(sink.written, ['a1', 'a2', 'b1', 'b2', 'c']);
  t.ok(await settled(order.idle()));
});

t.test('the window is bounded in places', async (t) => {
  const order = new ReorderBuffer(new Basin(), { places: 2, bytes: 100 });
  const first = order.take();
  t.ok(await settled(order.room()));
  const second = order.take();
  const room = order.room();
  second.end();
  t.notOk(await settled(room), 'what is finished and not printed counts');
  first.end();
  t.ok(await settled(room));
});

t.test('the window is bounded in bytes; its head never waits for the others', async (t) => {
  const order = new ReorderBuffer(new Basin(), { places: 10, bytes: 3 });
  const [head, second, third] = [order.take(), order.take(), order.take()];
  t.equal(second.push(Buffer.from('xx')), null);
  const blocked = third.push(Buffer.from('xx'));
  t.notOk(await settled(blocked));
  const room = order.room();
  t.notOk(await settled(room));
  t.equal(head.push(Buffer.alloc(1000)), null);
  second.end();
  t.notOk(await settled(blocked));
  head.end();
  t.ok(await settled(blocked));
  t.ok(await settled(room));
});

t.test('a full sink stops the head and lets no other begin', async (t) => {
  const sink = new Basin(3);
  const order = new ReorderBuffer(sink, { places: 10, bytes: 100 });
  const head = order.take();
  const blocked = head.push(Buffer.from('xxxx'));
  const room = order.room();
  t.notOk(await settled(blocked));
  t.notOk(await settled(room));
  sink.drain();
  t.ok(await settled(blocked));
  t.ok(await settled(room));
});

t.test('a place that ends while it waits leaves nobody waiting', async (t) => {
  const order = new ReorderBuffer(new Basin(), { places: 10, bytes: 1 });
  order.take();
  const second = order.take();
  const blocked = second.push(Buffer.from('xx'));
  t.equal(second.push(Buffer.from('y')), blocked);
  second.end();
  t.ok(await settled(blocked));
});

t.test('any schedule gives every answer once, whole and in order, within the bounds', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const limits = { places: 7, bytes: 50 };
  const sink = new Basin(30);
  const order = new ReorderBuffer(sink, limits);
  const total = 2000;
  const expected: string[] = [];
  let open = 0;
  let most = 0;
  let next = 0;
  let handingOut = Promise.resolve();

  const take = (): Promise<{ place: Place; number: number } | null> => {
    const mine = handingOut.then(async () => {
      if (next === total) return null;
      await order.room();
      most = Math.max(most, ++open);
      return { place: order.take(), number: next++ };
    });
    handingOut = mine.then(() => undefined);
    return mine;
  };
  const pause = async () => {
    for (let n = random() * 4; n > 1; n--) await turn();
  };
  const worker = async () => {
    for (let job = await take(); job; job = await take()) {
      const { place, number } = job;
      await pause();
      const pieces = Array.from({ length: random() * 4 }, (_, i) => `${number}.${i};`);
      expected[number] = pieces.join('');
      for (const piece of pieces) {
        await place.push(Buffer.from(piece));
        await pause();
      }
      place.end();
      open--;
    }
  };
  const work = { done: false };
  const drainer = (async () => {
    while (!work.done) {
      await pause();
      await turn();
      sink.drain();
    }
  })();
  await Promise.all(Array.from({ length: 5 }, worker));
  await order.idle();
  work.done = true;
  await drainer;
  t.equal(sink.written.join(''), expected.join(''));
  t.ok(most > 1 && most <= limits.places, `${most} at once`);
});

t.test('bytes are cut into frames however they come in', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const frames = Array.from({ length: 300 }, (_, i) =>
    i % 3 === 0
      ? `{"type": "progress", "percent":${i}}\n`
      : `{"type":"${i % 3 === 1 ? 'result' : 'error'}","x":"${'é'.repeat(random() * 200)}"}\n`,
  );
  const text = Buffer.from(frames.join(''));
  const cutter = new FrameCutter(100);
  const pieces: Piece[] = [];
  for (let at = 0; at < text.length;) {
    const end = at + 1 + Math.floor(random() * 150);
    pieces.push(...cutter.cut(text.subarray(at, end)));
    at = end;
  }
  t.equal(pieces.at(-1)?.last, true);
  t.equal(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString(), text.toString());
  t.same(
    pieces.filter(({ last }) => last).map(({ type }) => type),
    frames.map((_, i) => ['progress', 'result', 'error'][i % 3]),
  );
  t.ok(pieces.length > frames.length, 'long ones are handed on before they are whole');
});

t.test('what is no frame is an error, and a frame begun is told from a whole one', async (t) => {
  const cut = (text: string, patience = 100) => [
    ...new FrameCutter(patience).cut(Buffer.from(text)),
  ];
  for (const text of ['\n', 'pong\n', '{"type":"other"}\n', '{"result":1}\n', 'x'.repeat(200)]) {
    t.throws(() => cut(text), { code: 'PROTOCOL' }, text.slice(0, 20));
  }
  t.same(cut('{"type":"result"'), []);
  const cutter = new FrameCutter(20);
  const begun = [...cutter.cut(Buffer.from('{"type":"result","result":['))];
  t.match(begun, [{ type: 'result', last: false }]);
  t.match([...cutter.cut(Buffer.from('1]}\n'))], [{ type: 'result', last: true }]);
  t.match(cut('{"id":1,"type":"error"}\n'), [{ type: 'error', last: true }]);
});
