/** Reads a log that is renamed when it is full: its last lines, those that come, and how people see them. */
import fs from 'node:fs';
import ndjson from 'ndjson';
import { LF } from '../../json/ascii.js';
import { stripControls } from '../../text/terminal.js';

/** Milliseconds between two looks. */
const POLL = 200;
const CHUNK = 64 * 1024;
/** How far back older files are looked for: `FILE.1` and so on. */
const OLDER = 3;

interface Tail {
  readonly lines: Buffer[];
  /** Where what follows begins. */
  readonly end: number;
}

/**
 * The last `count` lines of the file that is open and of those it was continued from. A line
 * without a newline counts if `unfinished` says so; else it is what follows.
 */
export function lastLines(
  path: string,
  descriptor: number,
  count: number,
  unfinished: boolean,
): Tail {
  const stats = fs.fstatSync(descriptor);
  const { lines: newest, end } = tailOf(descriptor, stats.size, count, unfinished);
  let lines = newest;
  const seen = new Set([stats.ino]);
  for (let number = 1; number <= OLDER && lines.length < count; number++) {
    const older = openIfThere(`${path}.${number}`);
    if (older === null) break;
    const { ino, size } = fs.fstatSync(older);
    // One that was renamed meanwhile is the one that is open.
    if (!seen.has(ino)) lines = tailOf(older, size, count - lines.length, true).lines.concat(lines);
    seen.add(ino);
    fs.closeSync(older);
  }
  return { lines, end };
}

function tailOf(descriptor: number, size: number, count: number, unfinished: boolean): Tail {
  const chunks: Buffer[] = [];
  let start = size;
  let ends = 0;
  while (start > 0 && ends <= count) {
    const from = Math.max(0, start - CHUNK);
    const chunk = readAt(descriptor, from, start - from);
    chunks.unshift(chunk);
    ends += countOf(chunk);
    start = from;
  }
  const text = Buffer.concat(chunks);
  const { lines, rest } = split(text);
  if (unfinished && rest.length > 0) lines.push(rest);
  return {
    lines: count === 0 ? [] : lines.slice(-count),
    end: unfinished ? size : size - rest.length,
  };
}

/**
 * Calls `print` with lines as they come, for ever; rejects with what it throws. Where the path
 * leads to another file by now, the one that is open is read to its end first, then those that
 * came between, then that one.
 */
export async function followLog(
  path: string,
  descriptor: number,
  position: number,
  print: (lines: Buffer[]) => void,
): Promise<never> {
  let at = position;
  let rest: Buffer = Buffer.alloc(0);
  const readOn = (from: number) => {
    const { size } = fs.fstatSync(from);
    if (size < at) at = 0; // it was emptied
    while (at < size) {
      const chunk = readAt(from, at, Math.min(CHUNK, size - at));
      if (chunk.length === 0) break;
      at += chunk.length;
      const found = split(Buffer.concat([rest, chunk]));
      rest = found.rest;
      print(found.lines);
    }
  };
  let current = descriptor;
  for (;;) {
    // First the look, then the reading: a writer that has gone on to another file is done with this.
    const next = successors(path, current);
    readOn(current);
    for (const file of next) {
      if (rest.length > 0) print([rest]); // a daemon died in it
      rest = Buffer.alloc(0);
      at = 0;
      fs.closeSync(current);
      current = file;
      readOn(current);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/**
 * The files that came after the one that is open, opened, in their order. The newest is left for later while
 * it is empty: its writer may still be with the one before it.
 */
function successors(path: string, current: number): number[] {
  const ours = fs.fstatSync(current).ino;
  const found = new Map<number, number>(); // inode to descriptor, the newest first
  const forget = (...files: number[]) => {
    for (const file of files) fs.closeSync(file);
  };
  let isNewestEmpty = false;
  for (let number = 0; number <= OLDER; number++) {
    const file = openIfThere(number === 0 ? path : `${path}.${number}`);
    if (file === null) {
      if (number === 0) return [];
      break;
    }
    const { ino, size } = fs.fstatSync(file);
    if (ino === ours) {
      forget(file);
      return [...found.values()].toReversed();
    }
    if (found.has(ino)) {
      forget(file, ...found.values()); // they are being renamed
      return [];
    }
    if (number === 0 && size === 0) {
      isNewestEmpty = true;
      forget(file);
    } else found.set(ino, file);
  }
  if (isNewestEmpty) {
    forget(...found.values());
    return [];
  }
  // It is none of them: another program took it away, and only the newest is surely new.
  const [newest, ...others] = found.values();
  forget(...others);
  return newest === undefined ? [] : [newest];
}

function openIfThere(path: string): number | null {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

function readAt(descriptor: number, position: number, length: number): Buffer {
  const chunk = Buffer.alloc(length);
  return chunk.subarray(0, fs.readSync(descriptor, chunk, 0, length, position));
}

/** Whole lines, without their newlines and the blank ones, and what is left. */
function split(text: Buffer): { lines: Buffer[]; rest: Buffer } {
  const lines: Buffer[] = [];
  let from = 0;
  for (let end = text.indexOf(LF); end !== -1; end = text.indexOf(LF, from)) {
    if (end > from) lines.push(text.subarray(from, end));
    from = end + 1;
  }
  return { lines, rest: text.subarray(from) };
}

/** Lines that end in it, but for blank ones: of a newline that it begins with, that can't be told. */
function countOf(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(LF, 1); at !== -1; at = chunk.indexOf(LF, at + 1)) {
    if (chunk[at - 1] !== LF) count++;
  }
  return count;
}

interface LogPrinterOptions {
  /** The lines as they are. */
  readonly json: boolean;
  /** Nothing in a line may drive it. */
  readonly isTerminal: boolean;
}

type Event = Readonly<Record<string, unknown>>;

/** As wide as the longest level. */
const LEVEL_WIDTH = 'warning'.length;

export class LogPrinter {
  private readonly parse = ndjson.parse({ strict: false });

  constructor(private readonly options: LogPrinterOptions) {}

  /** A line without its newline to what is printed of it. What is no event comes as it is. */
  print(line: Buffer): Buffer {
    const { json, isTerminal } = this.options;
    if (json && !isTerminal) return Buffer.concat([line, NEWLINE]);
    const text = line.toString();
    const event = json ? null : this.read(text);
    return Buffer.from(`${stripControls(event ? readable(event) : text, '\t')}\n`);
  }

  /**
   * The lenient parser drops a bad line without a word, so it gets them one by one, and what it has
   * then is this line's. It never sees what is no object: a `null` would end it.
   */
  private read(line: string): Event | null {
    if (!line.startsWith('{')) return null;
    this.parse.write(`${line}\n`);
    const value = this.parse.read() as Event | null;
    return value !== null && typeof value.event === 'string' ? value : null;
  }
}

const NEWLINE = Buffer.from('\n');

/** `TIME LEVEL EVENT name=value …` */
function readable({ time, level, event, ...fields }: Event): string {
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  return [shown(time), shown(level).padEnd(LEVEL_WIDTH), String(event), ...facts].join(' ');
}

/** Bare where nothing is lost by that. */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"'=\\\p{C}]+$/u.test(value)) return value;
  return value === undefined ? '-' : JSON.stringify(value);
}
