/** The words of Python's JSON: where a string, a number or a constant ends, if it is one. */
import {
  BACKSLASH,
  CR,
  DOT,
  LARGE_E,
  LF,
  MINUS,
  NINE,
  PLUS,
  QUOTE,
  SMALL_E,
  SMALL_U,
  SPACE,
  TAB,
  ZERO,
} from './ascii.js';
import type { Json } from './json.js';

/** Python's `int()` refuses longer integers (CVE-2020-10735). Floats have no such limit. */
export const MAX_INTEGER_DIGITS = 4300;

/** A text that is not JSON by Python's rules; `offset` is in bytes. */
export class JsonError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} (byte ${offset})`);
    this.name = 'JSONDecodeError';
    this.offset = offset;
  }
}

export function skipSpace(text: Buffer, from: number): number {
  let pos = from;
  for (;;) {
    const c = text[pos];
    if (c !== SPACE && c !== LF && c !== CR && c !== TAB) return pos;
    pos++;
  }
}

/** The value of a JSON string's text. */
export function unquote(text: Json): string {
  return JSON.parse(text.toString('utf8')) as string;
}

/** Bytes of the longest key that is read; all that are known are shorter. */
const LONGEST_KEY = 1000;

/** The value of a key. One too long to be known is not read: its beginning stands for it. */
export function keyText(text: Json): string {
  return text.length > LONGEST_KEY ? `${text.toString('utf8', 1, 200)}…` : unquote(text);
}

/** The end of the string whose quote is at `start`. */
export function stringEnd(text: Buffer, start: number): number {
  let pos = start + 1;
  for (;;) {
    const c = text[pos];
    if (c === undefined) throw error(text, 'Unterminated string starting at', start);
    if (c === QUOTE) return pos + 1;
    if (c < SPACE) throw error(text, 'Invalid control character in a string', pos);
    pos = c === BACKSLASH ? escapeEnd(text, pos) : pos + 1;
  }
}

/** The end of the escape sequence at `start`. A lone surrogate is as good as any other. */
function escapeEnd(text: Buffer, start: number): number {
  const c = text[start + 1];
  if (c === SMALL_U) {
    for (let pos = start + 2; pos < start + 6; pos++) {
      if (!isHexDigit(text[pos])) throw error(text, 'Invalid \\uXXXX escape', start);
    }
    return start + 6;
  }
  if (c === undefined || !ESCAPES.has(c)) throw error(text, 'Invalid \\escape', start);
  return start + 2;
}

const ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

/** The end of the number or constant at `start`. */
export function scalarEnd(text: Buffer, start: number): number {
  const word = wordEnd(text, start);
  if (word > start) return word;
  const whole = text[start] === MINUS ? start + 1 : start;
  let pos = text[whole] === ZERO ? whole + 1 : digitsEnd(text, whole);
  const digits = pos - whole;
  if (digits === 0) throw error(text, 'Expecting value', start);
  let isFloat = false;
  if (text[pos] === DOT && isDigit(text[pos + 1])) {
    pos = digitsEnd(text, pos + 1);
    isFloat = true;
  }
  const exponent = exponentStart(text, pos);
  if (exponent > 0) {
    pos = digitsEnd(text, exponent);
    isFloat = true;
  }
  if (!isFloat && digits > MAX_INTEGER_DIGITS) {
    throw error(text, `Integer of more than ${MAX_INTEGER_DIGITS} digits`, start);
  }
  return pos;
}

/** By their first bytes. */
const WORDS: ReadonlyMap<number, string> = new Map(
  ['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity'].map((word) => [
    word.charCodeAt(0),
    word,
  ]),
);

/** The end of the constant at `start`, or `start` where there is none. */
function wordEnd(text: Buffer, start: number): number {
  const word = WORDS.get(text[start] ?? 0);
  if (word === undefined) return start;
  for (let i = 1; i < word.length; i++) if (text[start + i] !== word.charCodeAt(i)) return start;
  return start + word.length;
}

/** The first digit of an exponent that starts here, or 0. `1e` is a number and then extra data. */
function exponentStart(text: Buffer, start: number): number {
  if (text[start] !== LARGE_E && text[start] !== SMALL_E) return 0;
  const sign = text[start + 1];
  const at = start + (sign === PLUS || sign === MINUS ? 2 : 1);
  return isDigit(text[at]) ? at : 0;
}

function digitsEnd(text: Buffer, start: number): number {
  let pos = start;
  while (isDigit(text[pos])) pos++;
  return pos;
}

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= ZERO && c <= NINE;
}

function isHexDigit(c: number | undefined): boolean {
  return isDigit(c) || (c !== undefined && (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
}

function error(text: Buffer, message: string, at: number): JsonError {
  return new JsonError(message, Math.min(at, text.length));
}
