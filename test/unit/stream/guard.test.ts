/** Bytes to lines: the guard alone, and with the two stages behind it that read what it passes on. */
import { once } from 'node:events';
import { pipeline } from 'node:stream';
import t from 'tap';
import type { CallMembers } from '../../../lib/commands/call.js';
import { REQUESTS } from '../../../lib/commands/verbs.js';
import { MAX_REQUEST_LINE } from '../../../lib/protocol/frames.js';
import { Parse } from '../../../lib/stream/codec.js';
import { LineLimit, splitLines, type LineLimits } from '../../../lib/stream/guard.js';
import { RequestMemory } from '../../../lib/stream/memory.js';
import type { Incoming } from '../../../lib/stream/verb.js';
import { randomText, seededRandom } from '../../support/random-json.js';
import { rest, takenFrom, TestClock, turn } from '../../support/stages.js';

/** What the parser makes of these chunks. */
async function parse(chunks: readonly Buffer[], length?: number): Promise<Incoming[]> {
  const found: Incoming[] = [];
  const lines = new LineLimit(length === undefined ? {} : { length });
  const last = pipeline(lines, splitLines(), new Parse(REQUESTS), () => undefined);
  last.on('data', (incoming: Incoming) => found.push(incoming));
  for (const chunk of chunks) lines.write(chunk);
  lines.end();
  await once(last, 'end');
  return found;
}

function inPieces(text: Buffer, random: () => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length;) {
    const end = at + 1 + Math.floor(random() * 40);
    pieces.push(text.subarray(at, end));
    at = end;
  }
  return pieces;
}

t.test('requests come out whole however they come in', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const params = Array.from({ length: 200 }, () => `[${randomText(random).trim()}]`);
  const text = params.map((p) => `{"command":"call","params":${p}}`).join('\n');
  const found = await parse(inPieces(Buffer.from(text), random));
  t.same(
    found.map(({ request }) => (request as CallMembers | null)?.params.toString()),
    params,
  );
});

t.test('bytes that are no UTF-8 reach the parser as they are', async (t) => {
  const [incoming] = await parse([Buffer.from([0x7b, 0xff, 0xfe, 0x0a])]);
  t.match(incoming, { request: null, error: { message: 'Request is not valid UTF-8' } });
});

t.test('a line is never cut where its end would be a CR', async (t) => {
  const ping = '{"command":"ping"}';
  const padded = (length: number) => `${ping}${' '.repeat(length - ping.length)}`;
  const limit = MAX_REQUEST_LINE;
  const lines = [
    `${padded(limit)}\r nonsense`,
    `${padded(limit)}\r`,
    padded(limit),
    `${padded(limit + 1)}\r`,
    padded(limit + 1),
  ];
  const found = await parse([Buffer.from(`${lines.join('\n')}\n`)]);
  t.same(
    found.map(({ request }) => request?.command ?? 'refused'),
    ['refused', 'ping', 'ping', 'refused', 'refused'],
  );
});

t.test('the longest line is so many characters, however many bytes they are', async (t) => {
  const line = (character: string, size: number) => {
    const [head, tail] = [
      '{"command":"call","method":"filesystem.file_receive","params":["',
      '"]}',
    ];
    return `${head}${character.repeat(size - head.length - tail.length)}${tail}`;
  };
  const { random } = seededRandom();
  for (const character of ['é', 'ß']) {
    const most = line(character, 300);
    const text = Buffer.from(
      `${most}\n${line(character, 303)}\n${most}\r\n${line(character, 400)}\n${most}`,
    );
    for (const chunks of [[text], inPieces(text, random), [...text].map((b) => Buffer.from([b]))]) {
      const found = await parse(chunks, 300);
      t.same(
        found.map(({ request }) => request?.command ?? 'refused'),
        ['call', 'refused', 'call', 'refused', 'call'],
        character,
      );
    }
  }
  const lines = new LineLimit({ length: 100 });
  let seen = 0;
  lines.on('data', (chunk: string) => (seen += chunk.length));
  for (let i = 0; i < 100; i++) lines.write(Buffer.alloc(1000, 0x80));
  await turn();
  t.ok(seen > 0 && seen < 500, 'bytes that are no characters are bounded, too');
});

