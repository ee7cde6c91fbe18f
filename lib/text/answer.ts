/** The final frame as `midclt call` prints it, for those who have no program for it: shells. */
import { MidcltError, asMidcltError } from '../errors.js';
import { QUOTE, skipSpace } from '../json/ascii.js';
import { MessageType, type ErrorFrame, type Frame, type Json } from '../protocol/frames.js';
import { ResultPrinter, extraText, formattedOf } from './print.js';
import { stripControls } from './terminal.js';

/** The first line: what follows is for stdout, the exit code 0; or for stderr, the exit code 1. */
const TO_STDOUT = Buffer.from('0\n');
const TO_STDERR = Buffer.from('1\n');
const NEWLINE = Buffer.from('\n');

/** Bytes or characters that are turned into text in one step. */
const SLICE = 64 * 1024;
/**
 * Bytes of an `extra` that is laid out as Python would. A larger one is printed as the server spelt it:
 * to lay it out would hold up everybody.
 */
const MOST_LAID_OUT = 32 * 1024;

/** Bytes, piece by piece; null where others may have their turn. */
type Pieces = Generator<Buffer | null, void, undefined>;

/** The text, made as it is asked for: a large one takes its time. None for progress. */
export function* answerText(frame: Frame, kind: 'plain' | 'terminal'): Pieces {
  if (frame.type === MessageType.RESULT) yield* resultText(frame.result);
  else if (frame.type === MessageType.ERROR) yield* failed(errorText(frame), kind);
}

function* resultText(result: Json): Pieces {
  const malformed = yield* flaw(result);
  if (malformed) {
    yield* failed([`Error: ${malformed.message}\n`], 'plain');
    return;
  }
  yield TO_STDOUT;
  yield* printed(result);
}

/** Made of bytes of the server's own, and of text. */
function* failed(parts: Iterable<Buffer | string | null>, kind: 'plain' | 'terminal'): Pieces {
  yield TO_STDERR;
  for (const part of parts) {
    if (part === null || (kind === 'plain' && typeof part !== 'string')) {
      yield part;
      continue;
    }
    const text = part.toString();
    for (let from = 0; from < text.length;) {
      const end = sliceEnd(text, from);
      const slice = text.slice(from, end);
      yield Buffer.from(kind === 'terminal' ? stripControls(slice, '\t\n') : slice);
      from = end;
    }
  }
}

function* errorText({ error, trace, extra }: ErrorFrame): Generator<Buffer | string | null> {
  if (error !== '') yield `${error}\n`;
  const formatted = formattedOf(trace);
  if (formatted && !(yield* flaw(formatted))) yield* printed(formatted);
  const text = extraText(extra, MOST_LAID_OUT);
  if (text === null) return;
  yield text;
  yield NEWLINE;
}

/** What is wrong with a string, found before the first of it is out. */
function* flaw(text: Json): Generator<null, MidcltError | null> {
  if (text[skipSpace(text, 0)] !== QUOTE) return null;
  try {
    for (const piece of printed(text)) if (piece === null) yield null;
    return null;
  } catch (error) {
    return asMidcltError(error);
  }
}

/** A string bare, all else as `midclt` prints it; and a newline. */
function* printed(text: Json): Pieces {
  let pieces: Buffer[] = [];
  const printer = new ResultPrinter((piece) => pieces.push(piece));
  // What is printed as it is is one piece, as large as it may be.
  const step = text[skipSpace(text, 0)] === QUOTE ? SLICE : text.length;
  for (let from = 0; from < text.length; from += step) {
    printer.push(text.subarray(from, from + step));
    yield* pieces;
    pieces = [];
    yield null;
  }
  printer.end();
  yield* pieces;
}

/** Behind a newline where there is one: no escape sequence goes on beyond it. Never within a surrogate pair. */
function sliceEnd(text: string, from: number): number {
  const end = from + SLICE;
  if (end >= text.length) return text.length;
  const newline = text.lastIndexOf('\n', end - 1);
  if (newline >= from) return newline + 1;
  return (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 ? end - 1 : end;
}
