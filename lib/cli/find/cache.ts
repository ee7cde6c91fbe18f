/**
 * What a server has said of its methods, in a private file of the daemons' directory, and of its events, in another of
 * the same form: a line about the answer, a line a method (the index), and then the answer's own bytes. The index is read in a millisecond, and tells where in the
 * answer each method's entry is. What is not as it should be is no cache: then the server is asked.
 */
import fs from 'node:fs';
import { ensurePrivateDirectory } from '../../daemon/files.js';
import { daemonPaths, type DaemonPaths } from '../../files/paths.js';
import { trustDirectory } from '../../files/trust.js';
import { integerOf, membersOf, quote, Scan, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';

/** One method, as lists show it. */
export interface Row {
  readonly name: string;
  readonly job: boolean;
  readonly downloadable: boolean;
  readonly uploadable: boolean;
  /** What it does, on one line; may be empty. */
  readonly summary: string;
  /** Where its entry is in the server's answer. */
  readonly start: number;
  readonly end: number;
}

/** What tells an answer that still holds: it is of this version of the server, to this user. */
export interface Stamp {
  readonly version: string;
  readonly user: string;
}

interface Cached extends Stamp {
  readonly rows: readonly Row[];
  /** With what was logged in; null is what a daemon had. */
  readonly login: string | null;
  /** Since the server was asked, and since it last confirmed the stamp; milliseconds. */
  readonly age: number;
  readonly sinceSeen: number;
  /** Null if it is not there any more, or is not JSON. */
  readonly entryOf: (row: Row) => Json | null;
  /** The stamp is confirmed. */
  readonly touch: () => void;
}

type Name = Pick<Arguments, 'uri' | 'username'>;

/** Which of the two. */
type Kept = 'methods' | 'events';

/** The form of the file. A file of another one is none. */
const FORMAT = 1;
/** Bytes of the largest answer that is kept; real ones have 10 MB at most. */
const MOST = 64 * 1024 * 1024;
/** Bytes of the line about the answer. */
const LONGEST_HEADER = 4096;
/** Milliseconds after which the server is asked anew in any case: what a user may call changes without a new version. */
const LONGEST_AGE = 24 * 60 * 60 * 1000;

/** What is cached for this URI and user, if it is not too old. Never throws. */
export function readCache({ uri, username }: Name, kept: Kept = 'methods'): Cached | null {
  let descriptor: number | null = null;
  try {
    const { directory, [kept]: file } = daemonPaths(uri, username);
    if (!fs.existsSync(file) || !trustDirectory(directory)) return null;
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    return read(file, descriptor);
  } catch {
    return null;
  } finally {
    if (descriptor !== null) fs.closeSync(descriptor);
  }
}

function read(file: string, descriptor: number): Cached | null {
  const stats = fs.fstatSync(descriptor);
  const isPrivate = stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0;
  if (!stats.isFile() || !isPrivate || stats.size > 2 * MOST) return null;
  const first = bytes(descriptor, 0, Math.min(LONGEST_HEADER, stats.size));
  const header = first.subarray(0, first.indexOf(NEWLINE) + 1);
  const members = membersOf(header);
  const number = (name: string) => integerOf(members?.get(name)) ?? -1;
  const [index, data, asked] = [number('index'), number('data'), number('asked')];
  const version = stringOf(members?.get('version'));
  const user = stringOf(members?.get('user'));
  const age = Date.now() - asked;
  if (number('format') !== FORMAT || version === null || user === null) return null;
  if (index < 0 || data < 0 || header.length + index + data !== stats.size) return null;
  if (age < 0 || age > LONGEST_AGE) return null;
  const from = header.length + index;
  const rows = bytes(descriptor, header.length, index).toString().split('\n').slice(0, -1);
  return {
    ...{ version, user, age, login: stringOf(members?.get('login')) },
    rows: rows.map(rowOf),
    sinceSeen: Date.now() - stats.mtimeMs,
    entryOf: ({ start, end }) => entryAt(file, stats, from + start, end - start),
    touch: () => {
      fs.utimesSync(file, new Date(), new Date());
    },
  };
}

/** Opened anew: few commands want an entry. Another file may be in its place by now. */
function entryAt(file: string, { ino, size }: fs.Stats, start: number, length: number) {
  try {
    const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const stats = fs.fstatSync(descriptor);
      if (stats.ino !== ino || stats.size !== size) return null;
      const entry = bytes(descriptor, start, length);
      return new Scan(entry).step(Infinity) === 'valid' ? entry : null;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return null;
  }
}

const NEWLINE = 0x0a;

/** Fewer bytes than asked for are an error. */
function bytes(descriptor: number, start: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let end = 0;
  while (end < length) {
    const count = fs.readSync(descriptor, buffer, end, length - end, start + end);
    if (count === 0) throw new Error('the file is too short');
    end += count;
  }
  return buffer;
}

function rowOf(line: string): Row {
  const [name = '', marks = '', start = '', end = '', summary = ''] = line.split('\t');
  const has = (mark: string) => marks.includes(mark);
  const row = { start: Number(start), end: Number(end), summary };
  if (!(row.start >= 0 && row.end >= row.start && row.end <= MOST)) throw new Error('no row');
  return { name, job: has('j'), downloadable: has('d'), uploadable: has('u'), ...row };
}

function lineOf({ name, job, downloadable, uploadable, start, end, summary }: Row): string {
  const marks = `${job ? 'j' : ''}${downloadable ? 'd' : ''}${uploadable ? 'u' : ''}`;
  return `${[name, marks, start, end, summary].join('\t')}\n`;
}

/** Keeps an answer, whole or not at all. Where it can't be kept, the server is asked again the next time. */
export function writeCache(
  { uri, username }: Name,
  { version, user }: Stamp,
  login: string | null,
  rows: readonly Row[],
  answer: Json,
  kept: Kept = 'methods',
): void {
  if (answer.length > MOST) return;
  let paths: DaemonPaths;
  try {
    paths = daemonPaths(uri, username);
    ensurePrivateDirectory(paths.directory);
  } catch {
    return;
  }
  const index = Buffer.from(rows.map(lineOf).join(''));
  const header = [
    `"format":${FORMAT}`,
    `"version":${quote(version)}`,
    `"user":${quote(user)}`,
    `"login":${login === null ? 'null' : quote(login)}`,
    `"asked":${Date.now()}`,
    `"index":${index.length}`,
    `"data":${answer.length}`,
  ];
  const line = Buffer.from(`{${header.join(',')}}\n`);
  if (line.length > LONGEST_HEADER) return;
  const temporary = `${paths[kept]}.${process.pid}`;
  try {
    fs.rmSync(temporary, { force: true });
    fs.writeFileSync(temporary, Buffer.concat([line, index, answer]), { flag: 'wx', mode: 0o600 });
    fs.renameSync(temporary, paths[kept]);
  } catch {
    fs.rmSync(temporary, { force: true });
  }
}
