/** What is printed of results and errors is what Python's print, json.dumps, repr and pprint print. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { JsonPrinter } from '../../lib/cli/format/json-printer.js';
import { pprint } from '../../lib/json/pprint.js';
import { float, repr } from '../../lib/json/repr.js';
import { callFailure } from '../../lib/middleware/wire/failure.js';
import type { ErrorFrame, FinalFrame } from '../../lib/protocol/frames.js';
import { answerText, shortAnswer } from '../../lib/text/answer.js';
import { errorText, ResultPrinter } from '../../lib/text/print.js';
import { fuzz } from '../support/fuzz.js';
import { json, scalar, string, textsOf } from '../support/json-texts.js';
import { noPython, startOracle, type Ask } from '../support/python-oracle.js';

type Question =
  | { kind: 'result'; text: string; cuts: number[] }
  | { kind: 'pprint'; text: string }
  | { kind: 'error'; reason: string; formatted: string | null; extra: string }
  | { kind: 'strict'; text: string; cuts: number[] }
  | { kind: 'validation'; complaints: [string, string, number][] }
  | { kind: 'repr'; text: string }
  | { kind: 'float'; text: string };

/** Text with lines, blanks and words as long as those that have to be broken. */
const prose = fc
  .array(
    fc.oneof(
      fc.stringMatching(/^[a-z']{1,30}$/),
      fc.constantFrom(
        ...[' ', '  ', '\n', '\r\n', '\t', '\v', '\x1c', '\x85', '\u2028', '\u00a0', '\u3000'],
      ),
      fc.constantFrom(...['"', '\\', 'é', '😀', '\ud83d', '\u200b', '\x7f', '\u00ad', '\ufeff']),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 40 },
  )
  .map((words) => words.join(''));
const proseText = prose.map((text) => JSON.stringify(text));
const values = textsOf(
  fc.oneof(scalar, string, proseText),
  fc.oneof(fc.constantFrom('"a"', '"b"', '"$date"'), string, proseText),
).map((text) => text.trim());
const number = fc.oneof(
  fc.double({ noNaN: true }).map(String),
  scalar.filter((word) => /\d/.test(word)),
  fc
    .tuple(fc.integer({ min: 1, max: 99_999 }), fc.integer({ min: -330, max: 310 }))
    .map(([digits, power]) => `${digits}e${power}`),
);

const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 });

const question: fc.Arbitrary<Question> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('result' as const),
      text: fc.oneof(
        values,
        json.map((text) => text.trim()),
        proseText,
        string,
        scalar,
      ),
      cuts,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pprint' as const), text: values }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('error' as const),
      reason: prose,
      formatted: fc.option(prose),
      extra: fc.oneof(values, fc.constantFrom('null', '[]', '{}', '[ ]', '0', '-0', '0.0', '""')),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('strict' as const),
      text: fc.oneof(values, json),
      cuts,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('validation' as const),
      complaints: fc.array(
        fc.tuple(fc.oneof(fc.constant(''), prose), prose, fc.integer({ min: -5, max: 250 })),
        { maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('repr' as const), text: prose }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('float' as const), text: number }) },
);

type Printer = Pick<ResultPrinter, 'push' | 'end'>;
type Make = (write: (data: Buffer) => void) => Printer;

/** What is printed of a result that comes in pieces. */
function printed(text: string, cuts: readonly number[], make: Make = asPython): string {
  const out: Buffer[] = [];
  const printer = make((data) => out.push(Buffer.from(data)));
  const bytes = Buffer.from(text);
  for (let at = 0, cut = 0; at < bytes.length; cut++) {
    const end = at + (cuts[cut % cuts.length] ?? 1);
    printer.push(bytes.subarray(at, end));
    at = end;
  }
  printer.end();
  return Buffer.concat(out).toString();
}

const asPython: Make = (write) => new ResultPrinter(write);
const FORMS = (['line', 'pretty', 'lines'] as const).map(
  (form): Make =>
    (write) =>
      new JsonPrinter(write, form),
);

/** The same for shells: the exit code, and what is printed. */
function answered(frame: FinalFrame): string {
  const whole = [...answerText(frame, { terminal: false, sized: false })].filter(
    (each) => each !== null,
  );
  const answer = shortAnswer(frame, { terminal: false, sized: true });
  let step = answer.next();
  while (!step.done) step = answer.next();
  const [code = Buffer.alloc(0), ...rest] = whole;
  const text = Buffer.concat(rest);
  if (step.value) {
    const [head = ''] = step.value.toString('latin1').split('\n', 1);
    assert.match(head, new RegExp(`^${code.toString().trim()} ${text.length} \\d+$`));
    assert.deepEqual(step.value.subarray(head.length + 1), text);
  }
  return Buffer.concat(whole).toString();
}

