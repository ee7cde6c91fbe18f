/** A JSON value as text, and what is built of it: JavaScript values for the Node API, and what `pprint` shows. */
import { OPEN_BRACE } from './ascii.js';
import { JsonError, Scanner, Token, type Rules } from './scan.js';

export interface ValueOptions {
  /** Integers that a double does not hold exactly (beyond ±(2^53 − 1)) come as BigInt. Default: rounded. */
  readonly bigint?: boolean | undefined;
}

/**
 * One JSON value exactly as the middleware sent it. `String(json)` is its text.
 *
 * The text is Python's JSON: `NaN`, `Infinity` and `-Infinity` are values, integers may have any
 * size, `2` and `2.0` are different.
 */
export class JsonText {
  constructor(readonly text: string) {}

  /**
   * The text as a JavaScript value. What is lost: `2.0` is 2, an integer beyond ±(2^53 − 1) is
   * rounded unless `bigint` is set. Extended JSON (`{"$date": …}`) stays as it is. Throws a
   * SyntaxError if the text is no JSON.
   */
  value({ bigint = false }: ValueOptions = {}): unknown {
    if (!bigint || !/\d{16}/.test(this.text)) {
      try {
        return JSON.parse(this.text) as unknown;
      } catch {
        // NaN or an infinity, or no JSON at all
      }
    }
    return valueOf(this.text, bigint);
  }

  toString(): string {
    return this.text;
  }
}

/** For what has come already: its size is no reason to refuse it. */
const ANY: Rules = {
  depth: 10_000_000,
  integerDigits: Infinity,
  digits: Infinity,
  entered: 10_000_000,
  believes: false,
};

/** JSON.parse with Python's constants and BigInt; Node 20 shows revivers no source text. */
function valueOf(text: string, bigint: boolean): unknown {
  try {
    return build<unknown>(text, ANY, {
      scalar: (word) => scalarOf(word, bigint),
      string: (value) => value,
      list: (items) => items,
      object: (members) => Object.fromEntries(members), // own members, also one named __proto__
    });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const before = Buffer.from(text).toString('utf8', 0, error.offset);
    throw new SyntaxError(`Not JSON at character ${before.length}`, { cause: error });
  }
}

function scalarOf(word: string, bigint: boolean): unknown {
  if (/^[tfn]/.test(word)) return JSON.parse(word) as unknown;
  const value = Number(word);
  const isExact = !bigint || Number.isSafeInteger(value) || !/^-?\d+$/.test(word);
  return isExact ? value : BigInt(word);
}

/** Makes something of each value; of lists and objects when that of all that is in them is made. */
export interface Maker<T> {
  /** A number or a constant, as it is spelt: it may be too big for a double. */
  readonly scalar: (word: string) => T;
  readonly string: (value: string) => T;
  readonly list: (items: T[]) => T;
  /** Of duplicate keys the last. */
  readonly object: (members: Map<string, T>) => T;
}

/** A list or an object that is not over. */
interface Container<T> {
  readonly items: T[];
  /** Null in a list. */
  readonly members: Map<string, T> | null;
  key: string;
}

/** What `maker` makes of a text. Throws {@link JsonError}. The depth is not the stack's. */
export function build<T>(json: string, rules: Rules, maker: Maker<T>): T {
  const bytes = Buffer.from(json);
  const isAscii = bytes.length === json.length;
  const text = isAscii ? bytes : Buffer.from(withoutHalves(json));
  // To take a word from a string costs less than to make one of bytes.
  const ascii = isAscii ? json : text.toString('latin1');
  const scanner = new Scanner(text, rules);
  const token = () => {
    const word = ascii.slice(scanner.start, scanner.end);
    return isAscii || !/[\x80-\xff]/.test(word) ? word : scanner.token().toString();
  };
  const built: T[] = [];
  const outer: Container<T>[] = [];
  let container: Container<T> = { items: built, members: null, key: '' };
  const add = (value: T) => {
    if (container.members) container.members.set(container.key, value);
    else container.items.push(value);
  };
  for (;;) {
    switch (scanner.next()) {
      case Token.OPEN: {
        outer.push(container);
        const isObject = text[scanner.start] === OPEN_BRACE;
        container = { items: [], members: isObject ? new Map<string, T>() : null, key: '' };
        break;
      }
      case Token.KEY:
        container.key = JSON.parse(token()) as string;
        break;
      case Token.STRING:
        add(maker.string(JSON.parse(token()) as string));
        break;
      case Token.SCALAR:
        add(maker.scalar(token()));
        break;
      case Token.CLOSE: {
        const { members, items } = container;
        container = outer.pop() ?? container;
        add(members ? maker.object(members) : maker.list(items));
        break;
      }
      case Token.END:
        return built[0] as T;
      default:
        throw scanner.error();
    }
  }
}

/** Halves of surrogate pairs, which bytes can't hold, as escape sequences; not where one would be behind a backslash. */
export function withoutHalves(json: string): string {
  if (!/\p{Surrogate}/u.test(json)) return json;
  return json.replace(/\\[^]|\p{Surrogate}/gu, (found) =>
    found.startsWith('\\') ? found : `\\u${found.charCodeAt(0).toString(16)}`,
  );
}
