/**
 * The documentation that a server gives of its methods, which is reStructuredText of a simple kind, as text to read:
 * paragraphs filled to a width, lists and literal blocks as they are, without markup.
 */
import { stripControls } from '../../text/terminal.js';
import { widthOf } from '../output/table.js';

/** Characters of the longest text that is looked at. */
const MOST = 50_000;
/** Characters of the longest line about a method. */
const LONGEST_SUMMARY = 200;

/** What a text is about, on one line: its first sentence, without its full stop. */
export function summaryOf(text: string): string {
  const trimmed = text.slice(0, MOST).trimStart();
  const [first = ''] = trimmed.split(/\n[^\S\n]*\n/, 1);
  const line = clean(plain(first.slice(0, 4 * LONGEST_SUMMARY)));
  const sentence = /^.*?[^.](?<!\be\.g|\bi\.e|\betc)[.:](?=\s|$)/.exec(line)?.[0] ?? line;
  return clip(sentence.replace(/[.:\s]+$/, ''), LONGEST_SUMMARY);
}

function clean(text: string): string {
  return stripControls(text, '\n\t').replace(/\s+/g, ' ').trim();
}

/** Cut where it is longer, which shows. Never within a surrogate pair. */
export function clip(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Without the markup within a line: roles, links, double backticks, bold. */
function plain(text: string): string {
  return text
    .replace(/:[a-z][a-z-]{0,30}:`([^`\n]{0,500})`/g, (_, inner: string) => target(inner))
    .replace(/``([^`\n]{1,500})``/g, '`$1`')
    .replace(/`([^`<\n]{1,500}) <([^>\n]{1,500})>`_{1,2}/g, '$1 ($2)')
    .replace(/\*\*([^*\n]{1,500})\*\*/g, '$1')
    .replace(/\\([*_`])/g, '$1');
}

/** Of a role the text that it shows, `text <target>`, or else its target. */
function target(inner: string): string {
  return inner.replace(/ ?<[^>]*>$/, '') || inner;
}

/** A text's lines, none wider than `width` unless a word is. */
export function proseLines(text: string, width: number): string[] {
  const lines: string[] = [];
  const source = stripControls(text.slice(0, MOST), '\n\t').replace(/\t/g, '    ').split('\n');
  if (text.length > MOST) source.push('…');
  let paragraph: string[] = [];
  let indent = 0;
  const flush = () => {
    if (paragraph.length > 0) lines.push(...filled(paragraph.join(' '), width, indent));
    paragraph = [];
  };
  const blank = () => {
    flush();
    if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
  };
  /** A literal block goes on as long as its lines stand further right than this; null: there is none. */
  let literal: number | null = null;
  for (const line of source) {
    const content = line.trim();
    const at = line.length - line.trimStart().length;
    if (content === '') {
      blank();
      continue;
    }
    if (literal !== null && at > literal) {
      flush();
      lines.push(line.trimEnd());
      continue;
    }
    literal = null;
    const directive = /^\.\. ([a-z-]{1,40})::\s*(.*)$/.exec(content);
    if (directive) {
      const [, name = '', rest = ''] = directive;
      blank();
      if (/^(?:code|code-block|sourcecode|parsed-literal)$/.test(name)) literal = at;
      else paragraph = [`${titled(name)}:`, ...(rest ? [plain(rest)] : [])];
      indent = at;
      continue;
    }
    const isItem = /^(?:[-*•+]|\d{1,3}[.)]|\(?[a-z]\))\s/.test(content);
    // A definition, or what a note says, stands further right; it is a paragraph of its own.
    if (isItem || paragraph.length === 0 || (at !== indent && !hangs(paragraph))) flush();
    if (paragraph.length === 0) indent = at;
    if (content.endsWith('::')) {
      literal = at;
      const intro = content.slice(0, -1);
      if (intro !== ':') paragraph.push(plain(intro));
      flush();
      continue;
    }
    paragraph.push(plain(content));
  }
  blank();
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Whether the lines behind its first stand further right: an item's, and those of a note. */
function hangs([first = '']: readonly string[]): boolean {
  return /^(?:[-*•+]|\d{1,3}[.)]|\(?[a-z]\))\s|^[A-Z][a-z ]*:$/.test(first);
}

function titled(name: string): string {
  const words = name.replace('seealso', 'see also').replaceAll('-', ' ');
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** A paragraph's lines; of an item those behind the first stand under its text. */
function filled(text: string, width: number, indent: number): string[] {
  const marker = /^(?:[-*•+]|\d{1,3}[.)]|\(?[a-z]\))\s+/.exec(text)?.[0].length ?? 0;
  const left = Math.min(indent, Math.floor(width / 2));
  return wrapped(text, width, left, left + marker);
}

/** Words to lines: the first begins at `first`, those behind it at `next`. */
export function wrapped(text: string, width: number, first: number, next: number): string[] {
  const lines: string[] = [];
  let line = ' '.repeat(first);
  let end = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (word === '') continue;
    const length = widthOf(word);
    if (!isEmpty && end + 1 + length > width) {
      lines.push(line);
      line = ' '.repeat(next);
      end = next;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    end += length + (isEmpty ? 0 : 1);
    isEmpty = false;
  }
  lines.push(line);
  return lines;
}
