/** The first stages: bytes to lines, within limits of length, time and memory. */
import { Transform, type TransformCallback } from 'node:stream';
import split2 from 'split2';
import { LF } from '../ascii.js';
import { MidcltError } from '../errors.js';
import { MAX_REQUEST_LINE } from '../protocol.js';
import { after } from '../timer.js';
import { costOf, noRoomForRequest, RequestMemory } from './memory.js';

/** What the first bytes of one are given room in. */
const LEAST = 512;

export interface LineLimits {
  /** Bytes of the longest line. */
  readonly length?: number;
  /** Milliseconds from a line's first byte in which its newline must come; null, or none, is no limit. */
  readonly timeout?: number | null;
  /** Shared with others; none is no limit. */
  readonly memory?: RequestMemory;
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
  private readonly memory: RequestMemory;
  /** Bytes of the line that is being received; beyond the cut they are dropped. */
  private length = 0;
  /** What of it is held until its newline comes, in the first `used` bytes. */
  private held = EMPTY;
  private used = 0;
  private timer: NodeJS.Timeout | undefined;
  /** A chunk whose lines have not all been passed on, and what to call when they have. */
  private waiting: { chunk: Buffer; done: TransformCallback } | null = null;
  /** It is memory that the chunk waits for. */
  private isShort = false;
  /** Ends that wait. */
  private endWait: (() => void) | null = null;
  /** What the lines cost that were passed on and whose requests are not over, oldest first. */
  private readonly costs: number[] = [];

  constructor(limits: LineLimits = {}) {
    super({ encoding: 'latin1', readableHighWaterMark: 1 });
    this.cut = (limits.length ?? MAX_REQUEST_LINE) + 2;
    this.timeout = limits.timeout ?? null;
    this.memory = limits.memory ?? new RequestMemory(Infinity);
  }

  /** Has a line begun that has not ended yet? */
  get inLine(): boolean {
    return this.length > 0;
  }

  /** The oldest request that was passed on is over: its memory is free. */
  over(): void {
    this.memory.giveComplete(this.costs.shift() ?? 0);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const left = this.split(chunk);
    if (left === null) done();
    else this.waiting = { chunk: left, done };
  }

  /** What comes after has room again. Until then it was not the client who let its line wait. */
  override _read(size: number): void {
    this.timer?.refresh();
    if (this.waitsForMemory()) return;
    if (this.waiting) this.goOn();
    else super._read(size);
  }

  /** The last line counts also without its newline. */
  override _flush(done: TransformCallback): void {
    if (this.failure || this.length === 0 || this.length >= this.cut) done();
    else this._transform(NEWLINE, 'latin1', done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.endWait?.();
    this.forget();
    for (const cost of this.costs.splice(0)) this.memory.giveComplete(cost);
    done(error);
  }

  private goOn(): void {
    const { waiting } = this;
    this.waiting = null;
    if (waiting) this._transform(waiting.chunk, 'latin1', waiting.done);
  }

  /** Passes on the lines that end in the chunk and keeps the rest. Returns what must wait, for room or for memory. */
  private split(chunk: Buffer): Buffer | null {
    let from = 0;
    let hasRoom = true;
    for (;;) {
      const newline = chunk.indexOf(LF, from);
      if (newline === -1 || this.failure) break;
      // Not for what is left of a line alone: to be read again, a stream must push something.
      if (!hasRoom) return chunk.subarray(from);
      const part = chunk.subarray(from, newline + 1);
      if (this.length < this.cut && !this.pay(part.length - 1))
        return this.waitForMemory() ? chunk.subarray(from) : null;
      hasRoom = this.finish(part);
      from = newline + 1;
    }
    const rest = chunk.subarray(from);
    if (this.failure || rest.length === 0 || this.collect(rest)) return null;
    return this.waitForMemory() ? rest : null;
  }

  /** Takes the memory for the line of which only these bytes are missing. */
  private pay(missing: number): boolean {
    const size = Math.min(this.length + missing, this.cut);
    const cost = costOf(size);
    if (!this.memory.completed(costOf(this.held.length), cost)) return false;
    this.costs.push(cost);
    return true;
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
    this.held = EMPTY;
    this.forget();
    this.length = 0;
    return hasRoom;
  }

  /** Takes the beginning of a line, or more of it. False if there is no memory for it. */
  private collect(part: Buffer): boolean {
    this.timer ??= after(this.timeout, () => {
      this.expire();
    });
    const size = this.length + part.length;
    if (this.length < this.cut) {
      // Answer at once: the end of such a line may never come.
      if (size >= this.cut) {
        if (!this.pay(part.length)) return false;
        this.passCut(part);
        this.held = EMPTY;
        this.used = 0;
      } else if (!this.hold(part)) {
        return false;
      }
    }
    this.length = size;
    return true;
  }

  private passCut(part: Buffer): boolean {
    const line = Buffer.concat([this.held.subarray(0, this.used), part]).subarray(0, this.cut);
    this.push(line);
    return this.push(NEWLINE);
  }

  private hold(part: Buffer): boolean {
    const size = this.used + part.length;
    if (size > this.held.length) {
      const grown = Math.min(Math.max(size, 2 * this.held.length, LEAST), this.cut);
      if (!this.memory.takeUnfinished(costOf(grown) - costOf(this.held.length))) return false;
      const room = Buffer.allocUnsafeSlow(grown);
      this.held.copy(room, 0, 0, this.used);
      this.held = room;
    }
    part.copy(this.held, this.used);
    this.used = size;
    return true;
  }

  /** The input waits until there is memory again. False, and it has ended, if there will be none. */
  private waitForMemory(): boolean {
    if (!this.memory.willFree) {
      this.fail(noRoomForRequest(this.memory));
      return false;
    }
    this.isShort = true;
    const retry = () => {
      this.isShort = false;
      this.goOn();
      if (this.waitsForMemory()) return false;
      this.endWait = null;
      return true;
    };
    this.endWait ??= this.memory.wait(retry, () => {
      this.isShort = false;
      this.endWait = null;
      this.fail(noRoomForRequest(this.memory));
      this.goOn();
    });
    return true;
  }

  private waitsForMemory(): boolean {
    return this.isShort;
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
    this.memory.giveUnfinished(costOf(this.held.length));
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

function tooSlow(seconds: number): MidcltError {
  return new MidcltError('REQUEST', `Request is not complete after ${seconds} s`);
}

const EMPTY = Buffer.alloc(0);
const NEWLINE = Buffer.from('\n');
