/**
 * A JSON value as Python 3.11's `pprint` shows it: keys sorted, at most 80 columns where that can be,
 * each too long container with one item a line, each too long string in several pieces.
 *
 * Differences: `{"$date": …}` and its like stay plain dictionaries, and which characters are
 * printable is decided by this Node's Unicode tables.
 */
import { PYTHON } from './check.js';
import { float, repr } from './repr.js';
import { JsonError } from './scan.js';
import { build, type Maker } from './text.js';

const WIDTH = 80;

/** `size` is the length, in code points, of the whole value on one line. */
type Value =
  | { kind: 'atom'; size: number; text: string }
  | { kind: 'string'; size: number; value: string }
  | { kind: 'list'; size: number; items: Value[] }
  | { kind: 'dict'; size: number; entries: { key: string; value: Value }[] };

/** Each line is indented by the keys around it, so that a text can become far longer than its JSON: at most so much. */
const GROWTH = 64;
const MOST = 128 * 1024 * 1024;

/**
 * The lines, without a newline at the end; text that is no JSON, nested too deep, or would become far too
 * long, as it is.
 */
export function pprint(json: string): string {
  try {
    const value = build(json, PYTHON, VALUES);
    const out = new Output(Math.min(MOST, GROWTH * (json.length + WIDTH)));
    format(value, 0, 0, true, out);
    return out.text();
  } catch (error) {
    if (error instanceof JsonError || error instanceof TooLong) return json;
    throw error;
  }
}

class Output {
  private readonly pieces: string[] = [];

  constructor(private left: number) {}

  push(piece: string): void {
    this.left -= piece.length;
    if (this.left < 0) throw new TooLong();
    this.pieces.push(piece);
  }

  text(): string {
    return this.pieces.join('');
  }
}

class TooLong extends Error {}

const VALUES: Maker<Value> = {
  scalar(word) {
    const isInteger = /^-?\d+$/.test(word);
    const text = WORDS[word] ?? (isInteger ? (word === '-0' ? '0' : word) : float(Number(word)));
    return { kind: 'atom', size: text.length, text };
  },
  string: (value) => ({ kind: 'string', size: length(repr(value)), value }),
  list: (items) => ({ kind: 'list', size: inBrackets(items.map((item) => item.size)), items }),
  object(members) {
    const entries = [...members]
      .sort(([left], [right]) => compare(left, right))
      .map(([key, value]) => ({ key: repr(key), value }));
    const sizes = entries.map(({ key, value }) => length(key) + 2 + value.size);
    return { kind: 'dict', size: inBrackets(sizes), entries };
  },
};

const WORDS: Readonly<Record<string, string>> = {
  null: 'None',
  true: 'True',
  false: 'False',
  NaN: 'nan',
  Infinity: 'inf',
  '-Infinity': '-inf',
};

/** By code points. Plain comparison goes by UTF-16 units: astral characters before U+E000. */
function compare(left: string, right: string): number {
  let at = 0;
  while (at < left.length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  // Within a pair, it is the whole pairs that differ.
  if (isLow(left, at) || isLow(right, at)) at -= isHigh(left, at - 1) ? 1 : 0;
  return (left.codePointAt(at) ?? -1) - (right.codePointAt(at) ?? -1);
}

function isHigh(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800;
}

function isLow(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

/** In code points. */
function length(text: string): number {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, '?').length;
}

function inBrackets(sizes: number[]): number {
  return sizes.reduce((sum, size) => sum + size, 2 + 2 * Math.max(0, sizes.length - 1));
}

/**
 * Writes a value that begins in column `indent`. `allowance` is what its last line must leave free
 * for the brackets (or the comma) that follow. A string that stands alone gets parentheses.
 */
function format(value: Value, indent: number, allowance: number, alone: boolean, out: Output) {
  // What is in a value that fits fits, too: nothing more is said about the column to it.
  const fits = value.size <= WIDTH - indent - allowance;
  const next = fits ? ', ' : ',\n' + ' '.repeat(indent + 1);
  const inner = (item: Value, key: number, last: boolean): void => {
    if (fits) format(item, indent, allowance, false, out);
    else format(item, indent + 1 + key, last ? allowance + 1 : 1, false, out);
  };
  switch (value.kind) {
    case 'atom':
      out.push(value.text);
      return;
    case 'string': {
      const margin = alone ? 1 : 0;
      const pieces = fits
        ? [repr(value.value)]
        : split(value.value, WIDTH - indent - margin, allowance + margin);
      const isWrapped = alone && pieces.length > 1;
      if (isWrapped) out.push('(');
      pieces.forEach((piece, index) => {
        if (index > 0) out.push('\n' + ' '.repeat(indent + margin));
        out.push(piece);
      });
      if (isWrapped) out.push(')');
      return;
    }
    case 'list':
      out.push('[');
      value.items.forEach((item, index) => {
        if (index > 0) out.push(next);
        inner(item, 0, index === value.items.length - 1);
      });
      out.push(']');
      return;
    case 'dict':
      out.push('{');
      value.entries.forEach(({ key, value: item }, index) => {
        out.push(`${index > 0 ? next : ''}${key}: `);
        inner(item, length(key) + 2, index === value.entries.length - 1);
      });
      out.push('}');
  }
}

/**
 * The quoted pieces of a long string: one a line of it, and a line that is too long after the last
 * word that fits. The last piece leaves `allowance` columns free.
 */
function split(text: string, width: number, allowance: number): string[] {
  const lines = text.match(LINES);
  if (lines === null) return [repr('')];
  const pieces: string[] = [];
  lines.forEach((line, row) => {
    const lastLine = row === lines.length - 1;
    const quoted = repr(line);
    if (length(quoted) <= (lastLine ? width - allowance : width)) {
      pieces.push(quoted);
      return;
    }
    let piece = '';
    const words = line.match(WORDS_AND_BLANKS) ?? [];
    words.forEach((word, column) => {
      const lastWord = lastLine && column === words.length - 1;
      const longer = piece + word;
      if (length(repr(longer)) > (lastWord ? width - allowance : width)) {
        if (piece !== '') pieces.push(repr(piece));
        piece = word;
      } else {
        piece = longer;
      }
    });
    if (piece !== '') pieces.push(repr(piece));
  });
  return pieces;
}

/* eslint-disable no-control-regex -- Python counts these among its line ends and blanks */

/** Lines with their ends, as `str.splitlines` finds them. */
const LINES =
  /[^\n\v\f\r\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029])|[^\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+$/g;

/** Words with the blanks behind them, by `str.isspace`. */
const WORDS_AND_BLANKS =
  /[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
