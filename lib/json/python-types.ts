/**
 * The middleware's extended JSON: an object whose one key is `$date`, `$time`, `$set`,
 * `$ipv4_interface` or `$ipv6_interface`, or whose two keys are `$type` and `$value`, is
 * converted on arrival. Where that fails the server answers without saying whom, so a
 * malformed one must be found here.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Json } from './scan.js';

/** What a JSON value is in Python, as far as building a `set` of it matters. */
export const enum Kind {
  SCALAR,
  STRING,
  LIST_OF_HASHABLE,
  LIST,
  DICT,
  SET,
}

export interface ExtendedMember {
  readonly text: Json;
  readonly kind: Kind;
}

/** The members of an object all of whose keys begin with `$`, the last of duplicates. */
export type ExtendedMembers = Map<string, ExtendedMember>;

/**
 * Seconds since the epoch that Python's datetime can hold: the years 1 to 9999, less the last
 * second, to which it adds the milliseconds once more.
 */
const FIRST_SECOND = -62135596800;
const LAST_SECOND = 253402300798;

/** Python's `int()` of a string: blanks around it, a sign, single underscores between digits. */
const PYTHON_INT = /^[ \t-\r]*[+-]?\d+(?:_\d+)*[ \t-\r]*$/;
/** Longer ones `int()` may refuse; no part of a date needs more. */
const MAX_PART = 100;
/** Nothing longer is a time, a date or an address. */
const MAX_TEXT = 1000;

/** What the object is in Python, or the reason the middleware would refuse it. */
export function extendedKind(members: ExtendedMembers): Kind | string {
  if (members.size === 1) {
    for (const [key, member] of members) {
      const check = CHECKS[key];
      return check ? check(member) : Kind.DICT;
    }
  }
  const type = members.get('$type');
  const value = members.get('$value');
  if (members.size !== 2 || !type || !value) return Kind.DICT;
  if (type.kind !== Kind.STRING || stringOf(type) !== 'date') return Kind.DICT;
  return isDate(stringOf(value)) ? Kind.SCALAR : 'Malformed $value of a $type "date"';
}

const CHECKS: Record<string, (member: ExtendedMember) => Kind | string> = {
  __proto__: null as never,
  $date(member) {
    const milliseconds = numberOf(member);
    const second = Math.floor(milliseconds / 1000);
    return second >= FIRST_SECOND && second <= LAST_SECOND ? Kind.SCALAR : 'Malformed $date';
  },
  $time: (member) => (isTime(stringOf(member)) ? Kind.SCALAR : 'Malformed $time'),
  $set({ kind }) {
    return kind === Kind.SCALAR || kind === Kind.LIST ? 'Malformed $set' : Kind.SET;
  },
  $ipv4_interface: (member) => isInterface(member, isIPv4, 32, '$ipv4_interface'),
  $ipv6_interface: (member) => isInterface(member, isIPv6, 128, '$ipv6_interface'),
};

function stringOf({ kind, text }: ExtendedMember): string | null {
  if (kind !== Kind.STRING || text.length > MAX_TEXT) return null;
  return JSON.parse(text.toString('utf8')) as string;
}

/** NaN for what is no number; Python's `True` is 1. */
function numberOf({ kind, text }: ExtendedMember): number {
  if (kind !== Kind.SCALAR) return NaN;
  const word = text.toString('latin1');
  return word === 'true' ? 1 : word === 'false' ? 0 : Number(word);
}

/** `H:M[:S[:microseconds]]` by `int()`, or ISO 8601 with fraction and offset (newer servers). */
function isTime(value: string | null): boolean {
  if (value === null) return false;
  const iso =
    /^(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,6})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)?$/.exec(
      value,
    );
  const parts = iso ? iso.slice(1, 4).map((part) => part || '0') : value.split(':');
  const limits = [23, 59, 59, 999999];
  if (parts.length > limits.length) return false;
  return parts.every((part, i) => isInt(part, 0, limits[i] ?? 0));
}

function isDate(value: string | null): boolean {
  const parts = value?.split('-') ?? [];
  const [year = '', month = '', day = ''] = parts;
  if (parts.length !== 3 || !isInt(year, 1, 9999) || !isInt(month, 1, 12)) return false;
  const leap =
    pythonInt(year) % 4 === 0 && (pythonInt(year) % 100 !== 0 || pythonInt(year) % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return isInt(day, 1, days[pythonInt(month) - 1] ?? 0);
}

function isInt(text: string, from: number, to: number): boolean {
  if (text.length > MAX_PART || !PYTHON_INT.test(text)) return false;
  const value = pythonInt(text);
  return value >= from && value <= to;
}

function pythonInt(text: string): number {
  return Number(text.replace(/[_ \t-\r]/g, ''));
}

function isInterface(
  member: ExtendedMember,
  isAddress: (text: string) => boolean,
  bits: number,
  key: string,
): Kind | string {
  const [address = '', prefix, ...rest] = stringOf(member)?.split('/') ?? [];
  const prefixFits =
    prefix === undefined ||
    (/^\d{1,20}$/.test(prefix) && Number(prefix) <= bits) ||
    (bits === 32 && isMask(prefix));
  return isAddress(address) && prefixFits && rest.length === 0 ? Kind.SCALAR : `Malformed ${key}`;
}

/** A netmask, or a hostmask: ones and zeros each in one run. */
function isMask(text: string): boolean {
  if (!isIPv4(text)) return false;
  const binary = text
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^(?:1*0*|0*1*)$/.test(binary);
}
