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
  DOLLAR,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './ascii.js';
import { extendedKind, Kind, type ExtendedMember, type ExtendedMembers } from './python-types.js';
import { JsonError, keyText, scalarEnd, skipSpace, stringEnd } from './tokens.js';
import type { Json } from './json.js';
import { atOnce, type Steps } from '../steps.js';

export { JsonError, keyText, MAX_INTEGER_DIGITS, skipSpace, unquote } from './tokens.js';

/** Nesting up to here is taken. Python gives up near 1,000; the server drops the connection at 10,000. */
export const MAX_DEPTH = 500;
/** Members that the object whose members are asked for may have, duplicates counted. */
const MAX_MEMBERS = 1000;
/** An object of more members that begin with `$` is a plain one. */
const MOST_EXTENDED = 2;
/** Bytes that are checked in one step. */
const STRIDE = 16 * 1024;

/** Throws {@link JsonError} unless `text` is exactly one value. It must be valid UTF-8 already. */
export function checkValue(text: Buffer): void {
  atOnce(checkingValue(text));
}

/** As {@link checkValue}, in steps. */
export function* checkingValue(text: Buffer): Steps<void> {
  const checker = new Checker(text, null);
  while (!checker.advance()) yield;
}

/**
 * Checks `text` as {@link checkValue} does and returns the members of the object it must be; of
 * duplicate keys the last counts, as in Python. Null if it is valid but no object.
 */
export function checkObject(text: Buffer): Map<string, Json> | null {
  return atOnce(checkingObject(text));
}

/** As {@link checkObject}, in steps. */
export function* checkingObject(text: Buffer): Steps<Map<string, Json> | null> {
  const isObject = text[skipSpace(text, 0)] === OPEN_BRACE;
  const found = isObject ? new Map<string, Json>() : null;
  const checker = new Checker(text, found);
  while (!checker.advance()) yield;
  return found;
}

/** A list or an object that has begun and not ended. One for each depth, used again and again. */
interface Container {
  /** Where it began, and the bracket that ends it. */
  start: number;
  close: number;
  /** All elements of the list so far could be in a Python `set`. */
  hashable: boolean;
  /** All keys of the object so far begin with `$`: only such an object can be an extended one. */
  dollars: boolean;
  /** Its members then. */
  extended: ExtendedMembers | null;
  /** The members of the object read so far. */
  count: number;
  /** The key of the value that is being read, and where that began. */
  keyStart: number;
  keyEnd: number;
  valueStart: number;
}

/** Counts on a list of open containers and not on the stack, so that it can stop and go on. */
class Checker {
  private pos = 0;
  private depth = 0;
  private readonly containers: Container[] = [];

  /** `found` collects the members of the outermost object, for who wants them. */
  constructor(
    private readonly text: Buffer,
    private readonly found: Map<string, Json> | null,
  ) {}

  /** Goes on for a little. True when the whole text has been checked. */
  advance(): boolean {
    const until = this.pos + STRIDE;
    do {
      for (let kind = this.value(); kind !== null; kind = this.afterValue(kind)) {
        if (this.depth > 0) continue;
        this.space();
        if (this.pos !== this.text.length) throw this.error('Extra data');
        return true;
      }
    } while (this.pos < until);
    return false;
  }

  /** What the value that begins here is, at its end; null if it has only begun, and one within it is next. */
  private value(): Kind | null {
    this.space();
    switch (this.text[this.pos]) {
      case OPEN_BRACE:
        return this.open(CLOSE_BRACE);
      case OPEN_BRACKET:
        return this.open(CLOSE_BRACKET);
      case QUOTE:
        this.pos = stringEnd(this.text, this.pos);
        return Kind.STRING;
      default:
        this.pos = scalarEnd(this.text, this.pos);
        return Kind.SCALAR;
    }
  }

  private open(close: number): Kind | null {
    const { text, depth } = this;
    if (depth >= MAX_DEPTH) throw this.error(`Nesting deeper than ${MAX_DEPTH}`);
    const start = this.pos++;
    this.space();
    if (text[this.pos] === close) {
      this.pos++;
      return close === CLOSE_BRACE ? Kind.DICT : Kind.LIST_OF_HASHABLE;
    }
    const container = (this.containers[depth] ??= newContainer());
    container.start = start;
    container.close = close;
    container.hashable = true;
    container.dollars = depth > 0 || this.found === null;
    container.extended = null;
    container.count = 0;
    this.depth++;
    if (close === CLOSE_BRACE) this.key(container);
    return null;
  }

  /** After a value: null if another one follows in its container, else what that is, which has ended, too. */
  private afterValue(kind: Kind): Kind | null {
    const { text } = this;
    const container = this.containers[this.depth - 1] ?? newContainer();
    const isObject = container.close === CLOSE_BRACE;
    if (isObject) this.member(container, kind);
    else if (kind > Kind.STRING) container.hashable = false;
    this.space();
    const next = text[this.pos++];
    if (next === COMMA) {
      if (isObject) this.key(container);
      return null;
    }
    if (next !== container.close) throw this.error("Expecting ',' delimiter", this.pos - 1);
    this.depth--;
    if (!isObject) return container.hashable ? Kind.LIST_OF_HASHABLE : Kind.LIST;
    if (!container.extended) return Kind.DICT;
    const answer = extendedKind(container.extended);
    if (typeof answer === 'string') throw this.error(answer, container.start);
    return answer;
  }

  /** A member's key and colon. */
  private key(container: Container): void {
    const { text } = this;
    this.space();
    if (text[this.pos] !== QUOTE) {
      throw this.error('Expecting property name enclosed in double quotes');
    }
    container.keyStart = this.pos;
    this.pos = stringEnd(text, this.pos);
    container.keyEnd = this.pos;
    this.space();
    if (text[this.pos] !== COLON) throw this.error("Expecting ':' delimiter");
    this.pos++;
    this.space();
    container.valueStart = this.pos;
  }

  /** Behind a member's value. */
  private member(container: Container, kind: Kind): void {
    const { text, found } = this;
    const { keyStart, keyEnd, valueStart } = container;
    const first = text[keyStart + 1];
    const isWanted = found !== null && this.depth === 1;
    const mayBeExtended = container.dollars && (first === DOLLAR || first === BACKSLASH);
    if (isWanted || mayBeExtended) {
      const key = keyText(text.subarray(keyStart, keyEnd));
      const value = text.subarray(valueStart, this.pos);
      if (isWanted) {
        if (++container.count > MAX_MEMBERS) throw this.error(`More than ${MAX_MEMBERS} members`);
        found.set(key, value);
        return;
      }
      if (key.startsWith('$')) {
        const extended = (container.extended ??= new Map<string, ExtendedMember>());
        extended.set(key, { text: value, kind });
        if (extended.size <= MOST_EXTENDED) return;
      }
    }
    container.dollars = false;
    container.extended = null;
  }

  private space(): void {
    this.pos = skipSpace(this.text, this.pos);
  }

  private error(message: string, at = this.pos): JsonError {
    return new JsonError(message, Math.min(at, this.text.length));
  }
}

function newContainer(): Container {
  return {
    start: 0,
    close: 0,
    hashable: true,
    dollars: false,
    extended: null,
    count: 0,
    keyStart: 0,
    keyEnd: 0,
    valueStart: 0,
  };
}
