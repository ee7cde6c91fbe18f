/**
 * Checks that a peer's message is JSON, by Python's rules, and finds the members of the object that
 * it is. Made for messages of any size: it goes on where it stopped, so that a large one can be
 * checked in steps, and it is as fast as a loop over the bytes can be.
 *
 * What is sent on is checked more closely, and by recursion: see `json.ts`.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  CR,
  DOT,
  LARGE_E,
  LF,
  MINUS,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  QUOTE,
  SMALL_E,
  SMALL_U,
  SPACE,
  TAB,
  ZERO,
} from './ascii.js';
import { skipSpace, unquote } from './check.js';
import type { Json } from './json.js';

export type Verdict = 'unfinished' | 'valid' | 'invalid';

/** What may come next. The order is that in which {@link Scan.step} looks at them. */
const enum State {
  FIRST_KEY,
  KEY,
  IN_KEY,
  COLON,
  FIRST_VALUE,
  VALUE,
  IN_STRING,
  BEHIND_VALUE,
}

/** Beyond what any server writes: they bound the scan's memory, and what it does in one step. */
const MAX_DEPTH = 10_000_000;
const MAX_DIGITS = 1024 * 1024;
/** Members of the message that are found, at most: it has four. */
const MAX_MEMBERS = 64;

/** Bytes that stand for themselves in a string. */
const PLAIN = table((c) => c >= SPACE && c !== QUOTE && c !== BACKSLASH);
const BLANK = table((c) => c === SPACE || c === LF || c === CR || c === TAB);
const DIGIT = table((c) => c >= ZERO && c <= NINE);
const HEX = table((c) => /[0-9a-fA-F]/.test(String.fromCharCode(c)));
const ESCAPED = table((c) => '"\\/bfnrt'.includes(String.fromCharCode(c)));

export class Scan {
  /** Where it stands: behind what is checked, or at what is wrong. */
  private pos = 0;
  private state = State.VALUE;
  /** The brackets that are open. */
  private open = new Uint8Array(32);
  private depth = 0;
  /** Of each member of the outermost object, where its key ends, and where the comma or brace behind it stands. */
  private readonly places: number[] = [];

  constructor(readonly text: Buffer) {}

  /** In bytes: what is checked, or where it is not JSON. */
  get offset(): number {
    return this.pos;
  }

