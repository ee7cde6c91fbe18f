/** The words of everything that the grammar has: what help, man pages and completion are made of. */
import { DEFAULTS, type CommandName } from '../args/arguments.js';
import { commandOf, COMMANDS, GLOBAL } from '../args/grammar.js';
import { HELP as HELP_OPTION, type Option } from '../args/options.js';
import { BATCH, CALL, PING, SUBSCRIBE } from './calls.js';
import {
  DAEMON,
  DAEMON_LIST,
  DAEMON_LOG,
  DAEMON_STATUS,
  DAEMON_STOP,
  SERVICE,
  SERVICE_WORDS,
} from './daemons.js';
import { DESCRIBE, EVENTS, METHODS, TYPES } from './find.js';
import { DOWNLOAD, JOB, JOB_WORDS, UPLOAD } from './jobs.js';
import { OPTION_GROUPS, type OptionGroup } from './options.js';
import { LOGIN, PROFILE, PROFILE_WORDS, TRUST } from './profiles.js';
import { COMPLETION, DOCTOR, HELP, SANDBOX, SHELL_INIT, VERSION } from './program.js';
import {
  flag,
  type ArgumentWords,
  type CommandWords,
  type GroupWords,
  type OptionWords,
  type Term,
  type ValueKind,
} from './word.js';

export const COMMAND_WORDS: Readonly<Record<CommandName, CommandWords>> = {
  call: CALL,
  ping: PING,
  methods: METHODS,
  describe: DESCRIBE,
  subscribe: SUBSCRIBE,
  events: EVENTS,
  ...JOB_WORDS,
  batch: BATCH,
  download: DOWNLOAD,
  upload: UPLOAD,
  types: TYPES,
  daemon: DAEMON,
  'daemon-status': DAEMON_STATUS,
  'daemon-list': DAEMON_LIST,
  'daemon-log': DAEMON_LOG,
  'daemon-stop': DAEMON_STOP,
  login: LOGIN,
  trust: TRUST,
  ...PROFILE_WORDS,
  ...SERVICE_WORDS,
  doctor: DOCTOR,
  'shell-init': SHELL_INIT,
  completion: COMPLETION,
  sandbox: SANDBOX,
  help: HELP,
  version: VERSION,
};

export const GROUP_WORDS: ReadonlyMap<string, GroupWords> = new Map([
  ['job', JOB],
  ['profile', PROFILE],
  ['service', SERVICE],
]);

/** What `midclt -h` lists, in this order; what shares a line has a summary for all. */
export const OVERVIEW: readonly (readonly [names: string, summary?: string])[] = [
  ...(['call', 'ping', 'methods', 'describe', 'subscribe', 'events', 'job', 'batch'] as const).map(
    (name) => [name] as const,
  ),
  ['download'],
  ['upload'],
  ['types'],
  ['daemon'],
  ['daemon-status|list|log|stop', 'ask what it does, list them, see its log, end it'],
  ['login'],
  ['trust'],
  ['profile'],
  ['service'],
  ['doctor'],
  ['shell-init'],
  ['completion'],
  ['sandbox'],
];

/** An option, as the grammar and the words have it together. */
export interface Described {
  readonly key: Option['key'];
  /** `-j`, `--job` */
  readonly names: readonly string[];
  /** Null: it takes no value. */
  readonly value: { readonly name: string; readonly kind: ValueKind } | null;
  /** All that its value may be, where these are words; else empty. */
  readonly choices: readonly string[];
  /** A few words, for a list. */
  readonly summary: string;
  readonly text: string;
  /** Behind the text: what its value may be. */
  readonly list: readonly Term[];
  readonly isRequired: boolean;
  readonly repeats: boolean;
  /** The words it was made of: the same of several options that are told together. */
  readonly words: OptionWords;
}

const SHOW_HELP = flag('show this help');

