/** What `midclt help` tells about besides commands. */
import { OPTION_GROUPS, type OptionGroup } from './options.js';
import { PROFILE } from './profiles.js';
import { EXAMPLES, EXIT_CODES, FILES, VARIABLES } from './surroundings.js';
import type { Block, Example, Section } from './word.js';

export interface Topic {
  readonly summary: string;
  readonly text: readonly Block[];
  readonly groups?: readonly OptionGroup[];
  readonly sections?: readonly Section[];
  readonly examples?: readonly Example[];
  readonly see: readonly string[];
}

export const TOPICS: Readonly<Record<string, Topic>> = {
  options: {
    summary: 'the options of all commands',
    text: [
      "What may stand before each command, and behind it. 'midclt COMMAND -h' tells the others.",
    ],
    groups: OPTION_GROUPS,
    see: ['environment', 'profiles'],
  },
  environment: {
    summary: 'the variables that stand for options',
    text: ['Variables of the environment. An option wins over its variable.'],
    sections: [{ title: 'Environment', blocks: [{ terms: VARIABLES }] }],
    see: ['options', 'files'],
  },
  profiles: { ...PROFILE, summary: 'systems under names, and several at once' },
  files: {
    summary: 'what is kept where',
    text: ['The files that this program keeps.'],
    sections: FILES,
    see: ['environment', 'daemon'],
  },
  'exit-codes': {
    summary: 'what they mean',
    text: ["The exit codes of all commands; 'midclt COMMAND -h' tells more of each."],
    sections: [
      { title: 'Exit codes', blocks: [{ terms: EXIT_CODES }] },
      {
        title: 'Signals',
        blocks: [
          'What a signal has ended, Ctrl-C for one, has the exit code that shells give that: 128 and the number of the signal.',
        ],
      },
    ],
    see: ['call'],
  },
  examples: {
    summary: 'first steps',
    text: ['First steps; each command has examples of its own.'],
    examples: EXAMPLES,
    see: ['call', 'methods', 'login'],
  },
};
