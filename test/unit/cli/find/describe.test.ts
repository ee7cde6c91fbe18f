/** What `describe` makes of entries: those that servers give, and those that none should. */
import t from 'tap';
import { describeLines } from '../../../../lib/cli/find/describe.js';

const COMMAND = ['midclt', '-d'];

function described(name: string, entry: unknown, width = 80): string[] {
  const text = typeof entry === 'string' ? entry : JSON.stringify(entry);
  return describeLines(name, Buffer.from(text), width, COMMAND);
}

/** Of one parameter. */
function parameter(schema: object, width = 80): string[] {
  const accepts = [{ _name_: 'value', _required_: true, ...schema }];
  const lines = described('a.b', { accepts }, width);
  const [from, to] = [
    lines.indexOf('Arguments:') + 1,
    lines.indexOf('Result: this server does not tell'),
  ];
  return lines.slice(from, to - 1).map((line) => line.slice(2));
}

const first = (schema: object) => parameter(schema, 200)[0];

t.test('a method, from its documentation to commands to copy', async (t) => {
  const entry = {
    description:
      'Create a pool of :doc:`disks <disk>`. See ``topology``.\n\n.. warning::\n\n    All data\n    is lost.\n\n' +
      'For example::\n\n    {"name":   "tank"}\n\n* one that is so long that it has to go on in a second line of the terminal\n* two',
    job: true,
    roles: ['POOL_WRITE', 'FULL_ADMIN'],
    examples: {},
    accepts: [
      {
        _name_: 'data',
        _required_: true,
        type: 'object',
        description: 'What it is to be.',
        properties: {
          name: { type: 'string', maxLength: 50, description: 'Its name.' },
          kind: { const: 'POOL', type: 'string', default: 'POOL' },
          size: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null },
          disks: {
            type: 'array',
            minItems: 1,
            items: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
          },
        },
        required: ['name', 'disks'],
      },
      { _name_: 'dry', _required_: false, type: 'boolean', default: false },
    ],
    returns: [{ _name_: 'result', type: 'object', properties: { id: { type: 'integer' } } }],
  };
  t.strictSame(described('pool.create', entry), [
    'pool.create',
    '',
    'Create a pool of disks. See `topology`.',
    '',
    'Warning:',
    '',
    '    All data is lost.',
    '',
    'For example:',
    '',
    '    {"name":   "tank"}',
    '',
    '* one that is so long that it has to go on in a second line of the terminal',
    '* two',
    '',
    "It is a job: 'call -j' waits for its end, and shows its progress.",
    'For users with one of the roles POOL_WRITE or FULL_ADMIN.',
    '',
    'Arguments:',
    '  data: object, required',
    '      What it is to be.',
    '      name: string (at most 50 characters), required',
    '          Its name.',
    '      kind: "POOL", default "POOL"',
    '      size: integer (at least 1) or null, default null',
    '      disks: array of object (at least 1 item), required',
    '          id: string, required',
    '  dry: boolean, default false',
    '',
    'Result: object',
    '    id: integer',
    '',
    'Examples (words in capitals are to be replaced):',
    `  midclt -d call -j pool.create '{"name": "NAME", "kind": "POOL", "disks": [{"id": "ID"}]}'`,
  ]);
});

t.test('values and what is asked of them', async (t) => {
  t.equal(first({ type: 'string' }), 'value: string, required');
  t.equal(first({}), 'value: any, required');
  t.equal(first({ type: ['string', 'null'] }), 'value: string or null, required');
  t.equal(first({ enum: ['A', 'B', 3, null] }), 'value: "A", "B", 3 or null, required');
  t.equal(
    first({ type: 'string', minLength: 1, maxLength: 1, pattern: '^[a-z]$', format: 'ip' }),
    'value: string (1 character, format ip, matches ^[a-z]$), required',
  );
  t.equal(
    first({ type: 'number', exclusiveMinimum: 0.5, maximum: 18446744073709552000, multipleOf: 2 }),
    'value: number (at most 18446744073709552000, more than 0.5, a multiple of 2), required',
  );
  t.equal(
    described(
      'a.b',
      '{"accepts": [{"_name_": "n", "maximum": 18446744073709551615, "default": 2.0}]}',
    )[3],
    '  n: any (at most 18446744073709551615), default 2.0',
    'numbers stay as they are spelt',
  );
  t.equal(
    first({ type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'integer' }] } }),
    'value: array of (string or integer), required',
  );
  t.equal(
    first({ type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }] }),
    'value: array of: string, then integer, required',
  );
  t.equal(first({ type: 'integer', deprecated: true }), 'value: integer, required, deprecated');
  t.equal(first({ allOf: [{ type: 'integer' }] }), 'value: integer, required');
  t.equal(first({ type: 'string', _required_: false }), 'value: string, optional');
  t.equal(parameter({ examples: ['a', 2] })[1], '    For example "a" or 2');
});

