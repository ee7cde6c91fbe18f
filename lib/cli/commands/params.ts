/** A call's arguments to the text of its `params`. */
import { readSync } from 'node:fs';
import { MidcltError, systemReason } from '../../errors.js';
import { textOf } from '../../json/check.js';
import { slipText } from '../../text/for-person.js';
import { pause } from '../../timer.js';

const STDIN = 0;
const CHUNK = 64 * 1024;

/**
 * Each argument that Python's parser takes as JSON is sent as it is spelled, any other as a
 * string. `-` is all of stdin, which is read for that alone, and once. `onSlip` gets a line about each
 * argument that looks like JSON and is not.
 */
export function paramsText(args: readonly string[], onSlip: (line: string) => void): string {
  let stdin: string | null = null;
  const texts = args.map((arg, index) => {
    if (arg === '-') stdin ??= readStdin();
    const text = arg === '-' ? (stdin ?? '') : arg;
    return textOf(text, (why) => {
      const name = `Argument ${index + 1}${arg === '-' ? ' (standard input)' : ''}`;
      const slip = slipText(name, text, why);
      if (slip !== null) onSlip(slip);
    });
  });
  return `[${texts.join(', ')}]`;
}

function readStdin(): string {
  const { isatty } = require('node:tty') as typeof import('node:tty');
  if (isatty(STDIN)) {
    throw new MidcltError(
      'FILES',
      'Cannot read from stdin when connected to a terminal. Pipe the input or give the argument itself',
    );
  }
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    try {
      const read = readSync(STDIN, chunk);
      if (read === 0) return Buffer.concat(chunks).toString();
      chunks.push(chunk.subarray(0, read));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') {
        throw new MidcltError('FILES', `Cannot read from stdin: ${systemReason(error)}`);
      }
      pause(); // somebody made the pipe non-blocking, and it is empty
    }
  }
}
