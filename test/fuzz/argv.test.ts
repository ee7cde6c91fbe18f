/** A command line that Python's argparse takes, with the original's options, means the same here; what it refuses is refused, or more than it knows. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DEFAULTS, type Arguments } from '../../lib/cli/args/arguments.js';
import { parseArgv, type Parsed } from '../../lib/cli/args/argv.js';
import { fuzz } from '../support/fuzz.js';
import { noPython, startOracle } from '../support/python-oracle.js';

type Values = Record<string, string | string[] | boolean | null>;
type Answer = { values: Values } | { exit: number; usage: string; message: string };

/** Words, and the same words in the only order that argparse takes, where these have another. */
interface Line {
  readonly argv: string[];
  readonly ordered?: string[];
}

interface Known {
  readonly names: readonly string[];
  readonly takes: boolean;
}
const takes = (...names: string[]): Known => ({ names, takes: true });
const flag = (...names: string[]): Known => ({ names, takes: false });

const GLOBAL = [
  ...[takes('-u', '--uri'), takes('-U', '--username'), takes('-P', '--password')],
  ...[takes('-K', '--api-key'), takes('-t', '--timeout'), flag('-d', '--use-daemon')],
  ...[flag('--insecure'), flag('--plain'), flag('--no-channel-binding')],
];
const OWN: Record<string, readonly Known[]> = {
  call: [flag('-q', '--quiet'), flag('-j', '--job'), takes('-jp', '--job-print')],
  ping: [],
  subscribe: [takes('-n', '--number'), takes('-t', '--timeout')],
  daemon: [takes('--lifetime'), takes('--log-file')],
  'daemon-stop': [],
};
const ALL = [...GLOBAL, ...Object.values(OWN).flat(), flag('-h', '--help')];

const numbers = ['5', '0', '-5', ' 7', '1_0', '+3', '1.5', '-.5', '', 'x', '99999999999999999999'];
const values = fc.oneof(
  fc.constantFrom(...numbers),
  fc.constantFrom('X', 'description', 'progressbar', 'descr', '-', 'a b', '-x y', '=', 'a=b', 'é'),
  fc.constantFrom(
    '{"a": 1}',
    '[-1]',
    'ws://h/websocket',
    'core.ping',
    "it's",
    '"',
    '\\',
    '-1e5',
    '-٣',
  ),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
);
const prefixOf = (name: string) =>
  name.startsWith('--')
    ? fc.integer({ min: 3, max: name.length }).map((end) => name.slice(0, end))
    : fc.constant(name);

/** One option, with its value in any of the ways to write that. */
function optionOf(
  known: readonly Known[],
  value: fc.Arbitrary<string>,
  spelled = prefixOf,
): fc.Arbitrary<string[]> {
  return fc.constantFrom(...known).chain((option) =>
    fc
      .tuple(
        fc.constantFrom(...option.names).chain(spelled),
        value,
        fc.constantFrom('apart', '=', 'joined'),
      )
      .map(([name, text, how]) => {
        if (!option.takes) return [name];
        if (how === 'apart') return [name, text];
        return how === 'joined' && text !== '' && !name.startsWith('--')
          ? [name + text]
          : [`${name}=${text}`];
      }),
  );
}

const near = fc
  .tuple(
    fc.constantFrom(...ALL.flatMap(({ names }) => names)),
    fc.nat(),
    fc.constantFrom('', 'x', '-', '=', 'p'),
  )
  .map(
    ([name, at, put]) => name.slice(0, at % name.length) + put + name.slice((at % name.length) + 1),
  );