/** What would become far longer than its JSON stays as it is. */
function laidOut(text: string, python: string): string {
  return python.length > 64 * (text.length + 80) ? text : python;
}

async function check(ask: Ask, each: Question): Promise<void> {
  switch (each.kind) {
    case 'result': {
      const [written, line] = (await ask('printed', each.text)) as [string, string];
      assert.equal(printed(written, each.cuts), line);
      assert.equal(answered({ type: 'result', result: Buffer.from(written) }), `0\n${line}`);
      // However a server spells it: what is no text or boolean is printed as it is.
      if (/^["tf]/.test(each.text)) assert.equal(printed(each.text, each.cuts), line);
      else assert.equal(printed(each.text, each.cuts), `${each.text}\n`);
      return;
    }
    case 'pprint':
      assert.equal(
        pprint(each.text),
        laidOut(each.text, (await ask('pprint', each.text)) as string),
      );
      return;
    case 'error': {
      const { reason, formatted, extra } = each;
      const frame: ErrorFrame = {
        type: 'error',
        ...{ error: reason, errorType: 'ClientException' },
        trace: formatted === null ? null : Buffer.from(JSON.stringify({ class: 'E', formatted })),
        extra: extra === 'null' ? null : Buffer.from(extra),
      };
      const [before, more] = (await ask('error', [reason, formatted, extra])) as [string, string];
      const expected = before + (more === '' ? '' : `${laidOut(extra, more.slice(0, -1))}\n`);
      const whole = Buffer.from(expected).toString(); // a half of a pair is U+FFFD
      assert.equal(Buffer.from(errorText(frame)).toString(), whole);
      assert.equal(answered(frame), `1\n${whole}`);
      return;
    }
    case 'strict': {
      const forms = FORMS.map((make) => printed(each.text, each.cuts, make));
      assert.deepEqual(await ask('strict', [each.text, ...forms]), []);
      return;
    }
    case 'validation': {
      const extra = JSON.stringify(each.complaints);
      const data = `{"error": 22, "errname": "EINVAL", "reason": "", "extra": ${extra}}`;
      const error = Buffer.from(`{"code": -32602, "message": "Invalid params", "data": ${data}}`);
      assert.equal(callFailure(error).message, await ask('validation', each.complaints));
      return;
    }
    case 'repr':
      assert.equal(repr(each.text), await ask('repr', each.text));
      return;
    case 'float':
      assert.equal(float(Number(each.text)), await ask('repr-of-float', each.text));
  }
}

/** A set of code points, of ranges that Python tells. */
async function codesOf(ask: Ask, question: string): Promise<Uint8Array> {
  const codes = new Uint8Array(0x110000);
  for (const [start = 0, end = 0] of (await ask(question, null)) as number[][])
    codes.fill(1, start, end);
  return codes;
}

t.test('results, errors, strings and numbers', { skip: noPython }, async (t) => {
  const ask = startOracle(t);
  const [printable, unassigned] = [
    await codesOf(ask, 'printable'),
    await codesOf(ask, 'unassigned'),
  ];
  const wrong: number[] = [];
  /** Characters of which the tables of this Node and this Python, of different years, say different things. */
  const newer = new Set<string>();
  for (let code = 0; code < 0x110000; code++) {
    const character = String.fromCodePoint(code);
    const isPrinted = !repr(character).includes('\\') || character === '\\';
    if (isPrinted === (printable[code] === 1 || character === '\\')) continue;
    if (unassigned[code] === 1 || /\p{Cn}/u.test(character)) newer.add(character);
    else wrong.push(code);
  }
  t.same(wrong, [], 'each code point is printed, or escaped, as in Python');
  // Raw, or as escape sequences.
  const known = (text: string) =>
    text.replace(/\\[\\"]|\\ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|\\u[\da-f]{4}|[^]/giu, (each) => {
      const character = each.length >= 6 ? (JSON.parse(`"${each}"`) as string) : each;
      return newer.has(character) ? '?' : each;
    });
  await fuzz(t, {
    name: "printing, beside Python's print, json.dumps, repr and pprint",
    inputs: 2000,
    examples: [{ kind: 'error', reason: '', formatted: null, extra: '0.0' }],
    arbitrary: question.map((each) => ({
      ...each,
      ...('text' in each && { text: known(each.text) }),
      ...('extra' in each && { extra: known(each.extra) }),
    })),
    check: (each) => check(ask, each),
  });
});
