import { once } from 'node:events';
import t from 'tap';
import { MidcltError } from '../../../lib/errors.js';
import { errorFrame } from '../../../lib/protocol/frames.js';
import { VerbTable } from '../../../lib/protocol/request.js';
import {
  encodeFrame,
  Parse,
  Stringify,
  type EncodedFrame,
  type Outgoing,
} from '../../../lib/stream/codec.js';
import type { Incoming } from '../../../lib/stream/verb.js';
import { resultOf, rest, takenFrom, verbOf } from '../../support/stages.js';

const VERBS = new VerbTable([['call', verbOf([])]]);
const line = (id: number) => `{"command":"call","id":${id}}`;
const idsOf = (all: readonly Incoming[]) => all.map(({ id }) => Number(id?.toString()));

t.test('each line is a request, in order, also one that is wrong', async (t) => {
  const parse = new Parse(VERBS);
  const found = takenFrom<Incoming>(parse);
  for (const each of [line(1), '{"id":2}', 'x', '', line(5).replace('call', 'other')]) {
    parse.write(each);
  }
  parse.end();
  await once(parse, 'end');
  t.match(found, [
    { request: { command: 'call' }, id: Buffer.from('1'), verb: VERBS.get('call') },
    { request: null, id: Buffer.from('2'), error: { code: 'REQUEST', message: /no 'command'/ } },
    { request: null, id: null, error: { message: /not valid JSON/ } },
    { request: null, id: null, error: { message: /not valid JSON/ } },
    { request: { command: 'other' }, verb: null, id: Buffer.from('5') },
  ]);
});

t.test('a request counts from its line on, before it has been read', async (t) => {
  let came = 0;
  const order: string[] = [];
  const verb = verbOf([], {
    format: {
      names: [],
      *read() {
        order.push(`read ${came}`);
        yield undefined;
        return {};
      },
    },
  });
  const parse = new Parse(new VerbTable([['call', verb]]), {
    onRequest: () => came++,
    failure: () => null,
  });
  const found = takenFrom<Incoming>(parse);
  parse.write(line(1));
  parse.end(line(2));
  await once(parse, 'end');
  t.same(order, ['read 1', 'read 2']);
  t.same([came, idsOf(found)], [2, [1, 2]]);
});

t.test('why the input ended before its end is the last request, and counts', async (t) => {
  let came = 0;
  const error = new MidcltError('BUSY', 'no room');
  const parse = new Parse(VERBS, { onRequest: () => came++, failure: () => error });
  const found = takenFrom<Incoming>(parse);
  parse.end(line(1));
  await once(parse, 'end');
  t.match(found, [{ id: Buffer.from('1') }, { request: null, id: null, error }]);
  t.equal(came, 2);
});

