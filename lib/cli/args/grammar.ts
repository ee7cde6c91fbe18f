/**
 * The words of the command line, as data: commands, their options, and how an option's text becomes
 * its canonical value. The rules by which words are found in an argv are in `argv.ts`.
 */

import { repr } from '../../json/repr.js';

export type CommandName =
  | 'call'
  | 'ping'
  | 'subscribe'
  | 'daemon'
  | 'daemon-stop'
  | 'daemon-status'
  | 'daemon-list'
  | 'sandbox'
  | 'batch'
  | 'daemon-log'
  | 'shell-init';

/** A value that an option refuses; the message is what follows `argument -x/--xyz: `. */
export class Refused extends Error {}

export interface Option {
  /** What minimist gets to see. Never starts with `no-`, which minimist takes for a negation. */
  readonly key: string;
  /** As typed, in the order in which messages name them. */
  readonly names: readonly string[];
  /** Turns the text into its canonical form or throws {@link Refused}; null: a flag, without value. */
  readonly read: ((text: string) => string) | null;
  /** All that it accepts, where these are words. */
  readonly choices?: readonly string[];
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
  /** How many positionals it takes at most. */
  readonly most: number;
  /** All that its positional accepts, where these are words. */
  readonly choices?: readonly string[];
}

const text = (value: string): string => value;

/** Python's `int()`. A number too big to count in is as good as the biggest one that is not. */
function int(value: string): string {
  if (!/^\s*[+-]?\d+(?:_\d+)*\s*$/.test(value)) {
    throw new Refused(`invalid int value: ${repr(value)}`);
  }
  const number = Number(value.replaceAll('_', ''));
  const limit = Number.MAX_SAFE_INTEGER;
  return String(Math.max(-limit, Math.min(limit, number)));
}

function notNegative(value: string): string {
  if (Number(value) < 0) throw new Refused(`must not be negative: ${value}`);
  return value;
}

const count = (value: string): string => notNegative(int(value));
const seconds = count;

function fraction(value: string): string {
  const number = Number(value);
  if (!/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(value) || !Number.isFinite(number)) {
    throw new Refused(`invalid float value: ${repr(value)}`);
  }
  return notNegative(String(number));
}

const port = (value: string): string => between(0, 65535, value);
/** The server admits 20 calls a connection; two are kept for pings. */
const slots = (value: string): string => between(1, 18, value);
const connections = (value: string): string => between(1, 64, value);
const clients = (value: string): string => between(1, 1_000_000, value);
/** Mebibytes; the least is room for one large request and its answer. */
const mebibytes = (value: string): string => between(32, 1_000_000, value);

function between(least: number, most: number, value: string): string {
  const number = int(value);
  if (Number(number) < least || Number(number) > most) {
    throw new Refused(`must be between ${least} and ${most}: ${number}`);
  }
  return number;
}

const LEVELS = ['debug', 'info', 'warning', 'error'];
const level = (value: string): string => choice(value, LEVELS);

const SHELLS = ['bash', 'zsh', 'sh'] as const;
export type Shell = (typeof SHELLS)[number];

/** Which shell a positional names; anything else is a {@link Refused}. */
export function shellOf(value: string): Shell {
  return choice(value, SHELLS);
}

const JOB_PRINTS = ['progressbar', 'description'];
const jobPrint = (value: string): string => choice(value, JOB_PRINTS);

/** One of a few words, else argparse's message about it. */
export function choice<T extends string>(value: string, choices: readonly T[]): T {
  const chosen = choices.find((each) => each === value);
  if (chosen !== undefined) return chosen;
  throw new Refused(`invalid choice: ${repr(value)} (choose from ${choices.map(repr).join(', ')})`);
}

const HELP: Option = { key: 'help', names: ['-h', '--help'], read: null };

const JSON_OUTPUT: Option = { key: 'json', names: ['--json'], read: null, added: true };

