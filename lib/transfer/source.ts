/** Files to send, opened before anything is asked of the server. */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { MidcltError, systemReason } from '../errors.js';
import type { FileToSend } from './file-server.js';

const STDIN = 0;

/** `-` is stdin. Rejects with a `FILES` error for what can't be read. */
export async function openSource(file: string): Promise<FileToSend> {
  const name = file === '-' ? 'stdin' : path.basename(file);
  try {
    const descriptor = file === '-' ? STDIN : await promisify(fs.open)(file, 'r');
    const stat = fs.fstatSync(descriptor);
    if (stat.isDirectory()) throw new MidcltError('FILES', `Cannot send ${file}: it is a folder`);
    // Nobody knows how much of stdin was read before.
    if (file === '-') return { name, stream: process.stdin, size: null };
    // Files of /proc and /sys say that they are empty, and are not.
    const size = stat.isFile() && stat.size > 0 ? stat.size : null;
    const range = size === null ? {} : { start: 0, end: size - 1 };
    const pieces = fs.createReadStream('', { fd: descriptor, ...range });
    const stream = Readable.from(exactly(size, file, pieces), { objectMode: false });
    // Also if nobody ever reads it: the generator has not begun then, and closes nothing.
    stream.once('close', () => pieces.destroy());
    return { name, stream, size };
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A file's bytes, as many as it was said to have; all where that is null. */
async function* exactly(
  size: number | null,
  file: string,
  pieces: fs.ReadStream,
): AsyncGenerator<Buffer> {
  let left = size ?? Infinity;
  try {
    for await (const piece of pieces as AsyncIterable<Buffer>) {
      yield piece.subarray(0, left);
      left -= piece.length;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  if (size !== null && left > 0) {
    throw new MidcltError('FILES', `${file} became shorter while it was sent`);
  }
}

function unreadable(file: string, error: unknown): MidcltError {
  if (error instanceof MidcltError) return error;
  const name = file === '-' ? 'standard input' : file;
  return new MidcltError('FILES', `Cannot read ${name}: ${systemReason(error)}`, { cause: error });
}
