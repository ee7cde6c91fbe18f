/**
 * Python values, as far as the middleware's JSON can carry them, and how json.dumps and repr write them. `int` is
 * a bigint, `dict` a Map, `list` an array; what JavaScript has no type for is wrapped.
 */

/** A Python float: `2.0` is not `2`. */
export class PyFloat {
  constructor(readonly value: number) {}
}

/** A `datetime`, in milliseconds since the epoch; it leaves as whole seconds, as the real server writes it. */
export class PyDateTime {
  constructor(
    readonly ms: number,
    /** It leaves with its milliseconds. */
    readonly isExact = false,
  ) {}
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

/** Thrown for what json.dumps would refuse; the message is Python's. */
export class NotSerializable extends Error {}

/** Text as json.dumps writes it: ASCII only, `", "` and `": "` between. A loop and not recursive: no depth is too much. */
export function dump(root: PyValue): string {
  const out: string[] = [];
  // A string on the stack is text ready to go out, a one-element tuple a value still to be written.
  const todo: (string | readonly [PyValue])[] = [[root]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next === 'string') {
      out.push(next);
      continue;
    }
    const value = next[0];
    const scalar = dumpScalar(value);
    if (scalar !== null) {
      out.push(scalar);
      continue;
    }
    const parts = container(value);
    for (let index = parts.length - 1; index >= 0; index -= 1) {
      const part = parts[index];
      if (part !== undefined) todo.push(part);
    }
  }
  return out.join('');
}

function container(value: PyValue): (string | readonly [PyValue])[] {
  const parts: (string | readonly [PyValue])[] = [];
  if (value instanceof PySet) return ['{"$set": ', [[...value.items]], '}'];
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      parts.push(index === 0 ? '[' : ', ', [item]);
    });
    return parts.length === 0 ? ['[]'] : [...parts, ']'];
  }
  if (value instanceof Map) {
    let open = '{';
    for (const [key, item] of value) {
      parts.push(`${open}${dumpString(key)}: `, [item]);
      open = ', ';
    }
    return parts.length === 0 ? ['{}'] : [...parts, '}'];
  }
  throw new NotSerializable('Object of type object is not JSON serializable');
}

function dumpScalar(value: PyValue): string | null {
  if (value === null) return 'null';
  if (typeof value === 'string') return dumpString(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof PyFloat) return dumpFloat(value.value);
  if (value instanceof PyDateTime)
    return `{"$date": ${value.isExact ? value.ms : Math.floor(value.ms / 1000) * 1000}}`;
  if (value instanceof PyTime) return `{"$time": ${dumpString(value.text)}}`;
  if (value instanceof PyDate) return `{"$type": "date", "$value": ${dumpString(value.text)}}`;
  if (value instanceof PyInterface)
    return `{"$ipv${value.family}_interface": ${dumpString(value.text)}}`;
  if (value instanceof RawJson) return value.text;
  if (value instanceof Unserializable)
    throw new NotSerializable(`Object of type ${value.className} is not JSON serializable`);
  return null;
}

function dumpFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity';
  return floatRepr(value);
}

/** Python's float repr: the shortest digits, an exponent below 1e-4 and from 1e16, always a sign of being a float. */
function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '0', exponentText = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const point = digits.length > 1 ? `${digits.slice(0, 1)}.${digits.slice(1)}` : digits;
    const power = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${point}e${exponent < 0 ? '-' : '+'}${power}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const padded = digits.padEnd(exponent + 1, '0');
  return `${sign}${padded.slice(0, exponent + 1)}.${padded.slice(exponent + 1) || '0'}`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

/** Each UTF-16 unit beyond ASCII has an escape of its own, so that a lone surrogate can be written, too. */
function dumpString(text: string): string {
  return `"${text.replace(/["\\]|[^ -~]/g, (unit) => SHORT_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}

/** Python's repr, which error traces quote. */
export function repr(value: PyValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return reprString(value);
  if (value instanceof PyFloat) return floatRepr(value.value);
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (value instanceof Map)
    return `{${[...value].map(([key, item]) => `${reprString(key)}: ${repr(item)}`).join(', ')}}`;
  if (value instanceof PySet)
    return value.items.length === 0 ? 'set()' : `{${value.items.map(repr).join(', ')}}`;
  if (value instanceof Unserializable) return `<${value.className}>`;
  return `<${dumpScalar(value) ?? 'object'}>`;
}

/** Single quotes, unless the text has those and no double ones. */
function reprString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\n\r\t'"]/g, (unit) => {
    if (unit === '\\') return '\\\\';
    if (unit === '\n') return '\\n';
    if (unit === '\r') return '\\r';
    if (unit === '\t') return '\\t';
    return unit === quote ? `\\${unit}` : unit;
  });
  return quote + escaped + quote;
}
