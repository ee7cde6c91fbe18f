/**
 * Finds the text of one member in a JSON document without building any value of it.
 *
 * For texts that a Python peer has written (the middleware's messages, a daemon's frames): the
 * structure is followed, the rest believed. A text that has no such structure gives null.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  LF,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SMALL_U,
  SPACE,
} from './ascii.js';
import { keyText, skipSpace, unquote } from './check.js';
import type { Json } from './json.js';

export type Members = ReadonlyMap<string, Json>;

/**
 * Members of an object, duplicates counted, and elements of an array that are looked at. What has
 * more of them is data and nothing that steers; to list a million takes seconds.
 */
const MOST = 10_000;

/**
 * The members of an object, each as the bytes that stand there; of duplicate keys the last. Null
 * also for one of more than {@link MOST}.
 */
export function membersOf(text: Buffer | undefined | null): Members | null {
  if (!text) return null;
  const found = new Map<string, Json>();
  let pos = skipSpace(text, 0);
  if (text[pos] !== OPEN_BRACE) return null;
  pos = skipSpace(text, pos + 1);
  if (text[pos] === CLOSE_BRACE) return isEnd(text, pos + 1) ? found : null;
  for (let count = 0; count < MOST; count++) {
    pos = skipSpace(text, pos);
    if (text[pos] !== QUOTE) return null;
    const keyEnd = skipString(text, pos);
    const colon = skipSpace(text, keyEnd);
    if (text[colon] !== COLON) return null;
    const start = skipSpace(text, colon + 1);
    const end = skipValue(text, start);
    if (end === start) return null;
    const key = keyOf(text.subarray(pos, keyEnd));
    if (key === null) return null;
    found.set(key, text.subarray(start, end));
    pos = skipSpace(text, end);
    if (text[pos] === CLOSE_BRACE) return isEnd(text, pos + 1) ? found : null;
    if (text[pos] !== COMMA) return null;
    pos++;
  }
  return null;
}

/** The elements of an array, each as the bytes that stand there. Null also if there are more than `most`. */
export function elementsOf(text: Buffer | undefined | null, most = MOST): Json[] | null {
  if (!text) return null;
  const found: Json[] = [];
  let pos = skipSpace(text, 0);
  if (text[pos] !== OPEN_BRACKET) return null;
  pos = skipSpace(text, pos + 1);
  if (text[pos] === CLOSE_BRACKET) return isEnd(text, pos + 1) ? found : null;
  while (found.length < most) {
    const start = skipSpace(text, pos);
    const end = skipValue(text, start);
    if (end === start) return null;
    found.push(text.subarray(start, end));
    pos = skipSpace(text, end);
    if (text[pos] === CLOSE_BRACKET) return isEnd(text, pos + 1) ? found : null;
    if (text[pos] !== COMMA) return null;
    pos++;
  }
  return null;
}

/** The value of a JSON string, or null for anything else. */
export function stringOf(text: Json | undefined | null): string | null {
  if (text?.[0] !== QUOTE) return null;
  try {
    return unquote(text);
  } catch {
    return null;
  }
}

/** The value of an integer that a double holds exactly, or null for anything else. */
export function integerOf(text: Json | undefined | null): number | null {
  if (!text || text.length > 16) return null;
  const word = text.toString('latin1');
  const value = Number(word);
  return /^-?\d+$/.test(word) && Number.isSafeInteger(value) ? value : null;
}

/** The value of `true` or `false`, or null for anything else. */
export function booleanOf(text: Json | undefined | null): boolean | null {
  const word = text && text.length <= 5 ? text.toString('latin1') : '';
  if (word === 'true') return true;
  return word === 'false' ? false : null;
}

export function isNull(text: Json | undefined | null): boolean {
  return !text || text.equals(NULL);
}

export const NULL: Json = Buffer.from('null');
export const EMPTY_LIST: Json = Buffer.from('[]');

/** A JSON string of ASCII alone, as Python's `json.dumps` writes it. Lone surrogates survive. */
export function quote(value: string): string {
  const text = JSON.stringify(value);
  if (text.length > SHORT) return quoteLong(text);
  return text.replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Characters of a text to which a function is called for each that is not ASCII. */
const SHORT = 1024;

/** The same by bytes: to call a function for each of a million characters takes too long. */
function quoteLong(text: string): string {
  let size = text.length;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) >= DELETE) size += 5;
  if (size === text.length) return text;
  const bytes = Buffer.allocUnsafe(size);
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < DELETE) {
      bytes[end++] = unit;
      continue;
    }
    bytes[end++] = BACKSLASH;
    bytes[end++] = SMALL_U;
    for (let shift = 12; shift >= 0; shift -= 4) bytes[end++] = HEX[(unit >> shift) & 15] ?? 0;
  }
  return bytes.toString('latin1');
}

const DELETE = 0x7f;
const HEX = Buffer.from('0123456789abcdef');

/** The same value on one line: newlines may stand between tokens only, where a blank does as well. */
export function onOneLine(text: Json): Json {
  const first = text.indexOf(LF);
  if (first === -1) return text;
  const copy = Buffer.from(text);
  // Byte by byte: to search anew for each of a million takes ten times as long.
  for (let at = first; at < copy.length; at++) if (copy[at] === LF) copy[at] = SPACE;
  return copy;
}

function keyOf(text: Json): string | null {
  try {
    return keyText(text);
  } catch {
    return null;
  }
}

function isEnd(text: Buffer, pos: number): boolean {
  return skipSpace(text, pos) === text.length;
}

/** The end of the value that starts at `start`, or `start` where there is none. */
function skipValue(text: Buffer, start: number): number {
  const c = text[start];
  if (c === QUOTE) return skipString(text, start);
  if (c === OPEN_BRACE || c === OPEN_BRACKET) return skipContainer(text, start);
  let pos = start;
  for (;;) {
    const next = text[pos];
    if (next === undefined || next <= SPACE || next === COMMA) return pos;
    if (next === CLOSE_BRACE || next === CLOSE_BRACKET) return pos;
    pos++;
  }
}

/** Counts brackets instead of recursing: the depth of a peer's text has no limit. */
function skipContainer(text: Buffer, start: number): number {
  let depth = 0;
  let pos = start;
  while (pos < text.length) {
    const c = text[pos];
    if (c === QUOTE) {
      const end = skipString(text, pos);
      if (end === pos) return start;
      pos = end;
      continue;
    }
    if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
    else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) depth--;
    pos++;
    if (depth === 0) return pos;
  }
  return start;
}

/** The end of the string that starts at `start`, or `start` if it never ends. */
function skipString(text: Buffer, start: number): number {
  let from = start + 1;
  for (;;) {
    const quoteAt = text.indexOf(QUOTE, from);
    if (quoteAt === -1) return start;
    let backslashes = 0;
    while (text[quoteAt - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quoteAt + 1;
    from = quoteAt + 1;
  }
}
