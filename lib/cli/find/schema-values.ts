/** JSON Schemas as bytes: their keywords, and values in a few words. A schema comes from any server, and may be anything. */
import {
  elementsOf,
  integerOf,
  membersOf,
  onOneLine,
  stringOf,
  type Members,
} from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { clip } from './prose.js';

/** A schema's keywords. */
export type Schema = Members;

/** Bytes that may be read of schemas for one description: a `$ref` can name the same large one again and again. */
const MOST_READ = 64 * 1024 * 1024;
/** Characters of a default or an example, and of a value among others. */
const LONGEST_VALUE = 160;
/** How many values of an enumeration are named. */
const MOST_VALUES = 40;

/** Reads the schemas of one document, as long as that takes no more than it should. */
export class SchemaReader {
  private read = 0;

  /** `root` is where a `$ref` begins. */
  constructor(readonly root: Json) {}

  get isSpent(): boolean {
    return this.read > MOST_READ;
  }

  /** The keywords, with those of what a `$ref` or a lone `allOf` names; `through` gets the names of the former. */
  schema(text: Json | undefined, through: readonly string[] = []): Found {
    const found = this.members(text);
    if (!found) return { schema: NO_KEYWORDS, through, again: null };
    const reference = stringOf(found.get('$ref'));
    if (reference !== null) {
      const name = reference.slice(reference.lastIndexOf('/') + 1);
      const isAgain = through.includes(reference) || through.length >= MOST_REFERENCES;
      const to = isAgain ? undefined : this.at(reference);
      if (!to) return { schema: found, through, again: name };
      const inner = this.schema(to, [...through, reference]);
      return { ...inner, schema: new Map([...inner.schema, ...found]) };
    }
    const [only, ...more] = this.list(found.get('allOf')) ?? [];
    if (!only || more.length > 0 || found.has('properties')) {
      return { schema: found, through, again: null };
    }
    const inner = this.schema(only, [...through, ALONE]);
    return { ...inner, schema: new Map([...inner.schema, ...found]) };
  }

  members(text: Json | undefined): Members | null {
    this.read += text?.length ?? 0;
    return this.isSpent ? null : membersOf(text);
  }

  list(text: Json | undefined): Json[] | null {
    this.read += text?.length ?? 0;
    return this.isSpent ? null : elementsOf(text);
  }

  /** What a `$ref` within the document names. */
  private at(reference: string): Json | undefined {
    if (!reference.startsWith('#/')) return undefined;
    let text: Json | undefined = this.root;
    for (const part of reference.slice(2).split('/').slice(0, MOST_PARTS)) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      text = this.members(text)?.get(key);
    }
    return text;
  }
}

export interface Found {
  readonly schema: Schema;
  /** The references that led here. */
  readonly through: readonly string[];
  /** The name of a reference that is not followed: it leads to itself, or nowhere. */
  readonly again: string | null;
}

const NO_KEYWORDS: Schema = new Map();
const MOST_REFERENCES = 20;
const MOST_PARTS = 10;
/** What stands for an `allOf` of one among the references. */
const ALONE = 'allOf';

/** A value as the server spelt it, on one line and cut. */
export function valueText(text: Json, most = LONGEST_VALUE): string {
  const line = onOneLine(text.subarray(0, 8 * most)).toString();
  return clip(line, most);
}

/** `"A", "B" or "C"`. */
export function choiceText(values: readonly Json[]): string {
  const words = values.slice(0, MOST_VALUES).map((value) => valueText(value));
  const more = values.length - words.length;
  return either(more > 0 ? [...words, `${more} more`] : words);
}

export function either(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${last}` : last;
}

/** What a schema asks of a value beyond its type. */
export function constraintsOf(schema: Schema): string[] {
  const number = (key: string) => {
    const text = schema.get(key);
    return text && /^-?[\d.e+-]{1,40}$/i.test(valueText(text)) ? valueText(text) : null;
  };
  const length = rangeText(number('minLength'), number('maxLength'), 'character');
  const items = rangeText(number('minItems'), number('maxItems'), 'item');
  const size = rangeText(number('minimum'), number('maximum'), null);
  const [more, less, step] = ['exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'].map(number);
  const [pattern, format] = ['pattern', 'format'].map((key) => stringOf(schema.get(key)));
  return [
    ...(length ? [length] : []),
    ...(items ? [items] : []),
    ...(schema.get('uniqueItems')?.toString() === 'true' ? ['no item twice'] : []),
    ...(size ? [size] : []),
    ...(more ? [`more than ${more}`] : []),
    ...(less ? [`less than ${less}`] : []),
    ...(step ? [`a multiple of ${step}`] : []),
    ...(format ? [`format ${clip(format, LONGEST_VALUE)}`] : []),
    ...(pattern ? [`matches ${clip(pattern, LONGEST_VALUE)}`] : []),
  ];
}

function rangeText(least: string | null, most: string | null, unit: string | null): string | null {
  const of = (number: string) => {
    if (unit === null) return '';
    return ` ${unit}${integerOf(Buffer.from(number)) === 1 ? '' : 's'}`;
  };
  const from = unit !== null && least === '0' ? null : least;
  if (from !== null && from === most)
    return unit === null ? `exactly ${most}` : `${most}${of(most)}`;
  if (from !== null && most !== null) return `${from} to ${most}${of(most)}`;
  if (from !== null) return `at least ${from}${of(from)}`;
  return most === null ? null : `at most ${most}${of(most)}`;
}
