/** The parameters of methods, and the complaints about arguments that do not fit them. */
import { EINVAL, ValidationErrors, type Complaint } from './exceptions.js';
import { PyFloat, numberOf, type PyValue } from './values.js';

type Kind = 'any' | 'number' | 'integer' | 'string' | 'boolean' | 'list' | 'dict';

/** A positional parameter. Without `fallback` it is required. */
export interface Parameter {
  readonly name: string;
  readonly kind: Kind;
  readonly fallback?: PyValue;
}

/** The middleware's words for a value of the wrong kind (pydantic's). */
const COMPLAINTS: Readonly<Record<Kind, string>> = {
  any: '',
  number: 'Input should be a valid number',
  integer: 'Input should be a valid integer',
  string: 'Input should be a valid string',
  boolean: 'Input should be a valid boolean',
  list: 'Input should be a valid list',
  dict: 'Input should be a valid dictionary',
};

export function required(name: string, kind: Kind = 'any'): Parameter {
  return { name, kind };
}

export function optional(name: string, kind: Kind, fallback: PyValue): Parameter {
  return { name, kind, fallback };
}

/** The arguments with defaults filled in. Throws {@link ValidationErrors} the way the server words them. */
export function bind(parameters: readonly Parameter[], args: readonly PyValue[]): PyValue[] {
  if (args.length > parameters.length) {
    const counts = `(expected ${parameters.length}, found ${args.length})`;
    throw new ValidationErrors([['', `Too many arguments ${counts}`, EINVAL]]);
  }
  const complaints: Complaint[] = [];
  const bound = parameters.map((parameter, index) => {
    const value = args[index] ?? (index < args.length ? null : parameter.fallback);
    if (value === undefined) {
      complaints.push([parameter.name, 'Field required', EINVAL]);
      return null;
    }
    const given = index < args.length && !(value === null && parameter.fallback === null);
    if (given && !isKind(value, parameter.kind))
      complaints.push([parameter.name, COMPLAINTS[parameter.kind], EINVAL]);
    return value;
  });
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  return bound;
}

/** The complaint about one member, or none. */
export function complaint(attribute: string, value: PyValue, kind: Kind): Complaint[] {
  return isKind(value, kind) ? [] : [[attribute, COMPLAINTS[kind], EINVAL]];
}

function isKind(value: PyValue, kind: Kind): boolean {
  switch (kind) {
    case 'any':
      return true;
    case 'number':
      return numberOf(value) !== undefined;
    case 'integer':
      return (
        typeof value === 'bigint' || (value instanceof PyFloat && Number.isInteger(value.value))
      );
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value);
    case 'dict':
      return value instanceof Map;
  }
}
