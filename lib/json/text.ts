/** A JSON value as text, and the one place that makes JavaScript values of it, for the Node API. */

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
    return new Reader(this.text, bigint).document();
  }

  toString(): string {
    return this.text;
  }
}

const SCALAR = /NaN|-?Infinity|null|true|false|(-?(?:0|[1-9]\d*))(\.\d+)?([eE][-+]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;

/** JSON.parse with Python's constants and BigInt; Node 20 shows revivers no source text. */
class Reader {
  private pos = 0;

  constructor(
    private readonly text: string,
    private readonly bigint: boolean,
  ) {}

  document(): unknown {
    const value = this.value();
    if (this.peek() !== '') throw this.error();
    return value;
  }

  private value(): unknown {
    switch (this.peek()) {
      case '{':
        return this.object();
      case '[':
        return this.list();
      case '"':
        return this.string();
      default:
        return this.scalar();
    }
  }

  private object(): object {
    const members = new Map<string, unknown>();
    for (let more = this.open('}'); more; more = this.next('}')) {
      if (this.peek() !== '"') throw this.error();
      const key = this.string();
      if (this.peek() !== ':') throw this.error();
      this.pos++;
      members.set(key, this.value());
    }
    return Object.fromEntries(members); // own members, also one named __proto__
  }

  private list(): unknown[] {
    const elements: unknown[] = [];
    for (let more = this.open(']'); more; more = this.next(']')) elements.push(this.value());
    return elements;
  }

  /** Past an opening bracket: is there anything in it? */
  private open(close: string): boolean {
    this.pos++;
    if (this.peek() !== close) return true;
    this.pos++;
    return false;
  }

  /** After an element: does another follow? */
  private next(close: string): boolean {
    const found = this.peek();
    if (found !== ',' && found !== close) throw this.error();
    this.pos++;
    return found === ',';
  }

  private string(): string {
    const start = this.pos;
    let end = start;
    let backslashes: number;
    do {
      end = this.text.indexOf('"', end + 1);
      if (end === -1) throw this.error();
      backslashes = 0;
      while (this.text[end - 1 - backslashes] === '\\') backslashes++;
    } while (backslashes % 2 === 1);
    this.pos = end + 1;
    return JSON.parse(this.text.slice(start, end + 1)) as string;
  }

  private scalar(): unknown {
    SCALAR.lastIndex = this.pos;
    const found = SCALAR.exec(this.text);
    if (!found) throw this.error();
    this.pos = SCALAR.lastIndex;
    const [word, integer, fraction, exponent] = found;
    if (integer === undefined) {
      return /^[tfn]/.test(word) ? (JSON.parse(word) as unknown) : Number(word);
    }
    const value = Number(word);
    const exact = fraction !== undefined || exponent !== undefined || Number.isSafeInteger(value);
    return this.bigint && !exact ? BigInt(integer) : value;
  }

  /** The next character that is no blank; '' at the end. */
  private peek(): string {
    SPACE.lastIndex = this.pos;
    SPACE.exec(this.text);
    this.pos = SPACE.lastIndex;
    return this.text[this.pos] ?? '';
  }

  private error(): SyntaxError {
    return new SyntaxError(`Not JSON at character ${this.pos}`);
  }
}
