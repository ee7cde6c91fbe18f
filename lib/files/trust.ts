/**
 * The daemon's directory and socket are trusted only where nobody else can have put them, or can
 * get at them. Daemon and client both ask, the client before it sends a byte; it costs two `lstat` and
 * one for each directory above.
 */
import { chmodSync, lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { MidcltError, shellWord, systemReason } from '../errors.js';

/** The name under which a directory, with those in it, is nothing but a daemon's. */
const OWN_NAME = '.midclt';
/** What a daemon puts into its directory: its files, its logs, and a socket before it is published. */
const OWN_FILES = /^(?:daemon-.+|logs|\.[0-9a-f]{10})$/;
const STICKY = 0o1000;
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
/** Links that lead to links; the system itself follows no more. */
const MOST_LINKS = 40;

/**
 * Sees that `directory` is one's own, no symbolic link, and that nobody else can enter it, or put
 * another in its place: a loose mode is tightened to 0700. False if nothing is there. Throws a `FILES` error.
 */
export function trustDirectory(directory: string): boolean {
  const mode = directoryMode(directory);
  if (mode === null) return false;
  if ((mode & OTHERS) !== 0) tighten(directory);
  return true;
}

/** As {@link trustDirectory}, but it changes nothing: the mode may be a loose one. Null: nothing is there. */
export function directoryMode(directory: string): number | null {
  const stats = look(directory);
  if (!stats) return null;
  if (stats.isSymbolicLink()) {
    throw refusal(
      `${directory} is a symbolic link; a daemon's directory must not be one. Remove it`,
    );
  }
  if (!stats.isDirectory()) throw refusal(`${directory} is no directory; remove it`);
  if (stats.uid !== process.geteuid?.()) {
    throw refusal(
      `${directory} belongs to user ${stats.uid}, not to you (${process.geteuid?.()}); ` +
        'remove it, or set MIDCLT_HOME to a directory of your own',
    );
  }
  trustAncestors(directory);
  if ((stats.mode & OTHERS) !== 0) checkOwn(directory);
  return stats.mode & 0o7777;
}

/**
 * Sees that what stands at `file` is a socket of one's own. False if nothing is there. Throws a
 * `FILES` error.
 */
export function trustSocket(file: string): boolean {
  const stats = look(file);
  if (!stats) return false;
  if (stats.isSymbolicLink()) {
    throw refusal(`${file} is a symbolic link; a daemon's socket must not be one. Remove it`);
  }
  if (!stats.isSocket()) {
    throw refusal(`${file} is there and is no socket; remove it to start a daemon`);
  }
  if (stats.uid !== process.geteuid?.()) {
    throw refusal(
      `The socket ${file} belongs to user ${stats.uid}, not to you (${process.geteuid?.()}); remove it`,
    );
  }
  return true;
}

/**
 * Looks at every directory above `path` as far as they are there, and where links among them lead: who can
 * write to one of them can put a directory of theirs in the place of what is below. So each has to be root's
 * or one's own, and written to by nobody else; in one with a sticky bit others can't replace what is not
 * theirs. OpenSSH asks the same (StrictModes). Costs an `lstat` each. `variable` is what the path comes from. Throws a
 * `FILES` error.
 */
export function trustAncestors(path: string, variable = 'MIDCLT_HOME'): void {
  const below = { path, variable };
  for (let end = 0; end !== -1; end = path.indexOf('/', end + 1)) {
    if (!trustOne(path.slice(0, end) || '/', below, MOST_LINKS)) return;
  }
}

/** What it must not be possible to replace, and the variable that can lead elsewhere. */
interface Below {
  readonly path: string;
  readonly variable: string;
}

/** False: it is not there. */
function trustOne(directory: string, below: Below, links: number): boolean {
  const stats = look(directory);
  if (!stats) return false;
  const { uid, mode } = stats;
  const self = process.geteuid?.();
  if (uid !== 0 && uid !== self) {
    throw refusal(
      `${directory} belongs to user ${uid}, who so could replace ${below.path}; ` +
        `set ${below.variable} to a directory below none but yours (${self}) and root's`,
    );
  }
  if (stats.isSymbolicLink()) return trustTarget(directory, below, links - 1);
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    const who = uid === self ? '' : ', as root,';
    throw refusal(
      `Others can write to ${directory} (mode ${octal(mode)}) and so could replace ${below.path}; ` +
        `'chmod go-w ${shellWord(directory)}'${who} puts that right`,
    );
  }
  return true;
}

/** Where a link leads, and the way there. */
function trustTarget(link: string, below: Below, links: number): boolean {
  if (links === 0) throw refusal(`There are too many symbolic links above ${below.path}`);
  const to = readlinkSync(link);
  const target = to.startsWith('/') ? to : `${link.slice(0, link.lastIndexOf('/'))}/${to}`;
  for (let end = 0; end !== -1; end = target.indexOf('/', end + 1)) {
    if (!trustOne(target.slice(0, end) || '/', below, links)) return false;
  }
  return trustOne(target, below, links);
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}

function look(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw refusal(`Cannot look at ${file}: ${systemReason(error)}`);
  }
}

/** MIDCLT_HOME may have been set to `/tmp`: what others use, too, is refused and left as it is. */
function checkOwn(directory: string): void {
  if (directory.split('/').slice(-2).includes(OWN_NAME)) return;
  const stranger = privately(directory, () =>
    readdirSync(directory).find((name) => !OWN_FILES.test(name)),
  );
  if (stranger === undefined) return;
  throw refusal(
    `Others can enter ${directory}, and there is more in it than a daemon's files (${stranger}); ` +
      'make it 0700, or set MIDCLT_HOME to a directory for nothing else',
  );
}

function tighten(directory: string): void {
  privately(directory, () => {
    chmodSync(directory, 0o700);
  });
}

function privately<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw refusal(`Cannot make ${directory} private (0700): ${systemReason(error)}`);
  }
}

function refusal(message: string): MidcltError {
  return new MidcltError('FILES', message);
}
