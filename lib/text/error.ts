/** An error frame as the Python client prints it. */
import { membersOf, stringOf } from '../json/members.js';
import { QUOTE } from '../json/ascii.js';
import type { ErrorFrame, Json } from '../protocol/frames.js';

/** Bytes of the largest `extra` that the program lays out: its memory is not without end. */
const MOST = 8 * 1024 * 1024;

/** The text, then the server's traceback, then `extra`, as far as there are any; each ends with a newline. */
export function errorText({ error, trace, extra }: ErrorFrame): string {
  let text = error === '' ? '' : `${error}\n`;
  const formatted = stringOf(formattedOf(trace));
  if (formatted !== null) text += `${formatted}\n`;
  const more = extraText(extra, MOST);
  if (more !== null) text += `${more.toString()}\n`;
  return text;
}

/** The JSON string of the server's traceback. */
export function formattedOf(trace: Json | null): Json | null {
  const text = membersOf(trace)?.get('formatted');
  return text?.[0] === QUOTE ? text : null;
}

/** `extra` as `pprint` shows it, or its own bytes where it has more than `most`; null where Python prints none. */
export function extraText(extra: Json | null, most: number): string | Json | null {
  if (!extra || /^(?:\[\s*\]|\{\s*\}|""|0|false)$/.test(short(extra))) return null;
  if (extra.length > most) return extra;
  const { pprint } = require('../json/pprint.js') as typeof import('../json/pprint.js');
  return pprint(extra.toString());
}

function short(text: Json): string {
  return text.length > 20 ? '' : text.toString('latin1');
}
