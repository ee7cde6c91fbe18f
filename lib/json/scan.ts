/**
 * The one scanner of JSON, as Python reads and writes it: bytes to tokens. It builds no values, and it
 * can stop anywhere and go on, so that a text of any size can be read in steps.
 *
 * What is in a container that is not entered goes through {@link skim}, which is twice as fast.
 */
import {
  BACKSLASH,
  believedEnd,
  BLANK,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DIGIT,
  escapeLength,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  plainEnd,
  QUOTE,
  rememberEnd,
  scalarEnd,
  SMALL_U,
  SPACE,
} from './ascii.js';
import { MARGIN, PLACES, skim, State, type Place } from './skim.js';

/** The UTF-8 text of exactly one JSON value (Python's JSON: `NaN`, `Infinity` and 64-bit integers included). */
export type Json = Buffer;

/** A text that is not JSON by Python's rules; `offset` is in bytes. */
export class JsonError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} (byte ${offset})`);
    this.name = 'JSONDecodeError';
    this.offset = offset;
  }
}

/** What stands between {@link Scanner.start} and {@link Scanner.end}. */
export const enum Token {
  /** No token: the bytes that were to be read are. */
  UNFINISHED,
  /** No token: the text is not JSON. {@link Scanner.error} says why. */
  INVALID,
  /** No token: the text was one value, and is over. */
  END,
  KEY,
  STRING,
  /** A number or a constant. */
  SCALAR,
  /** The opening bracket of a list or an object that is entered. */
  OPEN,
  /** The closing bracket of such a one. */
  CLOSE,
  /** A whole list or object that is not entered. */
  CONTAINER,
}

/** Where those who read JSON differ. */
export interface Rules {
  /** Lists and objects that may be open at a time. */
  readonly depth: number;
  /** Digits that an integer may have, and that any run of them may have. */
  readonly integerDigits: number;
  readonly digits: number;
  /** Lists and objects in so many others are entered: their tokens are given. */
  readonly entered: number;
  /** What is not entered is not checked: only its end is looked for. */
  readonly believes: boolean;
}

/** From an opening bracket to its closing one: two further on, of either kind. */
const TO_CLOSE = CLOSE_BRACE - OPEN_BRACE;

export class Scanner {
  /** Where the token begins, if it is no closing bracket. */
  start = 0;
  private readonly place: Place;

  constructor(
    text: Buffer,
    private readonly rules: Rules,
    isWhole = true,
  ) {
    const state = State.VALUE;
    const open = new Uint8Array(16);
    const openedAt = new Int32Array(PLACES);
    this.place = { text, isWhole, end: 0, state, open, depth: 0, openedAt, stringAt: 0 };
  }

  /** Where the token ends; behind what is read, or at what is wrong. */
  get end(): number {
    return this.place.end;
  }

  /** More of the text has come: the same memory, but longer. */
  extend(text: Buffer, isWhole: boolean): void {
    this.place.text = text;
    this.place.isWhole = isWhole;
  }

  /** The token's text. */
  token(): Json {
    return this.place.text.subarray(this.start, this.place.end);
  }

  /** The next token, if it ends before about the byte `until`. */
  next(until = Infinity): Token {
    const { place, rules } = this;
    const { text, isWhole, openedAt } = place;
    const { entered, believes } = rules;
    const limit = Math.min(until, isWhole ? text.length : text.length - MARGIN);
    let { end: pos, state, open, depth } = place;
    let token = Token.UNFINISHED;
    while (pos < limit) {
      if (depth > entered && state !== State.IN_KEY && state !== State.IN_STRING) {
        place.end = pos;
        place.state = state;
        place.open = open;
        place.depth = depth;
        skim(place, limit, entered, rules);
        ({ end: pos, state, depth } = place);
        if (pos >= limit) break;
      }
      if (state <= State.KEY) {
        const c = text[pos] ?? 0;
        if (BLANK[c] === 1) {
          pos++;
          continue;
        }
        if (c === QUOTE) {
          if (depth <= entered) this.start = pos;
          pos++;
          state = State.IN_KEY;
        } else if (c === CLOSE_BRACE && state === State.FIRST_KEY) {
          state = State.BEHIND_VALUE;
        } else {
          token = Token.INVALID;
          break;
        }
      }
      if (state === State.IN_KEY || state === State.IN_STRING) {
        pos = plainEnd(text, pos, limit);
        if (pos >= limit) break;
        if (text[pos] !== QUOTE) {
          const length = escapeLength(text, pos);
          pos += length;
          if (length > 0) continue;
          token = Token.INVALID;
          break;
        }
        pos++;
        const isKey = state === State.IN_KEY;
        if (!isKey && depth <= PLACES) rememberEnd(text, place.stringAt, pos);
        state = isKey ? State.COLON : State.BEHIND_VALUE;
        if (depth <= entered) {
          token = isKey ? Token.KEY : Token.STRING;
          break;
        }
      }
      if (state === State.COLON) {
        const c = text[pos] ?? 0;
        if (BLANK[c] === 1) {
          pos++;
          continue;
        }
        if (c !== COLON) {
          token = Token.INVALID;
          break;
        }
        pos += text[pos + 1] === SPACE ? 2 : 1; // Python writes one
        state = State.VALUE;
      }
      if (state <= State.VALUE) {
        const c = text[pos] ?? 0;
        if (BLANK[c] === 1) {
          pos++;
          continue;
        }
        if (c === CLOSE_BRACKET && state === State.FIRST_VALUE) {
          state = State.BEHIND_VALUE;
        } else {
          if (depth <= entered) this.start = pos;
          if (believes && depth === entered) {
            const end = believedEnd(text, pos);
            state = State.BEHIND_VALUE;
            token = end > pos ? Token.CONTAINER : Token.INVALID;
            pos = end;
            break;
          }
          if (c === QUOTE) {
            state = State.IN_STRING;
            place.stringAt = pos;
            // Most are short, and have no escape.
            pos = plainEnd(text, pos + 1, limit);
            if (text[pos] !== QUOTE) continue;
            pos++;
            if (depth <= PLACES) rememberEnd(text, place.stringAt, pos);
            state = State.BEHIND_VALUE;
            if (depth <= entered) {
              token = Token.STRING;
              break;
            }
          } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
            if (depth >= rules.depth) {
              token = Token.INVALID;
              break;
            }
            if (depth === open.length) open = doubled(open);
            if (depth < PLACES) openedAt[depth] = pos;
            open[depth++] = c;
            pos++;
            state = c === OPEN_BRACE ? State.FIRST_KEY : State.FIRST_VALUE;
            if (depth > entered) continue;
            token = Token.OPEN;
            break;
          } else {
            const end = scalarEnd(text, pos, rules);
            if (end === pos) {
              token = Token.INVALID;
              break;
            }
            if (!isWhole && end > text.length - MARGIN) break; // it may go on
            pos = end;
            state = State.BEHIND_VALUE;
            if (depth <= entered) {
              token = Token.SCALAR;
              break;
            }
          }
        }
      }
      const c = text[pos] ?? 0;
      const bracket = depth > 0 ? (open[depth - 1] ?? 0) : 0;
      if (c === COMMA && depth > 0) {
        pos += text[pos + 1] === SPACE ? 2 : 1;
        state = bracket === OPEN_BRACE ? State.KEY : State.VALUE;
      } else if (bracket !== 0 && c === bracket + TO_CLOSE) {
        pos++;
        depth--;
        if (depth < PLACES) rememberEnd(text, openedAt[depth] ?? 0, pos);
        if (depth <= entered) {
          token = depth < entered ? Token.CLOSE : Token.CONTAINER;
          break;
        }
      } else if (BLANK[c] === 1) {
        pos++;
      } else if (pos < text.length) {
        token = Token.INVALID;
        break;
      }
    }
    place.end = pos;
    place.state = state;
    place.open = open;
    place.depth = depth;
    if (token !== Token.UNFINISHED || pos < text.length || !isWhole) return token;
    return depth === 0 && state === State.BEHIND_VALUE ? Token.END : Token.INVALID;
  }

  /** Why the text is not JSON, in Python's words. For who enters all there is. */
  error(): JsonError {
    const { text, state, end } = this.place;
    const isCut = end >= text.length && (state === State.IN_KEY || state === State.IN_STRING);
    return new JsonError(this.reason(text[end]), isCut ? this.start : end);
  }

  private reason(c: number | undefined): string {
    const { rules } = this;
    const { text, end: at, state, depth } = this.place;
    switch (state) {
      case State.FIRST_KEY:
      case State.KEY:
        return 'Expecting property name enclosed in double quotes';
      case State.COLON:
        return "Expecting ':' delimiter";
      case State.IN_KEY:
      case State.IN_STRING:
        if (c === undefined) return 'Unterminated string starting at';
        if (c !== BACKSLASH) return 'Invalid control character in a string';
        return text[at + 1] === SMALL_U ? 'Invalid \\uXXXX escape' : 'Invalid \\escape';
      case State.BEHIND_VALUE:
        return depth > 0 ? "Expecting ',' delimiter" : 'Extra data';
      default:
        if (c === OPEN_BRACE || c === OPEN_BRACKET) return `Nesting deeper than ${rules.depth}`;
        if (DIGIT[text[c === MINUS ? at + 1 : at] ?? 0] !== 1) return 'Expecting value';
        return `Integer of more than ${rules.integerDigits} digits`;
    }
  }
}

function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(2 * bytes.length);
  more.set(bytes);
  return more;
}