t.test('a line too long is refused once, at once, and the next one is read', async (t) => {
  const { random } = seededRandom();
  const ping = '{"command":"ping"}';
  const long = 'x'.repeat(500);
  const text = Buffer.from(`${ping}\n${long}\n${ping}\n${' '.repeat(82)}${ping}\n${long}`);
  for (const chunks of [[text], inPieces(text, random), [...text].map((b) => Buffer.from([b]))]) {
    const found = await parse(chunks, 100);
    t.same(
      found.map(({ request }) => request?.command ?? 'refused'),
      ['ping', 'refused', 'ping', 'ping', 'refused'],
    );
  }
  const lines = new LineLimit({ length: 100 });
  const seen: string[] = [];
  lines.on('data', (chunk: string) => seen.push(chunk));
  lines.write(Buffer.from('y'.repeat(150)));
  lines.write(Buffer.alloc(1_000_000, 'y'));
  await turn();
  t.equal(seen.join(''), `${'y'.repeat(102)}\n`, 'nothing of the rest is kept or passed on');
  t.ok(lines.inLine);
});

t.test('short lines that nobody takes wait as the chunk they came in', async (t) => {
  const lines = new LineLimit();
  let taken = 0;
  lines.write(Buffer.from('x\n'.repeat(30_000)));
  await turn();
  t.ok(lines.readableLength < 10, `${lines.readableLength} characters passed on`);
  lines.on('data', () => taken++);
  lines.end();
  await once(lines, 'end');
  t.equal(taken, 30_000);
});

/** A guard that nobody reads from yet. */
function guardOf(limits: LineLimits = {}) {
  const clock = new TestClock();
  const guard = new LineLimit({ clock, ...limits });
  let hasEnded = false;
  guard.on('end', () => (hasEnded = true));
  return { clock, guard, hasEnded: () => hasEnded };
}

t.test('passes whole lines on, and the last one also without its newline', async (t) => {
  for (const [chunks, text] of [
    [['a', 'b\n', 'c\nd\n\n', '\ne'], 'ab\nc\nd\n\n\ne\n'],
    [['a\n'], 'a\n'],
    [[], ''],
  ] as const) {
    const { guard, hasEnded } = guardOf();
    const passed = takenFrom<string>(guard);
    for (const chunk of chunks) guard.write(chunk);
    await rest();
    const whole = text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1);
    if (chunks.length > 1) t.equal(passed.join(''), whole, 'the last is not whole yet');
    t.equal(guard.inLine, chunks.length > 1);
    t.notOk(hasEnded());
    guard.end();
    await rest();
    t.equal(passed.join(''), text);
    t.ok(hasEnded());
  }
});

t.test('a line that was cut does not come again at the end', async (t) => {
  const { guard } = guardOf({ length: 10 });
  const passed = takenFrom<string>(guard);
  guard.end('x'.repeat(20));
  await once(guard, 'end');
  t.equal(passed.join(''), `${'x'.repeat(12)}\n`);
});

t.test('splits text at newlines, and the last line also without one', async (t) => {
  const split = splitLines();
  const lines = takenFrom<string>(split);
  for (const text of ['a\nb', 'c\r\n', '\n', 'd\re\r', '\nf']) split.write(text, 'latin1');
  split.end();
  await once(split, 'end');
  t.same(lines, ['a', 'bc', '', 'd\re', 'f']);
});

t.test('what nobody takes is not taken in: neither by the guard nor by what splits', async (t) => {
  const { guard } = guardOf();
  const chunk = Buffer.from(`${'x'.repeat(99)}\n`.repeat(1000));
  let chunks = 0;
  while (chunks < 100 && guard.write(chunk)) chunks++;
  await rest();
  t.ok(chunks < 2 && guard.writableNeedDrain, `${chunks} chunks`);
  t.ok(guard.readableLength <= 200, `${guard.readableLength} characters`);
  const split = splitLines();
  guard.pipe(split);
  await rest();
  t.ok(guard.writableNeedDrain);
  const waiting = [split.readableLength, split.writableLength] as const;
  t.ok(waiting[0] <= 11 && waiting[1] <= 1124, `${waiting.join(' lines, ')} characters`);
  let lines = 0;
  split.on('data', () => lines++);
  guard.end();
  await once(split, 'end');
  t.equal(lines, 1000 * (chunks + 1));
});

t.test(
  'F29: a line that takes too long ends the input; between lines there is no limit',
  async (t) => {
    const { guard, clock, hasEnded } = guardOf({ timeout: 30_000 });
    const passed = takenFrom<string>(guard);
    clock.pass(60_000);
    guard.write('"one');
    clock.pass(29_999);
    guard.write(' and"\n');
    await rest();
    clock.pass(60_000);
    t.equal(clock.waiting, 0);
    guard.write('"two"\n"th');
    await rest();
    clock.pass(20_000);
    guard.write('ree');
    await rest();
    clock.pass(9_999);
    t.notOk(guard.failure);
    clock.pass(1);
    t.match(guard.failure, { code: 'REQUEST', message: 'Request is not complete after 30 s' });
    await rest();
    t.ok(hasEnded());
    t.ok(guard.write('what comes later\n'), 'is dropped');
    await rest();
    t.equal(passed.join(''), '"one and"\n"two"\n');
    t.equal(clock.waiting, 0);
  },
);

