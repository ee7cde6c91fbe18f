/** What goes to stdout and stderr, in the form the Python client gave it. */
import { fstatSync, writeSync } from 'node:fs';
import {
  isMidcltError,
  isMistake,
  MISTAKE,
  mistakeText,
  publicText,
  unwritable,
} from '../../errors.js';
import type { AnswerListener } from '../../protocol/frame-reader.js';
import type { ErrorFrame } from '../../protocol/frames.js';
import { errorText } from '../../text/print.js';
import { stripControls } from '../../text/terminal.js';
import { pause } from '../../timer.js';

export const SUCCESS = 0;
const FAILURE = 1;
export const USAGE = 2;

const STDOUT = 1;
const STDERR = 2;

/**
 * To stdout, all of it before it returns. Throws a `BROKEN_PIPE` error when the reader has gone,
 * as in `| head -1` (there is nothing to say about that), or a `FILES` error.
 */
export function writeOut(data: Buffer): void {
  writeAll(STDOUT, data);
}

/** Whole lines that a server has written: as they are, but on a terminal without what that would act on. */
export function writeForeign(data: Buffer): void {
  writeOut(isStdoutTerminal() ? harmless(data.toString()) : data);
}

/** The same of lines that have no newline yet. */
export function writeForeignLines(lines: readonly string[]): void {
  if (lines.length > 0) writeForeign(Buffer.from(`${lines.join('\n')}\n`));
}

/** The same of what comes in pieces. `change` takes out what a terminal would act on. */
export function foreignWriter(change = harmless): (data: Buffer) => void {
  if (!isStdoutTerminal()) return writeOut;
  const changed = piecewise(change);
  return (data) => {
    writeOut(changed(data));
  };
}

/** The change of a text that comes in pieces, which may be cut within a character. */
export function piecewise(change = harmless): (data: Buffer) => Buffer {
  const { StringDecoder } = require('node:string_decoder') as typeof import('node:string_decoder');
  const decoder = new StringDecoder();
  return (data) => change(decoder.write(data));
}

function harmless(text: string): Buffer {
  return Buffer.from(stripControls(text, '\t\n'));
}

/** Loads nothing where stdout can be no terminal. */
function isStdoutTerminal(): boolean {
  try {
    return fstatSync(STDOUT).isCharacterDevice() && isTerminal(STDOUT);
  } catch {
    return false; // it is closed
  }
}

/** Prints an error frame; its own text as `forPerson` says on a terminal, where that is given. */
export function printErrorFrame(
  frame: ErrorFrame,
  forPerson: (error: string) => string = (error) => error,
): void {
  const isPlain = frame.trace !== null || frame.extra !== null || !isTerminal();
  say(errorText(isPlain ? frame : { ...frame, error: forPerson(frame.error) }));
}

/** One line on stderr. */
export function sayLine(line: string): void {
  say(`${line}\n`);
}

/** Prints an error in one line; with MIDCLT_DEBUG also where it came from. */
export function sayError(error: unknown, text = publicText(error)): void {
  sayLine(`Error: ${text}`);
  if (process.env.MIDCLT_DEBUG && error instanceof Error) {
    const origin = error.cause instanceof Error ? error.cause : error;
    sayLine(origin.stack ?? String(origin));
  }
}

/** Says what ended a command, unless nobody reads its output, and returns its exit code. */
export function failureCode(error: unknown): number {
  if (!isMidcltError(error) || error.code !== 'BROKEN_PIPE') sayError(error);
  return isMistake(error) ? MISTAKE : FAILURE;
}

/** The same of what nobody has caught. That alone is a mistake, unless the system has refused something. */
export function uncaughtCode(thrown: unknown): number {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code = '' } = error as NodeJS.ErrnoException;
  if (isMidcltError(error) || /^E(?!RR_)/.test(code)) return failureCode(error);
  sayError(error, mistakeText(error));
  return MISTAKE;
}

/** To stderr. What comes from the server must not drive the terminal. */
export function say(text: string): void {
  writeErr(isTerminal() ? stripControls(text, '\t\n') : text);
}

/** To stderr as it is, before it returns. A stderr that is closed or full is no error. */
export function writeErr(text: string): void {
  try {
    writeAll(STDERR, Buffer.from(text));
  } catch {
    // nobody listens
  }
}

/** Is stderr one, or another descriptor? */
export function isTerminal(descriptor = STDERR): boolean {
  const { isatty } = require('node:tty') as typeof import('node:tty');
  return isatty(descriptor);
}

/** Writes all of it before it returns, also to a pipe that is slow. */
function writeAll(descriptor: number, data: Buffer): void {
  let written = 0;
  while (written < data.length) {
    try {
      written += writeSync(descriptor, data, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw unwritable('the output', error);
      pause(); // somebody made the pipe non-blocking, and it is full
    }
  }
}

/** Milliseconds without a sign of the answer. */
const SILENCE = 1000;

/** Does the work. If nothing is heard for a second and stderr is a terminal, calls `tell` once. It loads nothing. */
export async function tellAfterSilence<T>(
  work: (heard: () => void) => Promise<T>,
  tell: (isOver: () => boolean) => void,
): Promise<T> {
  let isOver = false;
  const timer = setTimeout(() => {
    if (isTerminal()) tell(() => isOver);
  }, SILENCE);
  const heard = () => {
    isOver = true;
    clearTimeout(timer);
  };
  try {
    return await work(heard);
  } finally {
    heard();
  }
}

/** A listener that calls `heard` before the first that it hears. */
export function hearing(listener: AnswerListener, heard: () => void): AnswerListener {
  return {
    ...listener,
    progress(frame) {
      heard();
      listener.progress(frame);
    },
    result(piece) {
      heard();
      listener.result(piece);
    },
  };
}
