/** Text in lines of 80 columns at most. */
import { widthOf } from '../output/table.js';
import type { Block, Term } from './word.js';

const WIDTH = 80;
const INDENT = 2;
/** Where the meaning of a term begins, behind the indent. */
const COLUMN = 26;
/** The same in a list within a list. */
const NESTED = 8;
/** With longer terms. */
const MOST_COLUMN = 37;

/** A term, its meaning, and a list behind that. */
export type Entry = readonly [name: string, meaning: string, list?: readonly Term[] | undefined];

/** Words in lines, each of which begins with an indent. */
export function filled(words: readonly string[], indent: number): string[] {
  const lines: string[] = [];
  let line: string[] = [];
  let end = indent;
  for (const word of words) {
    const width = widthOf(word);
    if (line.length > 0 && end + width > WIDTH) {
      lines.push(line.join(' '));
      line = [];
      end = indent;
    }
    line.push(word);
    end += width + 1;
  }
  lines.push(line.join(' '));
  return lines.map((each) => ' '.repeat(indent) + each);
}

/** What may not be broken: a word, or a few in quotes. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/[("]*'[^\s'](?:[^']{0,38}[^\s'])?'(?!\w)\S*|\S+/g) ?? [];
}

/** A title, and what is below it. */
export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines];
}

export function paragraph(text: string, indent = INDENT): string[] {
  return filled(wordsOf(text), indent);
}

/** Blocks one below the other; paragraphs are apart from what is before them where `isApart`. */
export function blocks(given: readonly Block[], indent = INDENT): string[] {
  return given.flatMap((block, i) => {
    const gap = i > 0 && !(typeof block === 'object' && 'terms' in block) ? [''] : [];
    if (typeof block === 'string') return [...gap, ...paragraph(block, indent)];
    if ('terms' in block) return terms(block.terms);
    return [...gap, ...block.lines.map((line) => (line === '' ? '' : ' '.repeat(INDENT) + line))];
  });
}

/** Terms with their meanings beside them, or below one that is long, and what is listed behind a meaning. */
export function terms(given: readonly Entry[]): string[] {
  const longest = Math.max(...given.map(([name]) => name.length), 0);
  const least = longest + INDENT <= MOST_COLUMN ? longest + INDENT : 0;
  const column = INDENT + Math.max(COLUMN, least);
  return given.flatMap(([name, meaning, list = []]) => {
    const isShort = INDENT + name.length < column - 1;
    const [first = '', ...rest] = filled(wordsOf(meaning), column);
    const head = ' '.repeat(INDENT) + name;
    const more = [...rest, ...list.flatMap((term) => listed(term, column))];
    if (!isShort) return [head, first, ...more];
    return [(head.padEnd(column) + first.trimStart()).trimEnd(), ...more];
  });
}

/** A term of a list within a list. */
function listed([name, meaning]: Term, indent: number): string[] {
  const [first = '', ...rest] = filled(wordsOf(meaning), indent + NESTED);
  const head = ' '.repeat(indent) + name;
  return name.length < NESTED - 1
    ? [head.padEnd(indent + NESTED) + first.trimStart(), ...rest]
    : [head, first, ...rest];
}

/** `  0  success        1  the call failed` on one line, or a line each. */
export function codes(given: readonly Term[]): string[] {
  const words = given.map(([code, meaning]) => `${code}  ${meaning}`);
  const line = ' '.repeat(INDENT) + words.join(' '.repeat(6));
  if (line.length <= WIDTH) return [line];
  return given.flatMap(([code, meaning]) => {
    const [first = '', ...rest] = filled(wordsOf(meaning), INDENT + 3);
    return [`${' '.repeat(INDENT)}${code}  ${first.trimStart()}`, ...rest];
  });
}

/** A usage: the program, and words of which each stays whole. */
export function usage(words: readonly string[]): string[] {
  const head = 'usage: midclt ';
  const [first = '', ...rest] = filled(words, head.length);
  return [head + first.trimStart(), ...rest];
}
