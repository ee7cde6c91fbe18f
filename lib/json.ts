/**
 * JSON as the middleware's Python reads and writes it, on bytes.
 *
 * Nothing here builds values out of payloads. Two things are done with a text: it is checked
 * (what the server would refuse without naming the caller must never be sent), and the bytes of
 * one member are found (so that they can be passed on as they are).
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  CR,
  DOLLAR,
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
import { extendedKind, Kind, type ExtendedMember, type ExtendedMembers } from './extended.js';
import type { Json } from './protocol.js';

/** Nesting up to here is taken. Python gives up near 1,000; the server drops the connection at 10,000. */
export const MAX_DEPTH = 500;
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

/** Throws {@link JsonError} unless `text` is exactly one value. It must be valid UTF-8 already. */
export function checkValue(text: Buffer): void {
  const checker = new Checker(text);
  checker.value(0);
  checker.end();
}

/**
 * Checks `text` as {@link checkValue} does and returns the members of the object it must be; of
 * duplicate keys the last counts, as in Python. Null if it is valid but no object.
 */
export function checkObject(text: Buffer): Map<string, Json> | null {
  const checker = new Checker(text);
  const found = new Map<string, Json>();
  if (!checker.isObject()) {
    checker.value(0);
    checker.end();
    return null;
  }
  checker.object(0, found);
  checker.end();
  return found;
}

class Checker {
  private pos = 0;
  constructor(private readonly text: Buffer) {}

  isObject(): boolean {
    this.space();
    return this.text[this.pos] === OPEN_BRACE;
  }

  end(): void {
    this.space();
    if (this.pos !== this.text.length) throw this.error('Extra data');
  }

  value(depth: number): Kind {
    this.space();
    switch (this.text[this.pos]) {
      case OPEN_BRACE:
        return this.object(depth);
      case OPEN_BRACKET:
        return this.list(depth);
      case QUOTE:
        this.string();
        return Kind.STRING;
      default:
        this.scalar();
        return Kind.SCALAR;
    }
  }

  /** At `{`. `found` collects the members, for the one object whose members are wanted. */
  object(depth: number, found?: Map<string, Json>): Kind {
    const { text } = this;
    if (depth >= MAX_DEPTH) throw this.error(`Nesting deeper than ${MAX_DEPTH}`);
    const start = this.pos++;
    // Only an object whose every key begins with `$` can be an extended one.
    let extended: ExtendedMembers | null = found ? null : new Map<string, ExtendedMember>();
    this.space();
    if (text[this.pos] === CLOSE_BRACE) {
      this.pos++;
      return Kind.DICT;
    }
    for (;;) {
      this.space();
      if (text[this.pos] !== QUOTE) {
        throw this.error('Expecting property name enclosed in double quotes');
      }
      const keyStart = this.pos;
      const escaped = this.string();
      const keyEnd = this.pos;
      this.space();
      if (text[this.pos] !== COLON) throw this.error("Expecting ':' delimiter");
      this.pos++;
      this.space();
      const valueStart = this.pos;
      const kind = this.value(depth + 1);
      if (found) {
        found.set(unquote(text.subarray(keyStart, keyEnd)), text.subarray(valueStart, this.pos));
      } else if (extended && (escaped || text[keyStart + 1] === DOLLAR)) {
        const key = unquote(text.subarray(keyStart, keyEnd));
        if (key.startsWith('$')) {
          extended.set(key, { text: text.subarray(valueStart, this.pos), kind });
        } else {
          extended = null;
        }
      } else {
        extended = null;
      }
      this.space();
      const next = text[this.pos];
      this.pos++;
      if (next === CLOSE_BRACE) break;
      if (next !== COMMA) throw this.error("Expecting ',' delimiter", this.pos - 1);
    }
    if (!extended) return Kind.DICT;
    const answer = extendedKind(extended);
    if (typeof answer === 'string') throw this.error(answer, start);
    return answer;
  }

