/**
 * argv → what to do, in two steps.
 *
 * First each word is told for what it is, by argparse's rules where minimist's differ: prefixes of
 * long options, `-uVALUE`, `-jp`, clusters, values that look like options, negative numbers, which of
 * several occurrences counts; and what is wrong is said in argparse's words. Then minimist makes the
 * values of what was found: of `--key=value` text or a number, of `--key` and `--no-key` booleans, and
 * of what stands behind `--` the positionals.
 *
 * More is accepted than argparse does where no script can tell: options between positionals, and
 * global options after the subcommand. A word that argparse takes for a positional stays one.
 */

import type { Arguments, CommandName } from './arguments.js';
import { argumentsOf, type Found } from './found.js';
import { commandOf, COMMANDS, GLOBAL } from './grammar.js';
import { longName, valueOf, type Command, type Option } from './options.js';
import { choice, Refused } from './values.js';
import { repr } from '../../json/repr.js';

export type Parsed =
  | { kind: 'run'; args: Arguments }
  /** `method`: what stood before the plea for help of a command that takes one. */
  | { kind: 'help'; command: string | null; method?: string }
  | { kind: 'version' }
  /** The complete line to print below the usage of the command, or the program's; the exit code is 2. */
  | { kind: 'usage'; message: string; command: string | null; typed?: Typed };

/** Words that are none where they stand: behind this command, of which null is the program itself. */
export interface Typed {
  readonly command: string | null;
  readonly words: readonly string[];
}

/** Never throws. */
export function parseArgv(argv: readonly string[]): Parsed {
  try {
    return run(argv);
  } catch (error) {
    if (error instanceof Stop) return error.parsed;
    throw error;
  }
}

/** Ends the parsing early: help, version, or an error in the usage. */
class Stop extends Error {
  constructor(readonly parsed: Parsed) {
    super();
  }
}

/** The options in force: a subcommand's own, and the global ones outside it. */
interface Scope {
  readonly name: string | null;
  readonly command: Command;
  readonly outer: Scope | null;
}

interface Match {
  readonly option: Option;
  readonly scope: Scope;
  /** The value in the same word (`--x=value`, `-xvalue`), null when there is none. */
  readonly explicit: string | null;
}

function run(argv: readonly string[]): Parsed {
  const rest = argv.toReversed(); // a stack: its end is the next word
  const found: Found = { options: new Map(), positionals: [], unrecognized: [] };
  const outside: Scope = { name: null, command: commandOf(null), outer: null };

  const name = commandName(rest, outside, found);
  const command = name === null ? undefined : COMMANDS.get(name);
  if (command !== undefined) {
    // The original's `subscribe` has a timeout of its own, and the default of that one (none)
    // replaces a `-t` given before the subcommand.
    if (name === 'subscribe') found.options.delete('timeout');
    const scope: Scope = { name, command, outer: outside };
    scan(rest, scope, found);
    if (command.positional !== null && found.positionals.length === 0) {
      throw usage(scope, `the following arguments are required: ${command.positional}`);
    }
  }
  if (found.unrecognized.length > 0) {
    const { unrecognized: words } = found;
    throw usage(outside, `unrecognized arguments: ${words.join(' ')}`, { command: name, words });
  }
  try {
    return { kind: 'run', args: argumentsOf(name, found) };
  } catch (error) {
    throw refusal(
      { name, command: command ?? GLOBAL, outer: outside },
      command?.positional ?? '',
      error,
    );
  }
}

/** Takes the words off `rest` that name a command, and the options before them. Null: there is none. */
function commandName(rest: string[], scope: Scope, found: Found): CommandName | null {
  const word = scan(rest, scope, found);
  if (word === null && scope.name === null) return null;
  if (word === null) throw usage(scope, 'the following arguments are required: command');
  try {
    choice(word, scope.command.commands ?? []);
  } catch (error) {
    const typed = { command: scope.name, words: [...found.unrecognized, word] };
    throw refusal(scope, scope.name === null ? 'name' : 'command', error, typed);
  }
  const name = scope.name === null ? word : `${scope.name} ${word}`;
  const command = commandOf(name);
  return command.commands
    ? commandName(rest, { name, command, outer: scope }, found)
    : (name as CommandName);
}

/** Takes words off `rest`: in a command all, else up to the next word of its name, which it returns. */
function scan(rest: string[], scope: Scope, found: Found): string | null {
  let literal = false; // after `--`
  for (let word = rest.pop(); word !== undefined; word = rest.pop()) {
    if (word === '--' && !literal) {
      literal = true;
      continue;
    }
    const match = literal ? 'positional' : find(word, scope);
    if (match === 'unknown') found.unrecognized.push(word);
    else if (match !== 'positional') take(match, word.startsWith('--'), rest, scope, found);
    else if (scope.command.commands) return word;
    else if (found.positionals.length < scope.command.most) found.positionals.push(word);
    else found.unrecognized.push(word);
  }
  return null;
}

