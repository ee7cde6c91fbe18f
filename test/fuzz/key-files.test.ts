/** A key file gives the key that Python's own readers find in it, or an error that names the file and shows nothing of it. */
import assert from 'node:assert';
import fs from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { readKey } from '../../lib/login/secrets.js';
import { fuzz } from '../support/fuzz.js';
import { makeHome, missing } from '../support/midclt.js';
import { keyOf, sha512, startPython, type Key } from '../support/python-keys.js';

const LETTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');
const letter = fc.constantFrom(...LETTERS);
const secret = fc.string({ unit: letter, minLength: 20, maxLength: 30 });
const number = fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 10n ** 20n })).map(String);
const rawKey = fc.tuple(number, secret).map(([id, text]) => `${id}-${text}`);
const SPACES = ['', '', ' ', '  ', '\t', '\n', '\r\n', '\n\n', '\u00a0', '\f'];
const space = fc.constantFrom(...SPACES);

/** The members of derived keys; those of a few files do not belong together. */
const derived = fc
  .tuple(fc.nat(), fc.integer({ min: 63, max: 65 }), fc.nat({ max: 9 }))
  .map(([seed, length, wrong]) => {
    const client = sha512(String(seed));
    const server = Buffer.concat([sha512(`server ${seed}`), Buffer.from('x')]).subarray(0, length);
    return {
      client_key: base64(client),
      stored_key: base64(wrong === 0 ? server : sha512(client)),
      server_key: base64(server),
    };
  });

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

const name = fc.oneof(
  fc.constantFrom('admin', 'truenas_admin', 'é', '', 'a b', 'ann\u00a0', '\u2028', '%(x)s', '=:'),
  fc.string({ unit: 'binary', maxLength: 5 }),
);

/** A file's text before anything is done to it. */
interface Written {
  readonly text: string;
  /** What no message may have in it. */
  readonly secrets: readonly string[];
  /** There is nothing odd about it: it must be read. */
  readonly isPlain: boolean;
}

const raw = fc
  .tuple(rawKey, space, space)
  .map(([key, before, after]) => ({ text: before + key + after, secrets: [key], isPlain: false }));

const oddValue = fc.oneof(fc.json({ maxDepth: 2 }), number, secret.map(quoted));

function quoted(text: string): string {
  return JSON.stringify(text);
}

const members = fc
  .record(
    {
      raw_key: fc.oneof({ weight: 4, arbitrary: rawKey.map(quoted) }, oddValue),
      api_key_id: fc.oneof(number, number.map(quoted), oddValue, fc.constant('7.0')),
      username: fc.oneof(name.map(quoted), oddValue),
      derived,
      other: fc.tuple(
        fc.constantFrom('__proto__', 'toString', 'raw_key', 'api_key_id', 'x'),
        oddValue,
      ),
    },
    { requiredKeys: [] },
  )
  .map(({ derived: keys, other, ...own }) => [
    ...(keys ? Object.entries(keys).map(([member, value]) => [member, quoted(value)]) : []),
    ...Object.entries(own as Record<string, string>),
    ...(other ? [other] : []),
  ]);

const json = fc.tuple(members, space, fc.nat()).map(([all, between, turn]) => {
  const rotated = all.map((_, i) => all[(i + turn) % all.length] ?? []);
  const text = rotated.map(([member = '', value = '']) => `${quoted(member)}:${between}${value}`);
  return {
    text: `{${text.join(`,${between}`)}}`,
    secrets: all.map(([, value = '']) => value.slice(1, -1)).filter(isTelling),
    isPlain: false,
  };
});

function isTelling(text: string): boolean {
  return /^[-A-Za-z0-9+/=]{20,}$/.test(text);
}

const deep = fc
  .tuple(fc.nat({ max: 32_000 }), rawKey, fc.boolean())
  .map(([depth, key, isWhole]) => ({
    text: `{"raw_key":${quoted(key)},"x":${'['.repeat(depth)}${isWhole ? ']'.repeat(depth) : ''}}`,
    secrets: [key],
    isPlain: false,
  }));

