/** What `-h` and `midclt help` print. */
import type { CommandName } from '../args/arguments.js';
import { commandOf, COMMANDS } from '../args/grammar.js';
import { shellWord } from '../../errors.js';
import { blocks, codes, paragraph, section, terms, usage, type Entry } from './layout.js';
import { FOREMOST } from './options.js';
import { ABOUT } from './surroundings.js';
import { TOPICS, type Topic } from './topics.js';
import type { Block, CommandWords, Example, GroupWords, Section, Term } from './word.js';
import {
  allGlobals,
  argumentUsage,
  COMMAND_WORDS,
  describedArguments,
  describedGlobals,
  describedOptions,
  GROUP_WORDS,
  OVERVIEW,
  usageWords,
  type Described,
} from './words.js';

/**
 * The help of a subcommand, or of the program; with a newline at its end. `method` is one that help may have been
 * wanted about.
 */
export function helpText(command: string | null, method?: string): string {
  const text = textOf(linesOf(command));
  return method === undefined ? text : `${text}\n${describeLine(method)}\n`;
}

/** The help about a topic, or null: there is none of this name. */
export function topicText(name: string): string | null {
  const topic = Object.hasOwn(TOPICS, name) ? TOPICS[name] : undefined;
  return topic ? textOf(topicLines(topic)) : null;
}

/** Whether there is a command of this name, or a group. */
export function isCommand(name: string): boolean {
  return COMMANDS.has(name as CommandName) || GROUP_WORDS.has(name);
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function linesOf(command: string | null): readonly string[] {
  const group = GROUP_WORDS.get(command ?? '');
  if (command !== null && group) return groupLines(command, group);
  return command !== null && isCommand(command)
    ? commandLines(command as CommandName)
    : overviewLines();
}

const TEXT = 0;

function overviewLines(): readonly string[] {
  const foremost = allGlobals().filter(({ key }) => FOREMOST.includes(key));
  const topics = Object.keys(TOPICS).filter((name) => name !== 'options');
  return [
    ...usage(['[OPTION ...]', 'COMMAND', '[ARGUMENT ...]']),
    '',
    ...paragraph(ABOUT, TEXT),
    ...section(
      'Commands',
      terms(OVERVIEW.map(([name, summary]) => [nameWords(name), summary ?? summaryOf(name)])),
    ),
    ...section(
      'Options',
      terms([
        ...foremost.map((each): Term => [namesOf([each]), each.summary]),
        ['-h, --help', "show this help; behind a command: that command's"],
      ]),
    ),
    '',
    ...paragraph(
      `'midclt COMMAND -h' tells more about a command, 'midclt help options' about all options, 'midclt help TOPIC' about ${listOf(topics)}. 'midclt version' shows the version.`,
      TEXT,
    ),
  ];
}

function groupLines(name: string, group: GroupWords): readonly string[] {
  const { reach, text, sections = [], see } = group;
  const commands = (commandOf(name).commands ?? []).map((word) => `${name} ${word}` as CommandName);
  const members = commands.map((command): Term => {
    const words = [command.slice(name.length + 1), ...argumentUsage(command)];
    return [words.join(' '), COMMAND_WORDS[command].summary];
  });
  const before = reach === 'either' ? ['[OPTION ...]', '[-d]'] : [];
  return [
    ...usage([...before, name, 'COMMAND', '[ARGUMENT ...]']),
    '',
    ...blocks(text, TEXT),
    ...section('Commands', [
      ...terms(members),
      ...paragraph(`'midclt ${name} COMMAND -h' tells more about each.`),
    ]),
    ...sections.flatMap(sectionLines),
    ...seeLines(see),
  ];
}

function commandLines(name: CommandName): readonly string[] {
  const words = COMMAND_WORDS[name];
  const { text, sections = [], examples = [], see } = words;
  const given = describedArguments(name).map((each): Term => [each.name, each.is]);
  return [
    ...usage(usageWords(name)),
    '',
    ...blocks(text, TEXT),
    ...section('Arguments', terms(given)),
    ...section('Options', [...terms(together(describedOptions(name))), ...notes(words)]),
    ...sections.flatMap(sectionLines),
    ...section('Exit codes', codes(exitCodes(words))),
    ...section(examples.length > 1 ? 'Examples' : 'Example', examples.flatMap(exampleLines)),
    ...seeLines(see),
  ];
}

function topicLines({
  text,
  groups = [],
  sections = [],
  examples = [],
  see,
}: Topic): readonly string[] {
  return [
    ...blocks(text, TEXT),
    ...groups.flatMap((group) =>
      section(group.title, [
        ...blocks(group.text ?? []),
        ...terms(together(describedGlobals(group))),
        ...blocks(group.notes ?? []),
      ]),
    ),
    ...sections.flatMap(sectionLines),
    ...section('Examples', examples.flatMap(exampleLines).slice(1)),
    ...seeLines(see),
  ];
}

function sectionLines({ title, blocks: given }: Section): string[] {
  return section(title, blocks(given));
}

/** Options as terms; those that say the same are one. */
export function together(options: readonly Described[]): Entry[] {
  const groups = new Map<object, Described[]>();
  for (const option of options) {
    groups.set(option.words, [...(groups.get(option.words) ?? []), option]);
  }
  return [...groups.values()].map((group) => [
    namesOf(group),
    group[0]?.text ?? '',
    group[0]?.list,
  ]);
}

function namesOf(options: readonly Described[]): string {
  return options
    .map(({ names, value }) => names.join(', ') + (value ? ` ${value.name}` : ''))
    .join(', ');
}

/** Behind the options of a command. */
function notes({ reach, timeout, notes: given = [] }: CommandWords): string[] {
  const more = timeout === undefined ? '' : `; -t is ${timeout}`;
  const globals = `Those of 'midclt help options' may stand here too${more}.`;
  const all: readonly Block[] = [...(reach === 'none' ? [] : [globals]), ...given];
  return blocks(all);
}

export function exitCodes({ exits: [success, failure, usage] }: CommandWords): readonly Term[] {
  const all: [string, string | undefined][] = [
    ['0', success],
    ['1', failure],
    ['2', usage ?? 'wrong usage'],
  ];
  return all.flatMap(([code, meaning]): Term[] => (meaning === undefined ? [] : [[code, meaning]]));
}

function exampleLines(example: string | Example): string[] {
  const { command, note } = typeof example === 'string' ? { command: example } : example;
  const lines = command.split('\n').map((line) => `  ${line}`);
  return note === undefined
    ? lines
    : ['', ...paragraph(`${note}:`), ...lines.map((line) => `  ${line}`)];
}

function seeLines(names: readonly string[]): string[] {
  return section('See also', terms(names.map(seeTerm)));
}

/** A command as it is typed, or the help about a topic, and what it is. */
export function seeTerm(name: string): Term {
  const isTopic = !isCommand(name);
  const words = isTopic ? `midclt help ${name}` : `midclt ${nameWords(name)}`;
  return [words, isTopic ? (TOPICS[name]?.summary ?? '') : summaryOf(name)];
}

/** A command with its arguments. */
function nameWords(name: string): string {
  if (GROUP_WORDS.has(name)) return `${name} COMMAND`;
  return isCommand(name) ? [name, ...argumentUsage(name as CommandName)].join(' ') : name;
}

function summaryOf(name: string): string {
  return GROUP_WORDS.get(name)?.summary ?? COMMAND_WORDS[name as CommandName].summary;
}

function listOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}

/** For those who have asked for a command's help behind a method's name. */
function describeLine(method: string): string {
  return `'midclt describe ${shellWord(method)}' tells what the method takes and returns`;
}
