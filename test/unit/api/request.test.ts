import vm from 'node:vm';
import t from 'tap';
import { paramsText } from '../../../lib/api/request.js';
import { JsonText } from '../../../lib/json/text.js';

t.test('values go as Python writes them', async (t) => {
  const cases: [unknown, string][] = [
    [null, 'null'],
    [true, 'true'],
    [5, '5'],
    [-0, '-0.0'],
    [0.1, '0.1'],
    [1e21, '1e+21'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [2n ** 64n, '18446744073709551616'],
    ['é "\\\n\u{1f600}\ud83d', '"\\u00e9 \\"\\\\\\n\\ud83d\\ude00\\ud83d"'],
    [new Date(1500), '{"$date": 1500}'],
    [new Set([1, 'a']), '{"$set": [1, "a"]}'],
    [[], '[]'],
    [{}, '{}'],
    [{ 'k"': [null, { x: 1 }] }, '{"k\\"": [null, {"x": 1}]}'],
    [Object.assign(Object.create(null), { a: 1 }), '{"a": 1}'],
    [new JsonText(' 2.0 '), '2.0'],
    [new JsonText('{"a":\n18446744073709551615}'), '{"a": 18446744073709551615}'],
    [
      vm.runInNewContext('({ a: [1], d: new Date(1), s: new Set() })'),
      '{"a": [1], "d": {"$date": 1}, "s": {"$set": []}}',
    ],
  ];
  for (const [value, text] of cases) t.equal(paramsText([value]), `[${text}]`);
  t.equal(paramsText([1, 'a']), '[1, "a"]');
});

t.test('a text goes as it is, on one line, if it is an array', async (t) => {
  t.equal(
    paramsText({ json: ' [2.0,\n18446744073709551615, "é"] ' }),
    '[2.0, 18446744073709551615, "é"]',
  );
  t.equal(paramsText({ json: '["\ud83d"]' }), '["\\ud83d"]');
  t.equal(
    paramsText({ json: '["\\\\\ud83d"]' }),
    '["\\\\\\ud83d"]',
    'behind a backslash that is escaped',
  );
  // Behind one that is not it would become a backslash and five letters.
  t.throws(() => paramsText({ json: '["\\\ud83d"]' }), { message: /not valid JSON/ });
  t.throws(() => paramsText([new JsonText('"\\\ud83d"')]), { message: /not valid JSON/ });
  for (const json of ['{}', '1', 'null', '"[]"']) {
    t.throws(() => paramsText({ json }), { code: 'REQUEST', message: /must be an array/ });
  }
});

t.test('a text that would end early is refused: it could add members to the request', async (t) => {
  for (const json of [
    '[1], "command": "stop"',
    '[1]]',
    '[1',
    '',
    '[01]',
    `[${'9'.repeat(4301)}]`,
  ]) {
    t.throws(() => paramsText({ json }), { code: 'REQUEST', message: /not valid JSON/ });
    t.throws(() => paramsText([new JsonText(json)]), {
      code: 'REQUEST',
      message: /not valid JSON/,
    });
  }
});

t.test('what JSON cannot say is refused, with the place where it is', async (t) => {
  class Disk {
    readonly name = 'sda';
  }
  const loop: unknown[] = [];
  loop.push(loop);
  const cases: [unknown, RegExp][] = [
    [undefined, /params\[0\] is undefined/],
    [{ a: { b: [1, undefined] } }, /params\[0\]\.a\.b\[1\] is undefined/],
    [Array(1), /params\[0\]\[0\] is undefined/],
    [() => 1, /is a function/],
    [Symbol('x'), /is a symbol/],
    [new Map(), /is a Map/],
    [new Disk(), /is a Disk/],
    [Buffer.from('x'), /is a Buffer/],
    [/x/, /is a RegExp/],
    [Object.create(Object.create(Object.create(null) as object) as object), /is a strange object/],
    [new Date(NaN), /invalid Date/],
    [loop, /nested too deeply, or in itself/],
  ];
  for (const [value, message] of cases) {
    t.throws(() => paramsText([value]), { name: 'MidcltError', code: 'REQUEST', message });
  }
});
