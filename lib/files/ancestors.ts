/**
 * The directories above the daemon's: who can write to one of them can put a directory of theirs in the
 * place of what is below. So each has to be root's or one's own, and written to by nobody else; in one with
 * a sticky bit others can't replace what is not theirs. OpenSSH asks the same (StrictModes).
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { MidcltError, systemReason } from '../errors.js';
import { shellWord } from './shell-word.js';

const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;
/** Links that lead to links; the system itself follows no more. */
const MOST_LINKS = 40;

/**
 * Looks at every directory above `path` as far as they are there, and where links among them lead. Costs
 * an `lstat` each. Throws a `FILES` error.
 */
export function trustAncestors(path: string): void {
  for (let end = 0; end !== -1; end = path.indexOf('/', end + 1)) {
    if (!trustOne(path.slice(0, end) || '/', path, MOST_LINKS)) return;
  }
}

/** False: it is not there. `below` is what it must not be possible to replace. */
function trustOne(directory: string, below: string, links: number): boolean {
  const stats = look(directory);
  if (!stats) return false;
  const { uid, mode } = stats;
  const self = process.geteuid?.();
  if (uid !== 0 && uid !== self) {
    throw refusal(
      `${directory} belongs to user ${uid}, who so could replace ${below}; ` +
        `set MIDCLT_HOME to a directory below none but yours (${self}) and root's`,
    );
  }
  if (stats.isSymbolicLink()) return trustTarget(directory, below, links - 1);
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    const who = uid === self ? '' : ', as root,';
    throw refusal(
      `Others can write to ${directory} (mode ${octal(mode)}) and so could replace ${below}; ` +
        `'chmod go-w ${shellWord(directory)}'${who} puts that right`,
    );
  }
  return true;
}

/** Where a link leads, and the way there. */
function trustTarget(link: string, below: string, links: number): boolean {
  if (links === 0) throw refusal(`There are too many symbolic links above ${below}`);
  const to = readlinkSync(link);
  const target = to.startsWith('/') ? to : `${link.slice(0, link.lastIndexOf('/'))}/${to}`;
  for (let end = 0; end !== -1; end = target.indexOf('/', end + 1)) {
    if (!trustOne(target.slice(0, end) || '/', below, links)) return false;
  }
  return trustOne(target, below, links);
}

function look(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw refusal(`Cannot look at ${file}: ${systemReason(error)}`);
  }
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}

function refusal(message: string): MidcltError {
  return new MidcltError('FILES', message);
}
