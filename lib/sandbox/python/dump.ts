import {
  PyDate,
  PyDateTime,
  PyFloat,
  PyInterface,
  PySet,
  PyTime,
  RawJson,
  Unserializable,
  type PyValue,
} from './values.js';

/** Thrown for what json.dumps would refuse; the message is Python's. */
export class NotSerializable extends Error {}

/** Text as json.dumps writes it: ASCII only, `", "` and `": "` between. Iterative, so depth is no limit. */
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
  if (value instanceof PyDateTime) return `{"$date": ${Math.floor(value.ms / 1000) * 1000}}`;
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
export function floatRepr(value: number): string {
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

/** Works on UTF-16 units: a surrogate, paired or alone, leaves as its own escape. */
export function dumpString(text: string): string {
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
