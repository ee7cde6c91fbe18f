/**
 * The usage that stands before an error in it, as Python's argparse (3.9 to 3.12) writes it: scripts may
 * show it, or skip it.
 */
import tty from 'node:tty';
import { helpText } from '../words/help.js';
import type { Typed } from './argv.js';
import { commandOf } from './grammar.js';
import { nearWords } from './near.js';
import { longName, type Command, type Option } from './options.js';

const PREFIX = 'usage: ';
const STDOUT = 1;
const DEFAULT_COLUMNS = 80;

/** All that is said of wrong usage. Off a terminal what argparse would; a person has no use for a screen full of names. */
export function usageError(
  { message, command, typed }: { message: string; command: string | null; typed?: Typed },
  isTerminal: boolean,
): string {
  if (!isTerminal) return `${usageText(command)}${message}`;
  const near = typed ? nearWords(typed) : null;
  if (command !== null) return [`${usageText(command)}${message}`, near ?? []].flat().join('\n');
  const [usage = ''] = helpText(null).split('\n', 1);
  const text = message.replace(/^(midclt: error: argument name: .*) \(choose from .*\)$/, '$1');
  const help = typed?.command
    ? `'midclt ${typed.command} -h' tells what it takes`
    : "'midclt -h' lists the commands, 'midclt help options' the options";
  return [usage, text, near ?? [], help].flat().join('\n');
}

/** With a newline at its end. `command`: null for the program itself. */
export function usageText(command: string | null, columns = widthOf(process.env)): string {
  const found = commandOf(command);
  const program = command === null ? 'midclt' : `midclt ${command}`;
  const optional = found.options.filter(({ hidden }) => !hidden).map(optionWord);
  const words = positionalWords(found);
  const width = Math.max(columns - 2, 11);
  const line = [program, ...optional, ...words].join(' ');
  const isShort = PREFIX.length + line.length <= width;
  const text = isShort ? line : wrapped(program, optional, words, width);
  return `${PREFIX}${text}\n`;
}

/** Python asks for these, in this order; it looks at stdout wherever it writes to. */
function widthOf({ COLUMNS = '' }: NodeJS.ProcessEnv): number {
  const columns = /^\s*\+?\d+\s*$/.test(COLUMNS) ? Number(COLUMNS) : 0;
  if (columns > 0) return columns;
  return (tty.isatty(STDOUT) && process.stdout.columns) || DEFAULT_COLUMNS;
}

function optionWord(option: Option): string {
  const [name = ''] = option.names;
  if (option.type === 'boolean') return `[${name}]`;
  const value = longName(option).replace(/^-+/, '').replaceAll('-', '_').toUpperCase();
  return `[${name} ${option.choices ? set(option.choices) : value}]`;
}

function positionalWords({ commands, choices, positional, optional, most }: Command): string[] {
  if (commands) return [set(commands), '...'];
  if (choices) return [set(choices)];
  if (positional === null) return optional === undefined ? [] : [`[${optional}]`];
  return most === Infinity ? [positional, `[${positional} ...]`] : [positional];
}

function set(choices: readonly string[]): string {
  return `{${choices.join(',')}}`;
}

/** On lines of their own: the options, and the positionals. Below each other, if the program's name leaves room. */
function wrapped(
  program: string,
  optional: readonly string[],
  positionals: readonly string[],
  width: number,
): string {
  const start = PREFIX.length + program.length;
  if (start <= 0.75 * width) {
    const indent = ' '.repeat(start + 1);
    const lines = [
      ...filled([program, ...optional], width, indent.length, PREFIX.length),
      ...filled(positionals, width, indent.length),
    ];
    return lines.join(`\n${indent}`);
  }
  const indent = PREFIX.length;
  const together = filled([...optional, ...positionals], width, indent);
  const apart = [...filled(optional, width, indent), ...filled(positionals, width, indent)];
  return [program, ...(together.length > 1 ? apart : together)].join(`\n${' '.repeat(indent)}`);
}

/** Words to lines; `first` is where the first of them begins. A word that is too long has a line for itself. */
function filled(
  words: readonly string[],
  width: number,
  indent: number,
  first = indent,
): readonly string[] {
  const lines: string[] = [];
  let line: string[] = [];
  let end = first - 1;
  for (const word of words) {
    if (line.length > 0 && end + 1 + word.length > width) {
      lines.push(line.join(' '));
      line = [];
      end = indent - 1;
    }
    line.push(word);
    end += word.length + 1;
  }
  return line.length > 0 ? [...lines, line.join(' ')] : lines;
}
