/** The file that is made of methods and events: its form, and that nothing a server says gets out of its place. */
import ts from 'typescript';
import t from 'tap';
import { typesText, type Told } from '../../../../lib/cli/types/file.js';

function make(told: Partial<Told>, bigint = false): string {
  const made = new Date('2025-02-03T04:05:06Z');
  const pieces = typesText(
    { version: '25.10', methods: {}, events: null, ...told },
    { made, bigint },
  );
  return [...pieces].join('');
}

const string = { type: 'string' };
const parameter = (name: string, isRequired: boolean, schema: object = string) => ({
  ...schema,
  _name_: name,
  _required_: isRequired,
});

t.test('a file', async (t) => {
  const pool = {
    type: 'object',
    title: 'PoolEntry',
    properties: { id: { type: 'integer', description: 'Its number.' }, name: string },
    required: ['id', 'name'],
  };
  const methods = {
    'pool.query': {
      description: 'Query the pools.\n\n    Indented.\n',
      job: false,
      filterable: true,
      accepts: [
        parameter('filters', false, { type: 'array', items: [{}], default: [] }),
        parameter('options', false, { type: 'object', default: {}, description: 'What comes.' }),
      ],
      returns: [{ anyOf: [{ type: 'array', items: [pool] }, pool, { type: 'integer' }] }],
    },
    'config.save': { job: true, downloadable: true, accepts: [], returns: [{ type: 'null' }] },
    'old.one': { accepts: null, returns: null },
  };
  const events = {
    'pool.query': { description: 'Pools.', models: { ADDED: { properties: { fields: pool } } } },
    'alert.list': { returns: [string] },
    'x.y': {},
  };
  t.equal(
    make({ methods, events }).replace(/midclt \d+\.\d+\.\d+\S*,/, 'midclt VERSION,'),
    `\
/* eslint-disable */
/**
 * Types of a TrueNAS server's methods and events, for midclt:
 *
 *     import { connect } from 'midclt';
 *     import type { TrueNAS } from './truenas.js';
 *     const nas = await connect<TrueNAS>(…);
 *
 * Server: 25.10, 3 methods that the user who asked may call.
 * Made on 2025-02-03 by midclt VERSION, of what the server says of itself; make it anew
 * after an update, with 'midclt types'. Changes by hand would be lost.
 */

export interface TrueNAS {
  readonly methods: Methods;
  readonly events: Events;
}

export interface Methods {
  "config.save": {
    params: readonly [];
    result: null;
    job: true;
    downloadable: true;
  };
  "old.one": {
    params: readonly unknown /* the server says nothing of them */[];
    result: unknown /* the server says nothing of it */;
    job: boolean;
  };
  /**
   * Query the pools.
   *
   * Indented.
   *
   * - filters = []
   * - options = {}: What comes.
   */
  "pool.query": {
    params: readonly [filters?: readonly unknown[], options?: { [key: string]: unknown }];
    result: PoolEntry[] | PoolEntry | number;
    job: false;
    item: PoolEntry;
  };
}

export interface Events {
  "alert.list": string;
  /** Pools. */
  "pool.query": PoolEntry;
  "x.y": unknown;
}

export interface PoolEntry {
  /** Its number. */
  id: number;
  name: string;
}
`,
  );
  t.match(make({ methods }, true), 'id: number | bigint');
});

t.test('the same is said in the same way, in whatever order the server lists it', async (t) => {
  const methods = { 'b.b': { accepts: [] }, 'a.a': { job: true }, 'a.B': {} };
  const reversed = Object.fromEntries(Object.entries(methods).reverse());
  t.equal(make({ methods }), make({ methods: reversed }));
});

t.test('parameters before one that is required are required, and all have labels', async (t) => {
  const accepts = [
    parameter('a', false),
    parameter('b', true),
    parameter('new', false),
    parameter('a', false),
    parameter('with space', false),
    {},
  ];
  t.match(
    make({ methods: { m: { accepts: accepts.slice(0, 5) } } }),
    '[a: string, b: string, new?: string, arg4?: string, arg5?: string]',
  );
  t.match(make({ methods: { m: { accepts } } }), 'arg6: unknown,');
});