const option = fc
  .tuple(
    fc.constantFrom('', '', '', ' ', '\t', '  '),
    fc.oneof(
      fc.tuple(fc.constantFrom('raw_key', 'RAW_KEY', 'Raw_Key', 'x', 'raw key'), rawKey),
      fc.tuple(fc.constantFrom('username', 'USERNAME'), name),
      fc.tuple(fc.constant('api_key_id'), number),
    ),
    fc.constantFrom('=', ' = ', ':', ': ', ' ', '==', '\u00a0='),
    fc.constantFrom('', '', '', ' ', ' ; comment', ' # comment', '\u00a0', '\ufeff', '\u0085'),
  )
  .map(([indent, [member, value], equals, after]) => indent + member + equals + value + after);

const header = fc.constantFrom(
  ...['[TRUENAS_API_KEY]', '[TRUENAS_API_KEY]', '[nas]', '[DEFAULT]', '[ TRUENAS_API_KEY ]'],
  ...['[truenas_api_key]', '[]', '[x', '[x] y', ' [nas]', '[[nas]]', '[a]b]'],
);
const oddLine = fc.oneof(
  fc.constantFrom('', '# comment', '; comment', '  # comment', '=', 'raw_key', ' more', '\u2028'),
  secret,
  secret.map((text) => `  ${text}`),
);

const ini = fc
  .tuple(
    fc.array(fc.oneof({ weight: 5, arbitrary: option }, header, oddLine), { maxLength: 6 }),
    fc.option(header),
    fc.option(derived),
    fc.constantFrom('\n', '\n', '\r\n', '\r'),
  )
  .map(([lines, first, keys, end]) => {
    const more = Object.entries(keys ?? {}).map(([member, value]) => `${member} = ${value}`);
    const all = [...(first === null ? [] : [first]), ...lines, ...more];
    const secrets = all.flatMap((line) => line.split(/[\s=:]+/)).filter(isTelling);
    return { text: all.join(end), secrets, isPlain: false };
  });

/** What people write, and what TrueNAS gives them. */
const plain: fc.Arbitrary<Written> = fc
  .tuple(
    fc.nat({ max: 10 ** 9 }).map(String),
    secret,
    fc.constantFrom('admin', 'é', 'a b'),
    fc.nat({ max: 5 }),
    fc.constantFrom('\n', '\r\n'),
  )
  .map(([id, text, user, form, end]) => {
    const key = `${id}-${text}`;
    const lines = [`raw_key = ${key}`, `username = ${user}`, ''];
    const forms = [
      [key, ''],
      [`{"raw_key": "${key}",`, `"username": ${quoted(user)}}`],
      ['[TRUENAS_API_KEY]', ...lines],
      ['[nas]', '# mine', ...lines],
      lines,
      ['[a]', 'raw_key: 1-x', '[TRUENAS_API_KEY]', ...lines],
    ];
    return { text: (forms[form] ?? []).join(end), secrets: [key], isPlain: true };
  });

/** A file as it lies there. */
interface KeyFile {
  /** A character a byte, to be read in a report. */
  readonly latin1: string;
  readonly secrets: readonly string[];
  readonly isPlain: boolean;
}

type Damage = (bytes: Buffer) => Buffer;
const NONE: Damage = (bytes) => bytes;

