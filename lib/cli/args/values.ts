/** An option's text to its canonical value, or what argparse says of one that is none. */
import { fingerprintOf } from '../../files/pins.js';
import { repr } from '../../json/repr.js';

/** A value that an option refuses; the message is what follows `argument -x/--xyz: `. */
export class Refused extends Error {}

/** One of a few words, else argparse's message about it. */
export function choice<T extends string>(value: string, choices: readonly T[]): T {
  const chosen = choices.find((each) => each === value);
  if (chosen !== undefined) return chosen;
  throw new Refused(`invalid choice: ${repr(value)} (choose from ${choices.map(repr).join(', ')})`);
}

/** Python's `int()`, as digits. A number too big to count in is as good as the biggest one that is not. */
export function int(value: string): string {
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

/** Not negative. */
export const count = (value: string): string => notNegative(int(value));

export function fraction(value: string): string {
  const number = Number(value);
  if (!/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(value) || !Number.isFinite(number)) {
    throw new Refused(`invalid float value: ${repr(value)}`);
  }
  return notNegative(String(number));
}

export function between(least: number, most: number, value: string): string {
  const number = int(value);
  if (Number(number) < least || Number(number) > most) {
    throw new Refused(`must be between ${least} and ${most}: ${number}`);
  }
  return number;
}

/** A place in a sequence, from 1. */
export const ordinal = (value: string): string => between(1, Number.MAX_SAFE_INTEGER, value);

export const FORMATS = ['json', 'jsonl', 'pretty', 'table'];

/** Of a result: the name of a form, of which two take the names of columns. */
export function format(value: string): string {
  if (FORMATS.includes(value) || /^(?:table|tsv)=[^,]+(?:,[^,]+)*$/.test(value)) return value;
  const choices = [...FORMATS, 'table=COLUMN,...', 'tsv=COLUMN,...'].join(', ');
  throw new Refused(`invalid choice: ${repr(value)} (choose from ${choices})`);
}

/** A certificate's, however it is written. */
export function fingerprint(value: string): string {
  const found = fingerprintOf(value);
  if (found !== null) return found;
  throw new Refused(`invalid SHA-256 fingerprint: ${repr(value)}`);
}

/** Of a file to write to, which stdout can't be: it has the answers. */
export function fileName(value: string): string {
  if (value !== '' && value !== '-') return value;
  throw new Refused(`must be the name of a file: ${repr(value)}`);
}
