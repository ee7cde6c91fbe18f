/**
 * The answers of a batch, brought back into the order of its requests, and stdout.
 *
 *     printed | head: written as it comes | finished or outstanding: held | to be read
 *             ^---------------------- the window ----------------------^
 *
 * The buffer owns the places of the window: whose turn it is, what is held for the others, and who waits for
 * room. The window is bounded twice, in places and in bytes, so that neither a request that takes
 * its time nor large answers behind it can fill the memory.
 */
import fs from 'node:fs';
import { unwritable, type MidcltError } from '../../errors.js';
import { isTerminal, piecewise } from '../output/output.js';

/** Where the answers go. */
export interface Sink {
  write(bytes: Buffer): void;
  /** It has more than it can get rid of. Calls the listener of `onRoom` when it no longer has. */
  readonly full: boolean;
  onRoom(listener: () => void): void;
}

interface Limits {
  /** Requests that may be outstanding, or finished and not yet printed, at once. */
  readonly places: number;
  /** Bytes held for requests whose turn has not come. One answer may go beyond by what it pushes at once. */
  readonly bytes: number;
}

/** One request's place in the output. */
export interface Place {
  /** More of its answer. What is returned is to be waited for before the next piece, if there is anything. */
  push(bytes: Buffer): Promise<void> | null;
  /** Its answer is complete. */
  end(last?: Last): void;
}

/** What is to be done when an answer's turn has come. Until then it holds so many bytes. */
interface Last {
  readonly bytes: number;
  readonly act: () => void;
}

interface Entry {
  next: Entry | null;
  readonly held: Buffer[];
  ended: boolean;
  last: Last | null;
  /** Set while whoever fills the place waits. */
  waiting: { readonly promise: Promise<void>; readonly resume: () => void } | null;
}

export class ReorderBuffer {
  private head: Entry | null = null;
  private tail: Entry | null = null;
  private places = 0;
  private bytes = 0;
  private readonly blocked = new Set<Entry>();
  private onRoom: (() => void) | null = null;
  private readonly onIdle: (() => void)[] = [];

  constructor(
    private readonly sink: Sink,
    private readonly limits: Limits,
  ) {
    sink.onRoom(() => {
      this.wake();
    });
  }

  /** The next place. To be asked for in the order of the input. */
  take(): Place {
    const entry: Entry = { next: null, held: [], ended: false, last: null, waiting: null };
    if (this.tail) this.tail.next = entry;
    else this.head = entry;
    this.tail = entry;
    this.places++;
    return {
      push: (bytes) => this.push(entry, bytes),
      end: (last) => {
        this.end(entry, last ?? null);
      },
    };
  }

  /** Resolves when another place may be taken. One may wait at a time. */
  room(): Promise<void> {
    if (this.hasRoom()) return Promise.resolve();
    return new Promise((resolve) => (this.onRoom = resolve));
  }

