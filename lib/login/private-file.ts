/** Files and other inputs that hold a secret. */
import fs from 'node:fs';
import { MidcltError, systemReason } from '../errors.js';
import { pause } from '../files/pause.js';

export interface PrivateFile {
  /** Up to `length` bytes to `offset`; how many, 0 at the end. Throws a `FILES` error. */
  read(buffer: Buffer, offset: number, length: number): number;
  close(): void;
}

/**
 * Opens a file, and warns of one that others can read. `what` it is goes into messages. Throws a
 * `FILES` error.
 */
export function openPrivateFile(
  path: string,
  what: string,
  warn: (line: string) => void,
): PrivateFile {
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
export function inheritedFile(descriptor: number, name: string): PrivateFile {
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