t.test('objects among alternatives, in lists and by any name', async (t) => {
  const object = (name: string, title: string) => ({
    ...{ type: 'object', title },
    properties: { [name]: { type: 'integer' } },
  });
  t.strictSame(
    parameter({ oneOf: [object('a', 'First'), object('b', 'Second'), { type: 'null' }] }),
    [
      'value: object or null, required',
      '    First:',
      '        a: integer, optional',
      '    Second:',
      '        b: integer, optional',
    ],
  );
  const same = object('a', 'Item');
  t.strictSame(
    parameter({ anyOf: [{ type: 'array', items: same }, same, { type: 'integer' }] }),
    ['value: array of object, object or integer, required', '    a: integer, optional'],
    'one that is there twice is told once',
  );
  t.strictSame(parameter({ type: 'object', additionalProperties: object('a', 'Item') }), [
    'value: object, required',
    '    any name: object',
    '        a: integer, optional',
  ]);
});

t.test('references are followed, and no circle is run twice', async (t) => {
  const node = {
    type: 'object',
    properties: { next: { anyOf: [{ $ref: '#/$defs/Node' }, { type: 'null' }] } },
  };
  t.strictSame(parameter({ $ref: '#/$defs/Node', $defs: { Node: node } }), [
    'value: object, required',
    '    next: Node or null, optional',
  ]);
  t.equal(first({ $ref: '#/nowhere' }), 'value: nowhere, required');
  t.equal(first({ $ref: 'https://example.org/a#b' }), 'value: a#b, required');
});

t.test('servers before 25 tell less', async (t) => {
  const old = {
    description: 'Query pools.\n',
    examples: {
      websocket: [
        '\n  Get all pools\n\n    :::javascript\n    {\n        "id": "6841f242-840a-11e6",\n        "msg": "method",\n' +
          '        "method": "pool.query",\n        "params": [[["id", "=", 1]]]\n    }\n\n  returns\n\n    :::javascript\n    {"id": 1}\n',
        '  A slip\n    {"method": "pool.query, "params": [1]}\n',
      ],
    },
    filterable: true,
    accepts: [
      {
        type: 'array',
        _name_: 'query-filters',
        _required_: false,
        default: [],
        items: [{ type: 'null' }],
      },
      {
        ...{ type: 'object', _name_: 'query-options', _required_: false, _attrs_order_: ['get'] },
        properties: { get: { type: 'boolean', _name_: 'get', _required_: true } },
      },
    ],
    returns: null,
  };
  t.strictSame(described('pool.query', old), [
    'pool.query',
    '',
    'Query pools.',
    '',
    'Arguments:',
    '  query-filters: array of null, default []',
    '  query-options: object, optional',
    '      get: boolean, required',
    '',
    'Result: this server does not tell',
    '',
    'Examples:',
    '  midclt -d call pool.query',
    `  midclt -d call pool.query '[["id", "=", 1]]' '{"limit": 10}'`,
    '  # Get all pools',
    `  midclt -d call pool.query '[["id", "=", 1]]'`,
    '  # A slip',
    '  #     {"method": "pool.query, "params": [1]}',
  ]);
  t.strictSame(described('a.b', { description: null, accepts: null, job: false }), [
    ...[
      'a.b',
      '',
      'Arguments: this server does not tell',
      '',
      'Result: this server does not tell',
      '',
    ],
  ]);
});

t.test('what commands to copy have between quotes', async (t) => {
  const of = (example: unknown) => {
    const accepts = [{ _name_: 'v', _required_: true, examples: [example] }];
    return described('a.b', { accepts }).at(-1)?.replace('  midclt -d call a.b ', '');
  };
  t.equal(of("it's"), `'it'\\''s'`);
  t.equal(of('/mnt/tank'), '/mnt/tank');
  t.equal(of('5'), `'"5"'`, 'which would be a number else');
  t.equal(of('-x'), `'"-x"'`, 'which would be an option else');
  t.equal(of(''), `'""'`);
  t.equal(of('true'), `'"true"'`);
  t.equal(of(-5), '-5');
  t.equal(of({ a: ['$HOME'] }), `'{"a":["$HOME"]}'`);
});