  private list(depth: number): Kind {
    const { text } = this;
    if (depth >= MAX_DEPTH) throw this.error(`Nesting deeper than ${MAX_DEPTH}`);
    let hashable = true;
    this.pos++;
    this.space();
    if (text[this.pos] === CLOSE_BRACKET) {
      this.pos++;
      return Kind.LIST_OF_HASHABLE;
    }
    for (;;) {
      if (this.value(depth + 1) > Kind.STRING) hashable = false;
      this.space();
      const next = text[this.pos];
      this.pos++;
      if (next === CLOSE_BRACKET) return hashable ? Kind.LIST_OF_HASHABLE : Kind.LIST;
      if (next !== COMMA) throw this.error("Expecting ',' delimiter", this.pos - 1);
    }
  }

  /** At a quote. True if the string has an escape in it. */
  private string(): boolean {
    const { text } = this;
    const start = this.pos++;
    let escaped = false;
    for (;;) {
      const c = text[this.pos];
      if (c === undefined) throw this.error('Unterminated string starting at', start);
      if (c === QUOTE) {
        this.pos++;
        return escaped;
      }
      if (c < SPACE) throw this.error('Invalid control character in a string');
      if (c === BACKSLASH) {
        escaped = true;
        this.pos += this.escape();
      } else {
        this.pos++;
      }
    }
  }

  /** At a backslash: the length of its escape sequence. A lone surrogate is as good as any other. */
  private escape(): number {
    const c = this.text[this.pos + 1];
    if (c === SMALL_U) {
      for (let i = this.pos + 2; i < this.pos + 6; i++) {
        if (!isHexDigit(this.text[i])) throw this.error('Invalid \\uXXXX escape');
      }
      return 6;
    }
    if (c === undefined || !'"\\/bfnrt'.includes(String.fromCharCode(c))) {
      throw this.error('Invalid \\escape');
    }
    return 2;
  }

  private scalar(): void {
    const { text, pos } = this;
    for (const word of ['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity']) {
      if (
        text[pos] === word.charCodeAt(0) &&
        text.toString('latin1', pos, pos + word.length) === word
      ) {
        this.pos += word.length;
        return;
      }
    }
    if (text[this.pos] === MINUS) this.pos++;
    const whole = this.pos;
    if (text[this.pos] === ZERO) this.pos++;
    else this.digits();
    const digits = this.pos - whole;
    if (digits === 0) throw this.error('Expecting value', pos);
    let isFloat = false;
    if (text[this.pos] === DOT && isDigit(text[this.pos + 1])) {
      this.pos++;
      this.digits();
      isFloat = true;
    }
    const exponent = this.exponentStart();
    if (exponent > 0) {
      this.pos = exponent;
      this.digits();
      isFloat = true;
    }
    if (!isFloat && digits > MAX_INTEGER_DIGITS) {
      throw this.error(`Integer of more than ${MAX_INTEGER_DIGITS} digits`, pos);
    }
  }

  /** The first digit of an exponent that starts here, or 0. `1e` is a number and then extra data. */
  private exponentStart(): number {
    const { text } = this;
    if (text[this.pos] !== LARGE_E && text[this.pos] !== SMALL_E) return 0;
    const sign = text[this.pos + 1];
    const at = this.pos + (sign === PLUS || sign === MINUS ? 2 : 1);
    return isDigit(text[at]) ? at : 0;
  }

  private digits(): void {
    while (isDigit(this.text[this.pos])) this.pos++;
  }

  private space(): void {
    this.pos = skipSpace(this.text, this.pos);
  }

  private error(message: string, at = this.pos): JsonError {
    return new JsonError(message, Math.min(at, this.text.length));
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

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= ZERO && c <= NINE;
}

function isHexDigit(c: number | undefined): boolean {
  return isDigit(c) || (c !== undefined && (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
}

/** The value of a JSON string's text. */
export function unquote(text: Json): string {
  return JSON.parse(text.toString('utf8')) as string;
}
