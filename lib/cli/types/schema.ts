/**
 * A JSON Schema as a type: what pydantic writes of the middleware's models, with the middleware's own habits, and the
 * older kind of 24.10. Nothing in it is followed or obeyed but what is read here; what is not understood is `unknown`,
 * which takes everything, and says why.
 */
import { quote } from '../../json/members.js';
import { commentLines } from './print.js';
import {
  intersection,
  union,
  unknown,
  word,
  type Element,
  type Member,
  type Objects,
  type Type,
} from './type.js';

/** A value of JSON that is an object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Real ones have a dozen levels. */
const DEEPEST = 60;
/** Characters of a type's name. */
const LONGEST_NAME = 60;
/** Characters of a default that is told. */
const LONGEST_DEFAULT = 60;

export interface Use {
  readonly objects: Objects;
  /** What is sent may be written in more ways than what comes: as Date and Set, with constants, as BigInt. */
  readonly isSent: boolean;
  /** Integers that come may be BigInt, too. */
  readonly bigint: boolean;
  /** What has a default is there in any case: the server fills it in. */
  readonly isFilled: boolean;
}

export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

export function listOf(value: unknown): readonly unknown[] | null {
  return Array.isArray(value) ? value : null;
}

/** `place` is what an object in it might be called. */
export function typeOf(schema: unknown, use: Use, place: string, depth = 0): Type {
  if (schema === false) return word('never');
  const fields = fieldsOf(schema);
  if (!fields) return unknown();
  if (depth > DEEPEST) return unknown('nested too deeply');
  if ('$ref' in fields) return unknown('a reference, which is not followed');
  if ('const' in fields) return literal(fields.const);
  const types = listOf(fields.type) ?? [fields.type];
  const choices = listOf(fields.enum);
  if (choices) {
    // The old schemas leave null to the type.
    const more = types.includes('null') ? [word('null')] : [];
    return union([...choices.map(literal), ...more]);
  }
  const inner = (part: unknown) => typeOf(part, use, place, depth + 1);
  const parts: Type[] = [];
  for (const alternatives of [listOf(fields.anyOf), listOf(fields.oneOf)]) {
    if (alternatives) parts.push(union(alternatives.map(inner)));
  }
  for (const part of listOf(fields.allOf) ?? []) parts.push(inner(part));
  const isMore = 'properties' in fields || 'items' in fields || 'prefixItems' in fields;
  if (parts.length > 0 && !isMore) return intersection(parts);
  const own = types.map((type) => plainType(type, fields, use, place, depth));
  return intersection([union(own), ...parts]);
}

function plainType(type: unknown, fields: Fields, use: Use, place: string, depth: number): Type {
  switch (type) {
    case 'null':
    case 'boolean':
    case 'number':
      return word(type);
    case 'string':
      return stringType(fields.format, use.isSent);
    case 'integer':
      return use.isSent || use.bigint ? union([word('number'), word('bigint')]) : word('number');
    case 'array':
      return arrayType(fields, use, place, depth);
    case 'object':
      return objectType(fields, use, place, depth);
    case undefined:
      if ('properties' in fields) return objectType(fields, use, place, depth);
      if ('items' in fields || 'prefixItems' in fields) return arrayType(fields, use, place, depth);
      return unknown();
    default:
      return unknown('of a kind that is not known');
  }
}

/** What are objects in Python have forms of their own in the middleware's JSON. */
function stringType(format: unknown, isSent: boolean): Type {
  switch (format) {
    case 'date-time':
      return union([...(isSent ? [word('Date')] : []), word('{ $date: number }')]);
    case 'date':
      return word('{ $type: "date"; $value: string }');
    case 'time':
      return word('{ $time: string }');
    case 'ipv4interface':
      return union([word('string'), word('{ $ipv4_interface: string }')]);
    case 'ipv6interface':
      return union([word('string'), word('{ $ipv6_interface: string }')]);
    default:
      return word('string');
  }
}

