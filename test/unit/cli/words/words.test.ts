import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseArgv } from '../../../../lib/cli/args/argv.js';
import { DEFAULTS, type CommandName } from '../../../../lib/cli/args/arguments.js';
import { commandOf, COMMANDS, GLOBAL } from '../../../../lib/cli/args/grammar.js';
import { valueOf, type Option } from '../../../../lib/cli/args/options.js';
import { helpText, isCommand, topicText } from '../../../../lib/cli/words/help.js';
import { FOREMOST, OPTION_GROUPS } from '../../../../lib/cli/words/options.js';
import { EXAMPLES, INTERNAL_VARIABLES, VARIABLES } from '../../../../lib/cli/words/surroundings.js';
import { TOPICS } from '../../../../lib/cli/words/topics.js';
import type { Block, CommandWords, OptionWords } from '../../../../lib/cli/words/word.js';
import {
  allGlobals,
  COMMAND_WORDS,
  describedArguments,
  describedOptions,
  GROUP_WORDS,
  OVERVIEW,
} from '../../../../lib/cli/words/words.js';
import * as variables from '../../../../lib/login/variables.js';
import { ROOT } from '../../../support/root.js';
import { midcltCommands } from '../../../support/shell-words.js';

const WORDS = Object.entries(COMMAND_WORDS) as [CommandName, CommandWords][];
const TEXTS = [
  ['midclt', helpText(null)] as const,
  ...[...COMMANDS.keys(), ...GROUP_WORDS.keys()].map((name) => [name, helpText(name)] as const),
  ...Object.keys(TOPICS).map((name) => [`help ${name}`, topicText(name) ?? ''] as const),
];

t.test('there are words for every command and option, and for nothing else', (t) => {
  t.same(WORDS.map(([name]) => name).sort(), [...COMMANDS.keys()].sort());
  const groups = [...COMMANDS.keys()].flatMap((name) => /^(.*) /.exec(name)?.[1] ?? []);
  t.same([...GROUP_WORDS.keys()].sort(), [...new Set(groups)].sort());
  for (const [name, { options = {} }] of WORDS) {
    const known = keysOf(commandOf(name).options);
    const told = Object.keys(options);
    t.same(without(known, told), [], `${name}: told`);
    t.same(without(told, [...known, ...keysOf(GLOBAL.options)]), [], `${name}: there`);
  }
  const told = OPTION_GROUPS.flatMap(({ options }) => Object.keys(options));
  t.same(told.sort(), [...keysOf(GLOBAL.options), 'help'].sort());
  t.same(without([...FOREMOST], told), []);
  t.end();
});

t.test('a value has words where the grammar takes one, and a choice its choices', (t) => {
  const all = [
    ...allGlobals().map((each) => ['midclt', GLOBAL.options, each] as const),
    ...[...COMMANDS.keys()].flatMap((name) =>
      describedOptions(name).map((each) => [name, commandOf(name).options, each] as const),
    ),
  ];
  for (const [name, options, { key, value, choices, text, list, summary, words }] of all) {
    const option = [...options, ...GLOBAL.options].find((each) => each.key === key);
    const where = `${name} ${option?.names.join() ?? ''}`;
    t.equal(value === null, option?.type === 'boolean', where);
    const isOneOf = value?.kind === 'choice' || value?.kind === 'format';
    t.equal(choices.length > 0, isOneOf, `${where}: choices`);
    t.same(
      without(choices, `${text} ${list.join(' ')}`.match(/\w+/g) ?? []),
      [],
      `${where}: names them`,
    );
    t.same(without(Object.keys(words.choices ?? {}), choices), [], `${where}: no others`);
    t.notMatch(text, /\{\w+\}|undefined|null|\.$/, where);
    t.match(summary, /^\S.{0,59}$/, `${where}: short`);
    t.match(words.more, /^(?:[;:,.]? \S.*)?$/, `${where}: goes on`);
    t.ok(tellsDefault(key, words), `${where}: its default`);
    if (option) for (const [most, ...rest] of limitsOf(text)) checkLimit(t, option, most, rest[0]);
  }
  t.end();
});

/** A number that holds unless another is given is told by the grammar. */
function tellsDefault(key: Option['key'], { value, is, more }: OptionWords): boolean {
  if (value === null || key === 'help' || key === 'version') return true;
  return typeof DEFAULTS[key] !== 'number' || `${is}${more}`.includes('{default}');
}

function limitsOf(text: string): [most: number, least?: number][] {
  return [...text.matchAll(/(?:(\d+) to|at most) (\d+)/g)].map(([, least, most]) =>
    least === undefined ? [Number(most)] : [Number(most), Number(least)],
  );
}

function checkLimit(t: Test, option: Option, most: number, least = 1): void {
  const name = option.names.join();
  for (const good of [least, most]) t.equal(valueOf(option, `${good}`), `${good}`, name);
  for (const bad of [least - 1, most + 1]) t.throws(() => valueOf(option, `${bad}`), name);
}

