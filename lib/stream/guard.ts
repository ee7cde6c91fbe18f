/** The first stages: bytes to lines, within limits of length, time and memory. */
import { Transform, type TransformCallback } from 'node:stream';
import split2 from 'split2';
import { LF } from '../json/ascii.js';
import { MidcltError } from '../errors.js';
import { MAX_REQUEST_LINE, characters } from '../protocol/frames.js';
import { CLOCK, type Clock, type Timer } from '../timer.js';
import { Beginning } from './beginning.js';
import { costOf, noRoomForRequest, RequestMemory } from './memory.js';

export interface LineLimits {
  /** Characters of the longest line; it may have twice as many bytes. */
  readonly length?: number;
  /** Milliseconds from a line's first byte in which its newline must come; null, or none, is no limit. */
  readonly timeout?: number | null;
  /** Shared with others; none is no limit. */
  readonly memory?: RequestMemory;
  readonly clock?: Clock | undefined;
  /** Bytes that may wait to be cut before no more are asked for; none is what Node finds right. */
  readonly ahead?: number;
}

/**
 * Passes whole lines on as latin1 text and cuts a line two characters after the limit: the parser sees
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

  /** Characters, and bytes, at which a line is cut. */
  private readonly cut: number;
  private readonly cutBytes: number;
  private readonly timeout: number | null;
  private readonly memory: RequestMemory;
  private readonly clock: Clock;
  /** Of the line that is being received; beyond the cut its bytes are dropped. */
  private line = NO_LINE;
  /** What of it is held until its newline comes. */
  private readonly held = new Beginning();
  private timer: Timer | undefined;
  /** A chunk whose lines have not all been passed on, and what to call when they have. */
  private waiting: { chunk: Buffer; done: TransformCallback } | null = null;
  /** It is memory that the chunk waits for. */
  private isShort = false;
  /** Ends that wait. */
  private endWait: (() => void) | null = null;
  /** What the lines cost that were passed on and whose requests are not over, oldest first. */
  private readonly costs: number[] = [];

  constructor(limits: LineLimits = {}) {
    const { ahead } = limits;
    const input = ahead === undefined ? {} : { writableHighWaterMark: ahead };
    super({ encoding: 'latin1', readableHighWaterMark: 1, ...input });
    this.cut = (limits.length ?? MAX_REQUEST_LINE) + 2;
    this.cutBytes = 2 * this.cut;
    this.timeout = limits.timeout ?? null;
    this.memory = limits.memory ?? new RequestMemory(Infinity);
    this.clock = limits.clock ?? CLOCK;
  }

  /** Has a line begun that has not ended yet? */
  get inLine(): boolean {
    return this.line.bytes > 0;
  }

  /** Is there something of a request that has not been passed on? It may be a whole one, for which there is no memory yet. */
  get isHolding(): boolean {
    return this.inLine || this.waiting !== null;
  }

  /** The oldest request that was passed on is over: its memory is free. */
  over(): void {
    this.memory.giveComplete(this.costs.shift() ?? 0);
  }

  /** Ends the input with that error in place of a line that has begun and is not whole, or waits for memory. */
  refuse(error: MidcltError): void {
    const isBegun = this.isShort || (this.inLine && !this.isCut(this.line));
    if (isBegun && !this.failure) this.stopWaiting(error);
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
    if (this.failure || !this.inLine || this.isCut(this.line)) done();
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
      if (!this.isCut(this.line)) {
        const part = chunk.subarray(from, newline + 1);
        const line = this.measured(part, part.length - 1);
        if (!this.pay(line)) return this.waitForMemory() ? chunk.subarray(from) : null;
        hasRoom = this.isCut(line) ? this.passCut(part) : this.pass(part);
      }
      this.forget();
      this.line = NO_LINE;
      from = newline + 1;
    }
    const rest = chunk.subarray(from);
    if (this.failure || rest.length === 0 || this.collect(rest)) return null;
    return this.waitForMemory() ? rest : null;
  }

  private isCut({ bytes, count }: Line): boolean {
    return count >= this.cut || bytes >= this.cutBytes;
  }

  /**
   * What the line comes to with the first `size` bytes of `part`. One of fewer bytes needs no counting, for no text has
   * more characters than bytes.
   */
  private measured(part: Buffer, size: number): Line {
    const bytes = this.line.bytes + size;
    if (bytes < this.cut) return { bytes, count: 0 };
    const isFirst = this.line.bytes < this.cut;
    const before = isFirst ? this.held.count : this.line.count;
    return { bytes, count: before + characters(part.subarray(0, size)) };
  }

  /** Takes the memory for a line that is complete. */
  private pay({ bytes }: Line): boolean {
    const cost = costOf(Math.min(bytes, this.cutBytes));
    if (!this.memory.completed(costOf(this.held.room), cost)) return false;
    this.costs.push(cost);
    return true;
  }

  /** Passes a line on whose last bytes these are, newline included. Is there room for another? */
  private pass(part: Buffer): boolean {
    return this.push(this.held.takeWith(part));
  }

  private passCut(part: Buffer): boolean {
    const line = this.held.takeWith(part);
    this.push(line.subarray(0, Math.min(endOf(line, this.cut), this.cutBytes)));
    return this.push(NEWLINE);
  }

  /** Takes the beginning of a line, or more of it. False if there is no memory for it. */
  private collect(part: Buffer): boolean {
    this.timer ??= this.clock.after(this.timeout, () => {
      this.expire();
    });
    if (this.isCut(this.line)) return true;
    const line = this.measured(part, part.length);
    if (!this.isCut(line)) {
      if (!this.hold(part)) return false;
    } else {
      // Answer at once: the end of such a line may never come.
      if (!this.pay(line)) return false;
      this.passCut(part);
    }
    this.line = line;
    return true;
  }

  private hold(part: Buffer): boolean {
    const size = this.line.bytes + part.length;
    // Few lines are long in bytes and not in characters.
    const room = this.held.roomFor(size, size <= this.cut ? this.cut : this.cutBytes);
    if (!this.memory.takeUnfinished(costOf(room) - costOf(this.held.room))) return false;
    this.held.add(part, room);
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
      this.timer?.refresh(); // it was not the client who let its line wait
      this.goOn();
      if (this.waitsForMemory()) return false;
      this.endWait = null;
      return true;
    };
    this.endWait ??= this.memory.wait(retry, () => {
      this.stopWaiting(noRoomForRequest(this.memory));
    });
    return true;
  }

  private stopWaiting(error: MidcltError): void {
    this.endWait?.();
    this.isShort = false;
    this.fail(error);
    this.goOn();
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
    this.clock.clear(this.timer);
    this.timer = undefined;
    this.memory.giveUnfinished(costOf(this.held.room));
    this.held.clear();
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

/** The byte at which the first so many characters end, newline not included. */
function endOf(line: Buffer, count: number): number {
  let at = 0;
  for (let left = count; at < line.length && line[at] !== LF; at++) {
    if (((line[at] ?? 0) & 0xc0) !== 0x80 && --left < 0) break;
  }
  return at;
}

function tooSlow(seconds: number): MidcltError {
  return new MidcltError('REQUEST', `Request is not complete after ${seconds} s`);
}

/** Bytes of a line, and its characters where they were counted. */
type Line = Readonly<Record<'bytes' | 'count', number>>;

const NO_LINE: Line = { bytes: 0, count: 0 };
const NEWLINE = Buffer.from('\n');
