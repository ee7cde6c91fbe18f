/** The first stages: bytes to lines, within limits of length, time and memory. */
import { Transform, type TransformCallback } from 'node:stream';
import split2 from 'split2';
import { LF } from '../ascii.js';
import { MidcltError } from '../errors.js';
import { MAX_REQUEST_LINE } from '../protocol.js';
import { after } from '../timer.js';

/** Bytes of an unfinished line that every connection may have without asking the budget. */
const FREE = 16 * 1024;
/** What the first bytes of one are given room in. */
const LEAST = 512;

/** The memory that the unfinished lines of all connections together may take. */
export class LineBudget {
  private left: number;

  constructor(readonly size: number) {
    this.left = size;
  }

  take(bytes: number): boolean {
    if (bytes > this.left) return false;
    this.left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.left += bytes;
  }
}

export interface LineLimits {
  /** Bytes of the longest line. */
  readonly length?: number;
  /** Milliseconds from a line's first byte in which its newline must come; null, or none, is no limit. */
  readonly timeout?: number | null;
  /** Shared with others; none is no limit. */
  readonly budget?: LineBudget;
}

/**
 * Passes whole lines on as latin1 text and cuts a line two bytes after the limit: the parser sees
 * that it is too long, also if split2 takes the last byte off as a CR; the rest of it is dropped
 * as it comes. Stands before split2, which would either buffer without end or drop the line without
 * a word, and looks through an unfinished line anew at every chunk.
 *
 * Lines go on one by one, as there is room for them: a chunk of a thousand short ones waits as the
 * chunk that it is. A line that takes too long or too much ends the input, and {@link failure} says
 * why: where the next line begins cannot be told any more.
 */
export class LineLimit extends Transform {
  /** Why the input ended before its end. */
  failure: MidcltError | null = null;

  private readonly cut: number;
  private readonly timeout: number | null;
  private readonly budget: LineBudget;
  /** Bytes of the line that is being received; beyond the cut they are dropped. */
  private length = 0;
  /** What of it is held until its newline comes, in the first `used` bytes. */
  private held = EMPTY;
  private used = 0;
  private timer: NodeJS.Timeout | undefined;
  /** A chunk whose lines have not all been passed on, and what to call when they have. */
  private waiting: { chunk: Buffer; done: TransformCallback } | null = null;

  constructor(limits: LineLimits = {}) {
    super({ encoding: 'latin1', readableHighWaterMark: 1 });
    this.cut = (limits.length ?? MAX_REQUEST_LINE) + 2;
    this.timeout = limits.timeout ?? null;
    this.budget = limits.budget ?? new LineBudget(Infinity);
  }

  /** Has a line begun that has not ended yet? */
  get inLine(): boolean {
    return this.length > 0;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let from = 0;
    let hasRoom = true;
    for (;;) {
      const newline = chunk.indexOf(LF, from);
      if (newline === -1 || this.failure) break;
      if (!hasRoom) {
        // Not for what is left of a line alone: to be read again, a stream must push something.
        this.waiting = { chunk: chunk.subarray(from), done };
        return;
      }
      hasRoom = this.finish(chunk.subarray(from, newline + 1));
      from = newline + 1;
    }
    if (!this.failure && from < chunk.length) this.collect(chunk.subarray(from));
    done();
  }

  /** What comes after has room again. Until then it was not the client who let its line wait. */
  override _read(size: number): void {
    this.timer?.refresh();
    const { waiting } = this;
    if (!waiting) {
      super._read(size);
      return;
    }
    this.waiting = null;
    this._transform(waiting.chunk, 'latin1', waiting.done);
  }

  /** The last line counts also without its newline. */
  override _flush(done: TransformCallback): void {
    if (!this.failure && this.length > 0 && this.length < this.cut) this.finish(NEWLINE);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.forget();
    done(error);
  }

  /** Passes the line on whose last bytes these are, newline included. Is there room for another? */
  private finish(part: Buffer): boolean {
    const isCut = this.length >= this.cut; // it was passed on then
    const size = this.length + part.length - 1;
    const before = this.held.subarray(0, this.used);
    let hasRoom = true;
    if (!isCut && size < this.cut) {
      hasRoom = this.push(before.length === 0 ? part : Buffer.concat([before, part]));
    } else if (!isCut) {
      hasRoom = this.passCut(part);
    }
    this.forget();
    this.length = 0;
    return hasRoom;
  }

  /** Takes the beginning of a line, or more of it. */
  private collect(part: Buffer): void {
    this.timer ??= after(this.timeout, () => {
      this.expire();
    });
    const before = this.length;
    this.length += part.length;
    if (before >= this.cut) return;
    // Answer at once: the end of such a line may never come.
    if (this.length >= this.cut) this.passCut(part);
    else if (!this.hold(part)) this.fail(crowded(this.budget.size));
  }

  private passCut(part: Buffer): boolean {
    const line = Buffer.concat([this.held.subarray(0, this.used), part]).subarray(0, this.cut);
    this.release();
    this.push(line);
    return this.push(NEWLINE);
  }

  private hold(part: Buffer): boolean {
    const size = this.used + part.length;
    if (size > this.held.length) {
      const grown = Math.min(Math.max(size, 2 * this.held.length, LEAST), this.cut);
      if (!this.budget.take(charge(grown) - charge(this.held.length))) return false;
      const room = Buffer.allocUnsafeSlow(grown);
      this.held.copy(room, 0, 0, this.used);
      this.held = room;
    }
    part.copy(this.held, this.used);
    this.used = size;
    return true;
  }

  private expire(): void {
    if (this.readableLength > 0 || this.writableLength > 0) this.timer?.refresh();
    else this.fail(tooSlow((this.timeout ?? 0) / 1000));
  }

  /** Ends the input, in place of the line that is being received. */
  private fail(error: MidcltError): void {
    this.failure = error;
    this.forget();
    this.push(null);
  }

  private forget(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.release();
  }

  private release(): void {
    this.budget.give(charge(this.held.length));
    this.held = EMPTY;
    this.used = 0;
  }
}

/** Text to lines, one string each, the last one also without its newline. */
export function splitLines(): Transform {
  // What waits here waits as one string a line: of short ones, not a whole chunk's worth.
  return split2(/\r?\n/, {
    decodeStrings: false,
    writableHighWaterMark: 1024,
    readableHighWaterMark: 1,
  });
}

/** What a buffer of this size costs the budget. */
function charge(size: number): number {
  return Math.max(0, size - FREE);
}

function tooSlow(seconds: number): MidcltError {
  return new MidcltError('REQUEST', `Request is not complete after ${seconds} s`);
}

function crowded(size: number): MidcltError {
  return new MidcltError(
    'BUSY',
    `The unfinished requests of all connections take more than ${size} bytes; try again`,
  );
}

const EMPTY = Buffer.alloc(0);
const NEWLINE = Buffer.from('\n');
