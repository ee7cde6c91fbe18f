/**
 * Checks what is sent to the middleware: what the server would refuse without naming the caller must
 * never be sent. A request's members and an argument as typed are found by the same check.
 */
import { BACKSLASH, DOLLAR, OPEN_BRACE, skipSpace } from './ascii.js';
import { keyText, onOneLine, quote } from './members.js';
import { extendedKind, Kind, type ExtendedMember, type ExtendedMembers } from './python-types.js';
import { JsonError, Scanner, Token, type Json, type Rules } from './scan.js';
import { atOnce, type Steps } from '../steps.js';

export { JsonError } from './scan.js';

/** Nesting up to here is taken. Python gives up near 1,000; the server drops the connection at 10,000. */
export const MAX_DEPTH = 500;
/** Python's `int()` refuses longer integers (CVE-2020-10735). Floats have no such limit. */
export const MAX_INTEGER_DIGITS = 4300;
/** What Python reads, all of it looked at: extended JSON may stand at any depth. */
export const PYTHON: Rules = {
  depth: MAX_DEPTH,
  integerDigits: MAX_INTEGER_DIGITS,
  digits: Infinity,
  entered: MAX_DEPTH,
  believes: false,
};
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
  /** Where it began. */
  start: number;
  isObject: boolean;
  /** All elements of the list so far could be in a Python `set`. */
  hashable: boolean;
  /** All keys of the object so far begin with `$`: only such an object can be an extended one. */
  dollars: boolean;
  /** Its members then. */
  extended: ExtendedMembers | null;
  /** The members of the object read so far. */
  count: number;
  /** The key of the value that is being read. */
  keyStart: number;
  keyEnd: number;
}

/** Counts on a list of open containers and not on the stack, so that it can stop and go on. */
class Checker {
  private readonly scanner: Scanner;
  private depth = 0;
  private readonly containers: Container[] = [];

  /** `found` collects the members of the outermost object, for who wants them. */
  constructor(
    private readonly text: Buffer,
    private readonly found: Map<string, Json> | null,
  ) {
    this.scanner = new Scanner(text, PYTHON);
  }

  /** Goes on for a little. True when the whole text has been checked. */
  advance(): boolean {
    const { scanner } = this;
    const until = scanner.end + STRIDE;
    for (;;) {
      switch (scanner.next(until)) {
        case Token.UNFINISHED:
          return false;
        case Token.END:
          return true;
        case Token.OPEN:
          this.open(scanner.start);
          break;
        case Token.KEY:
          this.key(scanner.start, scanner.end);
          break;
        case Token.STRING:
          this.value(Kind.STRING, scanner.start);
          break;
        case Token.SCALAR:
          this.value(Kind.SCALAR, scanner.start);
          break;
        case Token.CLOSE:
          this.close();
          break;
        default:
          throw scanner.error();
      }
    }
  }

  private open(start: number): void {
    const { depth } = this;
    const container = (this.containers[depth] ??= newContainer());
    container.start = start;
    container.isObject = this.text[start] === OPEN_BRACE;
    container.hashable = true;
    container.dollars = depth > 0 || this.found === null;
    container.extended = null;
    container.count = 0;
    this.depth++;
  }

  private key(start: number, end: number): void {
    const container = this.innermost();
    container.keyStart = start;
    container.keyEnd = end;
  }

  private close(): void {
    const container = this.innermost();
    const kind = this.kindOf(container);
    this.depth--;
    this.value(kind, container.start);
  }

  private kindOf({ isObject, hashable, extended, start }: Container): Kind {
    if (!isObject) return hashable ? Kind.LIST_OF_HASHABLE : Kind.LIST;
    if (!extended) return Kind.DICT;
    const kind = extendedKind(extended);
    if (typeof kind === 'string') throw new JsonError(kind, start);
    return kind;
  }

  /** At the end of a value. */
  private value(kind: Kind, start: number): void {
    if (this.depth === 0) return;
    const container = this.innermost();
    if (container.isObject) this.member(container, kind, start);
    else if (kind > Kind.STRING) container.hashable = false;
  }

  private member(container: Container, kind: Kind, start: number): void {
    const { text, found, scanner } = this;
    const { keyStart, keyEnd } = container;
    const first = text[keyStart + 1];
    const isWanted = found !== null && this.depth === 1;
    const mayBeExtended = container.dollars && (first === DOLLAR || first === BACKSLASH);
    if (isWanted || mayBeExtended) {
      const key = keyText(text.subarray(keyStart, keyEnd));
      const value = text.subarray(start, scanner.end);
      if (isWanted) {
        if (++container.count > MAX_MEMBERS) {
          throw new JsonError(`More than ${MAX_MEMBERS} members`, scanner.end);
        }
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

  private innermost(): Container {
    return (this.containers[this.depth - 1] ??= newContainer());
  }
}

function newContainer(): Container {
  return {
    start: 0,
    isObject: false,
    hashable: true,
    dollars: false,
    extended: null,
    count: 0,
    keyStart: 0,
    keyEnd: 0,
  };
}

/** What JSON can begin with. To find out by an exception costs more than all the rest of a short argument. */
const MAY_BE_JSON = /^[ \t\r\n]*["[{tfnNI\-0-9]/;

/** Characters that are quoted in one step. */
const SLICE = 64 * 1024;

/**
 * The JSON text of one argument: its own where Python's parser takes it as JSON, else that of a string.
 * `onString` is told why an argument that begins like JSON is taken for one.
 */
export function textOf(arg: string, onString: (why: JsonError) => void): string {
  return atOnce(readingArgument(arg, onString));
}

/** As {@link textOf}, in steps. */
export function* readingArgument(
  arg: string,
  onString: (why: JsonError) => void = () => undefined,
): Steps<string> {
  if (!MAY_BE_JSON.test(arg)) return yield* quoting(arg);
  const bytes = Buffer.from(arg);
  try {
    yield* checkingValue(bytes);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    onString(error);
    return yield* quoting(arg);
  }
  yield;
  return onOneLine(bytes).toString().trim();
}

/** As {@link quote}, which spells the halves of a pair one by one. */
function* quoting(text: string): Steps<string> {
  let quoted = '';
  for (let from = 0; from < text.length; from += SLICE) {
    yield;
    quoted += quote(text.slice(from, from + SLICE)).slice(1, -1);
  }
  return `"${quoted}"`;
}
