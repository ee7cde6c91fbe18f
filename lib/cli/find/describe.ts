/** A method's entry in core.get_methods as text to read. Servers differ in what they tell; what is not told is said. */
import {
  booleanOf,
  elementsOf,
  isNull,
  membersOf,
  stringOf,
  type Members,
} from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { argumentOf, quoted, toldExamples, valueFor } from './example.js';
import { clip, proseLines, wrapped } from './prose.js';
import { either } from './schema-values.js';
import { valueLines, type Value } from './schema-text.js';

const STEP = 2;
/** Parameters that are told; the real ones have six at most. */
const MOST_VALUES = 100;
/** Characters. */
const MOST_OF_ROLES = 2000;

/** `command` is the program with the user's own options: what is to be typed can be pasted. */
export function describeLines(
  name: string,
  entry: Json,
  width: number,
  command: readonly string[],
): string[] {
  const members = membersOf(entry) ?? new Map<string, Json>();
  const values = valuesOf(members.get('accepts'), 'argument');
  const description = stringOf(members.get('description')) ?? '';
  const facts = factsOf(members).flatMap((fact) => wrapped(fact, width, 0, STEP));
  return [
    name,
    '',
    ...section(proseLines(description, width)),
    ...section(facts),
    ...section(argumentLines(values, width)),
    ...section(resultLines(members, width)),
    ...exampleLines(name, members, values, width, command),
  ];
}

/** With a blank line behind it. */
function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [...lines, ''];
}

function factsOf(members: Members): string[] {
  const is = (flag: string) => booleanOf(members.get(flag)) === true;
  const roles = (elementsOf(members.get('roles')) ?? []).flatMap((role) => stringOf(role) ?? []);
  const withoutPipes = booleanOf(members.get('check_pipes')) === false;
  const also = withoutPipes ? '; it may also be called without' : '';
  return [
    ...(is('job') ? ["It is a job: 'call -j' waits for its end, and shows its progress."] : []),
    ...(is('downloadable') ? [`It writes a file: 'download' saves it${also}.`] : []),
    ...(is('uploadable') ? [`It reads files: 'upload' sends them${also}.`] : []),
    ...(is('no_auth_required') ? ['It needs no login.'] : []),
    ...(roles.length > 0 ? [`For users with ${rolesText(roles)}.`] : []),
  ];
}

function rolesText(roles: readonly string[]): string {
  const words = clip(either(roles), MOST_OF_ROLES);
  return roles.length === 1 ? `the role ${words}` : `one of the roles ${words}`;
}

/** The list of schemas, one a value; null where the server tells of none. */
function valuesOf(list: Json | undefined, fallback: string): Value[] | null {
  const schemas = elementsOf(list);
  if (!schemas) return null;
  return schemas.slice(0, MOST_VALUES).map((schema, index) => {
    const members = membersOf(schema);
    const name = stringOf(members?.get('_name_')) ?? stringOf(members?.get('title'));
    const isRequired = booleanOf(members?.get('_required_'));
    return { name: name || `${fallback} ${index + 1}`, schema, isRequired };
  });
}

function argumentLines(values: readonly Value[] | null, width: number): string[] {
  if (!values) return ['Arguments: this server does not tell'];
  if (values.length === 0) return ['Arguments: none'];
  return ['Arguments:', ...values.flatMap((value) => valueLines(value, width, STEP))];
}

function resultLines(members: Members, width: number): string[] {
  const returns = members.get('returns');
  const values = isNull(returns) ? null : valuesOf(returns, 'result');
  if (!values || values.length === 0) return ['Result: this server does not tell'];
  const named =
    values.length === 1 ? values.map((value) => ({ ...value, name: 'Result' })) : values;
  return named.flatMap((value) => valueLines(value, width, 0, true));
}

function exampleLines(
  name: string,
  members: Members,
  values: readonly Value[] | null,
  width: number,
  command: readonly string[],
): string[] {
  const needed = (values ?? []).filter(({ isRequired }) => isRequired === true);
  const typed = (args: readonly Json[]) =>
    [...command, ...verbOf(members), name, ...args.map(argumentOf)].map(quoted).join(' ');
  const made = needed.map(valueFor);
  const lines = values ? [typed(made.map(({ json }) => json))] : [];
  if (booleanOf(members.get('filterable')) === true && lines.length > 0) {
    const column = columnOf(members);
    lines.push(typed([Buffer.from(`[["${column}", "=", 1]]`), Buffer.from('{"limit": 10}')]));
  }
  for (const { about, args } of toldExamples(members.get('examples'))) {
    if (about) lines.push(...proseLines(about, width - STEP).map((line) => `# ${line}`));
    if (args) lines.push(typed(args));
  }
  const unique = [...new Set(lines)];
  if (unique.length === 0) return [];
  const hasBlanks = verbOf(members).includes(FILE) || made.some(({ hasBlanks }) => hasBlanks);
  const title = hasBlanks ? 'Examples (words in capitals are to be replaced):' : 'Examples:';
  return [title, ...unique.map((line) => ' '.repeat(STEP) + line)];
}

const FILE = 'FILE';

function verbOf(members: Members): string[] {
  const is = (flag: string) => booleanOf(members.get(flag)) === true;
  if (is('downloadable')) return ['download'];
  if (is('uploadable')) return ['upload', '--file', FILE];
  return is('job') ? ['call', '-j'] : ['call'];
}

/** A column of what a query answers with, to filter by. */
function columnOf(members: Members): string {
  const [result] = elementsOf(members.get('returns')) ?? [];
  const options = elementsOf(membersOf(result)?.get('anyOf')) ?? [result];
  for (const option of options) {
    const items = membersOf(membersOf(option)?.get('items')) ?? membersOf(option);
    const [first] = membersOf(items?.get('properties'))?.keys() ?? [];
    if (first !== undefined && /^\w+$/.test(first)) return first;
  }
  return 'id';
}
