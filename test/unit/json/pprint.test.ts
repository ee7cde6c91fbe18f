import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { pprint } from '../../../lib/json/pprint.js';
import { ROOT } from '../../support/root.js';

/** Made with Python 3.11: hand-picked cases, then random ones. */
const vectors = join(ROOT, 'test/vectors/pprint.json');
const cases = JSON.parse(readFileSync(vectors, 'utf8')) as { json: string; text: string }[];

t.test('every value prints as Python prints it', (t) => {
  const wrong = cases
    .map(({ json, text }) => ({ json, expected: text, actual: pprint(json) }))
    .filter(({ expected, actual }) => actual !== expected);
  t.strictSame(wrong, []);
  t.ok(cases.length > 400);
  t.end();
});

t.test('extended JSON prints as the plain dictionaries it is made of', (t) => {
  t.equal(pprint('[{"$date": 0}, {"$set": [1]}]'), "[{'$date': 0}, {'$set': [1]}]");
  t.end();
});

t.test('what is no JSON comes back as it is', (t) => {
  const malformed = [
    '',
    ' ',
    'x',
    'nul',
    'nullx',
    '-',
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    '-NaN',
    '٣',
    '[',
    '[1',
    '[1,]',
    '[1 2]',
    '[}',
    '{"a"}',
    '{"a":}',
    '{"a": 1,}',
    '{a: 1}',
    '{1: 1}',
    '"',
    '"a',
    '"\\"',
    '"\\x41"',
    '"\\u12"',
    '"a\nb"',
    '1 1',
    '\ufeff1',
    '\u00a01',
    '1'.repeat(4301),
  ];
  for (const json of malformed) t.equal(pprint(json), json, JSON.stringify(json.slice(0, 20)));
  t.equal(pprint('1'.repeat(4300) + ' '), '1'.repeat(4300), 'as long as an integer may be');
  t.end();
});

t.test('what is nested deeper than 500 comes back as it is', (t) => {
  const nested = (depth: number): string => `${'['.repeat(depth)}null${']'.repeat(depth)}`;
  t.match(pprint(nested(500)), /\[None\]/);
  t.equal(pprint(nested(501)), nested(501));
  t.equal(pprint('['.repeat(1_000_000)), '['.repeat(1_000_000));
  const dicts = '{"a":'.repeat(501) + '1' + '}'.repeat(501);
  t.equal(pprint(dicts), dicts);
  t.end();
});

t.test('keys are in the order of their code points', (t) => {
  const keys = ['a', 'ab', 'b', 'é', '\ud800', '\uffff', '😀', '😁'];
  const shuffled = [3, 6, 0, 7, 5, 2, 4, 1].map((at) => `${JSON.stringify(keys[at])}: 1`);
  const order = [...pprint(`{${shuffled.join(', ')}}`).matchAll(/'(.*?)': 1/g)].map(
    ([, key]) => key,
  );
  t.same(order, ['a', 'ab', 'b', 'é', '\\ud800', '\\uffff', '😀', '😁']);
  t.end();
});

t.test('F46: a text that would become far longer than its JSON comes back as it is', (t) => {
  const key = 'k'.repeat(16_000);
  for (const inner of [`[${'1,'.repeat(8000)}1]`, `"${'x '.repeat(8000)}"`]) {
    const json = `{"${key}": ${inner}}`;
    t.ok(pprint(json) === json);
  }
  const deep = '{"properties": '.repeat(5) + `[${'1, '.repeat(2000)}1]` + '}'.repeat(5);
  t.match(pprint(deep).slice(-100), /\n {76}1\]\}+$/, 'what is only deep is laid out');
  t.end();
});

t.test('a big value takes no more time than its length asks for', (t) => {
  const started = process.hrtime.bigint();
  t.equal(pprint(JSON.stringify('x'.repeat(1_000_000))).length, 1_000_002);
  t.ok(pprint(JSON.stringify('x y '.repeat(100_000))).includes("\n 'x y "));
  t.ok(pprint(`[${'{"a": [1]}, '.repeat(50_000)}1]`).includes("\n {'a': [1]},\n"));
  t.ok(process.hrtime.bigint() - started < 5_000_000_000n);
  t.end();
});
