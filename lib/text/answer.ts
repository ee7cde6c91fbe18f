/** The final frame as `midclt call` prints it, for those who have no program for it: shells. */
import { MidcltError, asMidcltError } from '../errors.js';
import { QUOTE, skipSpace } from '../json/ascii.js';
import {
  MessageType,
  type ErrorFrame,
  type FinalFrame,
  type Frame,
  type Json,
} from '../protocol/frames.js';
import type { TextForm } from '../protocol/request.js';
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

/** Bytes of the longest answer that is given as a sized text: one write to a socket, whole or not at all. */
const LONGEST = 64 * 1024;
/** Bytes and lines that a shell reads itself sooner than another program would be started. */
const FEW_BYTES = 512;
const FEW_LINES = 40;

/** Bytes, piece by piece; null where others may have their turn. */
type Pieces<T = void> = Generator<Buffer | null, T, undefined>;

/** The text, made as it is asked for: a large one takes its time. None for progress. */
export function* answerText(frame: Frame, { terminal }: TextForm): Pieces {
  if (frame.type === MessageType.RESULT) yield* resultText(frame.result);
  else if (frame.type === MessageType.ERROR) yield* failed(errorText(frame), terminal);
}

/**
 * The text in one piece with its size before it: a line of the exit code, the bytes that follow, and how many
 * lines these are (0: they are better copied than read by a shell). Null if it is long.
 */
export function* shortAnswer(frame: FinalFrame, form: TextForm): Pieces<Buffer | null> {
  const parts =
    frame.type === MessageType.RESULT ? [frame.result] : [frame.trace, frame.extra, frame.error];
  if (parts.reduce((sum, part) => sum + (part?.length ?? 0), 0) > LONGEST) return null;
  const pieces: Buffer[] = [];
  for (const piece of answerText(frame, form)) {
    if (piece) pieces.push(piece);
    else yield null;
  }
  const [code = TO_STDERR, ...rest] = pieces;
  const text = Buffer.concat(rest);
  if (text.length > LONGEST) return null;
  return Buffer.concat([Buffer.from(`${headOf(code, text)}\n`), text]);
}

function headOf(code: Buffer, text: Buffer): string {
  const isSmall = text.length <= FEW_BYTES && !text.includes(0);
  const lines = isSmall ? text.toString('latin1').split('\n').length - 1 : 0;
  return `${code.toString().trim()} ${text.length} ${lines > FEW_LINES ? 0 : lines}`;
}

function* resultText(result: Json): Pieces {
  const malformed = yield* flaw(result);
  if (malformed) {
    yield* failed([`Error: ${malformed.message}\n`], false);
    return;
  }
  yield TO_STDOUT;
  yield* printed(result);
}

/** Made of bytes of the server's own, and of text. */
function* failed(parts: Iterable<Buffer | string | null>, terminal: boolean): Pieces {
  yield TO_STDERR;
  for (const part of parts) {
    if (part === null || (!terminal && typeof part !== 'string')) {
      yield part;
      continue;
    }
    const text = part.toString();
    for (let from = 0; from < text.length;) {
      const end = sliceEnd(text, from);
      const slice = text.slice(from, end);
      yield Buffer.from(terminal ? stripControls(slice, '\t\n') : slice);
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
