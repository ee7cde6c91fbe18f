/** The middleware's object hook: which values objects such as `{"$date": 0}` stand for. */
import { isIP } from 'node:net';
import {
  PyDate,
  PyDateTime,
  PyInterface,
  PySet,
  PyTime,
  dump,
  numberOf,
  repr,
  typeName,
  type PyDict,
  type PyValue,
} from './values.js';

/** Text that json.loads or the object hook would refuse; the message is Python's. */
export class PyJsonError extends Error {}

/** The last second and the first that a Python datetime can hold. */
const MAX_SECONDS = 253402300799;
const MIN_SECONDS = -62135596800;

type Decoder = (value: PyValue) => PyValue;

/** An object whose only key is one of these stands for what the function returns. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  $date: decodeDate,
  $time: decodeTime,
  $set: decodeSet,
  $ipv4_interface: (value) => decodeInterface(4, value),
  $ipv6_interface: (value) => decodeInterface(6, value),
};

/** An object with such a key becomes its value; any other dict stays. */
export function decodeExtended(members: PyDict): PyValue {
  if (members.size === 2 && members.get('$type') === 'date' && members.has('$value'))
    return decodeDay(members.get('$value') ?? null);
  if (members.size !== 1) return members;
  for (const [key, value] of members) {
    const decoder = key.startsWith('$') ? DECODERS[key] : undefined;
    if (decoder !== undefined) return namingKey(key, () => decoder(value));
  }
  return members;
}

/** Decodes. An error names the key. */
function namingKey(key: string, decode: () => PyValue): PyValue {
  try {
    return decode();
  } catch (error) {
    throw new PyJsonError(`Error parsing ${key}: ${(error as Error).message}`);
  }
}

function decodeDate(value: PyValue): PyValue {
  const ms = numberOf(value);
  if (ms === undefined)
    throw new Error(`unsupported operand type(s) for //: '${typeName(value)}' and 'int'`);
  if (!Number.isFinite(ms)) throw new Error('cannot convert float NaN to integer');
  const seconds = Math.floor(ms / 1000);
  if (seconds > MAX_SECONDS || seconds < MIN_SECONDS) {
    const year = 1970 + Math.floor(seconds / 31556952);
    throw new Error(`year ${year} is out of range`);
  }
  return new PyDateTime(ms);
}

function decodeTime(value: PyValue): PyValue {
  if (typeof value !== 'string')
    throw new Error(`'${typeName(value)}' object has no attribute 'split'`);
  const parts = value.split(':').slice(0, 4).map(toInt);
  const [hour, minute = 0, second = 0, micro = 0] = parts;
  inRange('hour', hour ?? 0, 23);
  inRange('minute', minute, 59);
  inRange('second', second, 59);
  inRange('microsecond', micro, 999999);
  const clock = [hour ?? 0, minute, second].map((part) => String(part).padStart(2, '0')).join(':');
  return new PyTime(micro === 0 ? clock : `${clock}.${String(micro).padStart(6, '0')}`);
}

function toInt(text: string): number {
  if (!/^\s*[-+]?[0-9]+\s*$/.test(text))
    throw new Error(`invalid literal for int() with base 10: ${repr(text)}`);
  return Number(text);
}

function inRange(name: string, value: number, max: number): void {
  if (value < 0 || value > max) throw new Error(`${name} must be in 0..${max}`);
}

function decodeSet(value: PyValue): PyValue {
  let items: PyValue[];
  if (Array.isArray(value)) items = value;
  else if (typeof value === 'string') items = Array.from(value);
  else if (value instanceof Map) items = [...value.keys()];
  else if (value instanceof PySet) items = [...value.items];
  else throw new Error(`'${typeName(value)}' object is not iterable`);
  const distinct = new Map<string, PyValue>();
  for (const item of items) {
    if (Array.isArray(item) || item instanceof Map || item instanceof PySet)
      throw new Error(`unhashable type: '${typeName(item)}'`);
    distinct.set(dump(item), item);
  }
  return new PySet([...distinct.values()]);
}

function decodeDay(value: PyValue): PyValue {
  return namingKey('$type', () => {
    if (typeof value !== 'string') throw new Error('fromisoformat: argument must be str');
    const ms = Date.parse(`${value}T00:00:00Z`);
    const valid =
      /^\d{4}-\d\d-\d\d$/.test(value) &&
      !Number.isNaN(ms) &&
      new Date(ms).toISOString().startsWith(value);
    if (!valid) throw new Error(`Invalid isoformat string: ${repr(value)}`);
    return new PyDate(value);
  });
}

function decodeInterface(family: 4 | 6, value: PyValue): PyValue {
  const text = typeof value === 'string' ? value : repr(value);
  const [address = '', prefix, ...rest] = text.split('/');
  const bits = family === 4 ? 32 : 128;
  if (typeof value !== 'string' || isIP(address) !== family || rest.length > 0)
    throw new Error(`${repr(text)} does not appear to be an IPv${family} interface`);
  if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
    throw new Error(`${repr(prefix)} is not a valid netmask`);
  return new PyInterface(family, `${address}/${prefix ?? bits}`);
}
