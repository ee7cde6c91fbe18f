/**
 * argv → what to do, by argparse's rules.
 *
 * minimist knows neither prefixes nor `-uVALUE`, `-jp` or `-5`, so the words are first brought into
 * one canonical form (`--name=value`, `--flag`, each name once) and only that is given to minimist.
 * Positionals never reach it: it would turn `-5` into an option and `0x10` into a number.
 *
 * More is accepted than argparse does where no script can tell: options between positionals, and
 * global options after the subcommand. A word that argparse takes for a positional stays one.
 */

import { collect, type Arguments, type Collected } from './arguments.js';
import {
  candidates,
  choice,
  COMMANDS,
  exact,
  GLOBAL,
  longName,
  Refused,
  type Command,
  type CommandName,
  type Option,
} from './grammar.js';
import { repr } from '../../json/repr.js';

export type Parsed =
  | { kind: 'run'; args: Arguments }
  | { kind: 'help'; command: string | null }
  | { kind: 'version' }
  /** The complete line to print below the usage of the command, or the program's; the exit code is 2. */
  | { kind: 'usage'; message: string; command: string | null };

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
  const found: Collected = { options: new Map(), positionals: [], unrecognized: [] };
  const outside: Scope = { name: null, command: GLOBAL, outer: null };

  const word = scan(rest, outside, found);
  const name = word === null ? null : commandName(word, outside);
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
    throw usage(outside, `unrecognized arguments: ${found.unrecognized.join(' ')}`);
  }
  try {
    return { kind: 'run', args: collect(name, found) };
  } catch (error) {
    throw refusal(
      { name, command: command ?? GLOBAL, outer: outside },
      command?.positional ?? '',
      error,
    );
  }
}

function commandName(word: string, outside: Scope): CommandName {
  try {
    return choice(word, [...COMMANDS.keys()]);
  } catch (error) {
    throw refusal(outside, 'name', error);
  }
}

/** Takes words off `rest`: in a subcommand all, else up to the subcommand's name, which it returns. */
function scan(rest: string[], scope: Scope, found: Collected): string | null {
  let literal = false; // after `--`
  for (let word = rest.pop(); word !== undefined; word = rest.pop()) {
    if (word === '--' && !literal) {
      literal = true;
      continue;
    }
    const match = literal ? 'positional' : find(word, scope);
    if (match === 'unknown') found.unrecognized.push(word);
    else if (match !== 'positional') take(match, word.startsWith('--'), rest, scope, found);
    else if (scope.outer === null) return word;
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
function take(first: Match, long: boolean, rest: string[], here: Scope, found: Collected): void {
  // Nothing of a cluster counts before all of it is understood: `-hx` is an error, not a plea.
  const flags: Option[] = [];
  let { option, scope, explicit } = first;
  while (option.read === null && explicit !== null) {
    const [letter = ''] = explicit; // a code point, like Python's
    const next = long || letter === '' ? null : clustered(`-${letter}`, here);
    if (next === null) {
      throw refusal(scope, option, new Refused(`ignored explicit argument ${repr(explicit)}`));
    }
    flags.push(option);
    ({ option, scope } = next);
    explicit = explicit.slice(letter.length) || null;
  }
  if (option.read === null) {
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
    if (flag.key === 'help') throw new Stop({ kind: 'help', command: here.name });
    if (flag.key === 'version') throw new Stop({ kind: 'version' });
    found.options.set(flag.key, null);
  }
  if (option.read === null || explicit === null) return;
  try {
    found.options.set(option.key, option.read(explicit));
  } catch (error) {
    throw refusal(scope, option, error);
  }
}

function clustered(name: string, here: Scope): { option: Option; scope: Scope } | null {
  for (let scope: Scope | null = here; scope !== null; scope = scope.outer) {
    const option = exact(name, scope.command);
    if (option !== undefined) return { option, scope };
  }
  return null;
}

/** A {@link Refused} as the error in the usage that it is; anything else as it came. */
function refusal(scope: Scope, argument: Option | string, error: unknown): unknown {
  if (!(error instanceof Refused)) return error;
  const name = typeof argument === 'string' ? argument : argument.names.join('/');
  return usage(scope, `argument ${name}: ${error.message}`);
}

function usage(scope: Scope, message: string): Stop {
  const program = scope.name === null ? 'midclt' : `midclt ${scope.name}`;
  return new Stop({ kind: 'usage', message: `${program}: error: ${message}`, command: scope.name });
}
