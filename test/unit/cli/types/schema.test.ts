/** Schemas to types, each construct as a server of some version writes it. */
import t from 'tap';
import { printType } from '../../../../lib/cli/types/print.js';
import { typeOf, type Use } from '../../../../lib/cli/types/schema.js';
import { Objects } from '../../../../lib/cli/types/type.js';

const SENT: Omit<Use, 'objects'> = { isSent: true, bigint: true, isFilled: false };
const COMES: Omit<Use, 'objects'> = { isSent: false, bigint: false, isFilled: true };

function show(schema: unknown, use: Omit<Use, 'objects'>): string {
  return printType(typeOf(schema, { ...use, objects: new Objects() }, 'Place'), new Map());
}
const sent = (schema: unknown) => show(schema, SENT);
const comes = (schema: unknown) => show(schema, COMES);

const string = { type: 'string' };
const integer = { type: 'integer' };

t.test('plain types', async (t) => {
  t.equal(comes({}), 'unknown');
  t.equal(comes(true), 'unknown');
  t.equal(comes(false), 'never');
  t.equal(comes(null), 'unknown');
  t.equal(comes('string'), 'unknown');
  for (const type of ['string', 'boolean', 'number', 'null']) t.equal(comes({ type }), type);
  t.equal(comes(integer), 'number');
  t.equal(sent(integer), 'number | bigint');
  t.equal(show(integer, { ...COMES, bigint: true }), 'number | bigint');
  t.equal(comes({ type: ['string', 'null'] }), 'string | null');
  t.equal(comes({ type: 'decimal' }), 'unknown /* of a kind that is not known */');
  t.equal(comes({ type: {} }), 'unknown /* of a kind that is not known */');
  t.equal(comes({ title: 'Password', type: 'string', format: 'password' }), 'string');
});

t.test('words and other constants', async (t) => {
  t.equal(comes({ type: 'string', enum: ['A', 'B', 'A'] }), '"A" | "B"');
  t.equal(comes({ enum: [1, -2.5, true, null, 'é'] }), '1 | -2.5 | true | null | "\\u00e9"');
  t.equal(comes({ enum: [] }), 'never');
  t.equal(comes({ enum: [{}] }), 'unknown');
  t.equal(comes({ enum: [NaN, 1e300, 2 ** 60] }), 'number');
  t.equal(comes({ const: 'X', type: 'string', default: 'X' }), '"X"');
  t.equal(comes({ type: ['string', 'null'], enum: ['A'] }), '"A" | null', 'as 24.10 has it');
});

t.test('alternatives', async (t) => {
  t.equal(comes({ anyOf: [string, { type: 'null' }] }), 'string | null');
  t.equal(comes({ anyOf: [string, { oneOf: [integer, string] }] }), 'string | number');
  t.equal(comes({ anyOf: [string, {}] }), 'unknown', 'which takes everything');
  t.equal(comes({ anyOf: [] }), 'never');
  const named = (name: string) => ({
    type: 'object',
    properties: { [name]: string },
    required: [name],
  });
  t.equal(
    comes({ discriminator: { propertyName: 'a' }, oneOf: [named('a'), named('b')] }),
    '{ a: string } | { b: string }',
  );
  t.equal(comes({ allOf: [string] }), 'string');
  t.equal(comes({ allOf: [named('a'), named('b')] }), '{ a: string } & { b: string }');
  t.equal(comes({ allOf: new Array(200_000).fill(string) }), 'string', 'however many');
  t.equal(
    comes({ type: 'object', anyOf: [named('a'), named('b')] }),
    '{ a: string } | { b: string }',
  );
  t.equal(
    comes({ ...named('a'), anyOf: [named('b'), named('c')] }),
    '{ a: string } & ({ b: string } | { c: string })',
  );
});