/** What a word is; only what the subcommand would refuse as unknown may be a global option. */
function find(word: string, scope: Scope): Match | 'positional' | 'unknown' {
  if (isPositional(word, scope)) return 'positional';
  return match(word, scope) ?? (scope.outer && match(word, scope.outer)) ?? 'unknown';
}

/** A subcommand decides this by its own options alone, as it does in argparse. */
function isPositional(word: string, scope: Scope): boolean {
  if (!word.startsWith('-') || word === '-') return true;
  if (candidates(word, scope.command).options.length > 0) return false;
  // A negative number, as Python's regular expressions see one, or anything with a space in it.
  return /^-(?:\p{Nd}+|\p{Nd}*\.\p{Nd}+)\n?$/u.test(word) || word.includes(' ');
}

/**
 * The options that a word beginning with `-` can stand for (several: it is ambiguous), the value
 * that is part of the same word, and what stands before its `=`.
 */
function candidates(word: string, command: Command) {
  const equals = word.indexOf('=');
  const prefix = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? null : word.slice(equals + 1);

  const whole = exact(word, command);
  if (whole) return { options: [whole], explicit: null, prefix };
  const named = exact(prefix, command);
  if (named) return { options: [named], explicit: value, prefix };
  if (!word.startsWith('--')) {
    const letter = exact(word.slice(0, 2), command);
    return { options: letter ? [letter] : [], explicit: word.slice(2), prefix };
  }
  const longer = command.options.filter((each) => longName(each).startsWith(prefix));
  const original = longer.filter((each) => !each.added);
  return { options: original.length > 0 ? original : longer, explicit: value, prefix };
}

function exact(name: string, command: Command): Option | undefined {
  return command.options.find((each) => each.names.includes(name));
}

function match(word: string, scope: Scope): Match | null {
  const { options, explicit, prefix } = candidates(word, scope.command);
  const [option, second] = options;
  if (option === undefined) return null;
  if (second === undefined) return { option, scope, explicit };
  // argparse shows the whole word, but a secret may follow the `=`.
  const shown = options.some((each) => each.secret) ? prefix : word;
  throw usage(scope, `ambiguous option: ${shown} could match ${options.map(longName).join(', ')}`);
}

/** Acts on an option and the flags clustered behind it (`-jq`), and takes the value it wants. */
function take(first: Match, long: boolean, rest: string[], here: Scope, found: Found): void {
  // Nothing of a cluster counts before all of it is understood: `-hx` is an error, not a plea.
  const flags: Option[] = [];
  let { option, scope, explicit } = first;
  while (option.type === 'boolean' && explicit !== null) {
    const [letter = ''] = explicit; // a code point, like Python's
    const next = long || letter === '' ? null : clustered(`-${letter}`, here);
    if (next === null) {
      throw refusal(scope, option, new Refused(`ignored explicit argument ${repr(explicit)}`));
    }
    flags.push(option);
    ({ option, scope } = next);
    explicit = explicit.slice(letter.length) || null;
  }
  if (option.type === 'boolean') {
    flags.push(option);
  } else if (explicit === null) {
    const next = rest.at(-1);
    if (next === undefined || next === '--' || !isPositional(next, here)) {
      throw refusal(scope, option, new Refused('expected one argument'));
    }
    explicit = next;
    rest.pop();
  }
  for (const flag of flags) {
    if (flag.key === 'help') throw help(here, found);
    if (flag.key === 'version') throw new Stop({ kind: 'version' });
    found.options.set(flag.key, [`--${flag.negates ? 'no-' : ''}${flag.key}`]);
  }
  if (option.type === 'boolean' || explicit === null) return;
  try {
    const earlier = option.repeats ? (found.options.get(option.key) ?? []) : [];
    found.options.set(option.key, [...earlier, `--${option.key}=${valueOf(option, explicit)}`]);
  } catch (error) {
    throw refusal(scope, option, error);
  }
}

function help({ name, command }: Scope, { positionals: [method] }: Found): Stop {
  const isAbout = method !== undefined && command.positional === 'method';
  return new Stop({ kind: 'help', command: name, ...(isAbout && { method }) });
}

function clustered(name: string, here: Scope): { option: Option; scope: Scope } | null {
  for (let scope: Scope | null = here; scope !== null; scope = scope.outer) {
    const option = exact(name, scope.command);
    // `-jpx` is an error of the original's, whatever `-p` is outside.
    if (option !== undefined && !(option.added && scope !== here)) return { option, scope };
  }
  return null;
}

/** A {@link Refused} as the error in the usage that it is; anything else as it came. */
function refusal(scope: Scope, argument: Option | string, error: unknown, typed?: Typed): unknown {
  if (!(error instanceof Refused)) return error;
  const name = typeof argument === 'string' ? argument : argument.names.join('/');
  return usage(scope, `argument ${name}: ${error.message}`, typed);
}

function usage({ name: command }: Scope, text: string, typed?: Typed): Stop {
  const program = command === null ? 'midclt' : `midclt ${command}`;
  const message = `${program}: error: ${text}`;
  return new Stop({ kind: 'usage', message, command, ...(typed && { typed }) });
}
