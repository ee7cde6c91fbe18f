/** What goes to stdout and stderr, in the form the Python client gave it. */
import fs from 'node:fs';
import { isMidcltError, MidcltError, systemReason } from '../errors.js';
import { membersOf, stringOf } from '../members.js';
import type { ErrorFrame, Json } from '../protocol.js';
import { harmless } from './terminal.js';

const STDOUT = 1;
const STDERR = 2;
const RETRY_DELAY = 5;

/**
 * To stdout, all of it before it returns. Throws a `BROKEN_PIPE` error when the reader has gone,
 * as in `| head -1` (there is nothing to say about that), or a `FILES` error.
 */
export function writeOut(data: Buffer): void {
  writeAll(STDOUT, data);
}

/** Prints an error frame: the text, then the server's traceback, then `extra`, as far as there are any. */
export function printErrorFrame({ error, trace, extra }: ErrorFrame): void {
  let text = `${error}\n`;
  const formatted = stringOf(membersOf(trace)?.get('formatted'));
  if (formatted !== null) text += `${formatted}\n`;
  if (extra && !/^(?:\[\s*\]|\{\s*\}|""|0|false)$/.test(short(extra))) {
    const { pprint } = require('./pprint.js') as typeof import('./pprint.js');
    text += `${pprint(extra.toString())}\n`;
  }
  say(text);
}

/** One line on stderr. */
export function sayLine(line: string): void {
  say(`${line}\n`);
}

/** An error of ours, or a stranger's, in one line. */
export function sayError(error: unknown): void {
  sayLine(`Error: ${isMidcltError(error) ? error.message : `unexpected: ${systemReason(error)}`}`);
}

/** To stderr. What comes from the server must not drive the terminal; a closed stderr is no error. */
export function say(text: string): void {
  const { isatty } = require('node:tty') as typeof import('node:tty');
  const shown = isatty(STDERR) ? harmless(text, '\t\n') : text;
  try {
    writeAll(STDERR, Buffer.from(shown));
  } catch {
    // nobody listens
  }
}

function short(text: Json): string {
  return text.length > 20 ? '' : text.toString('latin1');
}

/** Writes all of it before it returns, also to a pipe that is slow. */
function writeAll(descriptor: number, data: Buffer): void {
  let written = 0;
  while (written < data.length) {
    try {
      written += fs.writeSync(descriptor, data, written);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new MidcltError('BROKEN_PIPE', 'Nobody reads the output');
      if (code !== 'EAGAIN') {
        throw new MidcltError('FILES', `Cannot write the output: ${systemReason(error)}`);
      }
      // Somebody made the pipe non-blocking, and it is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_DELAY);
    }
  }
}
