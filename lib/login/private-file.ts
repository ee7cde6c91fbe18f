/**
 * Files and other inputs that hold a secret, and the password that `--password-file` or `-P -` names:
 * the first line there. No message repeats it.
 */
import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import { isatty } from 'node:tty';
import { MidcltError, systemReason } from '../errors.js';
import { pause } from '../timer.js';

/** As a file's name it is stdin. */
export const STDIN_NAME = '-';
const STDIN = 0;
/** The middleware takes no login message that is longer. */
const MOST_BYTES = 8192;
const NEWLINE = 0x0a;

interface PrivateFile {
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
  if (line === null) throw defect(name, `is too long (over ${MOST_BYTES} bytes)`);
  if (!isUtf8(line)) throw defect(name, 'is not valid UTF-8');
  const password = line.toString().replace(/^\uFEFF/, '');
  if (password === '') throw defect(name, 'is empty (its first line counts)');
  if (password.includes('\0')) throw defect(name, 'has a NUL byte in it');
  return password;
}

/** Without its end. A byte at a time: what follows in a pipe is for whoever reads there next. */
function firstLine(file: PrivateFile): Buffer | null {
  const buffer = Buffer.alloc(MOST_BYTES);
  let length = 0;
  while (length < MOST_BYTES) {
    if (file.read(buffer, length, 1) === 0) return buffer.subarray(0, length);
    if (buffer[length] === NEWLINE) {
      const isCrLf = length > 0 && buffer[length - 1] === 0x0d;
      return buffer.subarray(0, isCrLf ? length - 1 : length);
    }
    length++;
  }
  return null;
}

function defect(name: string, what: string): MidcltError {
  return new MidcltError('REQUEST', `${name} ${what}`);
}
