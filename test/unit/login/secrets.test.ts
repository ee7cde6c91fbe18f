import { createHash } from 'node:crypto';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { parseKeyFile, readKey } from '../../../lib/login/secrets.js';
import { makeHome } from '../../support/midclt.js';

const SECRET = 'ExampleApiKeyMaterial0123456789';
const RAW = `7-${SECRET}`;
const RAW_KEY = { kind: 'raw', id: '7', secret: SECRET };

const clientKey = Buffer.alloc(64, 'client');
const storedKey = createHash('sha512').update(clientKey).digest();
const serverKey = Buffer.alloc(64, 'server');
const DERIVED = {
  api_key_id: 7,
  client_key: clientKey.toString('base64'),
  stored_key: storedKey.toString('base64'),
  server_key: serverKey.toString('base64'),
};
const DERIVED_KEY = { kind: 'derived', id: '7', clientKey, storedKey, serverKey };

const json = (value: unknown) => JSON.stringify(value, null, 2);
const ini = (values: object, header = '') =>
  `${header}\n${Object.entries(values)
    .map(([name, value]) => `${name} = ${String(value)}\n`)
    .join('')}`;

t.test('every format gives the same key', async (t) => {
  const formats: Readonly<Record<string, readonly [string, object]>> = {
    raw: [`${RAW}\n`, RAW_KEY],
    'raw with a byte-order mark and CR LF': [`\uFEFF  ${RAW}\r\n`, RAW_KEY],
    'JSON with raw_key': [json({ raw_key: RAW }), RAW_KEY],
    'JSON with all of it': [json({ ...DERIVED, raw_key: RAW, salt: 'x', iterations: 1 }), RAW_KEY],
    'JSON with the derived keys': [json({ ...DERIVED, salt: 'x', iterations: 1 }), DERIVED_KEY],
    'INI with its section': [ini({ raw_key: RAW }, '[TRUENAS_API_KEY]'), RAW_KEY],
    'INI with another section': [ini({ raw_key: RAW }, '; mine\n[nas]'), RAW_KEY],
    'INI without a section': [ini({ raw_key: RAW }), RAW_KEY],
    'INI with several': [
      ini({ raw_key: '1-wrong' }, '[other]') + ini({ raw_key: RAW }, '[TRUENAS_API_KEY]'),
      RAW_KEY,
    ],
    'INI with defaults': [ini({ raw_key: RAW }, '[DEFAULT]') + ini({ x: 1 }, '[nas]'), RAW_KEY],
    'INI with all lines indented': [`  [x]\n  y = 1\n\n  raw_key = ${RAW}\n`, RAW_KEY],
    'INI with the derived keys': [ini(DERIVED, '[TRUENAS_API_KEY]'), DERIVED_KEY],
    'INI with colons, capitals and CR LF': [`[x]\r\n# c\r\nRAW_KEY:${RAW}\r\n`, RAW_KEY],
  };
  for (const [name, [text, key]] of Object.entries(formats)) {
    t.same(parseKeyFile('f', text), { key, username: null }, name);
  }
});

t.test('a file may say whose key it is', async (t) => {
  for (const text of [
    json({ raw_key: RAW, username: 'admin' }),
    `raw_key=${RAW}\nusername=admin`,
  ]) {
    t.same(parseKeyFile('f', text), { key: RAW_KEY, username: 'admin' });
  }
});

