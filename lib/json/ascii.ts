/** The bytes that JSON and its lines are made of, and where what they make ends. */
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const DOLLAR = 0x24;
const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
const DOT = 0x2e;
export const ZERO = 0x30;
export const COLON = 0x3a;
const LARGE_E = 0x45;
export const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const SMALL_E = 0x65;
export const SMALL_L = 0x6c;
export const SMALL_N = 0x6e;
export const SMALL_R = 0x72;
export const SMALL_T = 0x74;
export const SMALL_U = 0x75;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** Bytes that stand for themselves in a string. */
const PLAIN = new Uint8Array(256).fill(1, SPACE);
PLAIN[QUOTE] = PLAIN[BACKSLASH] = 0;
export const BLANK = table(' \n\r\t');
export const DIGIT = table('0123456789');
const HEX = table('0123456789abcdefABCDEF');
const ESCAPED = table('"\\/bfnrt');
/** The constants by their first bytes. */
const WORDS: (Uint8Array | undefined)[] = Array.from({ length: 256 });
for (const word of ['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity']) {
  WORDS[word.charCodeAt(0)] = Buffer.from(word);
}

/** 1 for each of the characters. Every command makes these tables, so they are made of the few that count. */
function table(characters: string): Uint8Array {
  const of = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) of[characters.charCodeAt(i)] = 1;
  return of;
}

export function skipSpace(text: Buffer, from: number): number {
  let pos = from;
  while (BLANK[text[pos] ?? 0] === 1) pos++;
  return pos;
}

/** In a string, the end of what stands for itself. A function of its own, since V8 compiles a small one soon. */
export function plainEnd(text: Buffer, start: number, limit: number): number {
  let pos = start;
  // Four at a time, which takes two thirds of the time.
  for (const last = limit - 4; pos <= last; pos += 4) {
    if (PLAIN[text[pos] ?? 0] !== 1) return pos;
    if (PLAIN[text[pos + 1] ?? 0] !== 1) return pos + 1;
    if (PLAIN[text[pos + 2] ?? 0] !== 1) return pos + 2;
    if (PLAIN[text[pos + 3] ?? 0] !== 1) return pos + 3;
  }
  while (pos < limit && PLAIN[text[pos] ?? 0] === 1) pos++;
  return pos;
}

/**
 * At what does not stand for itself in a string: the length of its escape sequence, 0 if it is none. A
 * lone surrogate is as good as any other.
 */
export function escapeLength(text: Buffer, at: number): number {
  if (text[at] !== BACKSLASH) return 0;
  if (text[at + 1] !== SMALL_U) return ESCAPED[text[at + 1] ?? 0] === 1 ? 2 : 0;
  for (let i = at + 2; i < at + 6; i++) if (HEX[text[i] ?? 0] !== 1) return 0;
  return 6;
}

/** The most digits of an integer, and of any run of them. */
export interface NumberRules {
  readonly integerDigits: number;
  readonly digits: number;
}

/** The end of the number or constant that starts at `start`, or `start` where there is none. `1.` and `1e` end behind the digit. */
export function scalarEnd(text: Buffer, start: number, rules: NumberRules): number {
  const { integerDigits, digits } = rules;
  const whole = text[start] === MINUS ? start + 1 : start;
  const integerEnd = text[whole] === ZERO ? whole + 1 : digitsEnd(text, whole, digits);
  if (integerEnd === whole) return wordEnd(text, start);
  let pos = integerEnd;
  if (text[pos] === DOT) {
    const end = digitsEnd(text, pos + 1, digits);
    if (end > pos + 1) pos = end;
  }
  if (text[pos] === LARGE_E || text[pos] === SMALL_E) {
    const sign = text[pos + 1];
    const exponent = pos + (sign === PLUS || sign === MINUS ? 2 : 1);
    const end = digitsEnd(text, exponent, digits);
    if (end > exponent) pos = end;
  }
  return pos === integerEnd && pos - whole > integerDigits ? start : pos;
}

function digitsEnd(text: Buffer, start: number, most: number): number {
  const limit = Math.min(start + most, text.length);
  let pos = start;
  while (pos < limit && DIGIT[text[pos] ?? 0] === 1) pos++;
  return pos;
}

/** The end of the constant that starts at `start`, or `start` where there is none. */
function wordEnd(text: Buffer, start: number): number {
  const word = WORDS[text[start] ?? 0];
  if (word === undefined) return start;
  for (let i = 1; i < word.length; i++) if (text[start + i] !== word[i]) return start;
  return start + word.length;
}

/** Bytes from which a value is long. */
export const LONG = 64 * 1024;

/** Where long values end that were checked, by where they begin: of each text by the memory that it is in. */
const ENDS = new WeakMap<ArrayBufferLike, Map<number, number>>();

/** Keeps the end of a value that was checked, if it is long, so that nobody looks for it again. */
export function rememberEnd(text: Buffer, start: number, end: number): void {
  if (end - start >= LONG) remember(text, start, end);
}

function remember({ buffer, byteOffset }: Buffer, start: number, end: number): void {
  const ends = ENDS.get(buffer) ?? new Map<number, number>();
  ENDS.set(buffer, ends.set(byteOffset + start, end - start));
}

function knownEnd(text: Buffer, start: number): number | undefined {
  if (text.length - start < LONG) return undefined;
  const length = ENDS.get(text.buffer)?.get(text.byteOffset + start);
  return length === undefined ? undefined : start + length;
}

/**
 * The end of the value that starts at `start`, or `start` where there is none: by its brackets and
 * quotes alone, which takes half the time of reading it, and of a long string a hundredth.
 */
export function believedEnd(text: Buffer, start: number): number {
  const c = text[start];
  const known = knownEnd(text, start);
  if (known !== undefined) return known;
  if (c === QUOTE) return believedStringEnd(text, start);
  if (c === OPEN_BRACE || c === OPEN_BRACKET) return believedContainerEnd(text, start);
  let pos = start;
  for (;;) {
    const next = text[pos];
    if (next === undefined || next <= SPACE || next === COMMA) return pos;
    if (next === CLOSE_BRACE || next === CLOSE_BRACKET) return pos;
    pos++;
  }
}

/** Counts brackets instead of recursing: the depth of a peer's text has no limit. */
function believedContainerEnd(text: Buffer, start: number): number {
  let depth = 0;
  let pos = start;
  while (pos < text.length) {
    const c = text[pos];
    if (c === QUOTE) {
      const end = believedStringEnd(text, pos);
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

function believedStringEnd(text: Buffer, start: number): number {
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
