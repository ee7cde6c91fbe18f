/** The members of a request of the daemon's socket: what their values may be, and that they exist at all. */
import { MidcltError } from '../errors.js';
import { isNull, NULL, stringOf } from '../json/members.js';
import type { Json, Timeout } from './frames.js';

/** Bytes of a command, a method or a version. */
const MAX_WORD = 1000;
/** No timeout needs more digits. */
const MAX_NUMBER = 100;

/** A string of a bounded length; null is anything else. */
export function wordOf(text: Json | undefined, name: string): string | null {
  if (text && text.length > MAX_WORD) {
    throw malformed(`'${name}' is longer than ${MAX_WORD} bytes`, 'ValueError');
  }
  return stringOf(text);
}

export function flagOf(text: Json | undefined, name: string): boolean {
  const word = isNull(text) ? 'false' : text?.toString('latin1', 0, 'false'.length + 1);
  if (word !== 'true' && word !== 'false') {
    throw malformed(`'${name}' must be true or false`, 'TypeError');
  }
  return word === 'true';
}

export function timeoutOf(text: Json | undefined, name: string): Timeout {
  if (!text) return undefined;
  if (text.equals(NULL)) return null;
  const word = text.toString('latin1', 0, MAX_NUMBER);
  const seconds = /^[-0-9]/.test(word) ? Number(word) : word === 'Infinity' ? Infinity : NaN;
  if (!(seconds > 0)) {
    throw malformed(
      `'${name}' must be a positive number of seconds, or null for none`,
      'TypeError',
    );
  }
  return seconds === Infinity ? null : seconds;
}

export function malformed(message: string, errorType: string): MidcltError {
  return new MidcltError('REQUEST', message, { errorType });
}

/** Letters that a misspelt name may differ in. */
const SLIPS = 2;

/** Throws for a member that is not `known`: run without it, the request would do something else. */
export function refuseUnknown(names: Iterable<string>, known: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue;
    const near = known.filter((each) => distance(name.slice(0, 50).toLowerCase(), each) <= SLIPS);
    const hint =
      near.length > 0
        ? `did you mean ${near.map((each) => `'${each}'`).join(' or ')}?`
        : `known: ${known.join(', ')}`;
    throw malformed(`Unknown member '${name.slice(0, 50)}' (${hint})`, 'TypeError');
  }
}

/** Letters to be put in, left out or changed to make one of the other. */
function distance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const line = [row];
    for (let column = 1; column <= other.length; column++) {
      const change = one[row - 1] === other[column - 1] ? 0 : 1;
      const least = Math.min(
        (above[column - 1] ?? 0) + change,
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
      );
      line.push(least);
    }
    above = line;
  }
  return above[other.length] ?? 0;
}
