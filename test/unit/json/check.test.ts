import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import {
  checkingValue,
  checkObject,
  checkValue,
  JsonError,
  MAX_DEPTH,
  MAX_INTEGER_DIGITS,
} from '../../../lib/json/check.js';
import { randomText, seededRandom } from '../../support/random-json.js';
import { ROOT } from '../../support/root.js';

function accepts(text: string | Buffer): boolean {
  try {
    checkValue(Buffer.from(text));
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}

t.test('takes what Python takes', async (t) => {
  const texts = [
    ...['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity', '0', '-0', '-0.0', '2.0', '1e5'],
    ...['1E400', '1e+16', '1e-05', '18446744073709551615', '""', '"\\ud83d"', '"\\u00e9"', '"é"'],
    ...['"\u007f"', '"\u2028"', '[]', '{}', ' \t\r\n[ 1 , 2 ]\n', '{"a":1,"a":2}', '[[["x"]]]'],
    ...['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '1.5e+3', '{"":0}'],
  ];
  t.same(
    texts.filter((text) => !accepts(text)),
    [],
  );
});

t.test('refuses what Python refuses', async (t) => {
  const texts = [
    ...[
      '',
      ' ',
      'nul',
      'True',
      'nan',
      'inf',
      '+1',
      '01',
      '-',
      '1.',
      '.5',
      '1e',
      '1e+',
      '0x10',
      '1_000',
    ],
    ...['[1,]', '[,1]', '[1 2]', '[', ']', '{', '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', "{'a':1}"],
    ...[
      '"abc',
      '"\t"',
      '"\n"',
      '"\0"',
      '"\\x41"',
      '"\\u12"',
      '"\\u12g4"',
      '"\\',
      '[1] x',
      '1 2',
      'nullx',
    ],
    ...['--1', '-NaN', '\ufeff1', '-Infinit', '/* */1', '[1}', '{"a":1]'],
  ];
  for (const text of texts) t.notOk(accepts(text), JSON.stringify(text));
});

t.test('limits depth and the digits of an integer, not those of a float', async (t) => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  t.ok(accepts(nested(MAX_DEPTH)));
  t.notOk(accepts(nested(MAX_DEPTH + 1)));
  t.notOk(accepts('{"a":'.repeat(MAX_DEPTH + 1) + '1' + '}'.repeat(MAX_DEPTH + 1)));
  t.notOk(accepts('['.repeat(2_000_000)), 'two million brackets do not exhaust the stack');
  const digits = '7'.repeat(MAX_INTEGER_DIGITS);
  t.ok(accepts(digits));
  t.ok(accepts(`-${digits}`), 'the sign is no digit');
  t.notOk(accepts(`${digits}7`));
  t.ok(accepts(`${digits}7.0`));
  t.ok(accepts(`${digits}7e1`));
});

t.test('checks the extended objects that the server converts', async (t) => {
  const good = [
    '{"$date": 1720000000000}',
    '{"$date": -62135596800000}',
    '{"$date": 1.5}',
    '{"$date": true}',
    '{"$date": "x", "$date": 0}',
    '{"$date": "x", "other": 1}',
    '{"$time": "01:02:03"}',
    '{"$time": "1:2"}',
    '{"$time": "10:20:30.123456"}',
    '{"$set": [1, "a", null, 2.5, {"$date": 0}]}',
    '{"$set": []}',
    '{"$set": "abc"}',
    '{"$set": {"a": []}}',
    '{"$type": "date", "$value": "2024-02-29"}',
    '{"$type": "other", "$value": 5}',
    '{"$type": "date", "$value": "x", "more": 1}',
    '{"$ipv4_interface": "10.0.0.1/24"}',
    '{"$ipv4_interface": "10.0.0.1/255.255.0.0"}',
    '{"$ipv4_interface": "10.0.0.1/0.0.0.255"}',
    '{"$time": "04:05:06+23:59"}',
    '{"$time": " 1:\\t2"}',
    '{"$ipv6_interface": "fe80::1/64"}',
    '{"$unknown": "x"}',
    '{"\\u0024date": 5}',
    '{"__proto__": "x"}',
    '{"$set": [[1]], "x": 1}',
  ];
  for (const text of good) t.ok(accepts(text), JSON.stringify(text));
  const bad = [
    '{"$date": "x"}',
    '{"$date": null}',
    '{"$date": NaN}',
    '{"$date": 1e300}',
    '{"$date": [1]}',
    '{"$date": 0, "$date": "x"}',
    '{"\\u0024date": "x"}',
    '[{"a": {"$date": "x"}}]',
    '{"$time": "25:00:00"}',
    '{"$time": "x"}',
    '{"$time": 5}',
    '{"$set": [[1]]}',
    '{"$set": [{}]}',
    '{"$set": [{"$set": [1]}]}',
    '{"$set": 5}',
    '{"$set": null}',
    '{"$set": {"$date": 0}}',
    '{"$type": "date", "$value": "2023-02-29"}',
    '{"$value": "2023-13-01", "$type": "date"}',
    '{"$type": "date", "$value": 5}',
    '{"$ipv4_interface": "10.0.0.1/33"}',
    '{"$ipv4_interface": "10.0.0.1/255.0.255.0"}',
    '{"$time": "04:05:06+99:99"}',
    '{"$time": "04:05:06+24:00"}',
    '{"$time": "\\ufeff1:2"}',
    `{"$time": "${'0'.repeat(5000)}1:2"}`,
    '{"$date": 253402300799500}',
    '{"$ipv4_interface": "x"}',
    '{"$ipv6_interface": "10.0.0.1"}',
  ];
  for (const text of bad) t.notOk(accepts(text), text);
});

t.test('F46: an extended value that is far too long is no time, date or address', async (t) => {
  const long = '1'.repeat(2_000_000);
  for (const value of [long, `${long}:1`, ':'.repeat(2_000_000), '/'.repeat(2_000_000)]) {
    for (const key of ['$time', '$ipv4_interface', '$ipv6_interface']) {
      t.notOk(accepts(`{"${key}":"${value}"}`));
    }
    t.notOk(accepts(`{"$type":"date","$value":"${value}"}`));
  }
});

t.test('an object of many members with a dollar is a plain one', async (t) => {
  t.ok(accepts('{"$date":"x","$set":5,"$type":"date"}'));
  t.notOk(accepts('[{"$set":[{"$a":1,"$b":2,"$c":3}]}]'), 'and no part of a set');
  t.notOk(accepts('{"$date":0,"$date":1,"$date":2,"$date":"x"}'));
  t.ok(accepts(`{"$date":"x","$${'y'.repeat(2000)}":1}`));
});

t.test('F46: a long text is checked in steps', async (t) => {
  const text = Buffer.from(`[${'{"$date": 1}, '.repeat(50_000)}1]`);
  let steps = 0;
  for (const step of checkingValue(text)) {
    t.equal(step, undefined);
    if (++steps > 20) break;
  }
  t.equal(steps, 21);
  t.throws(() => checkObject(Buffer.from(`{${'"a":1,'.repeat(1000)}"b":2}`)), {
    message: /^More than 1000 members/,
  });
});

t.test('says where it is wrong', async (t) => {
  t.throws(() => checkValue(Buffer.from('[1, x]')), { message: 'Expecting value (byte 4)' });
  t.throws(() => checkValue(Buffer.from('{"a" 1}')), {
    message: "Expecting ':' delimiter (byte 5)",
  });
});

t.test('gives the members of an object as the bytes that stand there', async (t) => {
  const members = checkObject(Buffer.from(' {"a" : [1,  2.0], "b":{"a":9}, "a":  NaN } '));
  t.same(
    [...(members ?? [])].map(([key, text]) => [key, text.toString()]),
    [
      ['a', 'NaN'],
      ['b', '{"a":9}'],
    ],
  );
  t.equal(checkObject(Buffer.from('[1]')), null);
});

t.test('takes every argument that the original takes, and no other', async (t) => {
  const file = path.join(ROOT, 'test/vectors/arguments.json');
  const cases = JSON.parse(fs.readFileSync(file, 'utf8')) as { arg: string; kind: string }[];
  t.same(
    cases.filter(({ arg, kind }) => accepts(arg) !== (kind === 'json')),
    [],
  );
  t.equal(cases.length, 49);
});

t.test('takes random texts and refuses them cut short', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  for (let i = 0; i < 500; i++) {
    const text = randomText(random);
    if (!accepts(text)) t.fail('refused', { text, seed });
    const bytes = Buffer.from(text.trim());
    const cut = bytes.subarray(0, Math.floor(random() * bytes.length));
    // A number cut short may be a number.
    if (!/^-?[\d.eE+-]+$/.test(text.trim()) && accepts(cut)) {
      t.fail('took a text cut short', { text: cut.toString(), seed });
    }
  }
});
