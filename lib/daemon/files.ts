/** The daemon's directory: made private, and trusted only if it is. */
import fs from 'node:fs';
import path from 'node:path';
import { MidcltError, systemReason } from '../errors.js';
import { trustAncestors, trustDirectory } from '../files/trust.js';

/**
 * Makes `directory` (0700), or sees that it is one's own and nobody else can enter it. Throws a
 * `FILES` error.
 */
export function ensurePrivateDirectory(directory: string): void {
  if (trustDirectory(directory)) return;
  refuseForeignParent(directory);
  trustAncestors(directory);
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MidcltError(
      'FILES',
      `Cannot create the directory ${directory}: ${systemReason(error)}. Is the home directory writable?`,
    );
  }
  trustDirectory(directory); // another user may have been faster
}

/** Root can write everywhere, and would leave a directory that its parent's owner can't remove. */
function refuseForeignParent(directory: string): void {
  let parent = path.dirname(directory);
  while (!fs.existsSync(parent) && parent !== '/') parent = path.dirname(parent);
  const { uid } = fs.statSync(parent);
  if (uid === 0 || uid === process.geteuid?.()) return;
  throw new MidcltError(
    'FILES',
    `${directory} is not there, and ${parent} belongs to user ${uid}, not to you ` +
      `(${process.geteuid?.()}); set MIDCLT_HOME to a directory of your own`,
  );
}

/** Writes a file so that it is there whole or not at all, also after a power loss. Throws `FILES`. */
export function writeFileDurably(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  try {
    const descriptor = fs.openSync(temporary, 'w', 0o600);
    try {
      fs.writeSync(descriptor, text);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    discardFile(temporary);
    throw new MidcltError('FILES', `Cannot write ${file}: ${systemReason(error)}`);
  }
}

/** Removes a file that does no harm where it can't be removed. */
export function discardFile(file: string): void {
  try {
    removeFile(file);
  } catch {
    // it stays
  }
}

/** Removes a file if it is there. */
export function removeFile(file: string): void {
  fs.rmSync(file, { force: true });
}