t.test('arguments have the names and the number that the grammar says', (t) => {
  for (const name of COMMANDS.keys()) {
    const { positional, optional, choices = [] } = commandOf(name);
    const [first, ...more] = describedArguments(name);
    const [expected] = (positional ?? optional ?? '').split(' ');
    t.equal(first?.name.toLowerCase() ?? '', expected, name);
    t.same(first?.choices ?? [], choices, `${name}: choices`);
    t.ok(more.length === 0 || commandOf(name).most === Infinity, `${name}: how many`);
  }
  t.end();
});

t.test('every variable that the program reads has words', (t) => {
  const read = new Set<string>(Object.values(variables).filter((name) => typeof name === 'string'));
  const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
  for (const file of sources) {
    if (!file.endsWith('.ts') || /^(?:sandbox|cli\/words)\//.test(file)) continue;
    const text = readFileSync(join(ROOT, 'lib', file), 'utf8');
    for (const [, name] of text.matchAll(/\benv\.([A-Z]\w+)/g)) read.add(name!);
    for (const [name] of text.matchAll(/\b(?:MIDCLT_[A-Z_]+|CALL_TIMEOUT|NODE_EXTRA\w+)\b/g)) {
      read.add(name);
    }
    for (const [, names] of text.matchAll(/\{([^}]*)\}(?:: NodeJS.ProcessEnv| = process.env)/g)) {
      for (const [name] of names!.matchAll(/\b[A-Z_]{2,}\b/g)) read.add(name);
    }
  }
  const told = VARIABLES.map(([name]) => name);
  t.same([...read].sort(), [...told, ...INTERNAL_VARIABLES].sort());
  t.end();
});

t.test('examples, and what texts say to type, are command lines', (t) => {
  const examples = [...EXAMPLES, ...WORDS.flatMap(([, { examples = [] }]) => examples)].flatMap(
    (each) => midcltCommands(typeof each === 'string' ? each : each.command),
  );
  const quoted = TEXTS.flatMap(([, text]) =>
    [...text.replaceAll(/\s+/g, ' ').matchAll(/'(midclt [^']*)'/g)].flatMap(([, line]) =>
      midcltCommands(
        line!
          .replace(/(job|profile) COMMAND/, '$1 list')
          .replace('service COMMAND', 'service status')
          .replaceAll('COMMAND', 'call')
          .replaceAll('TOPIC', 'options'),
      ),
    ),
  );
  t.ok(examples.length > 50 && quoted.length > 30, `${examples.length}, ${quoted.length}`);
  for (const argv of [...examples, ...quoted]) {
    const { kind } = parseArgv(argv);
    t.not(kind, 'usage', argv.join(' '));
  }
  for (const [name, { examples = [] }] of WORDS) t.ok(examples.length > 0, `${name} has some`);
  t.end();
});

t.test('each help sends on to others that exist', (t) => {
  const all = [...WORDS, ...GROUP_WORDS, ...Object.entries(TOPICS)];
  for (const [name, { see, summary }] of all) {
    t.ok(see.length > 0, name);
    t.notOk(see.includes(name), `${name}: not to itself`);
    t.same(without(see, [...COMMANDS.keys(), ...GROUP_WORDS.keys(), ...Object.keys(TOPICS)]), []);
    t.ok(summary.length <= 50, `${name}: ${summary}`);
  }
  t.end();
});

t.test('the overview has every command, on 40 lines', (t) => {
  const listed = OVERVIEW.flatMap(([names]) => {
    const [first = '', ...rest] = names.split('|');
    return [first, ...rest.map((each) => `${first.split('-')[0]!}-${each}`)];
  });
  const first = [...COMMANDS.keys()].map((name) => name.split(' ')[0]!);
  t.same([...listed, 'help', 'version'].sort(), [...new Set(first)].sort());
  t.ok(helpText(null).split('\n').length - 1 <= 40);
  for (const name of Object.keys(TOPICS)) t.match(helpText(null), name);
  t.equal(helpText('nosuch'), helpText(null));
  t.equal(topicText('constructor'), null);
  t.end();
});

t.test('what is printed fits 80 columns', (t) => {
  for (const [name, text] of TEXTS) {
    t.ok(text.endsWith('\n') && !text.endsWith('\n\n'), name);
    t.same(
      text.split('\n').filter((line) => line.length > 80 || / $/.test(line)),
      [],
      name,
    );
    t.notMatch(text, /\n\n\n|undefined/, name);
    if (isCommand(name)) t.match(text, new RegExp(`^usage: midclt .*\\b${name}\\b`), name);
  }
  t.match(helpText(null), /^usage: midclt \[OPTION \.\.\.\] COMMAND/);
  t.end();
});

t.test('no block is empty', (t) => {
  const isEmpty = (block: Block) =>
    typeof block === 'string' ? block.trim() === '' : Object.values(block).flat().length === 0;
  for (const [name, { text, notes = [], sections = [] }] of WORDS) {
    const all = [...text, ...notes, ...sections.flatMap(({ blocks }) => blocks)];
    t.notOk(all.some(isEmpty), name);
  }
  t.end();
});

function keysOf(options: readonly Option[]): string[] {
  return options.flatMap(({ key, hidden }) => (hidden || key === 'help' ? [] : [key]));
}

function without(some: readonly string[], others: readonly string[]): string[] {
  return some.filter((each) => !others.includes(each));
}