const word = fc.oneof(
  { weight: 4, arbitrary: optionOf(ALL, values) },
  { weight: 3, arbitrary: values.map((value) => [value]) },
  { weight: 1, arbitrary: near.map((name) => [name]) },
  {
    weight: 1,
    arbitrary: fc.stringMatching(/^-[dqjhtupnUPK]{1,4}=?[5x]?$/).map((letters) => [letters]),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('--', '-', '---', '-z', '--zz', '--zz=1', '-9', '-=')
      .map((each) => [each]),
  },
);
const words = (most: number) => fc.array(word, { maxLength: most }).map((each) => each.flat());
const command = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...Object.keys(OWN)) },
  { weight: 1, arbitrary: fc.constantFrom('', 'cal', 'calls', 'CALL', 'daemon-', 'ping ') },
);
const soup: fc.Arbitrary<Line> = fc
  .tuple(words(3), command, words(5))
  .map(([before, name, behind]) => ({ argv: [...before, name, ...behind] }));

/** Positionals where argparse takes none: between and before options; global options behind the command. */
const moved: fc.Arbitrary<Line> = fc.constantFrom(...Object.keys(OWN)).chain((name) => {
  // In full: behind a command the beginning of a name may be that of an option that the original does not have.
  // A word with a blank is a positional to a subcommand that does not know the option.
  const unbroken = fc.constantFrom('X', '5', '-5', 'description', '', '-.5', 'é', '{}');
  const plain = fc.constantFrom('X', '5', '-5', 'description', 'a b', '', '{"a": 1}', '-.5', 'é');
  const own = OWN[name] ?? [];
  // A subcommand's own `-t` is not the one before it.
  const taken = new Set(own.flatMap(({ names }) => names));
  const others = GLOBAL.filter(({ names }) => !names.some((each) => taken.has(each)));
  const most = name === 'call' ? 4 : name === 'subscribe' ? 1 : 0;
  const list = (known: readonly Known[]) =>
    known.length === 0
      ? fc.constant([])
      : fc.array(optionOf(known, unbroken, fc.constant), { maxLength: 3 });
  const clusters = ['-dd', '-dt5', '-d=t5', '-dUX', '-du=X', '-dP-', '-dKé'];
  const first = fc.oneof(
    optionOf(GLOBAL, plain),
    fc.constantFrom(...clusters).map((each) => [each]),
  );
  const flags = fc.constantFrom('-qj', '-jq', '-jjq', '-qjq').map((each) => [each]);
  return fc
    .record({
      first: fc.array(first, { maxLength: 2 }),
      before: fc.nat({ max: 3 }),
      globals: list(others),
      own:
        name === 'call'
          ? fc.array(fc.oneof(flags, optionOf(own, unbroken, fc.constant)), { maxLength: 3 })
          : list(own),
      positionals: fc.array(plain, { minLength: Math.min(1, most), maxLength: most }),
      order: fc.array(fc.nat({ max: 2 }), { minLength: 10, maxLength: 10 }),
    })
    .map(({ first, before, globals, own, positionals, order }) => {
      const queues = [globals.slice(before), [...own], positionals.map((each) => [each])];
      const behind = [...order, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2].flatMap(
        (at) => queues[at]?.shift() ?? [],
      );
      return {
        argv: [...first.flat(), ...globals.slice(0, before).flat(), name, ...behind],
        ordered: [...first.flat(), ...globals.flat(), name, ...own.flat(), ...positionals],
      };
    });
});

const camel = (name: string) =>
  name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const INTEGERS = new Set(['timeout', 'number', 'lifetime']);

/** The values of the original's options, as text where they are numbers; and everything else as it is by default. */
function expected(python: Values): Record<string, unknown> {
  const given = Object.entries(python).map(([name, value]): [string, unknown] => {
    const isNumber = INTEGERS.has(name) && value !== null;
    // A number too big to count in is as good as the biggest that is not.
    const limit = Number.MAX_SAFE_INTEGER;
    return [camel(name), isNumber ? Math.max(-limit, Math.min(limit, Number(value))) + 0 : value];
  });
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}

function optionsOf(args: Arguments, python: Values): Record<string, unknown> {
  const names = [...Object.keys(DEFAULTS), ...Object.keys(python).map(camel)];
  return Object.fromEntries(names.map((name) => [name, args[name as keyof Arguments]]));
}

