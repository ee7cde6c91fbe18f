/** Results as strict JSON, held to what Python's json module makes of the same text. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { COLOURS, JsonPrinter, type JsonForm } from '../../../../lib/cli/format/json-printer.js';
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

/** Reads lines `[text, line, pretty, lines]` and says of each whether they are the same values, and strict. */
const ORACLE = String.raw`
import json, sys
def refuse(word): raise ValueError('not strict: ' + word)
def strict(text): return json.loads(text, parse_constant=refuse)
def same(a, b):
    if isinstance(a, float) and (a != a or a in (float('inf'), float('-inf'))): return b is None or a == b  # 1E400 is spelled as a number
    if type(a) is not type(b): return False
    if isinstance(a, list): return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict): return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b
def once(pairs):
    if len(dict(pairs)) < len(pairs): raise KeyError('twice')
    return dict(pairs)
def is_plain(text):
    try: json.loads(text, object_pairs_hook=once)
    except KeyError: return False
    return not any(each in text for each in ('NaN', 'Inf', '\x7f'))
for number, line in enumerate(sys.stdin):
    text, one, pretty, lines = json.loads(line)
    value = json.loads(text)
    if one.count('\n') != 1 or not same(value, strict(one)): print(number, 'line', text, one)
    if not same(value, strict(pretty)): print(number, 'pretty', text, pretty)
    got = [strict(each) for each in lines.split('\n')[:-1]]
    if not same(value if isinstance(value, list) else [value], got): print(number, 'lines', text, lines)
    if is_plain(text):
        tidy = json.loads(text, parse_float=lambda s: 0, parse_int=lambda s: 0)
        wanted = json.dumps(tidy, indent=2, ensure_ascii=False)
        have = json.dumps(json.loads(pretty, parse_float=lambda s: 0, parse_int=lambda s: 0), indent=2, ensure_ascii=False)
        if have.count('\n') != pretty.rstrip('\n').count('\n') or wanted != have: print(number, 'shape', text, pretty)
`;

const python = spawnSync('python3', ['--version']).status === 0 ? false : 'needs python3';

t.test('any result, in any pieces', { skip: python }, async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`seed ${seed}`);
  const cases = Array.from({ length: 4000 }, () => {
    const text = randomText(random);
    const cut = () => Math.floor(random() * 20);
    return [
      text,
      ...(['line', 'pretty', 'lines'] as const).map((form) => printed(text, form, cut)),
    ];
  });
  const input = cases.map((each) => JSON.stringify(each)).join('\n');
  const { stdout, stderr } = spawnSync('python3', ['-c', ORACLE], { input, encoding: 'utf8' });
  t.equal(stderr, '');
  t.equal(stdout.slice(0, 2000), '', `seed ${seed}`);
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
