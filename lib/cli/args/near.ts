/** What somebody may have meant who misspelt a command or an option; said on a terminal alone. */
import { shellWord } from '../../errors.js';
import { didYouMean, nearNames } from '../find/pattern.js';
import type { Typed } from './argv.js';
import { commandOf, COMMANDS, GLOBAL } from './grammar.js';

/** Longer words may have two letters wrong. */
const SHORT = 4;
/** What looks like the name of a method. */
const METHOD = /^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+$/;

/** Null: nothing comes to mind. */
export function nearWords({ command, words }: Typed): string | null {
  const found = commandOf(command);
  for (const word of words) {
    const option = nameOf(word);
    const owner = ownerOf(option, command);
    if (owner !== null) return `${option} is an option of '${owner}', and stands behind it`;
    const near = word.startsWith('-')
      ? nearest(nameOf(word), optionsOf(command))
      : nearest(word, found.commands ?? []).concat(joined(command, word));
    if (near.length > 0) return didYouMean(near);
    if (command === null && METHOD.test(word))
      return `Did you mean midclt call ${shellWord(word)}?`;
  }
  return null;
}

function nearest(word: string, names: readonly string[]): string[] {
  const letters = word.replace(/^-+/, '');
  const near = nearNames(word, names, letters.length <= SHORT ? 1 : 2);
  // `status` for `daemon-status`.
  const parts = names.filter((name) => name.replace(/^-+/, '').split('-').includes(letters));
  return [...new Set([...near, ...parts])].slice(0, 3);
}

/** `daemon-status` for `daemon status`. */
function joined(command: string | null, word: string): string[] {
  const whole = `${command ?? ''}-${word}`;
  return (commandOf(null).commands ?? []).filter((name) => name === whole);
}

/** The command, or if there is none the first of all, that takes the option: the word stood before it. */
function ownerOf(option: string, command: string | null): string | null {
  for (const [name, { options }] of COMMANDS) {
    if (name !== (command ?? name)) continue;
    if (options.some(({ names, hidden }) => !hidden && names.includes(option))) return name;
  }
  return null;
}

/** Without its value, which may be a secret. */
function nameOf(option: string): string {
  return option.split('=', 1)[0] ?? '';
}

/** The long names of all options that may stand there. */
function optionsOf(command: string | null): string[] {
  return [...commandOf(command).options, ...GLOBAL.options]
    .filter(({ hidden }) => !hidden)
    .flatMap(({ names }) => names)
    .filter((name) => name.startsWith('--'));
}