  /** Checks about so many bytes more. */
  step(bytes: number): Verdict {
    const { text, places } = this;
    const limit = Math.min(this.pos + bytes, text.length);
    let { pos, state, open, depth } = this;
    let isValid = true;
    while (pos < limit) {
      if (state <= State.KEY) {
        const c = text[pos] ?? 0;
        if (BLANK[c] === 1) {
          pos++;
          continue;
        }
        if (c === CLOSE_BRACE && state === State.FIRST_KEY) {
          pos++;
          depth--;
          state = State.BEHIND_VALUE;
          continue;
        }
        isValid = c === QUOTE;
        if (!isValid) break;
        pos++;
        state = State.IN_KEY;
      }
      if (state === State.IN_KEY || state === State.IN_STRING) {
        pos = plainEnd(text, pos, limit);
        if (pos >= limit) break;
        if (text[pos] !== QUOTE) {
          const length = escapeLength(text, pos);
          isValid = length > 0;
          if (!isValid) break;
          pos += length;
          continue;
        }
        pos++;
        if (state === State.IN_STRING) {
          state = State.BEHIND_VALUE;
        } else {
          if (depth === 1 && places.length < 2 * MAX_MEMBERS) places.push(pos);
          state = State.COLON;
        }
      }
      if (state === State.COLON) {
        if (BLANK[text[pos] ?? 0] === 1) {
          pos++;
          continue;
        }
        isValid = text[pos] === COLON;
        if (!isValid) break;
        pos += text[pos + 1] === SPACE ? 2 : 1; // Python writes one
        state = State.VALUE;
      }
      if (state <= State.VALUE) {
        const c = text[pos] ?? 0;
        if (c === QUOTE) {
          pos++;
          state = State.IN_STRING;
          // Most are short, and have no escape.
          pos = plainEnd(text, pos, limit);
          if (text[pos] !== QUOTE) continue;
          pos++;
        } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
          isValid = depth < MAX_DEPTH;
          if (!isValid) break;
          if (depth === open.length) open = doubled(open);
          open[depth++] = c;
          pos++;
          state = c === OPEN_BRACE ? State.FIRST_KEY : State.FIRST_VALUE;
          continue;
        } else if (BLANK[c] === 1) {
          pos++;
          continue;
        } else if (c === CLOSE_BRACKET && state === State.FIRST_VALUE) {
          pos++;
          depth--;
        } else {
          const end = scalarEnd(text, pos);
          isValid = end > pos;
          if (!isValid) break;
          pos = end;
        }
        state = State.BEHIND_VALUE;
      }
      const c = text[pos] ?? 0;
      const bracket = depth > 0 ? (open[depth - 1] ?? 0) : 0;
      if (c === COMMA && depth > 0) {
        if (depth === 1 && places.length < 2 * MAX_MEMBERS) places.push(pos);
        pos += text[pos + 1] === SPACE ? 2 : 1;
        state = bracket === OPEN_BRACE ? State.KEY : State.VALUE;
      } else if (bracket !== 0 && c === bracket + TO_CLOSE) {
        if (depth === 1) places.push(pos);
        pos++;
        depth--;
      } else if (BLANK[c] === 1) {
        pos++;
      } else if (pos < text.length) {
        isValid = false;
        break;
      }
    }
    this.pos = pos;
    this.state = state;
    this.open = open;
    this.depth = depth;
    if (!isValid) return 'invalid';
    if (pos < text.length) return 'unfinished';
    return depth === 0 && state === State.BEHIND_VALUE ? 'valid' : 'invalid';
  }

  /**
   * The members of the object that the text is, as far as it is checked; of duplicate keys the last. None
   * where it is something else, or has far too many.
   */
  members(): Map<string, Json> {
    const { text, places } = this;
    const found = new Map<string, Json>();
    let start = skipSpace(text, 0);
    if (text[start] !== OPEN_BRACE || places.length >= 2 * MAX_MEMBERS) return found;
    for (let i = 0; i + 1 < places.length; i += 2) {
      const [keyEnd = 0, behind = 0] = places.slice(i, i + 2);
      const key = text.subarray(skipSpace(text, start + 1), keyEnd);
      const from = skipSpace(text, skipSpace(text, keyEnd) + 1);
      let to = behind;
      while (BLANK[text[to - 1] ?? 0] === 1) to--;
      found.set(unquote(key), text.subarray(from, to));
      start = behind;
    }
    return found;
  }
}

/** From an opening bracket to its closing one: two further on, of either kind. */
const TO_CLOSE = CLOSE_BRACE - OPEN_BRACE;

function table(has: (c: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, c) => (has(c) ? 1 : 0));
}

function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(2 * bytes.length);
  more.set(bytes);
  return more;
}

/** A function of its own, since V8 compiles a small one soon. */
function plainEnd(text: Buffer, start: number, limit: number): number {
  let pos = start;
  while (pos < limit && PLAIN[text[pos] ?? 0] === 1) pos++;
  return pos;
}

/** At what does not stand for itself in a string: the length of its escape sequence, 0 if it is none. */
function escapeLength(text: Buffer, at: number): number {
  if (text[at] !== BACKSLASH) return 0;
  if (text[at + 1] !== SMALL_U) return ESCAPED[text[at + 1] ?? 0] === 1 ? 2 : 0;
  for (let i = at + 2; i < at + 6; i++) if (HEX[text[i] ?? 0] !== 1) return 0;
  return 6;
}

const WORDS = ['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity'];

/** The end of the number or word that starts at `start`, or `start` where there is none. */
function scalarEnd(text: Buffer, start: number): number {
  const whole = text[start] === MINUS ? start + 1 : start;
  let pos = text[whole] === ZERO ? whole + 1 : digitsEnd(text, whole);
  if (pos === whole) {
    const isHere = (word: string) => text.toString('latin1', start, start + word.length) === word;
    return start + (WORDS.find(isHere)?.length ?? 0);
  }
  if (text[pos] === DOT) {
    const end = digitsEnd(text, pos + 1);
    if (end === pos + 1) return pos;
    pos = end;
  }
  if (text[pos] === LARGE_E || text[pos] === SMALL_E) {
    const sign = text[pos + 1];
    const digits = pos + (sign === PLUS || sign === MINUS ? 2 : 1);
    const end = digitsEnd(text, digits);
    if (end > digits) pos = end;
  }
  return pos;
}

function digitsEnd(text: Buffer, start: number): number {
  const limit = Math.min(start + MAX_DIGITS, text.length);
  let pos = start;
  while (pos < limit && DIGIT[text[pos] ?? 0] === 1) pos++;
  return pos;
}
