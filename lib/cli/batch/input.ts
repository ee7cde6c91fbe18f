/** The lines of a batch's files, one file after the other; owns the one that is being read. */
import fs from 'node:fs';
import net from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { systemReason } from '../../errors.js';
import { LineLimit, splitLines } from '../../stream/guard.js';

const STDIN = '-';
/** A line of nothing but this is no request. */
const BLANK = /^[ \t\r]*$/;

export class BatchInput {
  private current: Readable | null = null;
  private closed = false;
  private stdinRead = false;

  /** `complain` is told of each file that cannot be read, or not to its end. */
  constructor(
    private readonly files: readonly string[],
    private readonly complain: (message: string) => void,
  ) {}

  /**
   * Latin1 texts, one character a byte, without their newlines. One that is longer than a request
   * may be is cut where that is certain. Reads no faster than it is asked to.
   */
  async *lines(): AsyncGenerator<string, void> {
    for (const file of this.files.length > 0 ? this.files : [STDIN]) {
      try {
        const source = await this.open(file);
        if (!source) continue;
        const lines = pipeline(source, new LineLimit(), splitLines(), () => undefined);
        for await (const line of lines as AsyncIterable<string>) {
          if (!BLANK.test(line)) yield line;
        }
      } catch (error) {
        if (this.isClosed()) return;
        this.complain(
          `Cannot read ${file === STDIN ? 'standard input' : file}: ${systemReason(error)}`,
        );
      }
    }
  }

  /** No more of it is wanted. */
  close(): void {
    this.closed = true;
    this.current?.destroy();
  }

  /** Null for a second `-`: there is nothing left of it. */
  private async open(file: string): Promise<Readable | null> {
    if (file === STDIN) {
      if (this.stdinRead) return null;
      this.stdinRead = true;
      this.current = process.stdin;
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

/** A pipe is read as a socket is: a read that waits in the background could not be given up. */
async function openFile(file: string): Promise<Readable> {
  const descriptor = await promisify(fs.open)(file, 'r');
  const stat = fs.fstatSync(descriptor);
  return stat.isFIFO()
    ? new net.Socket({ fd: descriptor, readable: true, writable: false })
    : fs.createReadStream('', { fd: descriptor });
}
