/** Commands to copy: made of a method's parameters, or of the examples that its server gives. */
import { textOf } from '../../json/check.js';
import {
  booleanOf,
  elementsOf,
  isNull,
  membersOf,
  onOneLine,
  quote,
  Scan,
  stringOf,
} from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { SchemaReader } from './schema-values.js';
import type { Value } from './schema-text.js';

/** Levels of an object that is made up, and characters of the largest value that is shown. */
const MOST_DEPTH = 5;
const LONGEST = 600;
/** Examples of one method. */
const MOST = 8;
/** Characters of a server's text about examples that are looked at. */
const MOST_TEXT = 100_000;

/** The words of a value on the command line: a string bare where that can be told, all else as JSON. */
export function argumentOf(value: Json): string {
  const text = onOneLine(value).toString();
  const word = stringOf(value);
  if (word === null || word === '' || /^-|[\p{Cc}]/u.test(word)) return text;
  return textOf(word, () => undefined) === quote(word) ? word : text;
}

/** A word for a shell, between quotes where it needs them. */
export function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

export interface Made {
  readonly json: Json;
  /** There is a word in it that stands for one of the user's. */
  readonly hasBlanks: boolean;
}

/** A value for a parameter: of its own examples, or made of what it says of itself. */
export function valueFor({ name, schema }: Value): Made {
  const maker = new Maker(new SchemaReader(schema));
  const made = maker.make(name, schema, [], 0);
  const isLong = made.length > LONGEST;
  const json = Buffer.from(isLong ? quote(name.toUpperCase()) : made);
  return { json, hasBlanks: isLong || maker.hasBlanks };
}

class Maker {
  hasBlanks = false;

  constructor(private readonly reader: SchemaReader) {}

  /** The JSON of it. */
  make(name: string, text: Json, through: readonly string[], depth: number): string {
    const { schema, through: further, again } = this.reader.schema(text, through);
    const [example] = this.reader.list(schema.get('examples')) ?? [];
    const [choice] = this.reader.list(schema.get('enum')) ?? [];
    const byDefault = schema.get('default');
    const given =
      example ?? schema.get('const') ?? (isNull(byDefault) ? null : byDefault) ?? choice;
    if (given) return onOneLine(given.subarray(0, 2 * LONGEST)).toString();
    if (again !== null || depth > MOST_DEPTH || this.reader.isSpent) return 'null';
    const options = ['anyOf', 'oneOf'].flatMap((key) => this.reader.list(schema.get(key)) ?? []);
    const [option] = options.filter((each) => !this.isNothing(each));
    if (option) return this.make(name, option, further, depth + 1);
    const inner = (key: string, each: Json) => this.make(key, each, further, depth + 1);
    const types = this.reader.list(schema.get('type'))?.map(stringOf);
    const type = types ? types.find((each) => each !== 'null') : stringOf(schema.get('type'));
    switch (type) {
      case 'string':
        this.hasBlanks = true;
        return quote(name.toUpperCase());
      case 'integer':
      case 'number':
        return schema.get('minimum')?.toString() ?? '1';
      case 'boolean':
        return 'false';
      case 'null':
        return 'null';
      case 'array': {
        const items = schema.get('items');
        const isNeeded = Number(schema.get('minItems')?.toString() ?? 0) > 0;
        return isNeeded && membersOf(items) ? `[${inner(name, items as Json)}]` : '[]';
      }
      case 'object': {
        const properties = this.reader.members(schema.get('properties'));
        const required = this.reader.list(schema.get('required'))?.map(stringOf);
        const members = [...(properties ?? [])].filter(([key, each]) => {
          const keywords = this.reader.members(each);
          const isRequired = booleanOf(keywords?.get('_required_')) === true;
          // A constant tells one kind of object from another.
          return required?.includes(key) || isRequired || keywords?.has('const');
        });
        return `{${members.map(([key, each]) => `${quote(key)}: ${inner(key, each)}`).join(', ')}}`;
      }
      default:
        return schema.has('properties') ? '{}' : '1';
    }
  }

  private isNothing(text: Json): boolean {
    return stringOf(this.reader.members(text)?.get('type')) === 'null';
  }
}

/** An example that a server's documentation has: what it says of it, and the arguments. */
export interface Told {
  readonly about: string;
  /** Null where they can't be read: then `about` is all there is. */
  readonly args: readonly Json[] | null;
}

/** The examples for WebSocket clients, which are text with a request of the legacy wire in it. */
export function toldExamples(examples: Json | undefined): Told[] {
  const kinds = membersOf(examples);
  const texts = ['websocket', '__all__'].flatMap((kind) => elementsOf(kinds?.get(kind)) ?? []);
  return texts
    .slice(0, MOST)
    .flatMap((text) => examplesIn((stringOf(text) ?? '').slice(0, MOST_TEXT)));
}

function examplesIn(text: string): Told[] {
  const found: Told[] = [];
  let from = 0;
  for (const { start, end } of documentsIn(text).slice(0, 4 * MOST)) {
    const before = text.slice(from, start).replace(/:::\w+\s*$/, '');
    const document = Buffer.from(text.slice(start, end));
    const isJson = new Scan(document).step(Infinity) === 'valid';
    const members = isJson ? membersOf(document) : null;
    from = end;
    // What a method answers stands there, too.
    if (members && !members.has('method')) continue;
    const params = members?.get('params');
    const about = (members ? before : before + document.toString()).trim();
    found.push({ about, args: params ? elementsOf(params) : members && [] });
  }
  // Braces that don't match: what can be told is the text.
  if (found.length === 0 && text.trim()) return [{ about: text.trim(), args: null }];
  return found.slice(0, MOST);
}

/** Where JSON objects stand in a text, as far as their braces tell. */
function documentsIn(text: string): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  let depth = 0;
  let start = 0;
  let isString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (depth > 0 && character === '"') isString = !isString;
    else if (isString && character === '\\') at++;
    else if (isString) continue;
    else if (character === '{' && depth++ === 0) start = at;
    else if (character === '}' && depth > 0 && --depth === 0) found.push({ start, end: at + 1 });
  }
  return found;
}
