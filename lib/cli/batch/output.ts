/** stdout of a batch: written in the background, so that a slow reader stops nothing but the reading. */
import fs from 'node:fs';
import { MidcltError, systemReason } from '../../errors.js';
import type { Sink } from './reorder-buffer.js';

const STDOUT = 1;
const RETRY_DELAY = 5;
/** Bytes that may wait to be written before no more are wanted. */
const ENOUGH = 1024 * 1024;
/** Small pieces are written together, up to so many bytes. */
const WRITE_BYTES = 64 * 1024;

/**
 * Not `process.stdout`: that would make a pipe non-blocking under the other programs that have it,
 * and lose what a full disk took only in part.
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

  constructor(private readonly descriptor: number = STDOUT) {
    this.failed = new Promise((_, reject) => (this.fail = reject));
    this.failed.catch(() => undefined);
  }

  get full(): boolean {
    return this.queued > ENOUGH;
  }

  onRoom(listener: () => void): void {
    this.listener = listener;
  }

  write(bytes: Buffer): void {
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
        this.fail(
          error.code === 'EPIPE'
            ? new MidcltError('BROKEN_PIPE', 'Nobody reads the output')
            : new MidcltError('FILES', `Cannot write the output: ${systemReason(error)}`),
        );
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
