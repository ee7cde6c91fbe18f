/** The API keys of profiles: a file each beside the file of the profiles, which only its owner can read. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MidcltError, shellWord, systemReason } from '../errors.js';
import { moveToNew } from '../files/kept.js';
import { trustAncestors } from '../files/trust.js';

/** Where `login` keeps the keys that it is given or makes; `file` is the one of the profiles. */
export function keysDirectory(file: string): string {
  return path.join(path.dirname(file), 'keys');
}

/** The key of this profile. */
export function keyFileOf(file: string, name: string): string {
  return path.join(keysDirectory(file), name);
}

/** Throws a `FILES` error if there is one: it may be the only copy of a key. */
export function checkNoKeyFile(keyFile: string): void {
  if (fs.lstatSync(keyFile, { throwIfNoEntry: false })) throw isThere(keyFile);
}

/**
 * Writes a new file with this key, whole and for good. Throws a `FILES` error, and leaves none behind then.
 */
export function writeKeyFile(keyFile: string, key: string): void {
  const directory = path.dirname(keyFile);
  const draft = path.join(directory, `.${randomBytes(6).toString('hex')}`);
  try {
    trustAncestors(keyFile, 'XDG_CONFIG_HOME');
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    trustAncestors(keyFile, 'XDG_CONFIG_HOME');
    if ((fs.statSync(directory).mode & 0o077) !== 0) fs.chmodSync(directory, 0o700);
    synced(fs.openSync(draft, 'wx', 0o600), (descriptor) => {
      fs.fchmodSync(descriptor, 0o600); // whatever the umask is
      fs.writeFileSync(descriptor, `${key}\n`);
    });
    moveToNew(draft, keyFile);
    // Else a power failure could take the name, and with it the file.
    synced(fs.openSync(directory, 'r'));
  } catch (error) {
    fs.rmSync(draft, { force: true });
    if (error instanceof MidcltError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw isThere(keyFile);
    throw new MidcltError('FILES', `Cannot write ${keyFile}: ${systemReason(error)}`);
  }
}

/** Does it, and has what is open on the disk before it returns. */
function synced(descriptor: number, act: (descriptor: number) => void = () => undefined): void {
  try {
    act(descriptor);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function isThere(keyFile: string): MidcltError {
  return new MidcltError(
    'FILES',
    `There is a key in ${keyFile} already: give it with -K, or remove it ('rm ${shellWord(keyFile)}')`,
  );
}
