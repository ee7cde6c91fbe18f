/** Python's json.loads, with the middleware's object hook. */
import { PyJsonError, decodeExtended } from './object-hook.js';
import { PyFloat, type PyDict, type PyValue } from './values.js';

export { PyJsonError };

/** Text nested too deep: the real server's stack overflows, and its connection ends. */
export class PyJsonNesting extends Error {}

/** 5,000 levels pass on the real server and 10,000 do not; the limit between them is a guess. */
const MAX_DEPTH = 9_000;
const MAX_INT_DIGITS = 4300;

const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const PLAIN = /[ !#-[\]-\uffff]*/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

type Open = { readonly list: PyValue[] } | { readonly members: PyDict; key: string };

/** The value of a text. A loop and not recursive, so that only {@link MAX_DEPTH} limits the depth. */
export function parse(text: string): PyValue {
  return new Parser(text).document();
}

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): PyValue {
    if (this.text.startsWith('\ufeff'))
      throw this.error('Unexpected UTF-8 BOM (decode using utf-8-sig)', 0);
    const value = this.value();
    this.space();
    if (this.at < this.text.length) throw this.error('Extra data', this.at);
    return value;
  }

  private value(): PyValue {
    const open: Open[] = [];
    for (;;) {
      this.space();
      let value = this.openOrScalar(open);
      // A finished value goes into the container around it, which may be finished by it.
      while (value !== undefined) {
        const around = open.at(-1);
        if (around === undefined) return value;
        value =
          'list' in around ? this.item(open, around.list, value) : this.member(open, around, value);
      }
    }
  }

  /** A scalar or an empty container; undefined when a container was opened and its first value follows. */
  private openOrScalar(open: Open[]): PyValue | undefined {
    const char = this.text[this.at];
    if (char === '{') {
      this.at += 1;
      this.space();
      if (this.take('}')) return new Map<string, PyValue>();
      open.push({ members: new Map(), key: this.key() });
    } else if (char === '[') {
      this.at += 1;
      this.space();
      if (this.take(']')) return [];
      open.push({ list: [] });
    } else {
      return this.scalar();
    }
    if (open.length > MAX_DEPTH) throw new PyJsonNesting();
    return undefined;
  }

  private item(open: Open[], list: PyValue[], value: PyValue): PyValue | undefined {
    list.push(value);
    this.space();
    if (this.take(',')) return undefined;
    if (!this.take(']')) throw this.error("Expecting ',' delimiter", this.at);
    open.pop();
    return list;
  }

  private member(
    open: Open[],
    around: { readonly members: PyDict; key: string },
    value: PyValue,
  ): PyValue | undefined {
    around.members.set(around.key, value); // of duplicate keys the last value counts, in the first one's place
    this.space();
    if (this.take(',')) {
      this.space();
      around.key = this.key();
      return undefined;
    }
    if (!this.take('}')) throw this.error("Expecting ',' delimiter", this.at);
    open.pop();
    return decodeExtended(around.members);
  }

  private key(): string {
    if (this.text[this.at] !== '"')
      throw this.error('Expecting property name enclosed in double quotes', this.at);
    const key = this.string();
    this.space();
    if (!this.take(':')) throw this.error("Expecting ':' delimiter", this.at);
    return key;
  }

  private scalar(): PyValue {
    if (this.text[this.at] === '"') return this.string();
    if (this.word('null')) return null;
    if (this.word('true')) return true;
    if (this.word('false')) return false;
    if (this.word('NaN')) return new PyFloat(NaN);
    if (this.word('Infinity')) return new PyFloat(Infinity);
    if (this.word('-Infinity')) return new PyFloat(-Infinity);
    return this.number();
  }

  private number(): PyValue {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.error('Expecting value', this.at);
    const [all, whole = '0', fraction, exponent] = match;
    this.at += all.length;
    if (fraction !== undefined || exponent !== undefined) return new PyFloat(Number(all));
    const digits = whole.length - (whole.startsWith('-') ? 1 : 0);
    if (digits > MAX_INT_DIGITS)
      throw new PyJsonError(
        `Exceeds the limit (${MAX_INT_DIGITS} digits) for integer string conversion: value has ` +
          `${digits} digits; use sys.set_int_max_str_digits() to increase the limit`,
      );
    return BigInt(whole);
  }

  private string(): string {
    const start = this.at;
    let result = '';
    this.at += 1;
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)?.[0] ?? '';
      result += plain;
      this.at += plain.length;
      const char = this.text[this.at];
      if (char === undefined) throw this.error('Unterminated string starting at', start);
      if (char === '"') {
        this.at += 1;
        return result;
      }
      if (char !== '\\') throw this.error('Invalid control character at', this.at);
      result += this.escape(start);
    }
  }

  private escape(start: number): string {
    const kind = this.text[this.at + 1];
    if (kind === undefined) throw this.error('Unterminated string starting at', start);
    if (kind === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6);
      // Python refuses digits at the end of the text, too.
      if (!/^[0-9a-fA-F]{4}$/.test(hex) || this.at + 6 >= this.text.length)
        throw this.error('Invalid \\uXXXX escape', this.at + 1);
      this.at += 6;
      return String.fromCharCode(parseInt(hex, 16));
    }
    const char = ESCAPES[kind];
    if (char === undefined) throw this.error('Invalid \\escape', this.at);
    this.at += 2;
    return char;
  }

  private space(): void {
    SPACE.lastIndex = this.at;
    this.at += SPACE.exec(this.text)?.[0].length ?? 0;
  }

  private take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at += 1;
    return true;
  }

  private word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** Python counts characters, JavaScript UTF-16 units. */
  private error(message: string, at: number): PyJsonError {
    const before = Array.from(this.text.slice(0, at));
    const line = before.filter((char) => char === '\n').length + 1;
    const column = before.length - before.lastIndexOf('\n');
    return new PyJsonError(`${message}: line ${line} column ${column} (char ${before.length})`);
  }
}