t.test('each defect has its own message, which names the file and shows nothing of it', (t) => {
  const lacking = (name: keyof typeof DERIVED) => {
    const copy: Record<string, unknown> = { ...DERIVED };
    Reflect.deleteProperty(copy, name);
    return json(copy);
  };
  const defects: readonly (readonly [string, RegExp])[] = [
    ['', /is empty/],
    [' \n', /is empty/],
    [SECRET, /is neither an API key .* nor JSON nor INI/],
    [`7-${SECRET}!`, /is neither an API key/],
    [`${RAW}\n${RAW}`, /is neither an API key/],
    [`{"raw_key": "${RAW}"`, /is no valid JSON/],
    [`{"raw_key": ${RAW}}`, /is no valid JSON/],
    [json({ raw_key: SECRET }), /has a raw_key that is no API key/],
    [json({ raw_key: 7 }), /has a raw_key that is no API key/],
    [json({ raw_key: RAW, username: 7 }), /has a username that is no user's name/],
    [json({ raw_key: RAW, username: '' }), /has a username that is no user's name/],
    [json({ key: RAW }), /has no raw_key, and none of api_key_id, client_key, /],
    ['{}', /has no raw_key, and none of/],
    [lacking('server_key'), /has no raw_key, and lacks server_key$/],
    [lacking('api_key_id'), /has no raw_key, and lacks api_key_id$/],
    [json({ ...DERIVED, api_key_id: 'x' }), /has an api_key_id that is no number/],
    [json({ ...DERIVED, client_key: 7 }), /has a client_key that is not 64 bytes in base64/],
    [json({ ...DERIVED, stored_key: SECRET }), /has a stored_key that is not 64 bytes/],
    [json({ ...DERIVED, server_key: `${DERIVED.server_key}!` }), /has a server_key that is not/],
    [json({ ...DERIVED, client_key: DERIVED.server_key }), /do not belong together/],
    [`[a]\nraw_key=${RAW}\n[b]\nraw_key=${RAW}`, /several sections and no \[TRUENAS_API_KEY\]/],
    [`[a]\nraw_key=${RAW}\n${SECRET}`, /is INI, but its line 3 is not/],
    ['[TRUENAS_API_KEY]', /has no raw_key, and none of/],
    [`[a]\nraw_key=1-x\nRAW_KEY=${RAW}`, /says raw_key twice/],
    [`[a]\nraw_key=1-x\n[b]\nx=1\n[a]\nraw_key=${RAW}`, /has the section of line 5 twice/],
    [`[a]\nraw_key=${RAW}\n  username=ann`, /line 3 is indented, and so goes on the line before/],
    [`raw_key=${RAW}\nusername=a\u0000nn`, /has a control character in it/],
    [`raw_key=${RAW}\nusername=a\ufeffnn`, /has a control character in it/],
    [json({ ...DERIVED, api_key_id: ['7'] }), /has an api_key_id that is no number/],
    [json({ ...DERIVED, api_key_id: 2 ** 53 }), /has an api_key_id that is no number/],
  ];
  for (const [text, expected] of defects) {
    const error = failure(() => parseKeyFile('the-file', text));
    t.match(error, { code: 'REQUEST', message: expected });
    t.match(error?.message, /^The key file the-file /);
    t.notMatch(error?.message, SECRET);
    t.equal(error?.cause, undefined);
  }
  t.end();
});

function failure(act: () => unknown): (Error & { code?: string }) | undefined {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  return undefined;
}

function written(t: Test, text: string, mode = 0o600): { home: string; file: string } {
  const home = makeHome(t);
  const file = `${home}/key`;
  fs.writeFileSync(file, text, { mode });
  fs.chmodSync(file, mode);
  return { home, file };
}

function quiet(line: string): never {
  throw new Error(`a warning: ${line}`);
}

t.test('-K takes the key itself, or the path of a file', async (t) => {
  t.same(readKey(RAW, quiet), { key: RAW_KEY, username: null });
  const { home, file } = written(t, RAW);
  t.same(readKey(file, quiet).key, RAW_KEY);
  const before = process.cwd();
  process.chdir(home);
  t.teardown(() => process.chdir(before));
  for (const path of ['key', './key', `../${home.split('/').at(-1) ?? ''}/key`]) {
    t.same(readKey(path, quiet).key, RAW_KEY, path);
  }
});

t.test("-K takes a key file's contents too, as the Python program does", (t) => {
  t.same(readKey(`{"raw_key": "${RAW}"}`, quiet), { key: RAW_KEY, username: null });
  t.same(readKey(` {"raw_key": "${RAW}", "username": "ann"}\n`, quiet).username, 'ann');
  t.same(readKey(`[TRUENAS_API_KEY]\nraw_key = ${RAW}\n`, quiet).key, RAW_KEY);
  const inLines = `client_key = /${SECRET}/\nraw_key = ${SECRET}`;
  for (const value of [
    ...[`{"raw_key": "${SECRET}"}`, `{${SECRET}`, `[KEY]\nraw_key = ${SECRET}`],
    ...[inLines, `\ufeff${inLines}`, `/${SECRET}\0`],
  ]) {
    const error = failure(() => readKey(value, quiet));
    t.match(error, { code: 'REQUEST', message: /^The value of -K \(or MIDCLT_API_KEY\) (has|is)/ });
    t.notMatch(error?.message, SECRET);
  }
  t.end();
});

t.test('a value that is neither is not shown, since it may be a key with a slip in it', (t) => {
  for (const value of ['', SECRET, `${RAW}!`, `7_${SECRET}`, `7-${SECRET}/x`, '7-', '-7']) {
    const error = failure(() => readKey(value, quiet));
    t.match(error, {
      code: 'REQUEST',
      message: /^The value of -K \(or MIDCLT_API_KEY\) is neither/,
    });
    t.notMatch(error?.message, SECRET);
  }
  t.end();
});

t.test('a file that cannot be read is named, with why', async (t) => {
  const { home } = written(t, '');
  const unread = (path: string) => failure(() => readKey(path, quiet));
  t.match(unread(`${home}/none`), {
    code: 'FILES',
    message: /^Cannot read the key file .*\/none: no such file or directory \(ENOENT\)$/,
  });
  t.match(unread(home), { code: 'FILES', message: /illegal operation on a directory \(EISDIR\)/ });
  t.match(unread('/dev/zero'), { code: 'REQUEST', message: /is too long for one/ });
  t.match(unread('/dev/null'), { code: 'REQUEST', message: /is empty/ });
});

t.test('a file that others can read gets a warning, one line that says how to mend it', (t) => {
  for (const mode of [0o644, 0o640, 0o604, 0o660]) {
    const lines: string[] = [];
    const { file } = written(t, RAW, mode);
    t.same(readKey(file, (line) => lines.push(line)).key, RAW_KEY);
    t.equal(lines.length, 1);
    t.match(lines[0], new RegExp(`^Warning: .*${file} \\(mode 0${mode.toString(8)}\\)`));
    t.notMatch(lines[0], SECRET);
  }
  t.end();
});
