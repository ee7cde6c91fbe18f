/** A file of types, made of what a server says of its methods and events. */
import { VERSION } from '../../protocol/frames.js';
import { comment, commentLines, nameText, printBody, printType, type Names } from './print.js';
import {
  defaultText,
  descriptionOf,
  fieldsOf,
  hintOf,
  listOf,
  typeOf,
  type Fields,
  type Use,
} from './schema.js';
import {
  Objects,
  partsOf,
  union,
  unknown,
  word,
  type Element,
  type Member,
  type Type,
} from './type.js';

/** Values of JSON, as the server has sent them. */
export interface Told {
  /** `system.version`; null: it does not say. */
  readonly version: string | null;
  /** `core.get_methods`. */
  readonly methods: Fields;
  /** `core.get_events`; null: the server does not say. */
  readonly events: Fields | null;
}

interface TypesOptions {
  readonly made: Date;
  /** Integers of results are `number | bigint`. */
  readonly bigint: boolean;
}

interface Entry {
  readonly name: string;
  readonly doc: readonly string[];
  readonly type: Type;
}

/** What the file exports beside types of values, and the names of globals in it. */
const TAKEN = ['TrueNAS', 'Methods', 'Events', 'Date', 'ReadonlySet'];

/** The file's text, in pieces, some of them empty: with each little time has passed. The same told is the same text. */
export function* typesText(told: Told, options: TypesOptions): Generator<string, void, undefined> {
  const objects = new Objects();
  const sent: Use = { objects, isSent: true, bigint: true, isFilled: false };
  const come: Use = { ...sent, isSent: false, bigint: options.bigint };
  const methods: Entry[] = [];
  for (const [name, value] of sorted(told.methods)) {
    methods.push(methodOf(name, fieldsOf(value) ?? {}, sent, come));
    yield '';
  }
  const events = sorted(told.events ?? {}).map(([name, value]) =>
    eventOf(name, fieldsOf(value) ?? {}, come),
  );
  const roots = [...methods, ...events].flatMap(({ type }) => partsOf(type));
  const names = objects.named(roots, TAKEN);
  yield header(told, options, methods.length);
  yield* interfaceOf('Methods', methods, names);
  yield* interfaceOf('Events', events, names, told.events ? null : UNTOLD);
  for (const [type, name] of [...names].sort(([, a], [, b]) => (a < b ? -1 : 1))) {
    yield `\nexport interface ${name} ${printBody(type, names, '')}\n`;
  }
}

const UNTOLD = `\
  /** The server has told of no events: every name is taken. */
  [event: string]: unknown;
`;

function header({ version }: Told, { made, bigint }: TypesOptions, count: number): string {
  const [server = 'of a version that it does not tell'] = commentLines(version ?? '');
  const lines = [
    "Types of a TrueNAS server's methods and events, for midclt:",
    '',
    "    import { connect } from 'midclt';",
    "    import type { TrueNAS } from './truenas.js';",
    '    const nas = await connect<TrueNAS>(…);',
    '',
    `Server: ${server.slice(0, 100)}, ${count} methods that the user who asked may call.`,
    `Made on ${made.toISOString().slice(0, 10)} by midclt ${VERSION}, of what the server says of itself; make it anew`,
    `after an update, with 'midclt types${bigint ? ' --bigint' : ''}'. Changes by hand would be lost.`,
  ];
  return `/* eslint-disable */\n${comment(lines)}
export interface TrueNAS {
  readonly methods: Methods;
  readonly events: Events;
}
`;
}

function* interfaceOf(
  name: string,
  entries: readonly Entry[],
  names: Names,
  more: string | null = null,
): Generator<string, void, undefined> {
  yield `\nexport interface ${name} {\n${more ?? ''}`;
  for (const { name: key, doc, type } of entries) {
    yield `${comment(doc, '  ')}  ${nameText(key)}: ${printType(type, names, '  ').trimStart()};\n`;
  }
  yield '}\n';
}

