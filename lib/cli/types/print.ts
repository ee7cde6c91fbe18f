/**
 * Types as text. Whatever a server says ends up in a name, a string or a comment, and can't leave it: names that are no
 * identifiers and all strings are JSON's in ASCII, and comments have neither their own end nor control characters.
 */
import { quote } from '../../json/members.js';
import type { Element, Member, ObjectType, TupleType, Type } from './type.js';

/** Of a line without the name before it, and of a comment. */
const WIDTH = 80;
const INDENT = '  ';

export type Names = ReadonlyMap<ObjectType, string>;

export function printType(type: Type, names: Names, indent = ''): string {
  switch (type.kind) {
    case 'word':
      return type.text;
    case 'object':
      return names.get(type) ?? printBody(type, names, indent);
    case 'array': {
      const item = inBrackets(type.item, names, indent);
      return `${type.isReadonly ? 'readonly ' : ''}${item}[]`;
    }
    case 'set':
      return `ReadonlySet<${printType(type.item, names, indent)}>`;
    case 'tuple':
      return `${type.isReadonly ? 'readonly ' : ''}${printTuple(type, names, indent)}`;
    case 'union':
      return alternatives(type.members, '|', names, indent);
    case 'intersection':
      return alternatives(type.members, '&', names, indent);
  }
}

/** The members of an object, in braces. */
export function printBody(type: ObjectType, names: Names, indent: string): string {
  const inner = indent + INDENT;
  const members = type.members.map((member) => printMember(member, names, inner));
  if (type.others) {
    members.push(`${inner}${typed('[key: string]', printType(type.others, names, inner))};\n`);
  }
  const [first = ''] = members;
  const line = `{ ${first.slice(inner.length, -2)} }`;
  if (members.length === 1 && !line.includes('/**') && fits(line, indent)) return line;
  return members.length === 0 ? '{}' : `{\n${members.join('')}${indent}}`;
}

function printMember(
  { name, isOptional, type, doc }: Member,
  names: Names,
  indent: string,
): string {
  const mark = isOptional ? '?' : '';
  const text = typed(`${nameText(name)}${mark}`, printType(type, names, indent));
  return `${comment(doc, indent)}${indent}${text};\n`;
}

/** Where an operator follows: in brackets if it has some of its own. */
function inBrackets(type: Type, names: Names, indent: string): string {
  const text = printType(type, names, indent);
  const isReadonly = (type.kind === 'array' || type.kind === 'tuple') && type.isReadonly;
  return isReadonly || isJoined(type) ? `(${text})` : text;
}

function isJoined({ kind }: Type): boolean {
  return kind === 'union' || kind === 'intersection';
}

function alternatives(
  members: readonly Type[],
  operator: '|' | '&',
  names: Names,
  indent: string,
): string {
  const texts = (to: string) =>
    members.map((member) => {
      const text = printType(member, names, to);
      return isJoined(member) ? `(${text})` : text;
    });
  const line = texts(indent).join(` ${operator} `);
  if (fits(line, indent)) return line;
  const inner = indent + INDENT;
  return texts(inner + INDENT)
    .map((text) => `\n${inner}${operator} ${text}`)
    .join('');
}

function printTuple({ elements }: TupleType, names: Names, indent: string): string {
  const texts = (to: string) => elements.map((element) => printElement(element, names, to));
  const line = `[${texts(indent).join(', ')}]`;
  if (fits(line, indent)) return line;
  const inner = indent + INDENT;
  const lines = texts(inner).map((text) => `${inner}${text},\n`);
  return `[\n${lines.join('')}${indent}]`;
}

function printElement({ label, isOptional, type }: Element, names: Names, indent: string): string {
  const mark = isOptional ? '?' : '';
  if (label !== null) return typed(`${label}${mark}`, printType(type, names, indent));
  return isOptional ? `${inBrackets(type, names, indent)}?` : printType(type, names, indent);
}

/** A type of several lines begins on one of its own. */
function typed(name: string, type: string): string {
  return `${name}:${type.startsWith('\n') ? '' : ' '}${type}`;
}

function fits(text: string, indent: string): boolean {
  return !text.includes('\n') && indent.length + text.length <= WIDTH;
}

export function nameText(name: string): string {
  return /^[A-Za-z_$][\w$]{0,200}$/.test(name) ? name : quote(name);
}

/** Above what it is about; nothing for no text. */
export function comment(text: readonly string[], indent = ''): string {
  const lines = text.map(harmless);
  const [first = ''] = lines;
  if (lines.length === 0) return '';
  if (lines.length === 1 && first.length <= WIDTH) return `${indent}/** ${first} */\n`;
  const inner = lines.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`);
  return `${indent}/**\n${inner.join('')}${indent} */\n`;
}

/**
 * Text that is no more than that in a comment. What is invisible or turns the direction of writing is left out, and `@`
 * begins no tag: `@ts-ignore` and `@deprecated` would mean something.
 */
function harmless(line: string): string {
  return line
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, '')
    .replaceAll('*/', '*\\/')
    .replace(/(?<![\w.\\])@/g, '\\@');
}

/** A server's text for a comment, without blank lines around it. */
export function commentLines(text: string): readonly string[] {
  const lines = text
    .replaceAll('\t', '    ')
    .split(/\r\n?|[\n\u2028\u2029\u0085]/)
    .map((line) => line.trimEnd());
  const first = lines.findIndex((line) => line !== '');
  const last = lines.findLastIndex((line) => line !== '');
  return first === -1 ? [] : withoutMargin(lines.slice(first, last + 1));
}

/** Without the indentation that all lines have but the first, which Python's docstrings come with. */
function withoutMargin(lines: readonly string[]): readonly string[] {
  const rest = lines.slice(1).filter((line) => line !== '');
  const margin = rest.reduce((least, line) => Math.min(least, line.search(/\S/)), Infinity);
  return lines.map((line, index) => (index === 0 ? line.trimStart() : line.slice(margin)));
}