t.test('types that differ have names that differ', async (t) => {
  const entry = (name: string, title: string) => ({
    type: 'object',
    title,
    properties: { [name]: string, other: string },
  });
  const names = ['a', 'b', 'c', 'd'];
  const titles = ['SameName', 'SameName', 'ReadonlySet', 'TrueNAS'];
  const methods = Object.fromEntries(
    names.flatMap((name, index) =>
      ['x', 'y'].map((service) => [
        `${service}.${name}`,
        { returns: [entry(name, titles[index] ?? '')] },
      ]),
    ),
  );
  const declared = [...make({ methods }).matchAll(/^export interface (\w+)/gm)].map(
    ([, name]) => name,
  );
  t.same(declared.slice(3), ['ReadonlySet2', 'SameName', 'SameName2', 'TrueNAS2']);
});

t.test('words of the language are names like others', async (t) => {
  const words = [
    ...'new default type readonly get set class in unique symbol asserts infer is keyof abstract'.split(
      ' ',
    ),
    ...'this void typeof import function null true string number async await static interface'.split(
      ' ',
    ),
    ...'enum object never unknown constructor let yield export var with super any undefined'.split(
      ' ',
    ),
  ];
  const properties = Object.fromEntries(words.map((name) => [name, string]));
  const accepts = words.map((name) => parameter(name, false, { type: 'object', properties }));
  const text = make({ methods: { [words.join('.')]: { accepts, returns: [{ properties }] } } });
  t.same(strange(text), []);
  t.match(text, /^ +default_\?: \w+,\n +type\?: /m);
});

