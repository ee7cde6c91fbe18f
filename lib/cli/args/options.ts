/** An option of the command line as data, and those that several commands have. */
import type { Options } from './arguments.js';
import { choice, format } from './values.js';

export interface Option {
  /** What it sets, which is its name in the words that minimist gets to see. */
  readonly key: keyof Options | 'help' | 'version';
  /** As typed, in the order in which messages name them. */
  readonly names: readonly string[];
  /** What minimist makes of its value; a boolean has none. */
  readonly type: 'boolean' | 'string' | 'number';
  /** It turns off what is on without it. */
  readonly negates?: true;
  /** Turns its text into one that minimist reads, or throws {@link Refused}; absent: any text will do. */
  readonly read?: (text: string) => string;
  /** All that it accepts, where these are words. */
  readonly choices?: readonly string[];
  /** Each occurrence counts, not the last alone. */
  readonly repeats?: true;
  /** Its value must not appear in a message. */
  readonly secret?: true;
  /**
   * Not an option of the original program: it never makes a prefix ambiguous that scripts use for
   * one of the original's (`daemon --li 5`).
   */
  readonly added?: true;
  /** Not for users: no help names it. */
  readonly hidden?: true;
}

export interface Command {
  readonly options: readonly Option[];
  /** The name of its positional in messages, null when it takes none. */
  readonly positional: string | null;
  /** The name of one that may be left out. */
  readonly optional?: string;
  /** How many positionals it takes at most. */
  readonly most: number;
  /** All that its positional accepts, where these are words. */
  readonly choices?: readonly string[];
  /** Of what is no command itself: the words that may stand behind it. */
  readonly commands?: readonly string[];
}

/** An option's text as minimist gets it. Throws {@link Refused}. */
export function valueOf({ choices, read }: Option, text: string): string {
  if (choices) return choice(text, choices);
  return read ? read(text) : text;
}

/** An option that the original program does not have. */
export function own(
  key: Option['key'],
  name: string,
  type: Option['type'],
  read?: (text: string) => string,
): Option {
  return { key, names: [name], type, added: true, ...(read && { read }) };
}

export function longName(option: Option): string {
  return option.names.at(-1) ?? '';
}

const JOB_PRINTS = ['progressbar', 'description'];

export const HELP: Option = { key: 'help', names: ['-h', '--help'], type: 'boolean' };

export const JSON_OUTPUT: Option = own('json', '--json', 'boolean');
export const QUIET: Option = { key: 'quiet', names: ['-q', '--quiet'], type: 'boolean' };
export const OUTPUT: Option = {
  key: 'output',
  names: ['-o', '--output'],
  type: 'string',
  added: true,
};
export const FORMAT: Option = {
  ...{ key: 'format', names: ['-o', '--output'], type: 'string' },
  ...{ added: true, read: format },
};
export const JOB_PRINT: Option = {
  key: 'jobPrint',
  names: ['-jp', '--job-print'],
  type: 'string',
  choices: JOB_PRINTS,
};
export const ABORT: Option = own('abortOnInterrupt', '--abort-on-interrupt', 'boolean');
