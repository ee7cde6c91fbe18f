/** The keys that Python's own readers find in files, beside which the program's reader is held. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import readline from 'node:readline';
import type { Test } from 'tap';

/** What Python finds in a file: a key as it is, members with their types, or nothing. */
type Found =
  | { readonly raw: readonly [string, string] }
  | { readonly values: Readonly<Record<string, readonly [type: string, value: string]>> }
  | 'too deep'
  | null;

const PYTHON = `
import base64, configparser, json, re, sys

def found(data):
    try:
        text = data.decode('utf-8-sig').replace('\\r\\n', '\\n').replace('\\r', '\\n')
    except UnicodeDecodeError:
        return None
    whole = re.fullmatch('([0-9]+)-([A-Za-z0-9]+)', text.strip())
    if whole:
        return {'raw': whole.groups()}
    try:
        values = json.loads(text) if text.lstrip().startswith('{') else ini(text)
    except RecursionError:
        return 'too deep'
    except (ValueError, configparser.Error):
        return None
    return None if values is None else {'values': {k: (type(v).__name__, str(v)) for k, v in values.items()}}

def ini(text):
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string('[none]\\n' + text)
    names = parser.sections()
    if 'TRUENAS_API_KEY' in names:
        return dict(parser['TRUENAS_API_KEY'])
    if len(names) > 1:
        return None
    return dict(parser[names[0]] if names else parser.defaults())

for line in sys.stdin:
    print(json.dumps(found(base64.b64decode(line))), flush=True)
`;

/** One Python for all files. */
export function startPython(t: Test): (bytes: Buffer) => Promise<Found> {
  const child = spawn('python3', ['-c', PYTHON], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const answers = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (bytes) => {
    child.stdin.write(`${bytes.toString('base64')}\n`);
    const { value } = (await answers.next()) as { value: string };
    return JSON.parse(value) as Found;
  };
}

export interface Key {
  readonly key: object;
  readonly username: string | null;
}

/** The key that members are; null where they are none. */
export function keyOf(found: Exclude<Found, 'too deep'>): Key | null {
  if (!found) return null;
  if ('raw' in found) return { key: rawOf(found.raw), username: null };
  const { values } = found;
  const textOf = (member: string) => {
    const [type, value] = values[member] ?? [];
    return type === 'str' && value !== undefined ? value : null;
  };
  const username = textOf('username');
  const [type] = values.username ?? ['NoneType'];
  if (username === '' || (username === null && type !== 'NoneType')) return null;
  if (Object.hasOwn(values, 'raw_key')) {
    const match = /^([0-9]+)-([A-Za-z0-9]+)$/.exec(textOf('raw_key') ?? '');
    return match && { key: rawOf([match[1] ?? '', match[2] ?? '']), username };
  }
  const [idType, id = ''] = values.api_key_id ?? [];
  if (idType === undefined || !['str', 'int', 'float'].includes(idType)) return null;
  const whole = idType === 'float' ? String(Number(id)) : id;
  if (!/^[0-9]{1,18}$/.test(whole)) return null;
  const bytes = (member: string) => {
    const text = textOf(member) ?? '';
    const decoded = Buffer.from(text, 'base64');
    return decoded.length === 64 && decoded.toString('base64') === text ? decoded : null;
  };
  const [clientKey, storedKey, serverKey] = ['client_key', 'stored_key', 'server_key'].map(bytes);
  if (!clientKey || !storedKey || !serverKey) return null;
  if (!sha512(clientKey).equals(storedKey)) return null;
  return { key: { kind: 'derived', id: whole, clientKey, storedKey, serverKey }, username };
}

function rawOf([id, text]: readonly [string, string]): object {
  return { kind: 'raw', id, secret: text };
}

export function sha512(text: string | Uint8Array): Buffer {
  return createHash('sha512').update(text).digest();
}