  /** Resolves when every place taken is complete and its answer with the sink. */
  idle(): Promise<void> {
    if (!this.head) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  private push(entry: Entry, bytes: Buffer): Promise<void> | null {
    if (entry === this.head) {
      this.sink.write(bytes);
    } else {
      entry.held.push(bytes);
      this.bytes += bytes.length;
    }
    if (!this.mustWait(entry)) return null;
    if (!entry.waiting) {
      let resume = (): void => undefined;
      const promise = new Promise<void>((resolve) => (resume = resolve));
      entry.waiting = { promise, resume };
      this.blocked.add(entry);
    }
    return entry.waiting.promise;
  }

  private end(entry: Entry, last: Last | null): void {
    entry.ended = true;
    entry.last = last;
    this.bytes += last?.bytes ?? 0;
    this.unblock(entry);
    if (entry === this.head) this.advance();
  }

  /** To the first place that is not complete; it writes from now on. */
  private advance(): void {
    while (this.head?.ended) {
      const { last, next } = this.head;
      this.bytes -= last?.bytes ?? 0;
      last?.act();
      // Not joined to those behind it any more: an old object that is dead keeps the young ones that it names.
      this.head.next = null;
      this.head = next;
      this.places--;
      for (const bytes of this.head?.held.splice(0) ?? []) {
        this.bytes -= bytes.length;
        this.sink.write(bytes);
      }
    }
    if (!this.head) this.tail = null;
    this.wake();
  }

  private wake(): void {
    for (const entry of this.blocked) if (!this.mustWait(entry)) this.unblock(entry);
    if (this.onRoom && this.hasRoom()) {
      const resolve = this.onRoom;
      this.onRoom = null;
      resolve();
    }
    if (!this.head) for (const resolve of this.onIdle.splice(0)) resolve();
  }

  private unblock(entry: Entry): void {
    this.blocked.delete(entry);
    entry.waiting?.resume();
    entry.waiting = null;
  }

  /** The head never waits for the others: it is what they wait for. */
  private mustWait(entry: Entry): boolean {
    return entry === this.head ? this.sink.full : this.bytes >= this.limits.bytes;
  }

  private hasRoom(): boolean {
    return this.places < this.limits.places && this.bytes < this.limits.bytes && !this.sink.full;
  }
}

const STDOUT = 1;
const RETRY_DELAY = 5;
/** Bytes that may wait to be written before no more are wanted. */
const ENOUGH = 1024 * 1024;
/** Small pieces are written together, up to so many bytes. */
const WRITE_BYTES = 64 * 1024;

/**
 * stdout, written in the background, so that a slow reader stops nothing but the reading. Not `process.stdout`: that
 * would make a pipe non-blocking under the other programs that have it, and lose what a full disk took only in part.
 */
export class BatchOutput implements Sink {
  /** Rejects with a `BROKEN_PIPE` or `FILES` error when nothing can be written any more. */
  readonly failed: Promise<never>;

  private queue: Buffer[] = [];
  private queued = 0;
  private writing = false;
  private listener: () => void = () => undefined;
  private onFlushed: (() => void) | null = null;
  private fail!: (error: MidcltError) => void;
  /** On a terminal: takes out what that would act on. JSON may have such characters in it as they are. */
  private readonly change: ((bytes: Buffer) => Buffer) | null;

  constructor(private readonly descriptor: number = STDOUT) {
    this.change = isTerminal(descriptor) ? piecewise() : null;
    this.failed = new Promise((_, reject) => (this.fail = reject));
    this.failed.catch(() => undefined);
  }

  get full(): boolean {
    return this.queued > ENOUGH;
  }

  onRoom(listener: () => void): void {
    this.listener = listener;
  }

  write(written: Buffer): void {
    const bytes = this.change?.(written) ?? written;
    this.queue.push(bytes);
    this.queued += bytes.length;
    if (!this.writing) this.writeNext();
  }

  /** Resolves when all of it is written; rejects as {@link failed} does. */
  flushed(): Promise<void> {
    if (!this.writing) return Promise.resolve();
    return Promise.race([new Promise<void>((resolve) => (this.onFlushed = resolve)), this.failed]);
  }

  private writeNext(): void {
    this.writing = this.queue.length > 0;
    if (!this.writing) {
      this.onFlushed?.();
      return;
    }
    let count = 0;
    let bytes = 0;
    for (const piece of this.queue) {
      if (count > 0 && bytes + piece.length > WRITE_BYTES) break;
      bytes += piece.length;
      count++;
    }
    const pieces = this.queue.splice(0, count);
    const [only] = pieces;
    this.writeAll(count === 1 && only ? only : Buffer.concat(pieces, bytes), 0);
  }

  private writeAll(data: Buffer, from: number): void {
    fs.write(this.descriptor, data, from, data.length - from, null, (error, written) => {
      if (error?.code === 'EAGAIN') {
        // Somebody made the pipe non-blocking, and it is full.
        setTimeout(() => {
          this.writeAll(data, from);
        }, RETRY_DELAY);
      } else if (error) {
        this.fail(unwritable('the output', error));
      } else if (from + written < data.length) {
        this.writeAll(data, from + written);
      } else {
        const before = this.queued;
        this.queued -= data.length;
        this.writeNext();
        if (before > ENOUGH && this.queued <= ENOUGH) this.listener();
      }
    });
  }
}
