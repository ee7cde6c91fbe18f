/** F32: what `daemon-log` prints of any files: each whole line once and in order, and nothing that drives a terminal. */
import assert from 'node:assert';
import fs from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { followLog, lastLines, LogPrinter } from '../../lib/daemon/log/reader.js';
import { fuzz } from '../support/fuzz.js';
import { makeHome, midclt } from '../support/midclt.js';

const CONTROLS = [
  '\u001b[31m',
  '\u001b[',
  '\u001b]0;x\u0007',
  '\u009b2J',
  '\u0000',
  '\r',
  '\u0007',
];
const word = fc.oneof(
  fc.constantFrom(
    'x',
    '',
    'a b',
    '"',
    '\\',
    '=',
    '__proto__',
    '\u2028',
    '\ud800',
    'é',
    ...CONTROLS,
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

const event = fc
  .tuple(
    fc.record(
      { time: fc.jsonValue({ maxDepth: 1 }), level: word, event: word },
      { requiredKeys: [] },
    ),
    fc.dictionary(word, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
  )
  .map(([own, fields]) => JSON.stringify({ ...own, ...fields }));

/** Without its newline. */
const line: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 6, arbitrary: event },
    { weight: 2, arbitrary: fc.array(word, { maxLength: 4 }).map((words) => words.join('')) },
    fc.tuple(event, fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1))),
    fc.constantFrom('', '', '\r', '{', 'null', '{"event":7}', '{"event":"a"} {"event":"b"}', ' {}'),
    fc.constant('x'.repeat(70_000)),
    fc.uint8Array({ maxLength: 20 }),
  )
  .map((text) => Buffer.from(Buffer.from(text as string).filter((byte) => byte !== 0x0a)));

const NEWLINE = Buffer.from('\n');

/** What stands in a file; its last line may be without its end. */
const contents = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.boolean())
  .map(([lines, isCut]) =>
    Buffer.concat(
      lines.flatMap((each, i) => (isCut && i === lines.length - 1 ? [each] : [each, NEWLINE])),
    ),
  );

/** The log, and then those that it was before, the newest first; null where there is none. */
interface Files {
  readonly files: readonly (Buffer | null)[];
  readonly count: number;
  readonly json: boolean;
  readonly isTerminal: boolean;
  /** The program itself is to print them; it has no terminal. */
  readonly isWhole: boolean;
}

const logs: fc.Arbitrary<Files> = fc.record({
  files: fc
    .tuple(contents, fc.array(fc.option(contents, { freq: 9 }), { maxLength: 4 }))
    .map(([newest, older]) => [newest, ...older]),
  count: fc.oneof(fc.nat({ max: 40 }), fc.constant(10)),
  json: fc.boolean(),
  isTerminal: fc.boolean(),
  isWhole: fc.nat({ max: 99 }).map((n) => n === 50),
});

/** What is done to a log while it is followed. */
type Act = { readonly kind: 'write'; readonly text: Buffer } | { readonly kind: 'rotate' | 'look' };

const ROTATE: Act = { kind: 'rotate' };
const LOOK: Act = { kind: 'look' };

const acts = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(contents, fc.nat())
        .map(([text, at]): Act => ({ kind: 'write', text: text.subarray(at % (text.length + 1)) })),
    },
    { weight: 2, arbitrary: fc.constant(ROTATE) },
    { weight: 1, arbitrary: fc.constant(LOOK) },
  ),
  { maxLength: 10 },
);

function linesOf(text: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let rest = text;
  for (let at = rest.indexOf(0x0a); at !== -1; at = rest.indexOf(0x0a)) {
    parts.push(rest.subarray(0, at));
    rest = rest.subarray(at + 1);
  }
  return [...parts, rest].filter(({ length }) => length > 0);
}

/** The whole lines that are there, oldest first: what is older ends where a file is missing, or after the third. */
function expectedLines({ files, count }: Files): Buffer[] {
  const missing = files.indexOf(null);
  const there = files.slice(0, missing === -1 ? 4 : Math.min(missing, 4));
  const all = there.toReversed().flatMap((text) => linesOf(text ?? NEWLINE));
  return count === 0 ? [] : all.slice(-count);
}

/** What is taken out with what follows. */
const ESCAPES = ['\u001b', '\u0090', '\u0098', '\u009b', '\u009d', '\u009e', '\u009f'];
const CONTROL = /(?!\t)\p{Cc}/gu;
const plain = (text: string) => text.replace(CONTROL, '');

/** Holds one printed line against the line that it is of. */
function assertPrinted(printed: string, original: Buffer, json: boolean): void {
  assert.ok(printed.search(CONTROL) === -1, `drives a terminal: ${JSON.stringify(printed)}`);
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(original);
  const fields = json ? null : eventOf(text);
  if (fields) assertReadable(printed, fields);
  else if (!ESCAPES.some((each) => text.includes(each))) assert.equal(printed, plain(text));
}

function eventOf(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text) as { event?: unknown };
    return text.startsWith('{') && typeof value.event === 'string' ? { ...value } : null;
  } catch {
    return null;
  }
}

/** A lone surrogate has no bytes. */
const inUtf8 = (text: string) => Buffer.from(text).toString();

