/**
 * `shell-answer`: what the shell function and the launcher leave to the program of an answer that has begun. Its
 * text or frame comes on stdin, and the request was made: nothing is ever asked again.
 */
import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import { MidcltError } from '../../errors.js';
import { readAnswer } from '../../protocol/client.js';
import { Lost } from '../../protocol/daemon-connection.js';
import { NO_COMMAND } from '../args/arguments.js';
import { withEnvironment } from '../args/environment.js';
import { printCall } from '../commands/call.js';
import { daemonAddress } from '../commands/via-daemon.js';
import { writeOut } from '../output/output.js';

const STDIN = 0;

/**
 * `copy BYTES`; `frame`, with `-q` for who wants to hear of no error; `broken` where the text could not be written.
 * Returns the exit code, or throws why.
 */
export function shellAnswer([kind, word]: readonly string[]): number | Promise<number> {
  if (kind === 'frame') return printFrame(word === '-q');
  if (kind === 'copy') return copy(Number(word));
  writeOut(Buffer.from('\n')); // fails as the text has
  throw new MidcltError('FILES', 'Cannot write the output: some of it is missing');
}

function copy(size: number): number {
  const chunk = Buffer.allocUnsafe(64 * 1024);
  let left = size;
  for (let read = readSync(STDIN, chunk); read > 0; read = readSync(STDIN, chunk)) {
    writeOut(chunk.subarray(0, read));
    left -= read;
  }
  if (left > 0) throw new Lost('it closed the connection');
  return 0;
}

function printFrame(quiet: boolean): Promise<number> {
  const args = withEnvironment({ ...NO_COMMAND, quiet }, process.env);
  const connection = new Socket({ fd: STDIN, readable: true, writable: false });
  return printCall({ ...args, method: '', params: '' }, (_request, listener) =>
    readAnswer(daemonAddress(args), connection, listener),
  );
}