const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(NONE) },
  fc.constant<Damage>((bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes])),
  fc.constant<Damage>((bytes) => Buffer.from(`\ufeff${bytes.toString()}`, 'utf16le')),
  fc.constant<Damage>((bytes) => Buffer.from(bytes.toString(), 'latin1')),
  fc.constant<Damage>((bytes) => Buffer.concat([bytes, Buffer.alloc(65_536, '\n')])),
  fc
    .tuple(fc.nat(), fc.nat({ max: 3 }), fc.uint8Array({ maxLength: 3 }))
    .map(([at, length, put]): Damage => {
      return (bytes) => {
        const start = at % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + length)]);
      };
    }),
  fc
    .tuple(fc.nat(), fc.constantFrom('\0', '\ufeff', '\x1c', '\x85', '\u2028', '\r', '\v', '\n '))
    .map(([at, put]): Damage => {
      return (bytes) => {
        const text = bytes.toString();
        const start = at % (text.length + 1);
        return Buffer.from(text.slice(0, start) + put + text.slice(start));
      };
    }),
);

const noKey = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes): KeyFile => ({ latin1: latin1(bytes), secrets: [], isPlain: false }));

const keyFile: fc.Arbitrary<KeyFile> = fc.oneof(
  { weight: 1, arbitrary: noKey },
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.oneof(raw, json, ini, ini, plain, { weight: 1, arbitrary: deep }), damage)
      .map(([{ text, secrets, isPlain }, harm]) => ({
        latin1: latin1(harm(Buffer.from(text))),
        secrets,
        isPlain: isPlain && harm === NONE,
      })),
  },
);

/** In no message, wherever it stands in a file. */
function assertHarmless(error: unknown, start: string, { secrets }: KeyFile): void {
  assert.ok(error instanceof Error && error.name === 'MidcltError', String(error));
  const { message } = error;
  assert.ok(message.startsWith(start), message);
  assert.doesNotMatch(message, /\p{Cc}|\p{Zl}|\p{Zp}/u, 'one line');
  for (const text of secrets) {
    const shown = text.slice(0, 12);
    assert.ok(!message.includes(shown) && !String(error.stack).includes(shown), message);
  }
  assert.equal(error.cause, undefined);
}

t.test('a key file is read as Python reads it', { skip: missing('python3') }, async (t) => {
  const file = `${makeHome(t)}/key`;
  const python = startPython(t);
  const warn = (line: string) => assert.fail(line);
  await fuzz(t, {
    name: 'key files, beside Python',
    inputs: 1500,
    arbitrary: keyFile,
    examples: [
      // As the value of -K it was shown as if it were a path.
      {
        latin1: `client_key = /${'A'.repeat(20)}\nx = 1`,
        secrets: ['A'.repeat(20)],
        isPlain: false,
      },
      // What configparser refuses, or takes otherwise.
      ...[
        '[a]\nraw_key=1-a\nRAW_KEY=2-b',
        '[a]\nraw_key=1-a\n  username=b',
        '#\r x\nraw_key=1-a',
      ].map((latin1) => ({ latin1, secrets: [], isPlain: false })),
      { latin1: '[DEFAULT]\nusername=b\n[a]\nraw_key=1-a', secrets: [], isPlain: true },
      { latin1: '1-a\xef\xbb\xbf\n', secrets: [], isPlain: false },
    ],
    check: async (input) => {
      const bytes = Buffer.from(input.latin1, 'latin1');
      fs.writeFileSync(file, bytes, { mode: 0o600 });
      const found = await python(bytes);
      let got: Key | null = null;
      try {
        got = readKey(file, warn);
      } catch (error) {
        assertHarmless(error, 'The key file ', input);
        assert.ok((error as Error).message.includes(file));
      }
      if (input.isPlain) assert.ok(got, 'it is read');
      if (got && found !== 'too deep') assert.deepEqual(got, keyOf(found));
      // The same as the value of the option, which may be a file's contents.
      try {
        readKey(bytes.toString(), warn);
      } catch (error) {
        // What is in one line and has a slash may be a path.
        const path = 'Cannot read the key file ';
        if ((error as Error).message.startsWith(path)) assert.doesNotMatch(String(error), /[\r\n]/);
        else assertHarmless(error, 'The value of -K (or MIDCLT_API_KEY) ', input);
      }
    },
  });
});
