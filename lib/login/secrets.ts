/**
 * Secrets from files and stdin: the API key that `-K` names, and the password that `--password-file` or `-P -` names,
 * the first line there. No message repeats any of it.
 */
import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import { isatty } from 'node:tty';
import { MidcltError, systemReason } from '../errors.js';
import { parseRawKey, type ApiKey } from '../middleware/login/credential.js';
import { storedKeyOf } from '../middleware/login/scram.js';
import { pause } from '../timer.js';

interface KeyMaterial {
  readonly key: ApiKey;
  /** Whose key it is, if the file says. */
  readonly username: string | null;
}

const SECTION = 'TRUENAS_API_KEY';
const SCRAM_MEMBERS = ['api_key_id', 'client_key', 'stored_key', 'server_key'] as const;
/** A key file has a few hundred bytes. */
const MOST_KEY_FILE_BYTES = 65_536;
const SHA512_BYTES = 64;

const VALUE = 'The value of -K (or MIDCLT_API_KEY)';
/** It begins as JSON and INI do, or has several lines: it is no path, and must not be shown as one. */
const IS_CONTENTS = /^\s*[{[]|[\r\n\0]/;

/**
 * Reads `-K`'s value: `ID-KEY`, the path of a file with that, with JSON, or with INI, or what such a file has in it.
 * Warns of a file that others can read. Throws a `REQUEST` or `FILES` error that names the file and its defect.
 */
export function readKey(value: string, warn: (line: string) => void): KeyMaterial {
  const raw = parseRawKey(value);
  if (raw) return { key: raw, username: null };
  if (IS_CONTENTS.test(value)) return parseKey(VALUE, value);
  // A key with a slip in it is no path, and must not be shown as one.
  const isPath = value.includes('/') && !/^\d+-/.test(value);
  if (value === '' || (!isPath && !fs.existsSync(value))) {
    throw new MidcltError(
      'REQUEST',
      `${VALUE} is neither an API key (NUMBER-LETTERS_AND_DIGITS) nor a file's path`,
    );
  }
  return parseKeyFile(value, readKeyFile(value, warn));
}

/** Is `-K`'s value no path, but a key itself, or what a key file has in it? It must not be shown or kept as a path. */
export function isKeyItself(value: string): boolean {
  return parseRawKey(value) !== null || IS_CONTENTS.test(value);
}

/** `file` is its name, for messages. Throws a `REQUEST` error. */
export function parseKeyFile(file: string, contents: string): KeyMaterial {
  return parseKey(`The key file ${file}`, contents);
}

/** Messages begin with `name`. */
function parseKey(name: string, contents: string): KeyMaterial {
  const unmarked = contents.replace(/^\uFEFF/, '');
  const text = unmarked.trim();
  if (text === '') throw defect(name, 'is empty');
  // Python and JavaScript do not agree on which of these are blanks and ends of lines.
  if (NOT_IN_TEXT.test(unmarked)) throw defect(name, 'has a control character in it');
  const raw = parseRawKey(text);
  if (raw) return { key: raw, username: null };
  return materialOf(name, text.startsWith('{') ? fromJson(name, text) : fromIni(name, text));
}

function readKeyFile(path: string, warn: (line: string) => void): string {
  const file = openPrivateFile(path, 'key file', warn);
  try {
    const buffer = Buffer.alloc(MOST_KEY_FILE_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = file.read(buffer, length, buffer.length - length);
      if (read === 0) return textOf(path, buffer.subarray(0, length));
      length += read;
    }
  } finally {
    file.close();
  }
  throw defect(`The key file ${path}`, `is too long for one (over ${MOST_KEY_FILE_BYTES} bytes)`);
}

function textOf(path: string, bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  throw defect(`The key file ${path}`, 'is not valid UTF-8');
}

const NOTHING = 'neither an API key (NUMBER-LETTERS_AND_DIGITS) nor JSON nor INI';

// eslint-disable-next-line no-control-regex -- they are what this is about
const NOT_IN_TEXT = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]/;

type Values = ReadonlyMap<string, unknown>;

function fromJson(name: string, text: string): Values {
  try {
    return new Map(Object.entries(JSON.parse(text) as Record<string, unknown>));
  } catch {
    throw defect(name, 'is no valid JSON'); // Node's own message quotes the text
  }
}

/** Its values are what every section has that says nothing else. */
const DEFAULTS = 'DEFAULT';

/**
 * As Python's configparser reads one: names in any case, `=` or `:`, comments on lines of their own. Of what is said
 * twice, and of a line that goes on in the next, which it would take otherwise than it looks, nothing is read.
 */
function fromIni(name: string, text: string): Values {
  const sections = new Map<string, Map<string, string>>();
  let values: Map<string, string> | undefined;
  let optionIndent = Infinity;
  for (const [index, line] of text.split(/\r\n?|\n/).entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || /^[#;]/.test(trimmed)) continue;
    const header = /^\[(.+)\]$/.exec(trimmed)?.[1];
    const [, key, value] = /^([A-Za-z]\w*)\s*[=:]\s*(.*)$/.exec(trimmed) ?? [];
    const place = `line ${index + 1}`;
    if (header === undefined && key === undefined) {
      const isIni = sections.size > 0;
      throw defect(name, isIni ? `is INI, but its ${place} is not` : `is ${NOTHING}`);
    }
    const indent = line.search(/\S/);
    if (indent > optionIndent) {
      throw defect(name, `is INI, but its ${place} is indented, and so goes on the line before`);
    }
    optionIndent = key === undefined ? Infinity : indent;
    if (header !== undefined && header !== DEFAULTS && sections.has(header)) {
      throw defect(name, `has the section of ${place} twice`);
    }
    if (header !== undefined || !values) {
      values = sections.get(header ?? '') ?? new Map<string, string>();
      sections.set(header ?? '', values);
    }
    if (key === undefined || value === undefined) continue;
    const member = key.toLowerCase();
    if (values.has(member)) throw defect(name, `says ${shownMember(member)} twice`);
    values.set(member, value);
  }
  const defaults = sections.get(DEFAULTS) ?? [];
  sections.delete(DEFAULTS);
  const own = sections.get(SECTION) ?? (sections.size === 1 ? [...sections.values()][0] : null);
  if (own) return new Map([...defaults, ...own]);
  if (sections.size === 0) return new Map(defaults);
  throw defect(name, `has several sections and no [${SECTION}] among them`);
}

/** Any other may be a part of a secret. */
function shownMember(member: string): string {
  const known: readonly string[] = ['raw_key', 'username', ...SCRAM_MEMBERS];
  return known.includes(member) ? member : 'something';
}

function materialOf(name: string, values: Values): KeyMaterial {
  const username = values.get('username') ?? null;
  if (username !== null && (typeof username !== 'string' || username === '')) {
    throw defect(name, "has a username that is no user's name");
  }
  return { key: keyOf(name, values), username };
}

function keyOf(name: string, values: Values): ApiKey {
  if (values.has('raw_key')) {
    const value = values.get('raw_key');
    const raw = typeof value === 'string' ? parseRawKey(value) : null;
    if (raw) return raw;
    throw defect(name, 'has a raw_key that is no API key (NUMBER-LETTERS_AND_DIGITS)');
  }
  const missing = SCRAM_MEMBERS.filter((member) => !values.has(member));
  if (missing.length === SCRAM_MEMBERS.length) {
    throw defect(name, `has no raw_key, and none of ${SCRAM_MEMBERS.join(', ')}`);
  }
  if (missing.length > 0) throw defect(name, `has no raw_key, and lacks ${missing.join(', ')}`);
  const idValue = values.get('api_key_id');
  // Of a larger number JSON.parse leaves not all digits.
  const id = typeof idValue === 'string' || Number.isSafeInteger(idValue) ? String(idValue) : '';
  if (!/^\d{1,18}$/.test(id)) throw defect(name, 'has an api_key_id that is no number');
  const bytes = (member: (typeof SCRAM_MEMBERS)[number]): Buffer => {
    const value = values.get(member);
    const decoded = typeof value === 'string' ? Buffer.from(value, 'base64') : null;
    if (decoded?.length === SHA512_BYTES && decoded.toString('base64') === value) return decoded;
    throw defect(name, `has a ${member} that is not ${SHA512_BYTES} bytes in base64`);
  };
  const clientKey = bytes('client_key');
  const storedKey = bytes('stored_key');
  if (!storedKeyOf('sha512', clientKey).equals(storedKey)) {
    throw defect(name, 'has a client_key and a stored_key that do not belong together');
  }
  return { kind: 'derived', id, clientKey, storedKey, serverKey: bytes('server_key') };
}

function defect(name: string, what: string): MidcltError {
  return new MidcltError('REQUEST', `${name} ${what}`);
}

/** This name of a file means stdin. */
const STDIN_NAME = '-';
const STDIN = 0;
/** The middleware takes no login message that is longer. */
const MOST_PASSWORD_BYTES = 8192;
const NEWLINE = 0x0a;

interface PrivateFile {
  /** Up to `length` bytes to `offset`; how many, 0 at the end. Throws a `FILES` error. */
  read(buffer: Buffer, offset: number, length: number): number;
  close(): void;
}

/** Opens a file, and warns of one that others can read. `what` it is goes into messages. Throws a `FILES` error. */
function openPrivateFile(path: string, what: string, warn: (line: string) => void): PrivateFile {
  const name = `the ${what} ${path}`;
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, 'r');
  } catch (error) {
    throw unreadable(name, error);
  }
  const { mode } = fs.fstatSync(descriptor);
  const isFile = (mode & fs.constants.S_IFMT) === fs.constants.S_IFREG;
  if (isFile && (mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    warn(`Warning: other users may read ${name} (mode ${octal}); make it 0600`);
  }
  return {
    ...inheritedFile(descriptor, name),
    close: () => {
      fs.closeSync(descriptor);
    },
  };
}

/** A descriptor that stays open. `name` goes into messages. */
function inheritedFile(descriptor: number, name: string): PrivateFile {
  return {
    read(buffer, offset, length) {
      for (;;) {
        try {
          return fs.readSync(descriptor, buffer, offset, length, null);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw unreadable(name, error);
          pause(); // somebody made the pipe non-blocking, and it is empty
        }
      }
    },
    close: () => undefined,
  };
}

function unreadable(name: string, error: unknown): MidcltError {
  return new MidcltError('FILES', `Cannot read ${name}: ${systemReason(error)}`);
}

/** Null: stdin is a terminal, on which one asks. Throws a `FILES` or `REQUEST` error. */
export function readPassword(path: string, warn: (line: string) => void): string | null {
  if (path !== STDIN_NAME) {
    return passwordIn(openPrivateFile(path, 'password file', warn), `The password file ${path}`);
  }
  if (isatty(STDIN)) return null;
  return passwordIn(inheritedFile(STDIN, 'the password from stdin'), 'The password on stdin');
}

function passwordIn(file: PrivateFile, name: string): string {
  let line: Buffer | null;
  try {
    line = firstLine(file);
  } finally {
    file.close();
  }
  if (line === null) throw defect(name, `is too long (over ${MOST_PASSWORD_BYTES} bytes)`);
  if (!isUtf8(line)) throw defect(name, 'is not valid UTF-8');
  const password = line.toString().replace(/^\uFEFF/, '');
  if (password === '') throw defect(name, 'is empty (its first line counts)');
  if (password.includes('\0')) throw defect(name, 'has a NUL byte in it');
  return password;
}

/** Without its end. A byte at a time: what follows in a pipe is for whoever reads there next. */
function firstLine(file: PrivateFile): Buffer | null {
  const buffer = Buffer.alloc(MOST_PASSWORD_BYTES);
  let length = 0;
  while (length < MOST_PASSWORD_BYTES) {
    if (file.read(buffer, length, 1) === 0) return buffer.subarray(0, length);
    if (buffer[length] === NEWLINE) {
      const isCrLf = length > 0 && buffer[length - 1] === 0x0d;
      return buffer.subarray(0, isCrLf ? length - 1 : length);
    }
    length++;
  }
  return null;
}
