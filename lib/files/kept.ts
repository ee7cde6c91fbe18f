/**
 * Files that people edit, and that say whom to trust or how to log in: so each must be one's own (or root's), and nobody
 * else may write to it. They are changed whole, by one process at a time.
 */
import fs from 'node:fs';
import path from 'node:path';
import { MidcltError, shellWord, systemReason } from '../errors.js';
import { steadyNow } from '../timer.js';
import { trustAncestors } from './trust.js';

const MOST_BYTES = 4 * 1024 * 1024;
const OTHERS_WRITE = 0o022;
/** Milliseconds that another edit may take; many may come before this one. */
const PATIENCE = 5000;
const PAUSE = 20;

/** Null: there is none. `what` is what the file is for, in the plural. Throws a `FILES` error for one that can't be read or trusted. */
export function readKept(file: string, what: string): string | null {
  try {
    if (!fs.lstatSync(file, { throwIfNoEntry: false })) return null;
    // A link may lead to where people keep such files.
    for (const each of new Set([file, fs.realpathSync(file)]))
      trustAncestors(each, 'XDG_CONFIG_HOME');
    const stats = fs.statSync(file);
    const self = process.geteuid?.();
    if (stats.uid !== self && stats.uid !== 0) {
      throw refusal(`${file} belongs to user ${stats.uid}, not to you (${self})`);
    }
    if ((stats.mode & OTHERS_WRITE) !== 0) {
      const right = `'chmod 600 ${shellWord(file)}' puts that right`;
      throw refusal(
        `Others can write to ${file}, and so could have your logins sent to them; ${right}`,
      );
    }
    if (!stats.isFile()) throw refusal(`${file} is no regular file`);
    if (stats.size > MOST_BYTES) throw refusal(`${file} is too long for a file of ${what}`);
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof MidcltError) throw error;
    throw refusal(`Cannot read the ${what} in ${file}: ${systemReason(error)}`);
  }
}

/** Puts what `change` gives in the file's place, whole; it is called while nobody else edits. Rejects with what it throws, or a `FILES` error. */
export async function editKept(file: string, what: string, change: () => string): Promise<void> {
  const target = fs.existsSync(file) ? fs.realpathSync(file) : file;
  const draft = `${target}.lock`; // who has made it may write
  const descriptor = await open(draft, what);
  try {
    fs.writeFileSync(descriptor, change());
    fs.fsyncSync(descriptor);
    fs.renameSync(draft, target);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    if (error instanceof MidcltError) throw error;
    throw new MidcltError('FILES', `Cannot write ${target}: ${systemReason(error)}`);
  } finally {
    fs.closeSync(descriptor);
  }
}

async function open(draft: string, what: string): Promise<number> {
  let holder: string | null = null;
  let end = Infinity;
  for (;;) {
    try {
      fs.mkdirSync(path.dirname(draft), { recursive: true, mode: 0o700 });
      return fs.openSync(draft, 'wx', 0o600);
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
      const now = isTaken ? identityOf(draft) : null;
      if (now !== holder) {
        holder = now;
        end = steadyNow() + PATIENCE;
      }
      if (isTaken && steadyNow() < end) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        continue;
      }
      const why = isTaken
        ? `another midclt is changing the ${what}, or was killed while it did; if none runs, 'rm ${shellWord(draft)}'`
        : systemReason(error);
      throw new MidcltError('FILES', `Cannot write ${draft}: ${why}`);
    }
  }
}

/** Of the edit that a draft belongs to; null where it has just ended. */
function identityOf(draft: string): string | null {
  const stats = fs.lstatSync(draft, { throwIfNoEntry: false });
  return stats ? `${stats.ino} ${stats.birthtimeMs}` : null;
}

const CANNOT_LINK = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK']);

/** Gives a file that is whole its name: never that of another file, where the file system can tell. Throws a system error. */
export function moveToNew(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
    fs.unlinkSync(from);
  } catch (error) {
    // There are no second names on a FAT.
    if (!CANNOT_LINK.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    fs.renameSync(from, to);
  }
}

/** Links that lead to links. */
export const MOST_LINKS = 40;
/** Of a folder's mode: all may write there, and remove what is their own. */
const SHARED = 0o1002;

/** Has another user put it into a folder that all users share? */
function isPlanted(file: string, { uid }: fs.Stats): boolean {
  const folder = fs.statSync(path.dirname(file));
  const isShared = (folder.mode & SHARED) === SHARED;
  return isShared && uid !== process.geteuid?.() && uid !== folder.uid;
}

/**
 * Where a path leads that may be a link, also one to nothing. In a folder that all users share, a link or a pipe may not be
 * somebody else's: they would choose what is overwritten, or read what is written. Most systems refuse to open such a one,
 * but not all, and a link is not opened where it is renamed over. Throws an error that says so, or a system error.
 */
export function withoutLinks(target: string): string {
  let at = target;
  for (let left = MOST_LINKS; ; left--) {
    const stats = fs.lstatSync(at, { throwIfNoEntry: false });
    if (!stats || stats.isFile() || stats.isDirectory()) return at;
    const isLink = stats.isSymbolicLink();
    if (isPlanted(at, stats))
      throw new Error(`${at} is a ${isLink ? 'link' : 'pipe'} of another user's`);
    if (!isLink) return at;
    if (left === 0) throw new Error('too many links');
    at = behind(at);
  }
}

/** Where a link leads, which may be another link. Throws a system error. */
export function behind(link: string): string {
  const next = fs.readlinkSync(link);
  return path.isAbsolute(next) ? next : `${path.dirname(link)}/${next}`;
}

/**
 * Opens what is written to where it stands: in a folder that all users share nothing of somebody else's, also if it is put
 * there just now. Throws as {@link withoutLinks}.
 */
export function openToWrite(file: string, flags: number, mode: number): number {
  const isLink = withoutLinks(file) !== file;
  const before = fs.lstatSync(file, { throwIfNoEntry: false });
  if (before && isPlanted(file, before)) throw new Error(`${file} is another user's`);
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = fs.constants;
  const all = O_WRONLY | O_CREAT | flags | (isLink ? 0 : O_NOFOLLOW);
  const descriptor = fs.openSync(file, all, mode);
  if (isLink || !isPlanted(file, fs.fstatSync(descriptor))) return descriptor;
  fs.closeSync(descriptor);
  throw new Error(`${file} is another user's`);
}

function refusal(message: string): MidcltError {
  return new MidcltError('FILES', message);
}
