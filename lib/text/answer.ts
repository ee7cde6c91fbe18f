/** The final frame as `midclt call` prints it, for those who have no program for it: shells. */
import { asMidcltError } from '../errors.js';
import { MessageType, type ErrorFrame, type Frame } from '../protocol.js';
import { errorText } from './error.js';
import { ResultPrinter } from './result.js';
import { harmless } from './terminal.js';

/** The first line: what follows is for stdout, the exit code 0; or for stderr, the exit code 1. */
const TO_STDOUT = Buffer.from('0\n');
const TO_STDERR = '1\n';

/** The bytes in pieces; none for progress. */
export function answerText(frame: Frame, kind: 'plain' | 'terminal'): Buffer[] {
  if (frame.type === MessageType.PROGRESS) return [];
  if (frame.type === MessageType.ERROR) return [failed(errorOf(frame, kind))];
  const pieces: Buffer[] = [TO_STDOUT];
  try {
    const printer = new ResultPrinter((piece) => pieces.push(piece));
    printer.push(frame.result);
    printer.end();
    return pieces;
  } catch (error) {
    return [failed(`Error: ${asMidcltError(error).message}\n`)];
  }
}

function errorOf(frame: ErrorFrame, kind: 'plain' | 'terminal'): string {
  const text = errorText(frame);
  return kind === 'terminal' ? harmless(text, '\t\n') : text;
}

function failed(text: string): Buffer {
  return Buffer.from(`${TO_STDERR}${text}`);
}
