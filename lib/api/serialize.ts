/** JavaScript values to the middleware's JSON: Python's, with `$date` and `$set`. */
import { types } from 'node:util';
import { MidcltError } from '../errors.js';
import { checkValue, JsonError, MAX_DEPTH } from '../json/check.js';
import { JsonText } from '../json/text.js';
import { onOneLine, quote } from '../json/members.js';

/**
 * The parameters of a call: an array of JavaScript values, or the text of a JSON array.
 *
 * Values may be null, booleans, strings, numbers (also NaN and infinities, as Python writes them),
 * BigInt (an integer of any size), Date (`{"$date": milliseconds}`), Set (`{"$set": [...]}`),
 * {@link JsonText} (its own text), arrays and plain objects of these. Anything else is refused, and
 * so is undefined: it would be lost without a word.
 */
export type Params = readonly unknown[] | { readonly json: string };

/** On one line. Throws a `REQUEST` error that says where the value is that can't be sent. */
export function paramsText(params: Params): string {
  const given: unknown = params; // JavaScript callers have no types
  if (typeof given !== 'object' || given === null) {
    throw refused("'params' must be an array, or { json: '[…]' }");
  }
  const text = 'json' in params ? checked(params.json, 'params') : valueText(params, 'params', 0);
  if (text.startsWith('[')) return text;
  throw refused("'params' must be an array, or { json: '[…]' }");
}

/** The JSON text of one value; `at` is where it stands, for errors. */
export function valueText(value: unknown, at: string, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      return Object.is(value, -0) ? '-0.0' : String(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? 'null' : objectText(value, at, depth);
    default:
      throw refused(`${at} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`);
  }
}

function objectText(value: object, at: string, depth: number): string {
  if (depth > MAX_DEPTH) throw refused(`${at.slice(0, 100)} is nested too deeply, or in itself`);
  if (value instanceof JsonText) return checked(value.text, at);
  if (types.isDate(value)) {
    const milliseconds = value.getTime();
    if (Number.isNaN(milliseconds)) throw refused(`${at} is an invalid Date`);
    return `{"$date": ${milliseconds}}`;
  }
  if (types.isSet(value)) return `{"$set": ${listText([...value], at, depth)}}`;
  if (Array.isArray(value)) return listText(value, at, depth);
  if (!isPlain(value)) {
    const { constructor } = value as { constructor?: { name?: string } };
    throw refused(`${at} is a ${constructor?.name ?? 'strange object'}`);
  }
  const members = Object.entries(value).map(
    ([key, member]) => `${quote(key)}: ${valueText(member, `${at}.${key}`, depth + 1)}`,
  );
  return `{${members.join(', ')}}`;
}

function listText(list: readonly unknown[], at: string, depth: number): string {
  const texts = Array.from(list, (element, i) => valueText(element, `${at}[${i}]`, depth + 1));
  return `[${texts.join(', ')}]`;
}

/** Made by a literal, also in another context (as test runners have them), or without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A text that must be one JSON value by Python's rules; a lone surrogate is escaped. */
function checked(json: string, at: string): string {
  const text = Buffer.from(
    json.replace(/\p{Surrogate}/gu, (c) => `\\u${c.charCodeAt(0).toString(16)}`),
  );
  try {
    checkValue(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw refused(`${at} is not valid JSON: ${error.message}`);
  }
  return onOneLine(text).toString().trim();
}

function refused(message: string): MidcltError {
  return new MidcltError('REQUEST', `Cannot send this: ${message}`, { errorType: 'TypeError' });
}
