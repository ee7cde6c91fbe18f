import { once } from 'node:events';
import { pipeline } from 'node:stream';
import t from 'tap';
import type { CallMembers } from '../../../lib/commands/call.js';
import { REQUESTS } from '../../../lib/commands/verbs.js';
import { MAX_REQUEST_LINE } from '../../../lib/protocol/frames.js';
import { encodeFrame, Parse, Stringify, type EncodedFrame } from '../../../lib/stream/codec.js';
import type { Incoming } from '../../../lib/stream/verb.js';
import { LineLimit, splitLines } from '../../../lib/stream/guard.js';
import { RequestMemory } from '../../../lib/stream/memory.js';
import { randomText, seededRandom } from '../../support/random-json.js';

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
  await new Promise((resolve) => setImmediate(resolve));
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
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(seen.join(''), `${'y'.repeat(102)}\n`, 'nothing of the rest is kept or passed on');
  t.ok(lines.inLine);
});

t.test('bytes that are no UTF-8 reach the parser as they are', async (t) => {
  const [incoming] = await parse([Buffer.from([0x7b, 0xff, 0xfe, 0x0a])]);
  t.match(incoming, { request: null, error: { message: 'Request is not valid UTF-8' } });
});

t.test('F46: a long error text comes in pieces that are the frame', async (t) => {
  const id = Buffer.from('{"a":1,"error":""}');
  for (const error of [
    'x'.repeat(65_535),
    `${'x'.repeat(65_535)}😀\n`.repeat(3),
    'é'.repeat(200_000),
  ]) {
    const frame = {
      type: 'error',
      error,
      errorType: 'X',
      trace: null,
      extra: Buffer.from('[1]'),
    } as const;
    const text = new Stringify();
    const pieces: Buffer[] = [];
    text.on('data', (frame: EncodedFrame) => {
      for (const piece of frame.pieces) if (piece) pieces.push(piece);
    });
    text.end({ frame, id, options: { jobId: false, version: '0.0.1' } });
    await once(text, 'end');
    const line = Buffer.concat(pieces).toString();
    t.ok(line.startsWith('{"type":"error","id":{"a":1,"error":""},"daemon":'));
    t.ok((JSON.parse(line) as { error: string }).error === error);
    t.ok(line.endsWith(',"error_type":"X","trace":null,"extra":[1]}\n'));
    t.ok(pieces.every((piece) => piece.length <= 6 * 65_536));
  }
});

t.test('frames have their members in order, the result last', async (t) => {
  const id = Buffer.from('{"a": 1}');
  const text = (frame: Parameters<typeof encodeFrame>[0]) =>
    Buffer.concat(encodeFrame(frame)).toString();
  const result = Buffer.from('[NaN, 2.0]');
  t.equal(
    text({ frame: { type: 'result', result }, id }),
    '{"type":"result","id":{"a": 1},"result":[NaN, 2.0]}\n',
  );
  t.equal(
    text({
      frame: { type: 'error', error: 'é', errorType: 'X', trace: null, extra: Buffer.from('[1]') },
      id: null,
    }),
    '{"type":"error","error":"\\u00e9","error_type":"X","trace":null,"extra":[1]}\n',
  );
  const progress = (jobId: boolean, abortable: boolean | null = null) =>
    text({
      frame: {
        type: 'progress',
        percent: Buffer.from('12.50'),
        description: Buffer.from('"\\ud83d"'),
        state: 'RUNNING',
        jobId: 7,
        abortable,
      },
      id: Buffer.from('1'),
      options: { jobId, version: null },
    });
  const shown =
    '{"type":"progress","id":1,"percent":12.50,"description":"\\ud83d","state":"RUNNING"';
  t.equal(progress(false), `${shown}}\n`);
  t.equal(progress(false, true), `${shown}}\n`);
  t.equal(progress(true), `${shown},"job_id":7}\n`, 'the job’s id, for who asked for it');
  t.equal(progress(true, false), `${shown},"job_id":7,"abortable":false}\n`);
});

t.test('a large result is not copied, and newlines in it do not end its line', async (t) => {
  const result = Buffer.from(`[${'"x", '.repeat(30_000)}1]`);
  const pieces = encodeFrame({ frame: { type: 'result', result }, id: null });
  t.ok(pieces.includes(result));
  const pretty = Buffer.from(`[1,\n2${' '.repeat(70_000)}]`);
  const line = Buffer.concat(encodeFrame({ frame: { type: 'result', result: pretty }, id: null }));
  t.equal(line.indexOf('\n'), line.length - 1);
});

t.test('short lines that nobody takes wait as the chunk they came in', async (t) => {
  const lines = new LineLimit();
  let taken = 0;
  lines.write(Buffer.from('x\n'.repeat(30_000)));
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(lines.readableLength < 10, `${lines.readableLength} characters passed on`);
  lines.on('data', () => taken++);
  lines.end();
  await once(lines, 'end');
  t.equal(taken, 30_000);
});

t.test(
  'F29: a line that takes too long, or too much of what all share, ends the input',
  async (t) => {
    const memory = new RequestMemory(100_000);
    const one = new LineLimit({ memory });
    const two = new LineLimit({ memory, timeout: 20 });
    for (const lines of [one, two]) lines.resume();
    one.write(Buffer.alloc(100_000));
    two.write(Buffer.alloc(100_000));
    await once(two, 'end');
    t.match(two.failure, { code: 'BUSY', errorType: 'ClientException' });
    t.notOk(one.failure);
    one.write('\n');
    one.over();
    const three = new LineLimit({ memory, timeout: 20 });
    three.resume();
    three.write(Buffer.alloc(100_000));
    await once(three, 'end');
    t.match(three.failure, { code: 'REQUEST', message: 'Request is not complete after 0.02 s' });
    t.ok(three.write('what comes later is dropped'));
    const whole = new LineLimit({ memory, timeout: 20 });
    whole.resume();
    whole.write('"half"');
    whole.write(' and half\n');
    await new Promise((resolve) => setTimeout(resolve, 60));
    t.notOk(whole.failure, 'between lines there is no deadline');
    one.destroy();
    t.equal(memory.used, 0, 'all of it came back');
  },
);