/** Accepted before the subcommand, and after it where the subcommand has no such option itself. */
export const GLOBAL: Command = {
  options: [
    HELP,
    { key: 'uri', names: ['-u', '--uri'], read: text },
    { key: 'username', names: ['-U', '--username'], read: text },
    { key: 'password', names: ['-P', '--password'], read: text, secret: true },
    { key: 'api-key', names: ['-K', '--api-key'], read: text, secret: true },
    { key: 'password-file', names: ['--password-file'], read: text, added: true },
    { key: 'otp', names: ['--otp'], read: text, secret: true, added: true },
    { key: 'timeout', names: ['-t', '--timeout'], read: seconds },
    { key: 'use-daemon', names: ['-d', '--use-daemon'], read: null },
    { key: 'insecure', names: ['--insecure'], read: null },
    { key: 'plain', names: ['--plain'], read: null },
    { key: 'channel-binding-off', names: ['--no-channel-binding'], read: null },
    { key: 'force', names: ['--force'], read: null, added: true },
    { key: 'autostart-off', names: ['--no-autostart'], read: null, added: true },
    { key: 'version', names: ['--version'], read: null, added: true },
  ],
  positional: null,
  most: 0,
};

/** In the order in which "invalid choice" lists them. */
export const COMMANDS: ReadonlyMap<CommandName, Command> = new Map<CommandName, Command>([
  [
    'call',
    {
      options: [
        HELP,
        { key: 'quiet', names: ['-q', '--quiet'], read: null },
        { key: 'job', names: ['-j', '--job'], read: null },
        {
          key: 'job-print',
          names: ['-jp', '--job-print'],
          read: jobPrint,
          choices: JOB_PRINTS,
        },
      ],
      positional: 'method',
      most: Infinity,
    },
  ],
  ['ping', { options: [HELP], positional: null, most: 0 }],
  [
    'subscribe',
    {
      options: [
        HELP,
        { key: 'number', names: ['-n', '--number'], read: int },
        { key: 'timeout', names: ['-t', '--timeout'], read: seconds },
      ],
      positional: 'event',
      most: 1,
    },
  ],
  [
    'daemon',
    {
      options: [
        HELP,
        { key: 'lifetime', names: ['--lifetime'], read: int },
        { key: 'log-file', names: ['--log-file'], read: text },
        {
          key: 'log-level',
          names: ['--log-level'],
          read: level,
          choices: LEVELS,
          added: true,
        },
        { key: 'concurrency', names: ['--concurrency'], read: slots, added: true },
        { key: 'linger', names: ['--linger'], read: fraction, added: true },
        { key: 'max-connections', names: ['--max-connections'], read: clients, added: true },
        { key: 'memory', names: ['--memory'], read: mebibytes, added: true },
        { key: 'detach', names: ['--detach'], read: null, added: true },
        // This program's own: a daemon that it starts in the background.
        { key: 'handover-fd', names: ['--handover-fd'], read: int, added: true, hidden: true },
      ],
      positional: null,
      most: 0,
    },
  ],
  [
    'daemon-stop',
    {
      options: [HELP, { key: 'all', names: ['--all'], read: null, added: true }],
      positional: null,
      most: 0,
    },
  ],
  ['daemon-status', { options: [HELP, JSON_OUTPUT], positional: null, most: 0 }],
  ['daemon-list', { options: [HELP, JSON_OUTPUT], positional: null, most: 0 }],
  [
    'sandbox',
    {
      options: [
        HELP,
        { key: 'unix', names: ['--unix'], read: text, added: true },
        { key: 'ws', names: ['--ws'], read: port, added: true },
        { key: 'wss', names: ['--wss'], read: port, added: true },
        { key: 'certificate', names: ['--certificate'], read: text, added: true },
      ],
      positional: null,
      most: 0,
    },
  ],
  [
    'batch',
    {
      options: [
        HELP,
        { key: 'parallel', names: ['--parallel'], read: connections, added: true },
        { key: 'progress', names: ['--progress'], read: null, added: true },
      ],
      positional: null, // none is needed
      most: Infinity,
    },
  ],
  [
    'daemon-log',
    {
      options: [
        HELP,
        { key: 'follow', names: ['-f', '--follow'], read: null, added: true },
        { key: 'lines', names: ['-n', '--lines'], read: count, added: true },
        JSON_OUTPUT,
      ],
      positional: null,
      most: 0,
    },
  ],
  ['shell-init', { options: [HELP], positional: 'shell', most: 1, choices: SHELLS }],
]);

/**
 * The options that a word beginning with `-` can stand for (several: it is ambiguous), the value
 * that is part of the same word, and what stands before its `=`.
 */
export function candidates(word: string, command: Command) {
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

export function exact(name: string, command: Command): Option | undefined {
  return command.options.find((each) => each.names.includes(name));
}

export function longName(option: Option): string {
  return option.names.at(-1) ?? '';
}
