import t from 'tap';
import { extraText, ResultPrinter } from '../../../lib/text/print.js';
import { randomText, seededRandom } from '../../support/random-json.js';

/** What is printed of a result that comes in these pieces. */
function print(pieces: readonly Buffer[]): string {
  const written: Buffer[] = [];
  const printer = new ResultPrinter((data) => written.push(data));
  for (const piece of pieces) printer.push(piece);
  printer.end();
  return Buffer.concat(written).toString();
}

function expected(text: string): string {
  const plain = text.trim();
  if (plain.startsWith('"')) return `${Buffer.from(JSON.parse(plain) as string).toString()}\n`;
  return `${plain === 'true' ? 'True' : plain === 'false' ? 'False' : text}\n`;
}

t.test('prints the same whatever the pieces', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const escapes = [
    '\\\\',
    '\\"',
    '\\ud83d\\ude00',
    '\\ud83d',
    '\\ude00',
    '\\n',
    'é',
    '😀',
    'u',
    'd',
    '\\u00e9',
  ];
  for (let i = 0; i < 2000; i++) {
    const string = Array.from(
      { length: random() * 12 },
      () => escapes[Math.floor(random() * escapes.length)],
    );
    const text = i % 2 === 0 ? randomText(random, 2).trim() : `"${string.join('')}"`;
    const bytes = Buffer.from(text);
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + Math.floor(random() * 8);
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    if (print(pieces) !== expected(text)) t.fail('changed', { text, seed, printed: print(pieces) });
    if (print([bytes]) !== expected(text)) t.fail('changed in one piece', { text, seed });
  }
});

t.test('a small result and its newline are one write', async (t) => {
  for (const text of ['"pong"', 'true', '[1, 2, 3, 4]', '""', '7']) {
    let writes = 0;
    const printer = new ResultPrinter(() => writes++);
    printer.push(Buffer.from(text));
    printer.end();
    t.equal(writes, 1, text);
  }
});

t.test('a long string of escapes is unescaped in slices', async (t) => {
  for (const unit of ['\\\\', '\\ud83d\\ude00', '\\u00e9', 'é😀', 'x', '\\"']) {
    const text = `"${unit.repeat(100_000)}"`;
    t.ok(print([Buffer.from(text)]) === expected(text), unit);
  }
});

t.test('a string that is not well-formed is an error, not a crash', async (t) => {
  for (const text of ['"abc', '"\\x"', '"', '"\n"', '"\\']) {
    t.throws(() => print([Buffer.from(text)]), { code: 'PROTOCOL' }, JSON.stringify(text));
  }
});

t.test('of an error nothing more is printed where its extra is false in Python', async (t) => {
  for (const extra of ['[]', '{ }', '""', '0', '-0', '0.0', '-0.0', '1e-400', 'false'])
    t.equal(extraText(Buffer.from(extra), 100), null, extra);
  for (const extra of ['[0]', '" "', '1', '0.5', 'true', 'NaN', '"0"'])
    t.type(extraText(Buffer.from(extra), 100), 'string', extra);
});
