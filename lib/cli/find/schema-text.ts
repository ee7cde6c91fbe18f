/** A JSON Schema as text to read: a line a value, with what is within it indented below. */
import { booleanOf, isNull, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { clip, proseLines, wrapped } from './prose.js';
import {
  choiceText,
  constraintsOf,
  either,
  SchemaReader,
  valueText,
  type Found,
  type Schema,
} from './schema-values.js';

/** What is beyond these is left out, which shows. */
const MOST_LINES = 5000;
const MOST_DEPTH = 16;
/** Lists of lists of lists, told on one line. */
const MOST_WORDS_DEPTH = 5;
const LONGEST_NAME = 100;
const STEP = 4;

export interface Value {
  readonly name: string;
  readonly schema: Json;
  /** Null: it is not told whether it may be left out. */
  readonly isRequired: boolean | null;
}

/**
 * A value's lines. Of a result it is of no use to tell what may be left out, and what stands for it then. What comes
 * from the server is stripped of what a terminal would act on by who prints it.
 */
export function valueLines(
  value: Value,
  width: number,
  indent: number,
  isResult = false,
): string[] {
  const text = new SchemaText(new SchemaReader(value.schema), width, isResult);
  text.value(value, indent, []);
  return text.lines;
}

/** What is within a schema that is not a plain value, and how it is called among others. */
interface Inside {
  readonly label: string;
  readonly found: Found;
}

class SchemaText {
  readonly lines: string[] = [];

  constructor(
    private readonly reader: SchemaReader,
    private readonly width: number,
    private readonly isResult: boolean,
  ) {}

  value(
    { name, schema: text, isRequired }: Value,
    indent: number,
    through: readonly string[],
  ): void {
    if (this.isFull(indent)) return;
    const found = this.reader.schema(text, through);
    const { schema } = found;
    const facts = [
      this.words(found, 0),
      ...(this.isResult ? [] : needOf(isRequired, schema.get('default'))),
      ...(booleanOf(schema.get('deprecated')) === true ? ['deprecated'] : []),
    ];
    const head = `${clip(name, LONGEST_NAME)}: ${facts.join(', ')}`;
    this.add(wrapped(head, this.width, indent, indent + STEP));
    this.prose(schema, indent + STEP);
    this.inside(found, indent + STEP);
  }

  private prose(schema: Schema, indent: number): void {
    const description = stringOf(schema.get('description')) ?? '';
    const lines = proseLines(description, Math.max(this.width - indent, 20));
    this.add(lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line)));
    const examples = this.reader.list(schema.get('examples')) ?? [];
    if (examples.length === 0) return;
    const example = `For example ${choiceText(examples.slice(0, 3))}`;
    this.add(wrapped(example, this.width, indent, indent + STEP));
  }

  /** What is within objects, lists and alternatives. */
  private inside(found: Found, indent: number): void {
    const all = distinct(this.insides(found, '', 0));
    const [only] = all;
    if (!only || this.isFull(indent)) return;
    const isAlone = all.length === 1;
    for (const { label, found: inner } of all) {
      if (!isAlone && label) this.add([`${' '.repeat(indent)}${label}:`]);
      this.members(inner, isAlone ? indent : indent + STEP);
    }
  }

  private members({ schema, through }: Found, indent: number): void {
    const required = this.reader.list(schema.get('required'))?.map(stringOf);
    for (const [name, text] of this.reader.members(schema.get('properties')) ?? []) {
      if (this.isFull(indent)) return;
      const own = booleanOf(this.reader.members(text)?.get('_required_'));
      const isRequired = required ? required.includes(name) : (own ?? false);
      this.value({ name, schema: text, isRequired }, indent, through);
    }
    for (const [name, text] of this.reader.members(schema.get('patternProperties')) ?? []) {
      this.value({ name: `names like ${name}`, schema: text, isRequired: null }, indent, through);
    }
    const others = schema.get('additionalProperties');
    if (this.reader.members(others)?.size) {
      const name = schema.has('properties') ? 'any other name' : 'any name';
      this.value({ name, schema: others as Json, isRequired: null }, indent, through);
    }
  }

  /** The objects in it whose members are to be told: itself, of its lists the items, of its alternatives each. */
  private insides(found: Found, label: string, depth: number): Inside[] {
    const { schema, again, through } = found;
    if (again !== null || depth > MOST_DEPTH || this.reader.isSpent) return [];
    const isObject =
      schema.has('properties') ||
      schema.has('patternProperties') ||
      Boolean(this.reader.members(schema.get('additionalProperties'))?.size);
    if (isObject) return [{ label: label || this.words(found, 0), found }];
    return [...this.alternatives(schema), ...this.items(schema)].flatMap((text) => {
      const inner = this.reader.schema(text, through);
      const title = stringOf(inner.schema.get('title'));
      return this.insides(inner, title ? clip(title, LONGEST_NAME) : '', depth + 1);
    });
  }

  private alternatives(schema: Schema): Json[] {
    return ['anyOf', 'oneOf', 'allOf'].flatMap((key) => this.reader.list(schema.get(key)) ?? []);
  }

  /** The schemas of a list's items: one for all, or one a place. */
  private items(schema: Schema): Json[] {
    const items = schema.get('items');
    const places = this.reader.list(schema.get('prefixItems')) ?? this.reader.list(items) ?? [];
    return this.reader.members(items) ? [...places, items as Json] : places;
  }

  /** What a value may be, in a few words. */
  private words(found: Found, depth: number): string {
    const { schema, again } = found;
    if (again !== null) return clip(again, LONGEST_NAME);
    if (depth > MOST_WORDS_DEPTH || this.reader.isSpent) return '…';
    const constant = schema.get('const');
    if (constant) return valueText(constant);
    const values = this.reader.list(schema.get('enum'));
    if (values && values.length > 0) return choiceText(values);
    const parts = ['anyOf', 'oneOf'].flatMap((key) => this.reader.list(schema.get(key)) ?? []);
    const inner = (text: Json) => this.words(this.reader.schema(text, found.through), depth + 1);
    if (parts.length > 0) return clip(either([...new Set(parts.map(inner))]), LONGEST_WORDS);
    const types = this.typesOf(schema);
    const words = types.length > 0 ? types : [typeBy(schema)];
    const constraints = constraintsOf(schema);
    const asked = constraints.length > 0 ? ` (${constraints.join(', ')})` : '';
    return clip(
      either(words.map((type) => (type === 'array' ? this.listWords(found, depth) : type))) + asked,
      LONGEST_WORDS,
    );
  }

  private listWords({ schema, through }: Found, depth: number): string {
    const items = this.items(schema);
    if (items.length === 0) return 'array';
    const words = items.map((text) => this.words(this.reader.schema(text, through), depth + 1));
    const [only = ''] = words;
    if (words.length > 1) return `array of: ${words.join(', then ')}`;
    return / or |, /.test(only) ? `array of (${only})` : `array of ${only}`;
  }

  private typesOf(schema: Schema): string[] {
    const type = schema.get('type');
    const names = this.reader.list(type)?.map(stringOf) ?? [stringOf(type)];
    return names.flatMap((name) => (name === null || name === '' ? [] : clip(name, LONGEST_NAME)));
  }

  private add(lines: readonly string[]): void {
    this.lines.push(...lines.slice(0, MOST_LINES));
  }

  /** Whether there is too much already: then a last line says so. */
  private isFull(indent: number): boolean {
    const isFull =
      this.lines.length >= MOST_LINES || this.reader.isSpent || indent > STEP * MOST_DEPTH;
    if (isFull && this.lines.at(-1)?.trim() !== '…') this.lines.push(`${' '.repeat(indent)}…`);
    return isFull;
  }
}

/** Those that differ: what a query answers with is a list of objects, or one of just these. */
function distinct(insides: readonly Inside[]): Inside[] {
  const seen = new Set<string>();
  return insides.filter(({ found: { schema } }) => {
    const [text, others] = [schema.get('properties'), schema.get('additionalProperties')];
    const key = `${text?.toString('latin1') ?? ''} ${others?.toString('latin1') ?? ''}`;
    return seen.size < seen.add(key).size;
  });
}

function needOf(isRequired: boolean | null, byDefault: Json | undefined): string[] {
  if (isRequired === true) return ['required'];
  if (byDefault) return [`default ${valueText(byDefault)}`];
  return isRequired === false ? ['optional'] : [];
}

/** Characters of what a value may be. */
const LONGEST_WORDS = 4000;

/** Of a schema that names no type. */
function typeBy(schema: Schema): string {
  if (schema.has('properties') || schema.has('additionalProperties')) return 'object';
  if (schema.has('items') || schema.has('prefixItems')) return 'array';
  return isNull(schema.get('not')) ? 'any' : 'any, but for some';
}
