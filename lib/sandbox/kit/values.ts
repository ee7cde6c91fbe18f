/** JavaScript's values as the server's, and back. */
import { types } from 'node:util';
import {
  PyDate,
  PyDateTime,
  PyFloat,
  PyInterface,
  PySet,
  PyTime,
  RawJson,
  dump,
  type PyValue,
} from '../python/values.js';

/**
 * What can be an answer: null, booleans, strings, numbers, BigInt (an integer of any size), Date, Set, arrays and plain
 * objects of these, and midclt's JsonText, which is sent as it is.
 */
export type Value = null | boolean | number | bigint | string | object;

/** Beyond, JavaScript writes an exponent. */
const LARGEST = 1e21;

/** Deeper than any answer, and not too deep for the stack. */
const MAX_DEPTH = 500;

/** Throws a TypeError that says where the value is that can't be sent; `at` is where this one stands. */
export function toServer(value: unknown, at: string, depth = 0): PyValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value;
    case 'number': {
      const isInteger = Number.isInteger(value) && Math.abs(value) < LARGEST;
      return isInteger && !Object.is(value, -0) ? BigInt(value) : new PyFloat(value);
    }
    case 'object':
      return value === null ? null : objectToServer(value, at, depth);
    default:
      throw new TypeError(`${at} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`);
  }
}

function objectToServer(value: object, at: string, depth: number): PyValue {
  if (depth > MAX_DEPTH) throw new TypeError(`${at.slice(0, 100)} is nested too deeply`);
  const list = (items: readonly unknown[]) =>
    Array.from(items, (item, index) => toServer(item, `${at}[${index}]`, depth + 1));
  if (Array.isArray(value)) return list(value);
  if (types.isSet(value)) return new PySet(list([...value]));
  if (types.isDate(value)) {
    if (Number.isNaN(value.getTime())) throw new TypeError(`${at} is an invalid Date`);
    return new PyDateTime(value.getTime(), true);
  }
  if (value instanceof RawJson) return value; // of a JsonText that query() has passed on
  if (!isPlain(value)) {
    const name = nameOf(value);
    if (name === 'JsonText' && 'text' in value) return new RawJson(String(value.text));
    throw new TypeError(`${at} is a ${name}`);
  }
  const members = Object.entries(value).map(
    ([key, member]) => [key, toServer(member, `${at}.${key}`, depth + 1)] as const,
  );
  return new Map(members);
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: { name?: string } };
  return constructor?.name ?? 'strange object';
}

/** Made by a literal, also in another context (as test runners have them), or without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Integers that no number holds come as BigInt, what JavaScript has no type for as the JSON it is sent as. */
export function fromServer(value: PyValue): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(fromServer);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, member]) => [key, fromServer(member)]));
  if (value instanceof PyFloat) return value.value;
  if (value instanceof PyDateTime) return new Date(value.ms);
  if (value instanceof PySet) return new Set(value.items.map(fromServer));
  if (value instanceof PyTime || value instanceof PyDate || value instanceof PyInterface)
    return JSON.parse(dump(value)) as unknown;
  return value;
}
