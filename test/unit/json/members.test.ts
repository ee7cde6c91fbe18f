import t from 'tap';
import {
  elementsOf,
  integerOf,
  membersOf,
  onOneLine,
  quote,
  Scan,
  stringOf,
} from '../../../lib/json/members.js';
import { randomText, seededRandom } from '../../support/random-json.js';

const bytes = (text: string) => Buffer.from(text);

t.test('finds members whatever stands inside them', async (t) => {
  const inner = ['{"b": "}\\"]", "c": [1, {"d": 2}]}', '"a\\\\"', '[]', '-Infinity', '"\\ud83d"'];
  const text = `{${inner.map((value, i) => `"k${i}" : ${value}`).join(' , ')}}`;
  const members = membersOf(bytes(text));
  inner.forEach((value, i) => t.equal(members?.get(`k${i}`)?.toString(), value));
  t.same(
    elementsOf(bytes(`[${inner.join(',')}]`))?.map((element) => element.toString()),
    inner,
  );
});

t.test('does not look again for the end of what is long and was checked', async (t) => {
  const long = `${'{"a": "\\"}", "b": ["x"]}, '.repeat(5000)}0`;
  const values = [`[${long}]`, `"${'\\"x'.repeat(50_000)}"`];
  for (const value of values) {
    for (const bytes of [1000, Infinity]) {
      const message = Buffer.from(
        `{"params": {"fields": {"id": 7, "result": ${value} , "state": 1}}, "result": [{"a": ${value}}]}`,
      );
      const scan = new Scan(message);
      while (scan.step(bytes) === 'unfinished');
      const params = scan.members().get('params');
      const list = scan.members().get('result');
      // A quote that is not closed would hide what is behind it from who reads on.
      for (const part of [params, list]) part?.write('"', part.indexOf('x') + 10_000);
      const fields = membersOf(membersOf(params)?.get('fields'));
      t.same([...(fields?.keys() ?? [])], ['id', 'result', 'state']);
      t.equal(fields?.get('result')?.length, value.length);
      t.equal(membersOf(elementsOf(list)?.[0])?.get('a')?.length, value.length);
    }
  }
});

t.test('knows a key by its value, and the last of duplicates', async (t) => {
  const members = membersOf(bytes('{"\\u0061": 1, "a": 2}'));
  t.equal(members?.size, 1);
  t.equal(members?.get('a')?.toString(), '2');
});

t.test('gives null for what has no such structure', async (t) => {
  const broken = [
    '',
    '[]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{"a":"x}',
    '{"a":[1}',
  ];
  for (const text of [...broken, '{} x', '{"a":1}}', 'x', '"{}"', '{"a":1 "b":2}', '{"\\x":1}']) {
    t.equal(membersOf(bytes(text)), null, text);
  }
  for (const text of ['', '{}', '[', '[1', '[1,', '[,]', '[1]]', '["x]']) {
    t.equal(elementsOf(bytes(text)), null, text);
  }
});

t.test('follows any depth without exhausting the stack', async (t) => {
  const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
  t.equal(
    membersOf(bytes(`{"result":${deep},"id":"x"}`))
      ?.get('id')
      ?.toString(),
    '"x"',
  );
});

t.test('copies random members byte for byte', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  for (let i = 0; i < 500; i++) {
    const value = randomText(random).trim();
    const text = `{"jsonrpc": "2.0", "result": ${value}, "id": "p-${i}"}`;
    const found = membersOf(bytes(text))?.get('result')?.toString();
    if (found !== value) t.fail('changed', { value, found, seed });
  }
});

t.test('reads strings and integers, and nothing as them that is none', async (t) => {
  t.equal(stringOf(bytes('"a\\u00e9"')), 'aé');
  for (const text of ['5', 'null', '[]', '"']) t.equal(stringOf(bytes(text)), null, text);
  t.equal(integerOf(bytes('42')), 42);
  for (const text of ['4.0', '1e3', '"4"', 'true', '18446744073709551615', '']) {
    t.equal(integerOf(bytes(text)), null, text);
  }
});

t.test('quotes in ASCII as Python does', async (t) => {
  t.equal(quote('é😀\u007f"\\\n\ud83d'), '"\\u00e9\\ud83d\\ude00\\u007f\\"\\\\\\n\\ud83d"');
});

t.test('quotes a long text as a short one', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const characters = ['a', 'é', '😀', '\u007f', '"', '\\', '\n', '\ud83d', '\ude00', '\u2028'];
  const pick = () => characters[Math.floor(random() * characters.length)] ?? '';
  const text = Array.from({ length: 5000 }, pick).join('');
  const pieces = Array.from(text).map((character) => quote(character).slice(1, -1));
  t.equal(quote(text), `"${pieces.join('')}"`);
  t.equal(quote('x'.repeat(5000)), `"${'x'.repeat(5000)}"`);
});

t.test('F46: an object of a million members has nothing that steers', async (t) => {
  const members = Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":1`);
  const { user: before } = process.cpuUsage();
  t.equal(membersOf(bytes(`{"id":"x",${members.join(',')}}`)), null);
  t.equal(elementsOf(bytes(`[${'1,'.repeat(1_000_000)}1]`)), null);
  t.ok(process.cpuUsage().user - before < 500_000, 'nor are they all read');
  t.equal(membersOf(bytes(`{${members.slice(0, 9000).join(',')}}`))?.size, 9000);
});

t.test('a key too long to be known is not read', async (t) => {
  const members = membersOf(bytes(`{"${'x'.repeat(5_000_000)}":1,"id":2}`));
  t.equal(members?.get('id')?.toString(), '2');
  t.ok([...(members?.keys() ?? [])].every((key) => key.length < 1000));
});

t.test('puts a value on one line', async (t) => {
  t.equal(onOneLine(bytes('[1,\r\n\n 2]')).toString(), '[1,\r   2]');
  const line = bytes('[1, 2]');
  t.equal(onOneLine(line), line, 'without a copy where it is one already');
});