/** The options of a command in the order of its help, `-h` last; first of all those of the program, which it names. */
export function describedOptions(name: CommandName): readonly Described[] {
  const { options = {} } = COMMAND_WORDS[name];
  const known = [...commandOf(name).options, ...GLOBAL.options];
  return [...entriesOf(options), ['help', SHOW_HELP] as const].map(([key, words]) =>
    described(known.find((option) => option.key === key) ?? HELP_OPTION, words),
  );
}

/** Those of a group of the program's own. */
export function describedGlobals({ options }: OptionGroup): readonly Described[] {
  return entriesOf(options).flatMap(([key, words]) =>
    GLOBAL.options.filter((option) => option.key === key).map((option) => described(option, words)),
  );
}

/** All that may stand before a command, and behind it. */
export function allGlobals(): readonly Described[] {
  return OPTION_GROUPS.flatMap(describedGlobals);
}

function described(option: Option, words: OptionWords): Described {
  const { key, names, repeats } = option;
  const choices = option.choices ?? words.value?.choices ?? [];
  const standard = key === 'help' || key === 'version' ? null : DEFAULTS[key];
  const filledIn = (text: string) =>
    text
      .replace('{default}', String(standard))
      .replace('{choices}', listOf(choices, standard, words.choices));
  return {
    ...{ key, names, value: words.value, choices, words },
    summary: words.is,
    text: filledIn(words.is + words.more),
    list: words.list ?? [],
    isRequired: words.isRequired ?? false,
    repeats: repeats ?? false,
  };
}

/** The arguments of a command, with what they may be. */
export function describedArguments(
  name: CommandName,
): readonly (ArgumentWords & { readonly choices: readonly string[] })[] {
  const { choices = [] } = commandOf(name);
  return (COMMAND_WORDS[name].arguments ?? []).map((words) => ({
    ...words,
    choices: words.choices ?? (words.kind === 'choice' ? choices : []),
    is: words.is.replace('{choices}', listOf(choices, null)),
  }));
}

/** `debug (each call), info (default) or error` */
function listOf(
  choices: readonly string[],
  standard: unknown,
  notes: Readonly<Record<string, string>> = {},
): string {
  const words = choices.map((choice) => {
    const note = choice === standard ? 'default' : notes[choice];
    return note === undefined ? choice : `${choice} (${note})`;
  });
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

function entriesOf(
  options: Partial<Readonly<Record<Option['key'], OptionWords>>>,
): readonly (readonly [Option['key'], OptionWords])[] {
  return Object.entries(options) as [Option['key'], OptionWords][];
}

const BEFORE = {
  system: ['[OPTION ...]'],
  either: ['[OPTION ...]', '[-d]'],
  daemon: ['[-u URI]', '[-U NAME]'],
  none: [],
};

/** The words of a command's usage, behind `midclt`; none of them is broken. */
export function usageWords(name: CommandName): readonly string[] {
  const { before, usage, reach } = COMMAND_WORDS[name];
  const own = describedOptions(name).filter(({ key }) => key !== 'help' && isOwn(name, key));
  return [
    ...(before === undefined ? BEFORE[reach] : bracketed(before)),
    name,
    ...(usage === undefined ? [...own.map(optionUsage), ...argumentUsage(name)] : bracketed(usage)),
  ];
}

function isOwn(name: CommandName, key: Option['key']): boolean {
  return COMMANDS.get(name)?.options.some((option) => option.key === key) ?? false;
}

function optionUsage({ names: [first = ''], value, isRequired }: Described): string {
  const word = value ? `${first} ${value.name}` : first;
  return isRequired ? word : `[${word}]`;
}

/** `METHOD`, `[ARG ...]` */
export function argumentUsage(name: CommandName): readonly string[] {
  const { positional, most } = commandOf(name);
  const words = COMMAND_WORDS[name].arguments ?? [];
  return words.map((word, i) => {
    const isLast = i === words.length - 1;
    const text = most === Infinity && isLast ? `${word.name} ...` : word.name;
    return positional !== null && i === 0 ? text : `[${text}]`;
  });
}

/** Words of a usage, of which brackets make one. */
function bracketed(text: string): readonly string[] {
  return text.match(/\[[^\]]*\]|\S+/g) ?? [];
}