t.test('lists', async (t) => {
  t.equal(comes({ type: 'array', items: string }), 'string[]');
  t.equal(sent({ type: 'array', items: string }), 'readonly string[]');
  t.equal(comes({ type: 'array' }), 'unknown[]');
  t.equal(comes({ items: string }), 'string[]');
  t.equal(comes({ type: 'array', items: { anyOf: [string, integer] } }), '(string | number)[]');
  t.equal(comes({ type: 'array', items: [string] }), 'string[]', 'the server wraps them');
  t.equal(comes({ type: 'array', items: [string, integer] }), '(string | number)[]', '24.10');
  t.equal(comes({ type: 'array', items: [] }), 'unknown[]');
  const nested = { type: 'array', items: { type: 'array', items: string } };
  t.equal(comes(nested), 'string[][]');
  t.equal(sent(nested), 'readonly (readonly string[])[]');
  t.equal(comes({ type: 'array', items: { $ref: 'x' } }).replace(/\/\*.*\*\//, ''), 'unknown []');
});

t.test('tuples', async (t) => {
  const pair = { type: 'array', prefixItems: [integer, string] };
  t.equal(comes(pair), '[number, string]');
  t.equal(comes({ ...pair, minItems: 2, maxItems: 2, items: [false] }), '[number, string]');
  t.equal(comes({ ...pair, minItems: 1 }), '[number, string?]');
  t.equal(sent({ ...pair, minItems: 0 }), 'readonly [(number | bigint)?, string?]');
});

t.test('objects', async (t) => {
  const schema = {
    type: 'object',
    properties: {
      id: integer,
      'with-dash': string,
      default: { ...string, default: 'x' },
      ['__proto__']: string,
    },
    required: ['id', '__proto__'],
    additionalProperties: false,
  };
  t.equal(
    sent(schema),
    '{\n  id: number | bigint;\n  "with-dash"?: string;\n  /** Default: "x" */\n  default?: string;\n  __proto__: string;\n}',
  );
  t.equal(
    comes(schema),
    '{\n  id: number;\n  "with-dash"?: string;\n  default: string;\n  __proto__: string;\n}',
    'the server fills in defaults',
  );
  t.match(show(schema, { ...COMES, isFilled: false }), 'default?: string');
  const old = {
    properties: { a: { ...string, _required_: true }, b: { ...string, _required_: false } },
  };
  t.equal(comes(old), '{\n  a: string;\n  b?: string;\n}', '24.10');
  const empty = '{ [key: string]: unknown }';
  t.equal(comes({ type: 'object' }), empty);
  t.equal(sent({ type: 'object', additionalProperties: true }), empty);
  t.equal(sent({ type: 'object', additionalProperties: false }), '{}');
  t.equal(
    comes({ type: 'object', additionalProperties: { type: 'array', items: string } }),
    '{ [key: string]: string[] }',
  );
  const open = { type: 'object', properties: { a: string }, required: ['a'] };
  t.equal(sent(open), '{\n  a: string;\n  [key: string]: unknown;\n}', 'others may be sent');
  t.equal(comes(open), '{ a: string }', 'mistakes in names are found');
  t.equal(
    comes({ ...open, additionalProperties: integer }),
    '{\n  a: string;\n  [key: string]: unknown;\n}',
  );
  t.equal(comes({ type: 'object', patternProperties: { '^x': string } }), empty);
});

t.test('what is more than JSON', async (t) => {
  const format = (name: string) => ({ type: 'string', format: name });
  t.equal(comes(format('date-time')), '{ $date: number }');
  t.equal(
    sent({ type: 'array', items: format('date-time') }),
    'readonly (Date | { $date: number })[]',
  );
  t.equal(comes(format('date')), '{ $type: "date"; $value: string }');
  t.equal(comes(format('time')), '{ $time: string }');
  t.equal(comes(format('ipv4interface')), 'string | { $ipv4_interface: string }');
  t.equal(comes(format('ipv6interface')), 'string | { $ipv6_interface: string }');
  const set = { type: 'array', items: string, uniqueItems: true };
  t.equal(comes(set), 'string[] | { $set: string[] }');
  t.equal(sent(set), 'readonly string[] | ReadonlySet<string> | { $set: readonly string[] }');
});

t.test('nothing is followed or obeyed', async (t) => {
  t.equal(
    comes({ $ref: 'file:///etc/passwd', type: 'string' }),
    'unknown /* a reference, which is not followed */',
  );
  t.equal(
    comes({ type: 'array', items: { $ref: '#/$defs/a' }, $defs: { a: string } }),
    'unknown /* a reference, which is not followed */[]',
  );
  t.equal(comes({ type: 'string', tsType: 'any; import x', tsEnumNames: ['x'] }), 'string');
  t.equal(comes({ type: 'string', extends: string, $id: 'http://x', not: {} }), 'string');
});

t.test('what is nested without end is not known', async (t) => {
  let schema: unknown = string;
  for (let i = 0; i < 100_000; i++) schema = { type: 'array', items: schema, default: schema };
  t.match(comes(schema), /^unknown \/\* nested too deeply \*\/(?:\[\])+$/);
  let choice: unknown = string;
  for (let i = 0; i < 100_000; i++) choice = { anyOf: [choice], allOf: [{}] };
  t.match(comes(choice), 'unknown');
});
