/**
 * The quick way through what is read, but of which no token is asked for: nearly all of a large message.
 * It goes on from where a {@link Scanner} is for as long as everything is as usual, and leaves
 * the rest, and every verdict, to the scanner. Changes to it are to be measured.
 */
import {
  BLANK,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DIGIT,
  escapeLength,
  LONG,
  OPEN_BRACE,
  OPEN_BRACKET,
  plainEnd,
  QUOTE,
  rememberEnd,
  scalarEnd,
  SMALL_E,
  SMALL_L,
  SMALL_N,
  SMALL_R,
  SMALL_T,
  SMALL_U,
  SPACE,
  type NumberRules,
  ZERO,
} from './ascii.js';

/** What may come next. The order is that in which a scanner looks at them. */
export const enum State {
  FIRST_KEY,
  KEY,
  IN_KEY,
  COLON,
  FIRST_VALUE,
  VALUE,
  IN_STRING,
  BEHIND_VALUE,
}

/** Where a scanner is. */
export interface Place {
  /** What there is of the text. */
  text: Buffer;
  isWhole: boolean;
  /** Where what is read ends, or what is wrong is. */
  end: number;
  state: State;
  /** The brackets that are open. */
  open: Uint8Array;
  depth: number;
  /** Where the outermost of them are. */
  readonly openedAt: Int32Array;
  /** Where the string began that is read. */
  stringAt: number;
}

/** Brackets whose places are known: so many. */
export const PLACES = 8;

/** Bytes that a token but a string or a number has at most, and a few more. */
export const MARGIN = 16;

/** Goes on to about `limit`, but not out of the container that has `floor` others around it. */
export function skim(place: Place, limit: number, floor: number, rules: NumberRules): void {
  const { text, isWhole, open, openedAt } = place;
  const farthest = isWhole ? text.length : text.length - MARGIN;
  let { end: pos, state, depth } = place;
  let isObject = open[depth - 1] === OPEN_BRACE;
  scan: while (pos < limit) {
    if (state <= State.KEY) {
      const c = text[pos] ?? 0;
      if (c === QUOTE) {
        const end = stringEnd(text, pos + 1, limit);
        if (end < 0) {
          pos = ~end;
          state = State.IN_KEY;
          break;
        }
        pos = end;
        state = State.COLON;
        if (text[pos] !== COLON) break;
        pos += text[pos + 1] === SPACE ? 2 : 1; // Python writes one
        state = State.VALUE;
      } else if (c === CLOSE_BRACE && state === State.FIRST_KEY) {
        state = State.BEHIND_VALUE;
      } else if (BLANK[c] === 1) {
        pos++;
        continue;
      } else {
        break;
      }
    }
    if (state === State.VALUE || state === State.FIRST_VALUE) {
      const c = text[pos] ?? 0;
      if (c === QUOTE) {
        const end = stringEnd(text, pos + 1, limit);
        if (end < 0) {
          place.stringAt = pos;
          pos = ~end;
          state = State.IN_STRING;
          break;
        }
        if (end - pos >= LONG && depth <= PLACES) rememberEnd(text, pos, end);
        pos = end;
      } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
        if (depth === open.length) break;
        if (depth < PLACES) openedAt[depth] = pos;
        open[depth++] = c;
        pos++;
        isObject = c === OPEN_BRACE;
        state = isObject ? State.FIRST_KEY : State.FIRST_VALUE;
        continue;
      } else if (c !== CLOSE_BRACKET || state !== State.FIRST_VALUE) {
        if (BLANK[c] === 1) {
          pos++;
          continue;
        }
        const end = quickEnd(text, pos, rules);
        if (end === pos || end > farthest) break;
        pos = end;
      }
      state = State.BEHIND_VALUE;
    }
    if (state !== State.BEHIND_VALUE) break;
    for (;;) {
      const c = text[pos] ?? 0;
      if (c === COMMA) {
        pos += text[pos + 1] === SPACE ? 2 : 1;
        state = isObject ? State.KEY : State.VALUE;
        break;
      }
      if (c === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
        if (depth - 1 <= floor) break scan;
        pos++;
        depth--;
        if (depth < PLACES) rememberEnd(text, openedAt[depth] ?? 0, pos);
        isObject = open[depth - 1] === OPEN_BRACE;
      } else if (BLANK[c] === 1) {
        pos++;
      } else {
        break scan;
      }
    }
  }
  place.end = pos;
  place.state = state;
  place.depth = depth;
}

/** Behind the closing quote; where there is none up to `limit`, the complement of where to go on from. */
function stringEnd(text: Buffer, from: number, limit: number): number {
  let pos = from;
  for (;;) {
    pos = plainEnd(text, pos, limit);
    if (pos >= limit) return ~pos;
    if (text[pos] === QUOTE) return pos + 1;
    const length = escapeLength(text, pos);
    if (length === 0) return ~pos;
    pos += length;
  }
}

/** As {@link scalarEnd}, quicker for what most are: `true`, `null`, and integers of a few digits. */
function quickEnd(text: Buffer, start: number, rules: NumberRules): number {
  const c = text[start] ?? 0;
  if (c === SMALL_T) {
    if (text[start + 1] === SMALL_R && text[start + 2] === SMALL_U && text[start + 3] === SMALL_E)
      return start + 4;
  } else if (c === SMALL_N) {
    if (text[start + 1] === SMALL_U && text[start + 2] === SMALL_L && text[start + 3] === SMALL_L)
      return start + 4;
  } else if (DIGIT[c] === 1 && c !== ZERO) {
    let pos = start + 1;
    while (DIGIT[text[pos] ?? 0] === 1 && pos < start + FEW) pos++;
    const next = text[pos];
    if (next === COMMA || next === CLOSE_BRACE || next === CLOSE_BRACKET) return pos;
  }
  return scalarEnd(text, start, rules);
}

/** Digits. */
const FEW = 19;
