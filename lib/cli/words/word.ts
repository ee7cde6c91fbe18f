/**
 * What the words of a command are. The grammar says what there is: names, choices, defaults, how many arguments; words
 * say what it means. Help, man pages, completion and the documents' tables are made of both.
 *
 * In texts `{default}` and `{choices}` stand for what the grammar says of the option. What is to be typed stands in
 * single quotes, and is not broken at the end of a line.
 */
import type { Option } from '../args/options.js';

/** What a value is, for who completes it. */
export type ValueKind =
  /** One of the words that the grammar, or `choices` of the value, says. */
  | 'choice'
  /** One of the words, some with names of columns behind them. */
  | 'format'
  | 'file'
  /** A file to write to, or a directory for one. */
  | 'file or directory'
  /** A profile. */
  | 'profile'
  /** Profiles with commas, `all`, `@GROUP`. */
  | 'profiles'
  /** A group of profiles. */
  | 'group'
  /** The address of a system. */
  | 'uri'
  /** A user of the system. */
  | 'user'
  /** A file with a key, or the key. */
  | 'key'
  /** A method of the server, an event, a part of such a name. */
  | 'method'
  | 'event'
  | 'method pattern'
  | 'event pattern'
  /** The id of a job. */
  | 'job'
  /** A command, and the words after it. */
  | 'command'
  | 'number'
  | 'seconds'
  /** Anything else, and secrets: there is nothing to complete. */
  | 'text';

export interface Value {
  /** As in a help: `FILE`. */
  readonly name: string;
  readonly kind: ValueKind;
  /** Of a `choice` that the grammar does not list. */
  readonly choices?: readonly string[];
}

export interface OptionWords {
  /** Null: it takes none. */
  readonly value: Value | null;
  /** What it does, in a few words. */
  readonly is: string;
  /** How that goes on, from its punctuation on. */
  readonly more: string;
  /** What is to be said of single choices. */
  readonly choices?: Readonly<Record<string, string>>;
  /** What its value may be, where that takes a list to tell. */
  readonly list?: readonly Term[];
  /** The command does nothing without it. */
  readonly isRequired?: true;
}

export interface ArgumentWords extends Value {
  readonly is: string;
}

/** A paragraph, lines that stay as they are, or what is named in columns. */
export type Block =
  string | { readonly lines: readonly string[] } | { readonly terms: readonly Term[] };

export type Term = readonly [name: string, meaning: string];

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** Which of the global options a command has a use for. */
export type Reach =
  /** Asks a system: all of them. */
  | 'system'
  /** Asks a system, through a daemon or without: `-d` is shown. */
  | 'either'
  /** Is for the daemon of a URI and user. */
  | 'daemon'
  /** None. */
  | 'none';

export interface Example {
  /** One line, or several. */
  readonly command: string;
  readonly note?: string;
}

export interface CommandWords {
  /** In a list of commands. */
  readonly summary: string;
  readonly reach: Reach;
  /** Other than what the grammar gives behind the command's name. */
  readonly usage?: string;
  /** Other than what `reach` says, before the command's name. */
  readonly before?: string;
  readonly text: readonly Block[];
  readonly arguments?: readonly ArgumentWords[];
  /** In the order of the help: its own, and global ones that mean something else here. */
  readonly options?: Partial<Readonly<Record<Option['key'], OptionWords>>>;
  /** What a global option means here, behind `-t`. */
  readonly timeout?: string;
  /** Behind the options. */
  readonly notes?: readonly Block[];
  readonly sections?: readonly Section[];
  /** What exit codes 0 and 1 mean, and 2, unless it is what it always is. */
  readonly exits: readonly [success: string, failure?: string | undefined, usage?: string];
  readonly examples?: readonly (string | Example)[];
  /** Commands, or topics, to go on with. */
  readonly see: readonly string[];
}

/** What begins the names of several commands. */
export interface GroupWords {
  readonly summary: string;
  readonly reach: Reach;
  readonly text: readonly Block[];
  readonly sections?: readonly Section[];
  readonly see: readonly string[];
}

export function flag(is: string, more = ''): OptionWords {
  return { value: null, is, more };
}

export function takes(name: string, kind: ValueKind, is: string, more = ''): OptionWords {
  return { value: { name, kind }, is, more };
}
