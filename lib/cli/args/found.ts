/** What was found on a command line, and the arguments that minimist makes of it. */
import minimist from 'minimist';
import {
  COMPLETING,
  DEFAULTS,
  SHELLS,
  type Arguments,
  type CommandName,
  type Options,
} from './arguments.js';
import { COMMANDS, GLOBAL } from './grammar.js';
import type { Option } from './options.js';
import { choice, int } from './values.js';

/** What was found on a command line, each word checked. */
export interface Found {
  /** Of each option that is given, its words for minimist: of the last occurrence, or of all that count. */
  readonly options: Map<Option['key'], string[]>;
  readonly positionals: string[];
  /** What nothing accepts, in order. */
  readonly unrecognized: string[];
}

/** For minimist, which else makes a number of a password of digits, as it is to do of a timeout. */
const STRINGS = [GLOBAL, ...COMMANDS.values()]
  .flatMap(({ options }) => options)
  .filter(({ type }) => type === 'string')
  .map(({ key }) => key);

/** Throws a {@link Refused} for a positional that is none. */
export function argumentsOf(name: CommandName | null, { options, positionals }: Found): Arguments {
  const words = [...[...options.values()].flat(), '--', ...positionals];
  const { _: rest, ...given } = minimist<Partial<Options>>(words, { string: STRINGS });
  const [first = ''] = rest;
  const hasMethod = name !== null && COMMANDS.get(name)?.positional === 'method';
  const isOfJob = name !== null && COMMANDS.get(name)?.positional === 'id';
  return {
    ...DEFAULTS,
    ...given,
    name,
    file: [given.file ?? []].flat(), // minimist makes no list of one
    group: [given.group ?? []].flat(),
    method: hasMethod ? rest : [],
    jobId: isOfJob ? Number(int(first)) : 0,
    event: name === 'subscribe' ? first : null,
    files: name === 'batch' ? rest : [],
    shell: shellOf(name, first),
    topic: name === 'help' ? rest : [],
    pattern: name === 'methods' || name === 'events' ? (rest[0] ?? null) : null,
    ...(name === 'trust' && first !== '' && { uri: first }),
    profileName: name === 'login' || name?.startsWith('profile ') ? (rest[0] ?? null) : null,
    system: null,
    profileWords: null,
  };
}

function shellOf(name: CommandName | null, word: string): Arguments['shell'] {
  if (name === 'completion') return choice(word, COMPLETING);
  return name === 'shell-init' ? choice(word, SHELLS) : 'sh';
}