function methodOf(name: string, entry: Fields, sent: Use, come: Use): Entry {
  const place = hintOf('', name);
  const isQuery = entry.filterable === true;
  const accepts = listOf(entry.accepts);
  const returns = listOf(entry.returns) ?? [];
  const params = accepts
    ? paramsOf(accepts, sent, isQuery ? 'Query' : place)
    : { type: anything('the server says nothing of them'), doc: [] };
  // A job's result comes as the job has made it.
  const use = { ...come, isFilled: entry.job === false };
  const result =
    returns.length === 0
      ? unknown('the server says nothing of it')
      : typeOf(returns[0], use, resultHint(name));
  const job = typeof entry.job === 'boolean' ? word(String(entry.job)) : word('boolean');
  const item = isQuery ? itemOf(returns[0], use, resultHint(name)) : null;
  const marks = (['downloadable', 'uploadable'] as const).filter((mark) => entry[mark] === true);
  const members: readonly Member[] = [
    member('params', params.type),
    member('result', result),
    member('job', job),
    ...(item ? [member('item', item)] : []),
    ...marks.map((mark) => member(mark, word('true'))),
  ];
  const text = descriptionOf(entry);
  const doc = [...text, ...(text.length > 0 && params.doc.length > 0 ? [''] : []), ...params.doc];
  return { name, doc, type: { kind: 'object', members, others: null, hint: place, id: -1 } };
}

/** What a service is about has one type, as a rule, whichever method gives it. */
function resultHint(name: string): string {
  const [, service] = /^(.*)\.(?:query|get_instance|create|update|config)$/.exec(name) ?? [];
  return service === undefined ? hintOf('', `${name} result`) : hintOf('', `${service} entry`);
}

function member(name: string, type: Type): Member {
  return { name, isOptional: false, type, doc: [] };
}

function anything(why: string): Type {
  return { kind: 'array', item: unknown(why), isReadonly: true };
}

/** A tuple. What stands before a parameter that is required can't be left out either. */
function paramsOf(
  accepts: readonly unknown[],
  use: Use,
  place: string,
): { readonly type: Type; readonly doc: readonly string[] } {
  const schemas = accepts.map(fieldsOf);
  const lastRequired = schemas.findLastIndex(isRequired);
  const labels = new Set<string>();
  const elements = schemas.map((schema, index): Element => {
    const name = RESERVED.has(nameOf(schema)) ? `${nameOf(schema)}_` : nameOf(schema);
    const isGood = /^[A-Za-z_$][\w$]{0,100}$/.test(name) && !labels.has(name);
    const label = isGood ? name : `arg${index + 1}`;
    labels.add(label);
    const type = typeOf(schema, use, hintOf(place, label));
    return { label, isOptional: index > lastRequired, type };
  });
  const doc = schemas.flatMap((schema, index) => {
    const value = defaultText(schema ?? {});
    const name = `- ${elements[index]?.label}${value === null ? '' : ` = ${value}`}`;
    const [first, ...rest] = descriptionOf(schema);
    if (first === undefined && value === null) return [];
    const lines = rest.map((line) => `  ${line}`.trimEnd());
    return [first === undefined ? name : `${name}: ${first}`, ...lines];
  });
  return { type: { kind: 'tuple', elements, isReadonly: true }, doc };
}

/** Words that can't be a label, for no type begins with them. */
const RESERVED = new Set(
  'break case catch class const continue debugger default delete do else enum export extends finally for if in instanceof return super switch throw try var while with'.split(
    ' ',
  ),
);

function nameOf(schema: Fields | null): string {
  return typeof schema?._name_ === 'string' ? schema._name_ : '';
}

function isRequired(schema: Fields | null): boolean {
  if (typeof schema?._required_ === 'boolean') return schema._required_;
  return schema === null || !('default' in schema);
}

/** Of a query, which gives a list, one of it, or a number: what is in the list. Null where that is not what it says. */
function itemOf(schema: unknown, use: Use, place: string): Type | null {
  const alternatives = listOf(fieldsOf(schema)?.anyOf) ?? [];
  const lists = alternatives.map(fieldsOf).filter((each) => each?.type === 'array');
  const [list] = lists;
  if (lists.length !== 1 || !list || 'prefixItems' in list) return null;
  const items = listOf(list.items) ?? ('items' in list ? [list.items] : []);
  return items.length === 0 ? null : union(items.map((item) => typeOf(item, use, place)));
}

/** The `fields` of its notifications. */
function eventOf(name: string, entry: Fields, use: Use): Entry {
  const doc = descriptionOf(entry);
  const place = hintOf('', `${name} event`);
  const models = Object.values(fieldsOf(entry.models) ?? {}).map((model) => {
    const { fields } = fieldsOf(fieldsOf(model)?.properties) ?? {};
    return typeOf(fields, use, place);
  });
  const [returns] = listOf(entry.returns) ?? [];
  const told = models.length > 0 ? union(models) : typeOf(returns, use, place);
  return { name, doc, type: told };
}

function sorted(fields: Fields): readonly (readonly [string, unknown])[] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}
