import t from 'tap';
import { Scan } from '../../../lib/json/members.js';
import { Scanner, Token } from '../../../lib/json/scan.js';
import { parses, randomText, seededRandom, verdictOf } from '../../support/random-json.js';

/** As it comes, so many bytes at a time; what has not come yet is whatever the memory had. */
function verdictOfParts(text: string, bytes: number): string {
  const whole = Buffer.from(text);
  const memory = Buffer.alloc(whole.length, '1');
  const scan = new Scan(memory, 0);
  for (let present = 0; ;) {
    present += whole.copy(memory, present, present, Math.min(present + bytes, whole.length));
    scan.grow(present);
    const verdict = scan.step(Infinity);
    if (verdict !== 'unfinished' || present === whole.length) return verdict;
  }
}

t.test(
  'takes what JSON.parse takes, and nothing else, in steps and parts of any size',
  async (t) => {
    const { random, seed } = seededRandom();
    t.comment(`MIDCLT_TEST_SEED=${seed}`);
    const odd = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '\\',
      '0',
      '-',
      '.',
      'e',
      ' ',
      '\n',
      '\u0001',
      'u',
    ];
    const wrong: string[] = [];
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      let text = randomText(random).replaceAll(/-?(NaN|Infinity)/g, '1');
      if (text.length > 2000) continue;
      for (let changes = Math.floor(random() * 3); changes > 0; changes--) {
        const at = Math.floor(random() * (text.length + 1));
        const insert = random() < 0.7 ? (odd[Math.floor(random() * odd.length)] ?? '') : '';
        text = `${text.slice(0, at)}${insert}${text.slice(at + (random() < 0.5 ? 1 : 0))}`;
      }
      const expected = parses(text) ? 'valid' : 'invalid';
      if (expected === 'valid') taken++;
      for (const bytes of [1, 1 + Math.floor(random() * 20), Infinity]) {
        if (verdictOf(text, bytes) !== expected) wrong.push(`${bytes}: ${text}`);
        if (verdictOfParts(text, bytes) !== expected) wrong.push(`in parts of ${bytes}: ${text}`);
      }
    }
    t.same(wrong, []);
    t.ok(taken > 5000, `${taken} were valid`);
  },
);

t.test('takes what Python writes beside that', async (t) => {
  const numbers = ['NaN', 'Infinity', '-Infinity', '1e400', '-0.0', '9'.repeat(5000)];
  for (const text of [...numbers, ...numbers.map((number) => `{"a": [${number}, 1]}`)]) {
    t.equal(verdictOf(text), 'valid', text.slice(0, 30));
  }
  for (const text of ['nan', '-NaN', 'Infinit', '+1', '', ' ', '\ufeff{}']) {
    t.equal(verdictOf(text), 'invalid', text);
  }
});

t.test('follows any depth, and refuses brackets that do not match', async (t) => {
  const deep = 1_000_000;
  const half = '[{"a":'.repeat(deep);
  t.equal(verdictOf(`${half}1${'}]'.repeat(deep)}`), 'valid');
  t.equal(verdictOf(`${half}1${'}]'.repeat(deep - 1)}]}`), 'invalid');
  t.equal(verdictOf(half), 'invalid');
});

t.test(
  'finds the members, of duplicates the last, and before an error those that there are',
  async (t) => {
    const membersOf = (text: string) => {
      const scan = new Scan(Buffer.from(text));
      const verdict = scan.step(Infinity);
      const members = [...scan.members()].map(([name, value]) => [name, value.toString()]);
      return [verdict, Object.fromEntries(members) as unknown];
    };
    const text = ' {"a" : 1 , "b\\u0062":{"x": [1,2],"y": {}} ,"c": "}\\"" , "a":\n[ ]\n} ';
    t.same(membersOf(text), ['valid', { a: '[ ]', bb: '{"x": [1,2],"y": {}}', c: '"}\\""' }]);
    t.same(membersOf('{}'), ['valid', {}]);
    t.same(membersOf('[1, {"a": 1}]'), ['valid', {}]);
    t.same(membersOf('"a"'), ['valid', {}]);
    t.same(membersOf('{"a": {"b": 1}, "c": [}, "d": 1}'), ['invalid', { a: '{"b": 1}' }]);
    const many = Array.from({ length: 1000 }, (_, i) => `"k${i}": ${i}`).join();
    t.same(membersOf(`{${many}}`), ['valid', {}], 'no message has so many');
  },
);

t.test('says where it is wrong', async (t) => {
  const offsetOf = (text: string) => {
    const scan = new Scan(Buffer.from(text));
    scan.step(Infinity);
    return scan.offset;
  };
  t.same(['[}', '{"a": nul}', '"a\u0001"', '[1 2]', '"a'].map(offsetOf), [1, 6, 2, 3, 2]);
});

t.test(
  'gives the tokens of what is entered, and the rest whole, in steps of any size',
  async (t) => {
    const text = ' {"a" : [1, {"b\\"": "x\\n"}, []], "c":-2.5e3 } ';
    const tokensOf = (entered: number, believes: boolean, bytes: number) => {
      const rules = { depth: 3, integerDigits: 5, digits: 5, entered, believes };
      const scanner = new Scanner(Buffer.from(text), rules);
      const tokens: string[] = [];
      for (;;) {
        const token = scanner.next(scanner.end + bytes);
        if (token === Token.END) return tokens;
        if (token === Token.INVALID) throw scanner.error();
        if (token !== Token.UNFINISHED) tokens.push(scanner.token().toString());
      }
    };
    const list = '[1, {"b\\"": "x\\n"}, []]';
    const inList = ['[', '1', '{', '"b\\""', '"x\\n"', '}', '[', ']', ']'];
    for (const bytes of [1, 2, 3, 7, Infinity]) {
      // A closing bracket's token begins where the last token within began.
      const ends = (tokens: string[]) =>
        tokens.map((token) => (/[\]}]$/.test(token) ? token.slice(-1) : token));
      t.same(ends(tokensOf(3, false, bytes)), ['{', '"a"', ...inList, '"c"', '-2.5e3', '}']);
      t.same(tokensOf(1, false, bytes).slice(1, -1), ['"a"', list, '"c"', '-2.5e3']);
      t.same(tokensOf(1, true, bytes).slice(1, -1), ['"a"', list, '"c"', '-2.5e3']);
      t.same(tokensOf(0, false, bytes), [text.trim()]);
    }
  },
);
