/**
 * The daemon's directory and socket are trusted only where nobody else can have put them, or can
 * get at them. Daemon and client both ask, the client before it sends a byte; it costs two `lstat` and
 * one for each directory above.
 */
import { chmodSync, lstatSync, readdirSync, type Stats } from 'node:fs';
import { trustAncestors } from './ancestors.js';
import { MidcltError, systemReason } from '../errors.js';

/** The name under which a directory, with those in it, is nothing but a daemon's. */
const OWN_NAME = '.midclt';
/** What a daemon puts into its directory: its files, its logs, and a socket before it is published. */
const OWN_FILES = /^(?:daemon-.+|logs|\.[0-9a-f]{10})$/;

/**
 * Sees that `directory` is one's own, no symbolic link, and that nobody else can enter it, or put
 * another in its place: a loose mode is tightened to 0700. False if nothing is there. Throws a `FILES` error.
 */
export function trustDirectory(directory: string): boolean {
  const stats = look(directory);
  if (!stats) return false;
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
  if ((stats.mode & 0o077) !== 0) tighten(directory);
  return true;
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

function look(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw refusal(`Cannot look at ${file}: ${systemReason(error)}`);
  }
}

/** MIDCLT_HOME may have been set to `/tmp`: what others use, too, is refused and left as it is. */
function tighten(directory: string): void {
  try {
    const isOurs = directory.split('/').slice(-2).includes(OWN_NAME);
    const stranger = isOurs
      ? undefined
      : readdirSync(directory).find((name) => !OWN_FILES.test(name));
    if (stranger === undefined) {
      chmodSync(directory, 0o700);
      return;
    }
    throw refusal(
      `Others can enter ${directory}, and there is more in it than a daemon's files (${stranger}); ` +
        'make it 0700, or set MIDCLT_HOME to a directory for nothing else',
    );
  } catch (error) {
    if (error instanceof MidcltError) throw error;
    throw refusal(`Cannot make ${directory} private (0700): ${systemReason(error)}`);
  }
}

function refusal(message: string): MidcltError {
  return new MidcltError('FILES', message);
}
