/** Results as strict JSON, held to what Python's json module makes of the same text. */
import t from 'tap';
import { COLOURS, JsonPrinter, type JsonForm } from '../../../../lib/cli/format/json-printer.js';
import { noPython, startOracle } from '../../../support/python-oracle.js';
import { randomText, seededRandom } from '../../../support/random-json.js';

function printed(text: string, form: JsonForm, cut: (length: number) => number = () => 7): string {
  const out: Buffer[] = [];
  const printer = new JsonPrinter((data) => out.push(Buffer.from(data)), form);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, cut(bytes.length));
    printer.push(bytes.subarray(at, at + size));
    at += size;
  }
  printer.end();
  return Buffer.concat(out).toString();
}

t.test('any result, in any pieces', { skip: noPython }, async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`seed ${seed}`);
  const ask = startOracle(t);
  const cases = Array.from({ length: 4000 }, async () => {
    const text = randomText(random);
    const cut = () => Math.floor(random() * 20);
    const forms = (['line', 'pretty', 'lines'] as const).map((form) => printed(text, form, cut));
    return { text, forms, wrong: (await ask('strict', [text, ...forms])) as string[] };
  });
  const wrong = (await Promise.all(cases)).filter((each) => each.wrong.length > 0);
  t.same(wrong.slice(0, 10), [], `seed ${seed}`);
});

t.test('numbers and strings stay as they are spelled', async (t) => {
  const text = '{"a": [1E400, 2.0, -0, 18446744073709551615, "\\ud83d\\u00e9é"], "a":  {}}';
  t.equal(printed(text, 'line'), `${text}\n`);
  t.equal(
    printed('[1,{"a":[],"b":{"c":NaN}},-Infinity]', 'pretty'),
    '[\n  1,\n  {\n    "a": [],\n    "b": {\n      "c": null\n    }\n  },\n  null\n]\n',
  );
});

t.test('a newline between tokens is a blank, and an element a line', async (t) => {
  t.equal(printed('[1,\n 2]', 'line'), '[1,  2]\n');
  t.equal(printed('[ {"a":\n1} ,\n[2, 3], "x,]" ]', 'lines'), '{"a": 1}\n[2, 3]\n"x,]"\n');
  t.equal(printed('[]', 'lines'), '');
  t.equal(printed('"NaN"', 'lines'), '"NaN"\n');
});

t.test('what a terminal acts on is escaped where people read', async (t) => {
  t.equal(printed('"a\u009b2J\u007f é"', 'pretty'), '"a\\u009b2J\\u007f é"\n');
});

t.test('colours: keys, strings, null', async (t) => {
  let out = '';
  const printer = new JsonPrinter((data) => (out += data.toString()), 'pretty', COLOURS);
  printer.push(Buffer.from('{"k":["s",null,1]}'));
  printer.end();
  const { key, string, end } = COLOURS;
  t.equal(
    out,
    `{\n  ${key}"k"${end}: [\n    ${string}"s"${end},\n    ${COLOURS.null}null${end},\n    1\n  ]\n}\n`,
  );
});

t.test('a deep value is indented no further than a hundred levels', async (t) => {
  const depth = 1000;
  const text = printed('['.repeat(depth) + ']'.repeat(depth), 'pretty', () => 1000);
  t.ok(text.length < depth * 2 * 210);
  t.equal(JSON.stringify(JSON.parse(text)), '['.repeat(depth) + ']'.repeat(depth));
});
