/** An error frame as the Python client prints it. */
import { membersOf, stringOf } from '../members.js';
import type { ErrorFrame, Json } from '../protocol.js';

/** The text, then the server's traceback, then `extra`, as far as there are any; each ends with a newline. */
export function errorText({ error, trace, extra }: ErrorFrame): string {
  let text = `${error}\n`;
  const formatted = stringOf(membersOf(trace)?.get('formatted'));
  if (formatted !== null) text += `${formatted}\n`;
  if (extra && !/^(?:\[\s*\]|\{\s*\}|""|0|false)$/.test(short(extra))) {
    const { pprint } = require('./pprint.js') as typeof import('./pprint.js');
    text += `${pprint(extra.toString())}\n`;
  }
  return text;
}

function short(text: Json): string {
  return text.length > 20 ? '' : text.toString('latin1');
}
