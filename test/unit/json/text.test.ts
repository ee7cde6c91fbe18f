import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { JsonText } from '../../../lib/json/text.js';
import { randomText, seededRandom } from '../../support/random-json.js';

const value = (text: string, bigint = false) => new JsonText(text).value({ bigint });

t.test('a text is itself, and a value what JSON.parse makes of it', async (t) => {
  const text = ' {"a": [1, 2.0, "\\u00e9"], "b": null} ';
  t.equal(String(new JsonText(text)), text);
  t.equal(new JsonText(text).text, text);
  t.same(value(text), JSON.parse(text));
});

t.test("Python's constants are values", async (t) => {
  t.same(value('[NaN, Infinity, -Infinity, {"x": NaN}]'), [NaN, Infinity, -Infinity, { x: NaN }]);
  t.same(value('"NaN"'), 'NaN');
  t.same(value('["\\"NaN\\\\", NaN]'), ['"NaN\\', NaN]);
});

t.test('integers that a double does not hold are BigInts where that is asked for', async (t) => {
  const text =
    '[9007199254740991, 9007199254740993, -18446744073709551616, 1e20, 12345678901234567.0, 7]';
  t.same(value(text, true), [
    9007199254740991,
    9007199254740993n,
    -18446744073709551616n,
    1e20,
    1.2345678901234568e16,
    7,
  ]);
  t.same(value(text), JSON.parse(text), 'rounded otherwise');
  t.equal(value(`[${'9'.repeat(4000)}, NaN]`, true) !== null, true);
});

t.test('members are own ones, the last of duplicates counts', async (t) => {
  const found = value('{"__proto__": NaN, "a": 1, "a": 2}') as object;
  t.same(Object.keys(found), ['__proto__', 'a']);
  t.equal(Object.getPrototypeOf(found), Object.prototype);
  t.equal((found as { a: number }).a, 2);
});

t.test('what is no JSON throws a SyntaxError', async (t) => {
  for (const text of [
    ...['', ' ', '[', ']', '[1', '[1 2]', '[1,]', '[,]', '{', '{"a"}', '{"a" 1}', '{"a": }'],
    ...['{a: 1}', '{"a": 1,}', '{"a": 1]', '"', '"\\"', '"\\x"', '"\n"', 'nan', '01', '1.', '+1'],
    ...['NaNN', '[NaN] 1', '--Infinity', 'undefined', '[NaN, 1}', 'Infinity0'],
  ]) {
    t.throws(() => value(text), SyntaxError, text);
    t.throws(() => value(text, true), SyntaxError, text);
  }
});

/** Does this Node's own parser take an escaped name of a member for another? Node 24 does (nodejs/node#63785). */
function mistakesNames(): boolean {
  JSON.parse('{"a":1,"\\\\":1}');
  return '\\' in (JSON.parse('{"a":1,"\\n":1}') as object);
}

t.test('random texts without constants are read as JSON.parse reads them', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const wrong: string[] = [];
  const hasMistakes = mistakesNames();
  if (hasMistakes) t.comment('without escapes, which this Node reads wrong in names');
  for (let i = 0; i < 2000; i++) {
    const text = randomText(random).replace(/NaN|-?Infinity/g, '0');
    if (hasMistakes && text.includes('\\')) continue;
    // The element before it makes the reader of its own read all of it.
    const [, read] = value(`[NaN, ${text}]`) as unknown[];
    if (!isDeepStrictEqual(read, JSON.parse(text))) wrong.push(text);
  }
  t.same(wrong, []);
});