/** Each member is there, in its order, bare or in JSON; unless the text of some would drive a terminal. */
function assertReadable(
  printed: string,
  { time, level, event: name, ...fields }: Record<string, unknown>,
) {
  let at = 0;
  const first = [time, level, name].map((value) => ({
    before: '',
    value: value === undefined ? '-' : value,
  }));
  const rest = Object.entries(fields).map(([key, value]) => ({
    before: inUtf8(` ${key}=`),
    value,
  }));
  for (const { before, value } of [...first, ...rest]) {
    const forms = [JSON.stringify(value), ...(typeof value === 'string' ? [inUtf8(value)] : [])];
    if (/\p{Cc}/u.test(before + forms.join(''))) return;
    const places = forms.map((form) => printed.indexOf(before + form, at)).filter((n) => n !== -1);
    assert.ok(places.length > 0, `no ${before}${forms.join(' or ')}: ${printed}`);
    at = Math.min(...places) + before.length;
  }
}

t.test('F32: a log is printed as it is there', async (t) => {
  const home = makeHome(t);
  const directory = `${home}/.midclt/logs`;
  const log = `${directory}/daemon-local.log`;
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  await fuzz(t, {
    name: 'log files, printed',
    inputs: 950,
    arbitrary: logs,
    examples: [
      // Blank lines were counted as lines, so that only a part of the one before them was read.
      {
        files: [Buffer.from(`${'x'.repeat(70_000)}\n\n\n`)],
        ...{ count: 1, json: false, isTerminal: false, isWhole: false },
      },
    ],
    check: async (input) => {
      const { files, json, isTerminal, isWhole, count } = input;
      for (let number = 0; number < 5; number++) {
        const file = number === 0 ? log : `${log}.${number}`;
        const text = files[number] ?? null;
        if (text === null) fs.rmSync(file, { force: true });
        else fs.writeFileSync(file, text);
      }
      const expected = expectedLines(input);
      if (isWhole) {
        const args = ['daemon-log', '-n', String(count), ...(json ? ['--json'] : [])];
        const { code, stdout, stderr } = await midclt(args, { home });
        assert.deepEqual([code, stderr], [0, '']);
        assert.equal(stdout.split('\n').length - 1, expected.length);
        return;
      }
      const descriptor = fs.openSync(log, 'r');
      const { lines } = lastLines(log, descriptor, count, true);
      fs.closeSync(descriptor);
      assert.ok(
        lines.length === expected.length && lines.every((each, i) => expected[i]?.equals(each)),
        'the lines that are there',
      );
      const printer = new LogPrinter({ json, isTerminal });
      for (const [i, each] of expected.entries()) {
        const printed = printer.print(lines[i] ?? NEWLINE);
        assert.equal(printed.at(-1), 0x0a);
        const own = printed.subarray(0, -1);
        if (json && !isTerminal) assert.ok(own.equals(each), 'byte for byte');
        else assertPrinted(own.toString(), each, json);
      }
    },
  });
});

t.test('F32: a log that is written and renamed is followed without a gap', async (t) => {
  const directory = makeHome(t);
  const log = `${directory}/x.log`;
  const END = 'this is the end';
  await fuzz(t, {
    name: 'log files, followed',
    inputs: 50,
    arbitrary: acts,
    examples: [
      // The newest was empty when it was looked at, and those before it were left for later, too: until they were gone.
      [ROTATE, { kind: 'write', text: Buffer.from('{}\n') }, ROTATE, LOOK, ROTATE, ROTATE],
    ],
    check: async (input) => {
      for (const name of fs.readdirSync(directory)) fs.rmSync(`${directory}/${name}`);
      fs.writeFileSync(log, '');
      const seen: string[] = [];
      const descriptor = fs.openSync(log, 'r');
      const followed = followLog(log, descriptor, 0, (lines) => {
        seen.push(...lines.map(String));
        if (seen.at(-1) === END) throw new Error(END);
      });
      followed.catch(() => undefined);
      const generations = [[] as Buffer[]];
      let rotations = 0;
      for (const act of input) {
        if (act.kind === 'write') {
          fs.appendFileSync(log, act.text);
          generations.at(-1)?.push(act.text);
        } else if (act.kind === 'look') {
          // Longer than it is between two looks.
          await new Promise((resolve) => setTimeout(resolve, 250));
          rotations = 0;
        } else if (++rotations <= 2) {
          for (const number of [2, 1]) {
            if (fs.existsSync(`${log}.${number}`))
              fs.renameSync(`${log}.${number}`, `${log}.${number + 1}`);
          }
          fs.renameSync(log, `${log}.1`);
          fs.writeFileSync(log, '');
          generations.push([]);
        }
      }
      fs.appendFileSync(log, `\n${END}\n`);
      await assert.rejects(followed, { message: END });
      closeAll(directory);
      const expected = generations.flatMap((pieces) => linesOf(Buffer.concat(pieces)));
      assert.deepEqual(seen, [...expected.map(String), END]);
    },
  });
});

/** Who follows a log ends with its process. */
function closeAll(directory: string): void {
  for (const name of fs.readdirSync('/proc/self/fd')) {
    try {
      if (fs.readlinkSync(`/proc/self/fd/${name}`).startsWith(directory))
        fs.closeSync(Number(name));
    } catch {
      // it was open only to read this list
    }
  }
}
