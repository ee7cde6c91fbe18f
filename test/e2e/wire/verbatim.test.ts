/** F35: payloads pass through byte for byte, params to the server and results to the client. */
import { midclt } from '../../support/midclt.js';
import t, { type Test } from 'tap';
import { exchange, startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { randomOf } from '../../support/random-json.js';
import { call, paramsOf, raw, resultOf } from '../../support/wire.js';

const SEED = Number(process.env.MIDCLT_TEST_SEED ?? Date.now() % 4294967296);

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t, { args: ['--linger', '0.3'] });
});

const d = (args: readonly string[]) =>
  midclt(['-u', daemon.uri, '-d', ...args], { home: daemon.home });

const ask = (text: string | Buffer) => exchange(daemon.socket, text, { halfClose: true });

/** Sends these as the params of calls; they must arrive as they are. */
async function arrivesVerbatim(t: Test, params: readonly string[]): Promise<void> {
  const before = paramsOf(daemon.sandbox, 'test.echo').length;
  const { frames } = await ask(params.map((text) => call('test.echo', text)).join(''));
  t.equal(frames.length, params.length);
  const arrived = paramsOf(daemon.sandbox, 'test.echo').slice(before);
  t.equal(arrived.length, params.length, 'each reached the sandbox once');
  t.strictSame(differences(params, arrived), []);
}

/** Has the sandbox answer these texts; each must come back as it is. */
async function comesBackVerbatim(t: Test, results: readonly string[]): Promise<void> {
  const { lines } = await ask(results.map(raw).join(''));
  t.equal(lines.length, results.length);
  t.strictSame(differences(results, lines.map(resultOf)), []);
}

/** What differs, as ASCII: odd characters would upset the test's own report. */
function differences(wanted: readonly string[], found: readonly string[]): string[] {
  const ascii = (text = 'nothing') =>
    encodeURI(Buffer.from(text).toString()).replaceAll('%22', '"').slice(0, 300);
  return wanted.flatMap((text, index) =>
    text === found[index] ? [] : [`wanted ${ascii(text)}, found ${ascii(found[index])}`],
  );
}

/** Python-JSON values whose spelling a parser of JavaScript's would lose. */
const VALUES = [
  '18446744073709551615',
  '-9223372036854775809',
  '1000000000000000000000000000000',
  '2.0',
  '1e+16',
  '1E-07',
  '1e400',
  '100000.00',
  'Infinity',
  '-Infinity',
  'NaN',
  '-0.0',
  '-0',
  '"\\ud83d"',
  '"\\udc00\\ud83d x"',
  '"\\ud83d\\ude00"',
  '"\\u00e9\\u0000\\/\\b\\f\\n\\r\\t\\"\\\\"',
  '"\\u2028\u2028\\u2029\u2029"',
  '"žluťoučký 😀 日本"',
  '{"a":1,"a":2}',
  '{"z":1,"10":2,"2":3,"a":4}',
  '{"__proto__":{"x":1},"constructor":null,"":0}',
  '{ "a" :\t[ 1 ,2,  3 ] , "b":{ } }',
  '[NaN, Infinity, -Infinity, {"$date": 1720000000000}]',
  '{"$set": [1]}',
  '{"$type": "date", "$value": "2025-01-02"}',
  '"result\\":"',
  '{"id":5,"params":[1],"result":{"error":null},"type":"error"}',
  `${'['.repeat(400)}${']'.repeat(400)}`,
  `${'{"a":'.repeat(400)}null${'}'.repeat(400)}`,
  '9'.repeat(4300),
];

t.test('F35: params reach the server byte for byte', (t) =>
  arrivesVerbatim(
    t,
    VALUES.map((value) => `[${value}]`),
  ),
);

t.test('F35: results reach the client byte for byte', (t) => comesBackVerbatim(t, VALUES));

t.test('params keep the white space between their tokens', (t) =>
  arrivesVerbatim(t, ['[ 1,2 ]', '[\t1 , 2\t]', '[   ]', '[1,  "a  b"]']),
);

t.test('a carriage return between tokens is white space like any other', (t) =>
  arrivesVerbatim(t, ['[1,\r2]']),
);

t.test('60 KB strings pass both ways', async (t) => {
  const text = `"${'x\\u00e9é'.repeat(7500)}"`;
  await arrivesVerbatim(t, [`[${text}]`]);
  await comesBackVerbatim(t, [`"${'y'.repeat(60_000)}"`, `[${'"\\u00e9", '.repeat(5000)}1.0]`]);
});

t.test('a result of a megabyte is whole', async (t) => {
  const { lines } = await ask(call('test.bigstring', '[1048576]'));
  t.ok(resultOf(lines[0]!) === `"${'x'.repeat(1048576)}"`);
});

t.test('the last of duplicate params counts, as it is spelled', async (t) => {
  const before = paramsOf(daemon.sandbox, 'test.echo').length;
  await ask('{"command":"call","params":[1],"method":"test.echo","params":[ 2.0 ]}\n');
  t.strictSame(paramsOf(daemon.sandbox, 'test.echo').slice(before), ['[ 2.0 ]']);
});