/** What is in a file beside interfaces of types, or what turns the compiler's checks off. */
function strange(text: string): string[] {
  const source = ts.createSourceFile('truenas.d.ts', text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  // What the parser finds, and the compiler's types don't tell of.
  const parsed = source as unknown as {
    readonly parseDiagnostics: readonly ts.Diagnostic[];
    readonly commentDirectives?: readonly unknown[];
    readonly pragmas: ReadonlyMap<string, unknown>;
  };
  for (const { messageText, start = 0 } of parsed.parseDiagnostics) {
    found.push(`${JSON.stringify(messageText)}: ${text.slice(start - 80, start + 40)}`);
  }
  if (parsed.commentDirectives) found.push('directives');
  if (source.referencedFiles.length + source.typeReferenceDirectives.length > 0)
    found.push('files');
  found.push(...parsed.pragmas.keys());
  for (const statement of source.statements) {
    const isInterface = ts.isInterfaceDeclaration(statement) && /^\w+$/.test(statement.name.text);
    if (!isInterface) found.push(statement.getText());
  }
  const visit = (node: ts.Node) => {
    if (ts.isImportTypeNode(node) || ts.isTypeQueryNode(node)) found.push(node.getText());
    if (ts.getJSDocTags(node).length > 0) found.push(`a tag on ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  // eslint-disable-next-line no-control-regex -- these are what must not be there
  if (/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]|\p{Cf}/u.test(text))
    found.push('control characters');
  return found;
}

function methodNames(text: string): string[] {
  const source = ts.createSourceFile('truenas.d.ts', text, ts.ScriptTarget.Latest);
  const methods = source.statements
    .filter(ts.isInterfaceDeclaration)
    .find(({ name }) => name.text === 'Methods');
  return (methods?.members ?? []).map(({ name }) => (name as ts.StringLiteral).text);
}

/** Ways out of a comment, a string, a name or a type, and what means something inside one. */
const HOSTILE = [
  '*/ declare const pwned: 1; /*',
  '**/ export {} /**',
  '*\u200b/ export const a = 1',
  '*\r/ x',
  '@ts-ignore',
  '\n@ts-expect-error',
  '\n * @ts-nocheck\n@deprecated yes {@link x} @jsx evil',
  '/// <reference path="/etc/passwd" />',
  '\u2028export const x = 1\u2029',
  '\u202e\u2066reversed',
  '\x1b]0;title\x07\x1b[31mred\x9b2J\0',
  '"; export const x = 1; "',
  "'`${1}`\\",
  '\\" | import("fs") | "',
  'a: string } export const x = 1; interface Z { b',
  '__proto__',
  'constructor',
  '\ud800',
  '',
  ' ',
];

t.test('nothing that a server says gets out of its place', async (t) => {
  const schema = (text: string) => ({
    type: 'object',
    title: text,
    description: text,
    default: text,
    properties: Object.fromEntries<object>([
      [text, { description: text, enum: [text, 'x'], tsType: text }],
      [`x${text}`, { const: text, title: text, $comment: text }],
      ['y', { type: text, format: text }],
      ['z', { $ref: text, description: text }],
      ['t', { type: 'array', prefixItems: [{ const: text }], description: text, default: [text] }],
    ]),
    additionalProperties: { const: text },
    required: [text],
  });
  const methods = Object.fromEntries<object>(
    HOSTILE.flatMap((text, index) => [
      [
        text,
        {
          description: text,
          job: text,
          accepts: [{ ...schema(text), _name_: text, _required_: true }, schema(text)],
          returns: [schema(text)],
        },
      ],
      // Once more, so that it gets a name.
      [
        `${text}.${index}`,
        { description: `${text}\n${text}`, returns: [schema(text)], filterable: true },
      ],
    ]),
  );
  const events = Object.fromEntries(
    HOSTILE.map((text) => [text, { description: text, returns: [schema(text)] }]),
  );
  const text = make({ methods, events });
  t.same(strange(text), []);
  t.same(
    methodNames(text),
    Object.keys(methods).sort((a, b) => (a < b ? -1 : 1)),
  );
  for (const [index, version] of HOSTILE.entries()) {
    t.same(strange(make({ version })), [], `version ${index}`);
  }
});

t.test('entries of any form at all are no failure', async (t) => {
  const all: unknown[] = [null, 1, 'x', [], [[]], {}, true, { anyOf: 1 }, { properties: [] }];
  for (const odd of all) {
    const schema = {
      type: odd,
      enum: odd,
      anyOf: odd,
      items: odd,
      properties: { a: odd },
      required: odd,
    };
    const entry = {
      description: odd,
      job: odd,
      accepts: [odd, schema],
      returns: [odd],
      filterable: true,
    };
    const methods = {
      a: odd,
      b: entry,
      c: { accepts: odd, returns: odd },
      d: { returns: [schema] },
    };
    const events = { a: odd, b: { models: odd, returns: odd }, c: { models: { ADDED: odd } } };
    t.same(strange(make({ methods, events })), [], JSON.stringify(odd));
  }
});

t.test('a whole server takes a second, and a moment at a time', async (t) => {
  const properties = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [
      `member_${index}`,
      index % 3
        ? string
        : { anyOf: [{ type: 'object', properties: { a: string, b: string } }, { type: 'null' }] },
    ]),
  );
  const methods = Object.fromEntries(
    Array.from({ length: 700 }, (_, index) => [
      `service${index % 70}.method${index}`,
      {
        description: `Number ${index}.`,
        accepts: [parameter('data', true, { type: 'object', properties })],
        returns: [{ type: 'object', properties: { ...properties, [`own_${index}`]: string } }],
      },
    ]),
  );
  let steps = 0;
  let longest = 0;
  // Of the processor's time: others may have it in between.
  const spent = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const before = spent();
  let last = before;
  for (const piece of typesText(
    { version: null, methods, events: {} },
    { made: new Date(), bigint: false },
  )) {
    const now = spent();
    longest = Math.max(longest, now - last);
    last = now;
    if (piece === '') steps++;
  }
  t.equal(steps, 700);
  t.ok(last - before < 10_000, `${last - before} ms`); // a tenth of that where nothing else runs
  t.ok(longest < 1000, `${longest} ms at once`);
});
