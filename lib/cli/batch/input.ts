/** What a batch reads: the lines of its files, one file after the other. */
import fs from 'node:fs';
import net from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { systemReason } from '../../errors.js';
import { LineLimit, splitLines } from '../../stream/guard.js';

const STDIN = '-';
const STDIN_DESCRIPTOR = 0;
/** Less than usual: a chunk whose lines take long becomes old, and V8 lets many old ones be before it looks. */
const READ_BYTES = 4 * 1024;
/**
 * The byte-order mark that some editors begin a file with, as latin1. No request begins with it; where files were put
 * together, it is at the start of any line.
 */
const MARK = '\xef\xbb\xbf';
/** A line of nothing but this is no request. */
const BLANK = /^[ \t\r]*$/;

/** Owns the file that is being read. */
export class BatchInput {
  /** Requests that were passed over. */
  skipped = 0;
  /** Bytes of the lines that were read. */
  bytes = 0;

  private readonly files: readonly string[];
  private current: Readable | null = null;
  private closed = false;
  private stdinRead = false;

  /**
   * The first `skip` requests are passed over. `complain` is told of each file that cannot be read, or not
   * to its end.
   */
  constructor(
    files: readonly string[],
    private readonly skip: number,
    private readonly complain: (message: string) => void,
  ) {
    this.files = files.length > 0 ? files : [STDIN];
  }

  /**
   * Latin1 texts, one character a byte, without their newlines, and without a byte-order mark. One that is longer than
   * a request may be is cut where that is certain. Reads no faster than it is asked to.
   */
  async *lines(): AsyncGenerator<string, void> {
    for (const file of this.files) {
      if (this.isClosed()) return;
      try {
        const source = await this.open(file);
        if (!source) continue;
        const limit = new LineLimit({ ahead: 1 });
        const lines = pipeline(source, limit, splitLines(), () => undefined);
        for await (const text of lines as AsyncIterable<string>) {
          limit.over(); // it would remember each
          this.bytes += text.length + 1;
          const line = text.startsWith(MARK) ? text.slice(MARK.length) : text;
          if (BLANK.test(line)) continue;
          if (this.skipped < this.skip) this.skipped++;
          else yield line;
          if (this.isClosed()) return;
        }
      } catch (error) {
        if (this.isClosed()) return;
        this.complain(
          `Cannot read ${file === STDIN ? 'standard input' : file}: ${systemReason(error)}`,
        );
      }
    }
  }

  /** Nobody wants more lines. */
  close(): void {
    this.closed = true;
    this.current?.destroy();
  }

  /** What is known of each file; null of one that can't be read. */
  stats(): (fs.Stats | null)[] {
    return this.files.map((file) => {
      try {
        return file === STDIN ? fs.fstatSync(STDIN_DESCRIPTOR) : fs.statSync(file);
      } catch {
        return null;
      }
    });
  }

  /** Null for a second `-`: there is nothing left of it. */
  private async open(file: string): Promise<Readable | null> {
    if (file === STDIN) {
      if (this.stdinRead) return null;
      this.stdinRead = true;
      this.current = openStdin();
    } else {
      this.current = await openFile(file);
    }
    if (this.isClosed()) this.current.destroy();
    return this.current;
  }

  private isClosed(): boolean {
    return this.closed;
  }
}

/** Bytes of all the files; null where one is a pipe, or a terminal, whose end nobody knows. */
export function sizeOf(stats: readonly (fs.Stats | null)[]): number | null {
  let size = 0;
  for (const stat of stats) {
    if (stat && !stat.isFile()) return null;
    size += stat?.size ?? 0;
  }
  return size;
}

function openStdin(): Readable {
  if (!fs.fstatSync(STDIN_DESCRIPTOR).isFile()) return process.stdin;
  const options = { fd: STDIN_DESCRIPTOR, autoClose: false, highWaterMark: READ_BYTES };
  return fs.createReadStream('', options);
}

/** A pipe is read as a socket is, since a file's read that waits for the pipe could not be given up. */
async function openFile(file: string): Promise<Readable> {
  const descriptor = await promisify(fs.open)(file, 'r');
  const stat = fs.fstatSync(descriptor);
  return stat.isFIFO()
    ? new net.Socket({ fd: descriptor, readable: true, writable: false })
    : fs.createReadStream('', { fd: descriptor, highWaterMark: READ_BYTES });
}
