/**
 * Finds the members of a JSON document's object, or the elements of its array, each as the bytes that
 * stand there, without building any value of it.
 */
import {
  BACKSLASH,
  COMMA,
  CLOSE_BRACE,
  LF,
  OPEN_BRACE,
  OPEN_BRACKET,
  plainEnd,
  QUOTE,
  skipSpace,
  SMALL_U,
  SPACE,
} from './ascii.js';
import { Scanner, Token, type Json, type Rules } from './scan.js';

export type Members = ReadonlyMap<string, Json>;

/**
 * For texts that have been read before, or that a daemon wrote: they are believed, since to check the
 * members of a message anew at each level of it would take as long again each time.
 */
const BELIEVED: Rules = { depth: 1, integerDigits: 0, digits: 0, entered: 1, believes: true };

/**
 * For messages of the middleware. They may have what Python refuses to read and may write all the same
 * (longer integers, deeper lists), since they are not sent on to a Python; what is beyond any server
 * bounds the memory that a scan takes, and what it does in one step.
 */
const MESSAGE: Rules = {
  depth: 10_000_000,
  integerDigits: Infinity,
  digits: 1024 * 1024,
  entered: 1,
  believes: false,
};

/**
 * Members of an object, duplicates counted, and elements of an array that are looked at. What has
 * more of them is data and nothing that steers; to list a million takes seconds.
 */
const MOST = 10_000;
/** Members that a message may have to be looked at: it has four. */
const MOST_OF_MESSAGE = 63;

/**
 * The members of an object, each as the bytes that stand there; of duplicate keys the last. Null
 * also for one of more than {@link MOST}, and for what has no such structure.
 */
export function membersOf(text: Buffer | undefined | null): Members | null {
  if (text?.[skipSpace(text, 0)] !== OPEN_BRACE) return null;
  const scanner = new Scanner(text, BELIEVED);
  const found = new Map<string, Json>();
  let key = '';
  let count = 0;
  for (;;) {
    switch (scanner.next()) {
      case Token.UNFINISHED:
      case Token.INVALID:
        return null;
      case Token.END:
        return found;
      case Token.OPEN:
      case Token.CLOSE:
        break;
      case Token.KEY:
        if (++count > MOST) return null;
        key = keyText(scanner.token());
        break;
      default:
        found.set(key, scanner.token());
    }
  }
}

/** The elements of an array, each as the bytes that stand there. Null also if there are more than `most`. */
export function elementsOf(text: Buffer | undefined | null, most = MOST): Json[] | null {
  if (text?.[skipSpace(text, 0)] !== OPEN_BRACKET) return null;
  const scanner = new Scanner(text, BELIEVED);
  const found: Json[] = [];
  for (;;) {
    switch (scanner.next()) {
      case Token.UNFINISHED:
      case Token.INVALID:
        return null;
      case Token.END:
        return found;
      case Token.OPEN:
      case Token.CLOSE:
        break;
      default:
        if (found.length === most) return null;
        found.push(scanner.token());
    }
  }
}

export type Verdict = 'unfinished' | 'valid' | 'invalid';

/** Checks in steps that a message of the middleware is JSON, and finds the members of the object that it is. */
export class Scan {
  private readonly scanner: Scanner;
  /** Of each member where its key and its value begin and end. */
  private places: number[] = [];

  /** `present`: of the text so many bytes have come. */
  constructor(
    readonly text: Buffer,
    present = text.length,
  ) {
    this.scanner = new Scanner(text.subarray(0, present), MESSAGE, present === text.length);
  }

  /** Of the text so many bytes have come by now. */
  grow(present: number): void {
    this.scanner.extend(this.text.subarray(0, present), present === this.text.length);
  }

  /** In bytes: what is checked, or where it is not JSON. */
  get offset(): number {
    return this.scanner.end;
  }

  /** Checks about so many bytes more. */
  step(bytes: number): Verdict {
    const { scanner, places } = this;
    const until = scanner.end + bytes;
    for (;;) {
      const token = scanner.next(until);
      if (token === Token.UNFINISHED) return 'unfinished';
      if (token === Token.INVALID) return 'invalid';
      if (token === Token.END) return 'valid';
      if (token !== Token.OPEN && token !== Token.CLOSE && places.length <= 4 * MOST_OF_MESSAGE) {
        places.push(scanner.start, scanner.end);
      }
    }
  }

  /**
   * The members of the object that the text is, as far as it is checked; of duplicate keys the last. None
   * where it is something else, or has far too many.
   */
  members(): Map<string, Json> {
    const { text, places } = this;
    const found = new Map<string, Json>();
    if (text[skipSpace(text, 0)] !== OPEN_BRACE || places.length > 4 * MOST_OF_MESSAGE)
      return found;
    for (let i = 0; i + 3 < places.length; i += 4) {
      const [keyStart, keyEnd, start, end = 0] = places.slice(i, i + 4);
      // Of a text that is wrong there, a number may be only the beginning of one.
      const next = text[skipSpace(text, end)];
      if (next !== COMMA && next !== CLOSE_BRACE) break;
      found.set(unquote(text.subarray(keyStart, keyEnd)), text.subarray(start, end));
    }
    return found;
  }
}

/** Bytes of a string that is looked through before it is given to the parser of JSON: most are words. */
const WORD = 64;

/** The value of a JSON string's text. */
function unquote(text: Json): string {
  const last = text.length - 1;
  const isWord = last < WORD && text[last] === QUOTE && plainEnd(text, 1, last) === last;
  return isWord ? text.toString('utf8', 1, last) : (JSON.parse(text.toString('utf8')) as string);
}

/** Bytes of the longest key that is read; all that are known are shorter. */
const LONGEST_KEY = 1000;

/** The value of a key. One too long to be known is not read: its beginning stands for it. */
export function keyText(text: Json): string {
  return text.length > LONGEST_KEY ? `${text.toString('utf8', 1, 200)}…` : unquote(text);
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