function arrayType(fields: Fields, use: Use, place: string, depth: number): Type {
  const { isSent } = use;
  const inner = (schema: unknown) => typeOf(schema, use, place, depth + 1);
  const places = listOf(fields.prefixItems);
  if (places) {
    const least = typeof fields.minItems === 'number' ? fields.minItems : places.length;
    const elements = places.map((schema, index): Element => {
      return { label: null, isOptional: index >= least, type: inner(schema) };
    });
    return { kind: 'tuple', elements, isReadonly: isSent };
  }
  // A list has the alternatives: the middleware wraps what there is.
  const items = listOf(fields.items) ?? ('items' in fields ? [fields.items] : []);
  const item = items.length === 0 ? unknown() : union(items.map(inner));
  const list: Type = { kind: 'array', item, isReadonly: isSent };
  if (fields.uniqueItems !== true) return list;
  const members: readonly Member[] = [{ name: '$set', isOptional: false, type: list, doc: [] }];
  const set = use.objects.make(members, null, `${place}Set`);
  if (!isSent) return union([list, set]);
  return union([list, { kind: 'set', item }, set]);
}

function objectType(fields: Fields, use: Use, place: string, depth: number): Type {
  const { objects } = use;
  const properties = fieldsOf(fields.properties) ?? {};
  const required = listOf(fields.required) && new Set(listOf(fields.required));
  const hint = className(fields.title) ?? place;
  const members = Object.entries(properties).map(([name, schema]): Member => {
    const property = fieldsOf(schema);
    const isRequired = required ? required.has(name) : property?._required_ === true;
    const isThere = use.isFilled && property !== null && 'default' in property;
    const type = typeOf(schema, use, hintOf(hint, name), depth + 1);
    const doc = use.isSent ? docOf(property) : descriptionOf(property);
    return { name, isOptional: !isRequired && !isThere, type, doc };
  });
  return objects.make(members, othersOf(fields, members.length, use, place, depth), hint);
}

/** Whether other names may stand there; in what comes they are of no use unless the server says so. */
function othersOf(
  fields: Fields,
  count: number,
  use: Use,
  place: string,
  depth: number,
): Type | null {
  const { additionalProperties: others, patternProperties: patterns } = fields;
  if (others === undefined && !patterns) return use.isSent || count === 0 ? unknown() : null;
  if (others === false && !patterns) return null;
  // Of all names, also those above, TypeScript would have it.
  if (count > 0 || patterns || !fieldsOf(others)) return unknown();
  return typeOf(others, use, hintOf(place, 'Value'), depth + 1);
}

/** What a comment tells of a value that is sent. */
function docOf(schema: Fields | null): readonly string[] {
  const value = defaultText(schema ?? {});
  const lines = value === null ? [] : commentLines(`Default: ${value}`);
  return [...descriptionOf(schema), ...lines];
}

export function descriptionOf(schema: Fields | null): readonly string[] {
  return typeof schema?.description === 'string' ? commentLines(schema.description) : [];
}

/** Null where there is none, or none to be told in passing. */
export function defaultText(schema: Fields): string | null {
  if (!('default' in schema)) return null;
  const { default: value } = schema;
  const parts = typeof value === 'object' && value !== null ? Object.values(value) : [];
  if (parts.some((part) => typeof part === 'object' && part !== null)) return null;
  const text = JSON.stringify(value);
  return text.length <= LONGEST_DEFAULT ? text : null;
}

function literal(value: unknown): Type {
  switch (typeof value) {
    case 'string':
      return word(quote(value));
    case 'boolean':
      return word(String(value));
    case 'number':
      return word(Number.isFinite(value) && !unsafe(value) ? String(value) : 'number');
    default:
      return value === null ? word('null') : unknown();
  }
}

function unsafe(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** pydantic's titles of models are their classes' names, `PoolEntry`; those of fields are words. */
function className(title: unknown): string | null {
  const isOne = typeof title === 'string' && /^[A-Z]\w*[a-z]\w*[A-Z]\w*$/.test(title);
  return isOne && title.length <= LONGEST_NAME ? title : null;
}

/** `PoolCreate` and `topology` is `PoolCreateTopology`; only the end of what gets too long. */
export function hintOf(outer: string, name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((each) => each !== '');
  const inner = words.map((each) => each.charAt(0).toUpperCase() + each.slice(1)).join('');
  const hint = outer + inner;
  return hint.length <= LONGEST_NAME && /^[A-Z]/.test(hint) ? hint : `Of${inner.slice(0, 50)}`;
}
