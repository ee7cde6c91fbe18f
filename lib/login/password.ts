/** The password that `--password-file` or `-P -` names: the first line there. No message repeats it. */
import { isUtf8 } from 'node:buffer';
import { isatty } from 'node:tty';
import { MidcltError } from '../errors.js';
import { inheritedFile, openPrivateFile, type PrivateFile } from './private-file.js';

/** As a file's name it is stdin. */
export const STDIN_NAME = '-';
const STDIN = 0;
/** The middleware takes no login message that is longer. */
const MOST_BYTES = 8192;
const NEWLINE = 0x0a;

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