t.test(
  'F29: the time is the client’s alone, not that of who does not take what it sent',
  async (t) => {
    const { guard, clock } = guardOf({ timeout: 30_000 });
    guard.write('1\n2\n3\n4');
    await rest();
    clock.pass(60_000);
    t.notOk(guard.failure, 'the line has not begun for the guard');
    guard.once('data', () => guard.pause());
    await rest();
    guard.once('data', () => guard.pause());
    guard.resume();
    await rest();
    t.equal(guard.readableLength, 2, 'now it has, and one before it waits');
    clock.pass(615_000);
    t.notOk(guard.failure);
    const passed = takenFrom<string>(guard);
    guard.resume();
    await rest();
    t.equal(passed.join(''), '3\n');
    clock.pass(29_999);
    t.notOk(guard.failure);
    clock.pass(1);
    t.ok(guard.failure);
  },
);

t.test('F29, F45: nor is it the time in which it waits for room that others have', async (t) => {
  const memory = new RequestMemory(100_000);
  const first = guardOf({ memory });
  const { guard, clock } = guardOf({ memory, timeout: 30_000 });
  for (const each of [first.guard, guard]) each.resume();
  first.guard.write(`${'x'.repeat(90_000)}\n`);
  await rest();
  guard.write('x');
  await rest();
  guard.write('x'.repeat(50_000));
  await rest();
  clock.pass(100_000);
  t.notOk(guard.failure);
  first.guard.over();
  await rest();
  clock.pass(29_999);
  t.notOk(guard.failure);
  guard.destroy();
});

t.test('without a limit a line may take for ever', async (t) => {
  for (const timeout of [null, undefined, 2 ** 40]) {
    const { guard, clock } = guardOf(timeout === undefined ? {} : { timeout });
    guard.resume();
    guard.write('half');
    await rest();
    t.equal(clock.waiting, 0);
    t.ok(guard.inLine);
  }
});

t.test('F29, F45: what all share comes back when a request is over, oldest first', async (t) => {
  const memory = new RequestMemory(200_000);
  const { guard } = guardOf({ memory });
  guard.resume();
  for (const size of [20_000, 60_000, 10_000]) {
    guard.write(Buffer.alloc(size, 'x'));
    guard.write('\n');
    await rest();
  }
  const free = 16 * 1024;
  t.equal(memory.used, 80_000 - 2 * free, 'small ones cost nothing');
  guard.over();
  t.equal(memory.used, 60_000 - free);
  guard.over();
  t.equal(memory.used, 0);
  guard.over();
  guard.over();
  t.equal(memory.used, 0);
});

t.test('F29: too much of what all share ends the input of who wants more', async (t) => {
  const memory = new RequestMemory(100_000);
  const one = guardOf({ memory });
  const two = guardOf({ memory, timeout: 30_000 });
  for (const { guard } of [one, two]) {
    guard.resume();
    guard.write(Buffer.alloc(100_000));
  }
  await rest();
  t.match(two.guard.failure, { code: 'BUSY', errorType: 'ClientException' });
  t.ok(two.hasEnded());
  t.equal(two.clock.waiting, 0);
  t.notOk(one.guard.failure);
  one.guard.destroy();
  t.equal(memory.used, 0);
});

t.test('once destroyed it holds nothing and waits for nothing', async (t) => {
  const memory = new RequestMemory(200_000);
  const { guard, clock } = guardOf({ memory, timeout: 30_000 });
  guard.resume();
  guard.write(Buffer.concat([Buffer.alloc(100_000, 'x'), Buffer.from('\n')]));
  guard.write(Buffer.alloc(50_000, 'x'));
  await rest();
  t.ok(memory.used > 100_000);
  t.equal(clock.waiting, 1);
  const other = guardOf({ memory });
  other.guard.write(Buffer.alloc(150_000));
  await rest();
  t.notOk(other.guard.failure, 'which waits');
  other.guard.destroy();
  guard.destroy();
  t.same([memory.used, clock.waiting], [0, 0]);
  clock.pass(120_000);
  t.notOk(other.guard.failure);
});
