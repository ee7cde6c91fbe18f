/** What methods are given: their parameters, the complaints about arguments that do not fit them, and the filters of a query. */
import {
  CallError,
  EINVAL,
  ValidationErrors,
  matchNotFound,
  type Complaint,
} from './exceptions.js';
import {
  PyDateTime,
  PyFloat,
  dump,
  int,
  isTruthy,
  numberOf,
  type PyDict,
  type PyValue,
} from './values.js';

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

/** The parameters of a method that answers with {@link query}. */
export const QUERY_PARAMETERS: readonly Parameter[] = [
  optional('filters', 'list', []),
  optional('options', 'dict', new Map<string, PyValue>()),
];

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

type Test = (left: PyValue, right: PyValue) => boolean;

const OPERATORS: Readonly<Record<string, Test>> = {
  '=': isEqual,
  '!=': (left, right) => !isEqual(left, right),
  '>': (left, right) => compare(left, right) > 0,
  '>=': (left, right) => compare(left, right) >= 0,
  '<': (left, right) => compare(left, right) < 0,
  '<=': (left, right) => compare(left, right) <= 0,
  in: (left, right) => Array.isArray(right) && right.some((item) => isEqual(left, item)),
  nin: (left, right) => Array.isArray(right) && !right.some((item) => isEqual(left, item)),
  '^': (left, right) => both(left, right, (a, b) => a.startsWith(b)),
  $: (left, right) => both(left, right, (a, b) => a.endsWith(b)),
  '~': (left, right) => both(left, right, (a, b) => new RegExp(b).test(a)),
};

/** The filters and options of every `*.query` method and of core.get_jobs. */
export function query(rows: readonly PyDict[], filters: PyValue, options: PyValue): PyValue {
  const wanted = (key: string): PyValue =>
    options instanceof Map ? (options.get(key) ?? null) : null;
  let found = rows.filter((row) => matches(row, filters));
  if (isTruthy(wanted('count'))) return int(found.length);
  found = sort(found, wanted('order_by'));
  const offset = numberOf(wanted('offset')) ?? 0;
  const limit = numberOf(wanted('limit')) ?? 0;
  if (offset > 0) found = found.slice(offset);
  if (limit > 0) found = found.slice(0, limit);
  const columns = wanted('select');
  if (Array.isArray(columns) && columns.length > 0) found = found.map((row) => pick(row, columns));
  if (!isTruthy(wanted('get'))) return found;
  const first = found[0];
  if (first === undefined) throw matchNotFound();
  return first;
}

function matches(row: PyDict, filters: PyValue): boolean {
  if (!Array.isArray(filters)) throw new CallError('Filters must be a list', EINVAL);
  return filters.every((filter) => {
    if (!Array.isArray(filter)) throw new CallError('Filter must be a list', EINVAL);
    const [name, operator, value = null] = filter;
    if (name === 'OR' && Array.isArray(operator))
      return operator.some((branch) => matches(row, Array.isArray(branch) ? single(branch) : []));
    const isKnown = typeof operator === 'string' && Object.hasOwn(OPERATORS, operator);
    const test = isKnown ? OPERATORS[operator] : undefined;
    if (typeof name !== 'string' || filter.length !== 3 || test === undefined)
      throw new CallError(`Invalid filter ${dump(filter)}`, EINVAL);
    return test(member(row, name), value);
  });
}

/** A branch of an OR is one filter or a list of them. */
function single(branch: PyValue[]): PyValue[] {
  return Array.isArray(branch[0]) ? branch : [branch];
}

function sort(rows: PyDict[], order: PyValue): PyDict[] {
  if (!Array.isArray(order)) return rows;
  let sorted = rows;
  // The last key first: the sort is stable, so earlier keys weigh more.
  for (const key of [...order].reverse()) {
    if (typeof key !== 'string') continue;
    const name = key.replace(/^-/, '');
    const sign = key.startsWith('-') ? -1 : 1;
    sorted = [...sorted].sort((a, b) => sign * compare(member(a, name), member(b, name)));
  }
  return sorted;
}

/** The columns in the row's own order, as the real server gives them. */
function pick(row: PyDict, columns: readonly PyValue[]): PyDict {
  return new Map([...row].filter(([key]) => columns.includes(key)));
}

/** `a.b.c` goes into dicts. */
function member(row: PyDict, path: string): PyValue {
  let value: PyValue = row;
  for (const key of path.split('.')) value = value instanceof Map ? (value.get(key) ?? null) : null;
  return value;
}

function isEqual(left: PyValue, right: PyValue): boolean {
  const [a, b] = [numberOf(left), numberOf(right)];
  return a !== undefined && b !== undefined ? a === b : dump(left) === dump(right);
}

function compare(left: PyValue, right: PyValue): number {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== undefined && b !== undefined) return a - b;
  if (left instanceof PyDateTime && right instanceof PyDateTime) return left.ms - right.ms;
  if (typeof left === 'string' && typeof right === 'string')
    return left < right ? -1 : Number(left > right);
  return NaN;
}

function both(left: PyValue, right: PyValue, test: (a: string, b: string) => boolean): boolean {
  return typeof left === 'string' && typeof right === 'string' && test(left, right);
}
