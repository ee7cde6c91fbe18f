/** A result and an error as the Python client prints them; a result as it comes, in constant memory. */
import { StringDecoder } from 'node:string_decoder';
import { MidcltError } from '../errors.js';
import { QUOTE, skipSpace } from '../json/ascii.js';
import { membersOf, stringOf } from '../json/members.js';
import type { ErrorFrame, Json } from '../protocol/frames.js';

type Write = (data: Buffer) => void;

/** Bytes of a string that are unescaped at once. */
const SLICE = 64 * 1024;
/** A result of no more bytes than this may be a word that Python spells in its own way. */
const LONGEST_WORD = 'false'.length;

/**
 * Prints one result given in pieces: a string bare, booleans as Python's `True` and `False`, all
 * else as the server wrote it; then a newline. A lone surrogate becomes U+FFFD.
 */
export class ResultPrinter {
  /** What its first bytes say it is; null until there are enough. */
  private kind: 'string' | 'verbatim' | null = null;
  private first: Buffer = EMPTY;
  /** Held back, so that a small result and its newline are one write. */
  private last: Buffer = EMPTY;
  private readonly unescaper: Unescaper;

  constructor(private readonly writeOut: Write) {
    this.unescaper = new Unescaper((data) => {
      this.write(data);
    });
  }

  push(piece: Buffer): void {
    if (this.kind === 'string') this.unescaper.push(piece);
    else if (this.kind === 'verbatim') this.write(piece);
    else this.begin(this.first.length === 0 ? piece : Buffer.concat([this.first, piece]));
  }

  end(): void {
    if (this.kind === 'string') this.unescaper.end();
    else if (this.kind === null) this.write(pythonWord(this.first));
    if (this.last.length > SLICE) {
      this.writeOut(this.last);
      this.writeOut(NEWLINE);
    } else {
      this.writeOut(Buffer.concat([this.last, NEWLINE]));
    }
  }

  private write(data: Buffer): void {
    if (data.length === 0) return;
    if (this.last.length > 0) this.writeOut(this.last);
    this.last = data;
  }

  private begin(text: Buffer): void {
    const start = skipSpace(text, 0);
    if (text[start] === QUOTE) {
      this.kind = 'string';
      this.unescaper.push(text.subarray(start + 1));
    } else if (text.length > LONGEST_WORD && start < text.length) {
      this.kind = 'verbatim';
      this.write(text);
    } else {
      this.first = text;
    }
  }
}

const EMPTY = Buffer.alloc(0);
const NEWLINE = Buffer.from('\n');

function pythonWord(text: Buffer): Buffer {
  const word = text.toString('latin1');
  if (word === 'true') return Buffer.from('True');
  return word === 'false' ? Buffer.from('False') : text;
}

/**
 * The text of a JSON string after its opening quote, to what it means. It is only cut here, where no escape
 * sequence goes on; JSON.parse reads it, twice as fast as a loop over its bytes.
 */
class Unescaper {
  private readonly decoder = new StringDecoder('utf8');
  /** What can't be unescaped yet: an escape sequence may go on, and the last character is the closing quote. */
  private rest = '';

  constructor(private readonly write: Write) {}

  push(piece: Buffer): void {
    for (let from = 0; from < piece.length; from += SLICE) {
      const text = this.rest + this.decoder.write(piece.subarray(from, from + SLICE));
      const end = wholeUntil(text, text.length - 1);
      this.rest = text.slice(end);
      if (end > 0) this.write(unescape(text.slice(0, end)));
    }
  }

  end(): void {
    const text = this.rest + this.decoder.end();
    if (!text.endsWith('"')) throw malformed();
    this.write(unescape(text.slice(0, -1)));
  }
}

/** The largest end up to `limit` that cuts neither an escape sequence nor a surrogate pair. */
function wholeUntil(text: string, limit: number): number {
  let end = limit;
  const last = text.lastIndexOf('\\', end - 1);
  if (end > 0 && last !== -1 && last > end - 6 && isEscape(text, last)) {
    const length = text[last + 1] === 'u' ? 6 : 2;
    if (last + length > end) end = last;
  }
  if (/\\u[dD][89abAB][0-9a-fA-F]{2}$/.test(text.slice(Math.max(0, end - 6), end))) {
    if (isEscape(text, end - 6)) end -= 6;
  } else if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) {
    end -= 1;
  }
  return Math.max(end, 0);
}

/** Does the backslash at `at` begin an escape, or is it the second of one? */
function isEscape(text: string, at: number): boolean {
  let before = at;
  while (text[before - 1] === '\\') before--;
  return (at - before) % 2 === 0;
}

function unescape(text: string): Buffer {
  try {
    return Buffer.from(JSON.parse(`"${text}"`) as string);
  } catch {
    throw malformed();
  }
}

function malformed(): MidcltError {
  return new MidcltError('PROTOCOL', 'The result is a string that is not well-formed');
}

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
  if (!extra || isFalse(short(extra))) return null;
  if (extra.length > most) return extra;
  const { pprint } = require('../json/pprint.js') as typeof import('../json/pprint.js');
  return pprint(extra.toString());
}

/** What Python takes for false. */
function isFalse(text: string): boolean {
  return /^(?:\[\s*\]|\{\s*\}|""|false)$/.test(text) || (/^-?\d/.test(text) && Number(text) === 0);
}

function short(text: Json): string {
  return text.length > 200 ? '' : text.toString('latin1');
}
