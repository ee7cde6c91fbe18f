/** `help`: about a command, or a topic. */
import { repr } from '../../json/repr.js';
import type { Arguments } from '../args/arguments.js';
import { COMMANDS } from '../args/grammar.js';
import { nearNames } from '../find/pattern.js';
import { sayLine, SUCCESS, USAGE, writeOut } from '../output/output.js';
import { helpText, isCommand, topicText } from '../words/help.js';
import { TOPICS } from '../words/topics.js';
import { GROUP_WORDS } from '../words/words.js';

export function helpCommand({ topic }: Arguments): number {
  const name = topic.join(' ');
  const text = name === '' ? helpText(null) : isCommand(name) ? helpText(name) : topicText(name);
  if (text === null) {
    sayLine(`midclt: error: no help about ${repr(name)}; ${advice(name)}`);
    return USAGE;
  }
  writeOut(Buffer.from(text));
  return SUCCESS;
}

function advice(name: string): string {
  const known = [...COMMANDS.keys(), ...GROUP_WORDS.keys(), ...Object.keys(TOPICS)];
  const near = nearNames(name, known).map((each) => `'midclt help ${each}'`);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  return "'midclt -h' lists the commands";
}