t.test('files', async (t) => {
  const file = { accepts: [], job: true, check_pipes: true };
  t.match(described('config.save', { ...file, downloadable: true }), [
    ...['config.save', '', /^It is a job/, "It writes a file: 'download' saves it.", ''],
    ...['Arguments: none', '', /./, '', 'Examples:', '  midclt -d download config.save'],
  ]);
  const upload = described('a.b', { ...file, uploadable: true, check_pipes: false });
  t.match(upload, [
    /./,
    '',
    /./,
    "It reads files: 'upload' sends them; it may also be called without.",
  ]);
  t.match(upload.slice(-2), [
    'Examples (words in capitals are to be replaced):',
    '  midclt -d upload --file FILE a.b',
  ]);
});

t.test('no server makes it fail, hang or flood', async (t) => {
  const deep = (depth: number, open: string, inner: string, close: string) =>
    `{"accepts": [${open.repeat(depth)}${inner}${close.repeat(depth)}]}`;
  const wide = Array.from(
    { length: 3000 },
    (_, i) => `"p${i}": {"type": "object", "properties": {"a": {}, "b": {}}}`,
  );
  const twice = Array.from(
    { length: 40 },
    (_, i) =>
      `"D${i}": {"anyOf": [{"$ref": "#/$defs/D${i + 1}"}, {"$ref": "#/$defs/D${i + 1}"}], "properties": {"a": {"$ref": "#/$defs/D${i + 1}"}}}`,
  );
  const odd = [
    ...[
      'null',
      '[]',
      '1',
      '"x"',
      '{}',
      '{"accepts": {}, "returns": 5, "roles": 1, "examples": []}',
    ],
    '{"accepts": [null, 1, "x", [], true, {"type": 5}, {"type": []}, {"type": [null, ""]}]}',
    '{"accepts": [{"properties": [], "required": {}, "enum": {}, "anyOf": 1, "items": "x", "default": NaN}]}',
    '{"accepts": [{"properties": {"": {"$ref": 1}, "__proto__": {}}, "additionalProperties": []}]}',
    '{"accepts": [{"$ref": "#"}, {"$ref": "#/"}, {"$ref": ""}, {"allOf": [{"allOf": [{"$ref": "#/allOf/0"}]}]}]}',
    deep(100_000, '{"anyOf": [', '{}', ']}'),
    deep(100_000, '{"properties": {"a": ', '{}', '}}'),
    deep(100_000, '{"type": "array", "items": ', '{}', '}'),
    deep(100_000, '{"allOf": [', '{}', ']}'),
    `{"accepts": [{"properties": {${wide.join(',')}}}]}`,
    `{"accepts": [{"$ref": "#/$defs/D0", "_required_": true, "$defs": {${twice.join(',')}, "D40": {"type": "string"}}}]}`,
    `{"accepts": [${'{},'.repeat(9000)}{}], "roles": [${'"R",'.repeat(9000)}"R"]}`,
    `{"accepts": [{"enum": [${'"value",'.repeat(9000)}1], "default": "${'d'.repeat(1_000_000)}"}]}`,
    JSON.stringify({ description: `${'`'.repeat(50_000)}${':a:`'.repeat(50_000)}` }),
    JSON.stringify({
      description: `${'<'.repeat(300_000)}\n${' '.repeat(300_000)}::\n${'*'.repeat(300_000)}`,
    }),
    JSON.stringify({
      description: 'word '.repeat(100_000),
      examples: { websocket: ['{'.repeat(200_000), '{"method"}{'.repeat(9000)] },
    }),
  ];
  for (const entry of odd) {
    const started = performance.now();
    const lines = described('a.b', entry);
    const took = performance.now() - started;
    t.ok(took < 5000, `${entry.slice(0, 60)} took ${Math.round(took)} ms`);
    t.ok(lines.join('\n').length < 1_500_000, `${lines.length} lines`);
    t.equal(lines[0], 'a.b');
  }
  for (const width of [0, 1, 10, 20]) t.ok(described('a.b', odd[10] ?? '', width).length > 0);
});
