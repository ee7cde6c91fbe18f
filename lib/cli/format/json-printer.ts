/**
 * A result as strict JSON in one of three forms, printed as it comes: on one line, indented, or an element a line. Its numbers
 * and strings stay as the server spells them; `NaN` and `Infinity`, which are no JSON, become `null`.
 */
import {
  BACKSLASH,
  BLANK,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  CR,
  LF,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SMALL_N,
  SPACE,
} from '../../json/ascii.js';

export type JsonForm = 'line' | 'pretty' | 'lines';

/** Of what is indented; null: none. As jq has them. */
export interface Colours {
  readonly key: string;
  readonly string: string;
  readonly null: string;
  readonly end: string;
}

export const COLOURS: Colours = {
  key: '\x1b[34;1m',
  string: '\x1b[32m',
  null: '\x1b[90m',
  end: '\x1b[0m',
};

const LARGE_I = 0x49;
const LARGE_N = 0x4e;
const DELETE = 0x7f;
/** Begins, in UTF-8, the control characters U+0080 to U+009F, which a terminal acts on. */
const C1_LEAD = 0xc2;
const C1_END = 0x9f;
const INDENT = '  ';
/** Levels; what is deeper is indented no further. */
const DEEPEST_INDENT = 100;
const CHUNK = 64 * 1024;

export class JsonPrinter {
  private readonly out: Out;
  private isString = false;
  private isEscaped = false;
  /** Inside a number or a word. */
  private isToken = false;
  /** Bytes that are left of a word in whose place another stands. */
  private skip = 0;
  /** A minus has come, with which a number may begin, or `-Infinity`. */
  private hasMinus = false;
  /** Of a string; what follows says what it is. */
  private hasLead = false;
  /** The containers that are open: is it an object? */
  private readonly open: boolean[] = [];
  private isKeyNext = false;
  private isJustOpened = false;
  private isLineDue = false;
  private isColoured = false;
  /** Of `lines`: the elements of this array are the lines. */
  private isUnwrapped = false;

  constructor(
    writeOut: (data: Buffer) => void,
    private readonly form: JsonForm,
    private readonly colours: Colours | null = null,
  ) {
    this.out = new Out(writeOut);
  }

  push(piece: Buffer): void {
    for (const byte of piece) this.take(byte);
  }

  end(): void {
    this.endToken();
    if (this.out.hasText) this.out.byte(LF);
    this.out.flush();
  }

  private take(byte: number): void {
    if (this.skip > 0) this.skip--;
    else if (this.isString) this.takeOfString(byte);
    else if (this.hasMinus) this.takeAfterMinus(byte);
    else this.takeOutside(byte);
  }

  private takeAfterMinus(byte: number): void {
    this.hasMinus = false;
    if (byte !== LARGE_I) {
      this.token(MINUS);
      this.out.byte(MINUS);
    }
    this.takeOutside(byte);
  }

  private takeOutside(byte: number): void {
    switch (byte) {
      case QUOTE:
        this.beginString();
        return;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.openContainer(byte);
        return;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.closeContainer(byte);
        return;
      case COMMA:
        this.comma();
        return;
      case COLON:
        this.endToken();
        this.isKeyNext = false;
        this.out.byte(byte);
        if (this.form === 'pretty') this.out.byte(SPACE);
        return;
      case MINUS:
        this.hasMinus = true;
        return;
      case LARGE_N:
      case LARGE_I:
        this.token(SMALL_N);
        this.out.text('null');
        this.skip = byte === LARGE_N ? 'aN'.length : 'nfinity'.length;
        return;
      default:
        if (BLANK[byte]) {
          this.blank(byte);
          return;
        }
        this.token(byte);
        this.out.byte(byte);
    }
  }

  private blank(byte: number): void {
    this.endToken();
    if (this.form === 'pretty' || this.isTop) return;
    this.out.byte(byte === LF || byte === CR ? SPACE : byte);
  }

  /** Between the elements that are the lines, or outside the value. */
  private get isTop(): boolean {
    return this.open.length === 0 || (this.isUnwrapped && this.open.length === 1);
  }

  private token(first: number): void {
    if (this.isToken) return;
    this.beforeValue();
    this.isToken = true;
    if (first === SMALL_N) this.colour('null');
  }

  private endToken(): void {
    if (this.isToken) this.uncolour();
    this.isToken = false;
  }

  private beforeValue(): void {
    if (this.form === 'pretty' && (this.isJustOpened || this.isLineDue)) this.line();
    this.isJustOpened = false;
    this.isLineDue = false;
  }

  private line(): void {
    this.out.byte(LF);
    for (let level = Math.min(this.open.length, DEEPEST_INDENT); level > 0; level--) {
      this.out.text(INDENT);
    }
  }

  private openContainer(byte: number): void {
    this.beforeValue();
    const isObject = byte === OPEN_BRACE;
    this.isUnwrapped ||= this.form === 'lines' && !isObject && this.open.length === 0;
    if (!(this.isUnwrapped && this.open.length === 0)) this.out.byte(byte);
    this.open.push(isObject);
    this.isKeyNext = isObject;
    this.isJustOpened = true;
  }

  private closeContainer(byte: number): void {
    this.endToken();
    this.open.pop();
    if (this.form === 'pretty' && !this.isJustOpened) this.line();
    this.isJustOpened = false;
    if (!(this.isUnwrapped && this.open.length === 0)) this.out.byte(byte);
  }

  private comma(): void {
    this.endToken();
    this.isKeyNext = this.open.at(-1) ?? false;
    this.isLineDue = true;
    this.out.byte(this.isUnwrapped && this.open.length === 1 ? LF : COMMA);
  }

  private beginString(): void {
    this.beforeValue();
    this.isString = true;
    this.colour(this.isKeyNext ? 'key' : 'string');
    this.out.byte(QUOTE);
  }

  private takeOfString(byte: number): void {
    if (this.hasLead) {
      this.hasLead = false;
      if (byte <= C1_END) {
        this.escape(byte);
        return;
      }
      this.out.byte(C1_LEAD);
    }
    if (this.form === 'pretty' && byte === C1_LEAD) {
      this.hasLead = true;
      return;
    }
    if (this.form === 'pretty' && byte === DELETE) {
      this.escape(byte);
      return;
    }
    this.out.byte(byte);
    if (this.isEscaped) this.isEscaped = false;
    else if (byte === BACKSLASH) this.isEscaped = true;
    else if (byte === QUOTE) {
      this.isString = false;
      this.uncolour();
    }
  }

  private escape(code: number): void {
    this.out.text(`\\u00${code.toString(16)}`);
  }

  private colour(name: keyof Colours): void {
    if (!this.colours) return;
    this.out.text(this.colours[name]);
    this.isColoured = true;
  }

  private uncolour(): void {
    if (this.isColoured && this.colours) this.out.text(this.colours.end);
    this.isColoured = false;
  }
}

/** Collects bytes, so that they are written many at once. */
class Out {
  hasText = false;
  private readonly buffer = Buffer.allocUnsafe(CHUNK);
  private used = 0;

  constructor(private readonly writeOut: (data: Buffer) => void) {}

  byte(byte: number): void {
    if (this.used === CHUNK) this.flush();
    this.buffer[this.used++] = byte;
    this.hasText = true;
  }

  /** Of ASCII. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  flush(): void {
    if (this.used > 0) this.writeOut(this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}
