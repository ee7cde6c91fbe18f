/** A file of requests to be looked at, or run again: each a line as it was read. */
import fs from 'node:fs';
import { MidcltError, systemReason } from '../../errors.js';
import { openToWrite } from '../../files/kept.js';
import { pause } from '../../timer.js';

/** They may hold secrets. */
const MODE = 0o600;
/** Lines are written together, up to so many bytes, and after so many milliseconds at the latest. */
const WRITE_BYTES = 64 * 1024;
const WRITE_DELAY = 250;
const LF = 10;
const EMPTY = Buffer.alloc(0);

interface Options {
  /** Go on behind what is in it. */
  readonly append: boolean;
  /** Make it when the first request is to be written. One that is there is emptied at once. */
  readonly late: boolean;
}

export class RequestFile {
  /** Why nothing is written any more. */
  failure: MidcltError | null = null;
  /** The numbers of the requests that could not be written. */
  readonly missing: number[] = [];
  /** Of those that were not to be: the input has cut their lines, and what is left would pass for a request. */
  readonly tooLong: number[] = [];

  private descriptor: number | null = null;
  /** The lines that wait, used again and again: no line is kept for itself, and gets old. */
  private block = EMPTY;
  private used = 0;
  /** Of each of these lines the number, and where it ends. */
  private readonly waiting: { number: number; end: number }[] = [];
  private timer: NodeJS.Timeout | null = null;

  /** Throws a `FILES` error if it can't be opened. `onFailure` is called once, if it can't be written. */
  constructor(
    readonly path: string,
    private readonly options: Options,
    private readonly onFailure: () => void,
  ) {
    if (options.late && (options.append || !fs.existsSync(path))) return;
    try {
      this.open();
    } catch (error) {
      throw this.error(error);
    }
  }

  /** `line` is latin1. */
  add(number: number, line: string): void {
    const size = line.length + 1;
    if (this.used + size > this.block.length) this.write();
    if (this.failure) {
      this.missing.push(number);
      return;
    }
    if (this.used === 0) {
      if (this.block.length < size) this.block = Buffer.alloc(Math.max(size, WRITE_BYTES));
    }
    this.block.write(line, this.used, 'latin1');
    this.block[this.used + line.length] = LF;
    this.used += size;
    this.waiting.push({ number, end: this.used });
    this.timer ??= setTimeout(() => {
      this.write();
    }, WRITE_DELAY);
  }

  /** All that was added is in it, unless that failed. */
  close(): void {
    this.write();
    const { descriptor } = this;
    this.descriptor = null;
    if (descriptor === null) return;
    try {
      fs.closeSync(descriptor);
    } catch (error) {
      this.failure ??= this.error(error); // some file systems tell only now
    }
  }

  private write(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (this.used === 0 || this.failure) return;
    const data = this.block.subarray(0, this.used);
    let written = 0;
    try {
      const descriptor = this.open();
      while (written < data.length) written += writeSome(descriptor, data, written);
    } catch (error) {
      this.failure = this.error(error);
      const whole = written === 0 ? 0 : data.lastIndexOf(LF, written - 1) + 1;
      this.cutOff(written - whole);
      for (const { number, end } of this.waiting) if (end > whole) this.missing.push(number);
      this.onFailure();
    }
    this.used = 0;
    this.waiting.length = 0;
  }

  /** Takes the beginning of a line off its end: it is no request. */
  private cutOff(bytes: number): void {
    const { descriptor } = this;
    if (descriptor === null || bytes === 0) return;
    const stat = fs.fstatSync(descriptor);
    if (stat.isFile()) fs.ftruncateSync(descriptor, stat.size - bytes);
  }

  private open(): number {
    if (this.descriptor !== null) return this.descriptor;
    const { O_APPEND, O_TRUNC } = fs.constants;
    const descriptor = openToWrite(this.path, this.options.append ? O_APPEND : O_TRUNC, MODE);
    this.descriptor = descriptor;
    // One that was there before may be open to others.
    if (fs.fstatSync(descriptor).isFile()) fs.fchmodSync(descriptor, MODE);
    return descriptor;
  }

  private error(error: unknown): MidcltError {
    return new MidcltError('FILES', `Cannot write ${this.path}: ${systemReason(error)}`);
  }
}

function writeSome(descriptor: number, data: Buffer, from: number): number {
  try {
    return fs.writeSync(descriptor, data, from);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    pause(); // a pipe that somebody made non-blocking, and that is full
    return 0;
  }
}
