/** The daemon's directory: made private, and trusted only if it is. */
import fs from 'node:fs';
import { MidcltError, systemReason } from '../errors.js';

/** Makes `directory` (0700), or sees that it is a directory of one's own that nobody else can enter. */
export function ensurePrivateDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MidcltError(
      'FILES',
      `Cannot create the directory ${directory}: ${systemReason(error)}. Is the home directory writable?`,
    );
  }
  const stats = fs.lstatSync(directory);
  if (stats.isSymbolicLink()) {
    throw new MidcltError(
      'FILES',
      `${directory} is a symbolic link; a daemon's directory must not be one`,
    );
  }
  if (stats.uid !== process.geteuid?.()) {
    throw new MidcltError(
      'FILES',
      `${directory} belongs to user ${stats.uid}, not to you; remove it or set HOME to your own`,
    );
  }
  if ((stats.mode & 0o077) !== 0) fs.chmodSync(directory, 0o700);
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
    removeFile(temporary);
    throw new MidcltError('FILES', `Cannot write ${file}: ${systemReason(error)}`);
  }
}

/** Removes a file if it is there. */
export function removeFile(file: string): void {
  fs.rmSync(file, { force: true });
}

/** The pid in a pid file, or null. */
export function readPid(file: string): number | null {
  try {
    const text = fs.readFileSync(file, 'latin1').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}