t.test('neither reads nor writes ahead of who takes what comes of it', async (t) => {
  let came = 0;
  const parse = new Parse(VERBS, { onRequest: () => came++, failure: () => null });
  for (let i = 0; i < 10; i++) parse.write(line(i));
  await rest();
  t.ok(parse.writableNeedDrain && came <= 2, `${came} read`);
  const stringify = new Stringify();
  const out = (id: number): Outgoing => ({ frame: resultOf('1'), id: Buffer.from(String(id)) });
  for (let i = 0; i < 10; i++) stringify.write(out(i));
  await rest();
  t.ok(stringify.writableNeedDrain && stringify.readableLength <= 2);
  const found = takenFrom<Incoming>(parse);
  const frames = takenFrom<EncodedFrame>(stringify);
  await rest();
  t.same(idsOf(found), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.same(
    frames.map(({ pieces }) => Buffer.concat([...pieces] as Buffer[]).toString()),
    found.map((_, i) => `{"type":"result","id":${i},"result":1}\n`),
  );
});

t.test('what is to be called when a frame is taken goes with it, and is not called', async (t) => {
  const stringify = new Stringify();
  const frames = takenFrom<EncodedFrame>(stringify);
  let taken = 0;
  stringify.write({ frame: resultOf('1'), id: null, onTaken: () => taken++ } satisfies Outgoing);
  stringify.end({ frame: resultOf('2'), id: null } satisfies Outgoing);
  await once(stringify, 'end');
  t.equal(taken, 0);
  t.equal(frames[1]?.onTaken, null);
  frames[0]?.onTaken?.();
  t.equal(taken, 1);
});

t.test(
  'a sized text says first how much it is; what is long, or not sent, stays a frame',
  async (t) => {
    const options = { jobId: false, version: null };
    const text = { terminal: false, sized: true };
    const written = (frame: object) =>
      Buffer.concat(encodeFrame({ frame, id: null, options, text } as Outgoing)).toString();
    const result = (json: string) => written({ type: 'result', result: Buffer.from(json) });
    const error = { type: 'error', error: 'No', errorType: 'X', trace: null, extra: null };
    t.equal(result('"pong"'), '0 5 1\npong\n');
    t.equal(result('"a\\nb\\n"'), '0 5 3\na\nb\n\n');
    t.equal(result('"\\u0000"'), '0 2 0\n\0\n', 'no shell can hold a NUL');
    t.equal(result('"é"'), '0 3 1\né\n', 'bytes');
    t.equal(result(`"${'\\n'.repeat(40)}"`), `0 41 0\n${'\n'.repeat(41)}`);
    t.equal(result(`"${'x'.repeat(512)}"`), `0 513 0\n${'x'.repeat(512)}\n`);
    t.equal(written(error), '1 3 1\nNo\n');
    t.equal(written({ ...error, error: '' }), '1 0 0\n');
    t.equal(result('"\\x"'), '1 54 1\nError: The result is a string that is not well-formed\n');
    t.equal(written({ type: 'progress', state: 'READ' }), '\n');
    const long = `"${'x'.repeat(64 * 1024)}"`;
    t.equal(result(long), `frame\n{"type":"result","result":${long}}\n`);
    t.match(written({ ...error, error: long }), /^frame\n\{"type":"error","error":/);
    t.match(written({ ...error, isNotSent: true }), /^\{"type":"error","error":"No"/);
  },
);

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

t.test('whether the outcome of a call is unknown is told to who asks what was not sent', (t) => {
  const of = (error: MidcltError, options: Outgoing['options'] = asks) =>
    Buffer.concat(encodeFrame({ frame: errorFrame(error), id: null, options })).toString();
  const asks = { jobId: false, version: null, notSent: true };
  const unknown = /,"extra":null,"outcome":"unknown"\}\n$/;
  for (const code of ['LOST', 'TIMEOUT', 'PROTOCOL', 'HUNG'] as const) {
    const error = new MidcltError(code, 'x');
    t.match(of(error), unknown, code);
    t.notMatch(of(error, null), 'outcome');
    t.notMatch(of(error, { ...asks, notSent: false, version: '1' }), 'outcome');
  }
  for (const code of ['CALL', 'CLOSED', 'REQUEST', 'BUSY', 'SHUTDOWN', 'LOGIN'] as const) {
    t.notMatch(of(new MidcltError(code, 'x')), 'outcome', code);
  }
  t.match(of(new MidcltError('CALL', 'x', { outcomeUnknown: true })), unknown);
  t.match(of(new MidcltError('LOST', 'x'.repeat(200_000))), unknown);
  t.notMatch(of(new MidcltError('TIMEOUT', 'x', { outcomeUnknown: false })), 'outcome');
  t.end();
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

t.test(
  'a large result or event is not copied, and newlines in it do not end its line',
  async (t) => {
    const plain = `[${'"x", '.repeat(60_000)}1]`;
    const pretty = `[\n${'"x",\n'.repeat(30_000)}${' '.repeat(200_000)}1\n]`;
    for (const text of [plain, pretty]) {
      const payload = Buffer.from(text);
      const result = { type: 'result', result: payload } as const;
      const event = { type: 'event', event: payload } as const;
      for (const frame of [result, event]) {
        const stringify = new Stringify();
        const frames = takenFrom<EncodedFrame>(stringify);
        stringify.end({ frame, id: null } satisfies Outgoing);
        await once(stringify, 'end');
        const pieces = [...(frames[0]?.pieces ?? [])].map((piece) => piece ?? Buffer.alloc(0));
        const line = `{"type":"${frame.type}","${frame.type}":${text.replaceAll('\n', ' ')}}\n`;
        t.ok(Buffer.concat(pieces).equals(Buffer.from(line)));
        t.ok(pieces.some(({ buffer }) => buffer === payload.buffer));
        t.ok(payload.equals(Buffer.from(text)), 'which stays as it was');
        t.ok(pieces.every((piece) => piece.length <= 64 * 1024));
        const whole = Buffer.concat(encodeFrame({ frame, id: null }));
        t.ok(whole.equals(Buffer.from(line)));
      }
    }
  },
);
