/** A call's arguments to the text of its `params`. */
import fs from 'node:fs';
import { MidcltError, systemReason } from '../errors.js';
import { checkValue, JsonError } from '../json.js';
import { onOneLine, quote } from '../members.js';

const STDIN = 0;

/**
 * Each argument that Python's parser takes as JSON is sent as it is spelled, any other as a
 * string. `-` is all of stdin, which is read for that alone, and once.
 */
export function paramsText(args: readonly string[]): string {
  let stdin: string | null = null;
  const texts = args.map((arg) => {
    if (arg !== '-') return argumentText(arg);
    stdin ??= readStdin();
    return argumentText(stdin);
  });
  return `[${texts.join(', ')}]`;
}

/** The JSON text of one argument. */
export function argumentText(arg: string): string {
  const bytes = Buffer.from(arg);
  try {
    checkValue(bytes);
  } catch (error) {
    if (error instanceof JsonError) return quote(arg);
    throw error;
  }
  return onOneLine(bytes).toString().trim();
}

function readStdin(): string {
  const { isatty } = require('node:tty') as typeof import('node:tty');
  if (isatty(STDIN)) {
    throw new MidcltError(
      'FILES',
      'Cannot read from stdin when connected to a terminal. Pipe the input or give the argument itself',
    );
  }
  try {
    return fs.readFileSync(STDIN).toString();
  } catch (error) {
    throw new MidcltError('FILES', `Cannot read from stdin: ${systemReason(error)}`);
  }
}
