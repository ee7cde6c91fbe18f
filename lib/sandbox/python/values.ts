/**
 * Python values, as far as the middleware's JSON can carry them. `int` is a bigint, `dict` a
 * Map, `list` an array; what JavaScript has no type for is wrapped.
 */

/** A Python float: `2.0` is not `2`. */
export class PyFloat {
  constructor(readonly value: number) {}
}

/** A `datetime`, in milliseconds since the epoch; it leaves as whole seconds. */
export class PyDateTime {
  constructor(readonly ms: number) {}
}

/** A `time`, written as Python's `str()` does. */
export class PyTime {
  constructor(readonly text: string) {}
}

export class PyDate {
  constructor(readonly text: string) {}
}

export class PySet {
  constructor(readonly items: readonly PyValue[]) {}
}

export class PyInterface {
  constructor(
    readonly family: 4 | 6,
    readonly text: string,
  ) {}
}

/** JSON text that is copied into an answer; with it tests make the sandbox send anything. */
export class RawJson {
  constructor(readonly text: string) {}
}

/** An object that json.dumps refuses with a message that names its class. */
export class Unserializable {
  constructor(readonly className: string) {}
}

export type PyDict = Map<string, PyValue>;
export type PyValue =
  | null
  | boolean
  | bigint
  | string
  | PyFloat
  | PyDateTime
  | PyTime
  | PyDate
  | PySet
  | PyInterface
  | RawJson
  | Unserializable
  | PyValue[]
  | PyDict;

/** A dict from pairs, in their order. */
export function dict(entries: Record<string, PyValue>): PyDict {
  return new Map(Object.entries(entries));
}

export function int(value: number): bigint {
  return BigInt(Math.trunc(value));
}

/** A datetime, or None for "not yet". */
export function datetime(ms: number | null): PyDateTime | null {
  return ms === null ? null : new PyDateTime(ms);
}

/** Python's truth: None, False, zeros and empty things are false. */
export function isTruthy(value: PyValue): boolean {
  if (value instanceof PyFloat) return value.value !== 0;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (value instanceof PySet) return value.items.length > 0;
  return Boolean(value);
}

/** An int or float (or a bool, which Python counts among its ints) as a number; else undefined. */
export function numberOf(value: PyValue | undefined): number | undefined {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof PyFloat) return value.value;
  if (typeof value === 'boolean') return Number(value);
  return undefined;
}

/** A str; '' for any other value. */
export function stringOf(value: PyValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** What `type(value).__name__` says. */
export function typeName(value: PyValue): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'string') return 'str';
  if (value instanceof PyFloat) return 'float';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  if (value instanceof PySet) return 'set';
  if (value instanceof PyDateTime) return 'datetime.datetime';
  if (value instanceof PyTime) return 'datetime.time';
  if (value instanceof PyDate) return 'datetime.date';
  if (value instanceof Unserializable) return value.className;
  return 'object';
}