t.test('members named with escapes are recognised', async (t) => {
  const before = paramsOf(daemon.sandbox, 'test.echo').length;
  await ask(
    '{"comm\\u0061nd":"c\\u0061ll","m\\u0065thod":"test.\\u0065cho","p\\u0061rams":[3.0]}\n',
  );
  t.strictSame(paramsOf(daemon.sandbox, 'test.echo').slice(before), ['[3.0]']);
});

t.test('extra of an error passes as it was sent', async (t) => {
  const extra = '{"big": 18446744073709551615, "f": 2.0, "n": NaN, "s": "\\ud83d"}';
  const { lines } = await ask(call('test.fail', `[2, "r", ${extra}]`));
  t.equal(lines[0]?.replace(/^.*"extra": ?/, ''), `${extra}}`);
});

t.test('the result of a job passes as it was sent', async (t) => {
  const result = '{"b": 18446744073709551615, "a": [2.0, NaN, "\\ud83d", "\\u00e9"]}';
  const { lines } = await ask(call('test.job', `[1, 0.01, null, ${result}]`, { job: true }));
  t.equal(resultOf(lines.at(-1)!), result);
});

t.test('a result with raw newlines between its tokens stays one line', async (t) => {
  const text = '{\n  "a": [1,\r\n 2.0],\n\n "b": "x\\ny"\n}';
  const { lines } = await ask(raw(text) + call('core.ping'));
  t.equal(lines.length, 2);
  const found = resultOf(lines[0]!);
  t.equal(found.replace(/\s/g, ''), text.replace(/\s/g, ''));
  t.strictSame(JSON.parse(found), { a: [1, 2], b: 'x\ny' });
  t.equal(resultOf(lines[1]!), '"pong"');
});

t.test('the command line prints what the server sent', async (t) => {
  const values = VALUES.filter((text) => !text.startsWith('"'));
  const found: string[] = [];
  for (const value of values)
    found.push((await d(['call', 'test.raw', JSON.stringify(value)])).stdout);
  t.strictSame(
    differences(
      values.map((value) => `${value}\n`),
      found,
    ),
    [],
  );
});

t.test('the command line prints a lone surrogate of a bare string as U+FFFD', async (t) => {
  const run = await d(['call', 'test.raw', JSON.stringify('"a\\ud83db\\udc00\\ud83d\\ude00"')]);
  t.match(run, { code: 0, stdout: 'a\ufffdb\ufffd😀\n', stderr: '' });
});

t.test(`any Python JSON passes both ways (MIDCLT_TEST_SEED=${SEED})`, async (t) => {
  const texts = generator(SEED);
  const params = Array.from({ length: 150 }, () => `[${texts(' \t')}]`);
  const results = Array.from({ length: 150 }, () => texts(' \t'));
  await arrivesVerbatim(t, params);
  await comesBackVerbatim(t, results);
});

/** JSON as Python reads it, with odd spellings and white space out of `blanks`. */
function generator(seed: number): (blanks: string) => string {
  const next = randomOf(seed);
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(choices: readonly T[]): T => choices[below(choices.length)]!;
  const digits = (count: number) =>
    String(1 + below(9)) + Array.from({ length: count - 1 }, () => below(10)).join('');

  function string(): string {
    const pieces = Array.from({ length: below(8) }, () =>
      pick([
        () => pick(['a', 'Z', ' ', '$', '/', ':', ',', '{', ']', "'", '\u007f']),
        () => pick(['é', '日', '😀', '\u2028', '\u0085', '\ufeff', '\ufffd']),
        () => pick(['\\n', '\\"', '\\\\', '\\/', '\\b', '\\f', '\\r', '\\t']),
        () => `\\u${below(65536).toString(16).padStart(4, '0')}`,
        () => `\\uD8${digits(2)}\\uDC${digits(2)}`,
      ])(),
    );
    return `"${pieces.join('')}"`;
  }

  function number(): string {
    const whole = pick(['0', digits(1), digits(4), digits(20), digits(60)]);
    const fraction = pick(['', '', '.0', `.${digits(3)}`, `.00${digits(17)}`]);
    const exponent = pick(['', '', '', 'e5', 'E+16', 'e-07', 'E400', 'e+00']);
    return pick(['', '-']) + whole + fraction + exponent;
  }

  function value(blanks: string, depth: number): string {
    const blank = () =>
      Array.from({ length: pick([0, 0, 1, 3]) }, () => pick(blanks.split(''))).join('');
    const list = (item: () => string) =>
      Array.from({ length: below(5) }, () => blank() + item() + blank()).join(',') || blank();
    const inner = () => value(blanks, depth - 1);
    const key = () => `"k${below(3)}${string().slice(1)}`;
    const kinds = [
      string,
      number,
      () => pick(['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity']),
      ...(depth > 0
        ? [
            () => `[${list(inner)}]`,
            () => `{${list(() => `${key()}${blank()}:${blank()}${inner()}`)}}`,
          ]
        : []),
    ];
    return pick(kinds)();
  }
  return (blanks) => value(blanks, 5);
}
