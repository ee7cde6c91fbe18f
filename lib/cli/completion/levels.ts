/** What may stand where on a command line, for the scripts that complete it: of the grammar and its words. */
import type { CommandName } from '../args/arguments.js';
import { commandOf, COMMANDS } from '../args/grammar.js';
import { TOPICS } from '../words/topics.js';
import type { Reach, Value, ValueKind } from '../words/word.js';
import {
  allGlobals,
  COMMAND_WORDS,
  describedArguments,
  describedOptions,
  GROUP_WORDS,
  type Described,
} from '../words/words.js';

/** What a shell offers for a value; `null` is nothing, and other words are what `midclt complete` is asked for. */
export type Offer = { readonly words: readonly string[] } | 'files' | List | null;

/** The lists that change while a shell runs. */
export const LISTS = [
  ...(['methods', 'downloads', 'uploads', 'events', 'jobs', 'open-jobs'] as const),
  ...(['profile-names', 'systems', 'groups', 'uris', 'users'] as const),
] as const;
export type List = (typeof LISTS)[number];

export interface OptionAt {
  readonly names: readonly string[];
  readonly summary: string;
  readonly takesValue: boolean;
  readonly offer: Offer;
}

/** The program, a group of commands, or a command. */
export interface Level {
  /** Empty: the program. */
  readonly name: string;
  /** The commands behind it, with what they are. */
  readonly words: readonly (readonly [word: string, summary: string])[];
  readonly options: readonly OptionAt[];
  readonly places: readonly Offer[];
  /** Whether the last place is one for any number of words. */
  readonly repeats: boolean;
}

export function levels(): readonly Level[] {
  const program = commandOf(null).commands ?? [];
  return [
    {
      ...{ name: '', words: program.map((word) => [word, summaryOf(word)] as const) },
      options: allGlobals().map(optionAt),
      ...NO_PLACES,
    },
    ...[...GROUP_WORDS.keys()].map(groupLevel),
    ...[...COMMANDS.keys()].map(commandLevel),
  ];
}

const NO_PLACES = { places: [], repeats: false };

function groupLevel(name: string): Level {
  const words = commandOf(name).commands ?? [];
  return {
    ...{ name, words: words.map((word) => [word, summaryOf(`${name} ${word}`)] as const) },
    options: globalsBehind(GROUP_WORDS.get(name)?.reach ?? 'none', []).map(optionAt),
    ...NO_PLACES,
  };
}

function commandLevel(name: CommandName): Level {
  const own = describedOptions(name);
  const { reach } = COMMAND_WORDS[name];
  return {
    ...{ name, words: [] },
    options: [...own, ...globalsBehind(reach, own)].map(optionAt),
    places: describedArguments(name).map((each) => offerOf(each, each.choices, name)),
    repeats: commandOf(name).most === Infinity,
  };
}

/** Of what only those commands have a use for that ask a system. */
const OF_SYSTEM: readonly Described['key'][] = ['useDaemon', 'autostart', 'systems', 'sort'];

function globalsBehind(reach: Reach, own: readonly Described[]): readonly Described[] {
  return allGlobals().filter(({ key, names }) => {
    if (key === 'help') return own.length === 0;
    if (reach === 'none' || key === 'version') return false;
    if (reach === 'daemon' && OF_SYSTEM.includes(key)) return false;
    return !own.some((each) => each.names.some((name) => names.includes(name)));
  });
}

function optionAt({ names, summary, value, choices }: Described): OptionAt {
  const takesValue = value !== null;
  return { names, summary, takesValue, offer: value && offerOf(value, choices, '') };
}

const LISTED: Partial<Readonly<Record<ValueKind, List>>> = {
  profile: 'profile-names',
  profiles: 'systems',
  group: 'groups',
  uri: 'uris',
  user: 'users',
  method: 'methods',
  'method pattern': 'methods',
  event: 'events',
  'event pattern': 'events',
};

function offerOf({ kind }: Value, choices: readonly string[], command: string): Offer {
  if (kind === 'method' && command === 'download') return 'downloads';
  if (kind === 'method' && command === 'upload') return 'uploads';
  if (kind === 'job') return /(?:show|log)$/.test(command) ? 'jobs' : 'open-jobs';
  if (kind === 'choice') return { words: choices };
  if (kind === 'format') return { words: [...choices, 'table=', 'tsv='] };
  if (kind === 'command') {
    return { words: [...(commandOf(null).commands ?? []), ...Object.keys(TOPICS)] };
  }
  if (kind === 'file' || kind === 'file or directory' || kind === 'key') return 'files';
  return LISTED[kind] ?? null;
}

function summaryOf(name: string): string {
  return GROUP_WORDS.get(name)?.summary ?? COMMAND_WORDS[name as CommandName].summary;
}