/**
 * Refused here on purpose, whatever follows: a negative timeout, with which every call of the original fails, and digits and
 * blanks that are no ASCII.
 */
const REFUSED = /-t\/--timeout: must not be negative: -\d+$|invalid int value: .*[^ -~]/;

function seen(parsed: Parsed): string {
  const { args } = { args: null, ...parsed };
  const given =
    args &&
    Object.entries(args).filter(
      ([name, value]) => value !== DEFAULTS[name as keyof typeof DEFAULTS],
    );
  return JSON.stringify(given ?? parsed);
}

function checkValues(parsed: Parsed, values: Values): void {
  if (parsed.kind === 'usage' && REFUSED.test(parsed.message)) return;
  assert.equal(parsed.kind, 'run', seen(parsed));
  const { args } = parsed;
  assert.deepEqual(optionsOf(args, values), expected(values));
}

function checkRefusal(
  argv: readonly string[],
  parsed: Parsed,
  { exit, usage, message }: Extract<Answer, { exit: number }>,
): void {
  // An option that the original does not have may take the next word for its value.
  if (/"-[op]/.test(JSON.stringify(argv))) return;
  if (parsed.kind === 'usage' && REFUSED.test(parsed.message)) return;
  if (exit === 0) {
    // `subscribe -dt -h`: the original does not know the `-d` there, nor what follows it in its word.
    if (parsed.kind === 'usage' && argv.some((each) => /^-d=?\w/.test(each))) return;
    // An option that the original does not know there has no good value: of ours, or a global one behind the command.
    const [, about] = /error: argument (-[^:/]+)/.exec(seen(parsed)) ?? [];
    const there = OWN[usage.slice('usage: midclt '.length)] ?? GLOBAL;
    if (about && !there.some(({ names }) => names.includes(about))) return;
    assert.equal(parsed.kind, 'help', seen(parsed));
    const { command } = parsed;
    assert.equal(`usage: midclt${command === null ? '' : ` ${command}`}`, usage);
    return;
  }
  assert.equal(exit, 2);
  // Its exit code is 2, too; what it says may be about another of several mistakes.
  if (parsed.kind === 'usage') return;
  // argparse tells all words apart before it acts on the first, and by the global options those of a command, too.
  const isEager = parsed.kind === 'help' || argv.some((each) => each.includes(' '));
  if (isEager && message.startsWith('error: ambiguous option: ')) return;
  // `call -dh`: the plea for help is in a word that the original does not know there.
  if (parsed.kind === 'help' && argv.some((each) => /^-d=?\w*h/.test(each))) return;
  // What the original does not know where it stands: an option of ours, a global one behind the command, a `--` before it.
  const more = /^error: unrecognized arguments: |ignored explicit argument |invalid choice: '--'/;
  assert.match(message, more, seen(parsed));
}

t.test('command lines', { skip: noPython }, async (t) => {
  const ask = startOracle(t);
  const [, minor = 0] = (await ask('version', null)) as number[];
  if (minor < 9 || minor > 11) {
    t.comment('the argparse of TrueNAS is that of Python 3.9 to 3.11'); // 3.12 began to read `-x=value` otherwise
    return;
  }
  await fuzz<Line>(t, {
    name: 'command lines, beside argparse',
    inputs: 1500,
    arbitrary: fc.oneof({ weight: 2, arbitrary: soup }, { weight: 1, arbitrary: moved }),
    check: async ({ argv, ordered }) => {
      const parsed = parseArgv(argv);
      const python = (await ask('argv', argv)) as Answer;
      if ('values' in python) checkValues(parsed, python.values);
      else checkRefusal(argv, parsed, python);
      if (!ordered) return;
      const inOrder = (await ask('argv', ordered)) as Answer;
      if ('values' in inOrder) checkValues(parsed, inOrder.values);
      else assert.equal(parsed.kind, 'usage', seen(parsed));
    },
  });
});
