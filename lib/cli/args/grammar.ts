/**
 * The words of the command line, as data: commands, their options, and how an option's text becomes
 * its canonical value. The rules by which words are found in an argv are in `argv.ts`.
 */

import { repr } from '../../json/repr.js';
import { SHELLS, type CommandName, type Options } from './arguments.js';

/** A value that an option refuses; the message is what follows `argument -x/--xyz: `. */
export class Refused extends Error {}

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

const ordinal = (value: string): string => between(1, Number.MAX_SAFE_INTEGER, value);

/** One to write to, which stdout can't be: it has the answers. */
function file(value: string): string {
  if (value === '' || value === '-')
    throw new Refused(`must be the name of a file: ${repr(value)}`);
  return value;
}

const LEVELS = ['debug', 'info', 'warning', 'error'];
const JOB_PRINTS = ['progressbar', 'description'];

/** An option's text as minimist gets it. Throws {@link Refused}. */
export function valueOf({ choices, read }: Option, text: string): string {
  if (choices) return choice(text, choices);
  return read ? read(text) : text;
}

/** One of a few words, else argparse's message about it. */
export function choice<T extends string>(value: string, choices: readonly T[]): T {
  const chosen = choices.find((each) => each === value);
  if (chosen !== undefined) return chosen;
  throw new Refused(`invalid choice: ${repr(value)} (choose from ${choices.map(repr).join(', ')})`);
}

const HELP: Option = { key: 'help', names: ['-h', '--help'], type: 'boolean' };

const JSON_OUTPUT: Option = { key: 'json', names: ['--json'], type: 'boolean', added: true };

/** Accepted before the subcommand, and after it where the subcommand has no such option itself. */
export const GLOBAL: Command = {
  options: [
    HELP,
    { key: 'uri', names: ['-u', '--uri'], type: 'string' },
    { key: 'username', names: ['-U', '--username'], type: 'string' },
    { key: 'password', names: ['-P', '--password'], type: 'string', secret: true },
    { key: 'apiKey', names: ['-K', '--api-key'], type: 'string', secret: true },
    { key: 'passwordFile', names: ['--password-file'], type: 'string', added: true },
    { key: 'otp', names: ['--otp'], type: 'string', secret: true, added: true },
    { key: 'timeout', names: ['-t', '--timeout'], type: 'number', read: seconds },
    { key: 'useDaemon', names: ['-d', '--use-daemon'], type: 'boolean' },
    { key: 'insecure', names: ['--insecure'], type: 'boolean' },
    { key: 'plain', names: ['--plain'], type: 'boolean' },
    { key: 'noChannelBinding', names: ['--no-channel-binding'], type: 'boolean' },
    { key: 'force', names: ['--force'], type: 'boolean', added: true },
    { key: 'autostart', names: ['--no-autostart'], type: 'boolean', negates: true, added: true },
    { key: 'version', names: ['--version'], type: 'boolean', added: true },
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
        { key: 'quiet', names: ['-q', '--quiet'], type: 'boolean' },
        { key: 'job', names: ['-j', '--job'], type: 'boolean' },
        {
          key: 'jobPrint',
          names: ['-jp', '--job-print'],
          type: 'string',
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
        { key: 'number', names: ['-n', '--number'], type: 'number', read: int },
        { key: 'timeout', names: ['-t', '--timeout'], type: 'number', read: seconds },
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
        { key: 'lifetime', names: ['--lifetime'], type: 'number', read: int },
        { key: 'logFile', names: ['--log-file'], type: 'string' },
        {
          key: 'logLevel',
          names: ['--log-level'],
          type: 'string',
          choices: LEVELS,
          added: true,
        },
        { key: 'concurrency', names: ['--concurrency'], type: 'number', read: slots, added: true },
        { key: 'linger', names: ['--linger'], type: 'number', read: fraction, added: true },
        {
          key: 'maxConnections',
          names: ['--max-connections'],
          type: 'number',
          read: clients,
          added: true,
        },
        { key: 'memory', names: ['--memory'], type: 'number', read: mebibytes, added: true },
        { key: 'detach', names: ['--detach'], type: 'boolean', added: true },
        // This program's own: a daemon that it starts in the background.
        {
          key: 'handoverFd',
          names: ['--handover-fd'],
          type: 'number',
          read: int,
          added: true,
          hidden: true,
        },
      ],
      positional: null,
      most: 0,
    },
  ],
  [
    'daemon-stop',
    {
      options: [HELP, { key: 'all', names: ['--all'], type: 'boolean', added: true }],
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
        { key: 'unix', names: ['--unix'], type: 'string', added: true },
        { key: 'ws', names: ['--ws'], type: 'number', read: port, added: true },
        { key: 'wss', names: ['--wss'], type: 'number', read: port, added: true },
        { key: 'certificate', names: ['--certificate'], type: 'string', added: true },
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
        { key: 'parallel', names: ['--parallel'], type: 'number', read: connections, added: true },
        { key: 'progress', names: ['--progress'], type: 'boolean', added: true },
        { key: 'stopOnError', names: ['--stop-on-error'], type: 'boolean', added: true },
        { key: 'failed', names: ['--failed'], type: 'string', read: file, added: true },
        { key: 'unknown', names: ['--unknown'], type: 'string', read: file, added: true },
        { key: 'resumeFrom', names: ['--resume-from'], type: 'number', read: ordinal, added: true },
        { key: 'status', names: ['--no-status'], type: 'boolean', negates: true, added: true },
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
        { key: 'follow', names: ['-f', '--follow'], type: 'boolean', added: true },
        { key: 'lines', names: ['-n', '--lines'], type: 'number', read: count, added: true },
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
