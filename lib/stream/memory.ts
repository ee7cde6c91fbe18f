/** Memory that all connections share: of requests that are held, and of results that wait for their readers. */
import { MidcltError } from '../errors.js';
import { PATIENCE } from '../protocol/frames.js';
import { CLOCK } from '../timer.js';

/** Bytes of a request, or of a result, that nobody has to ask for. */
export const FREE = 16 * 1024;

/** Tries once more to get its bytes; false if they are still not to be had. */
type Retry = () => boolean;

/** What a buffer of this size costs a budget. */
export function costOf(size: number): number {
  return Math.max(0, size - FREE);
}

/**
 * The memory that requests may take, of all connections together. A request is `unfinished` until its
 * last byte has come and `complete` from then on: complete ones are going to be answered, and give
 * their bytes back. So who finds no room waits as long as there are complete ones, first come, first
 * served; with none there would be nothing to wait for.
 */
export class RequestMemory {
  private unfinished = 0;
  private complete = 0;
  private readonly queue = new Set<Retry>();
  private isRetrying = false;

  constructor(
    readonly size: number,
    private readonly clock = CLOCK,
  ) {}

  get used(): number {
    return this.unfinished + this.complete;
  }

  /** Will there be more room by itself? */
  get willFree(): boolean {
    return this.complete > 0;
  }

  takeUnfinished(bytes: number): boolean {
    if (!this.fits(bytes)) return false;
    this.unfinished += bytes;
    return true;
  }

  giveUnfinished(bytes: number): void {
    this.unfinished -= bytes;
    if (bytes > 0) this.retry();
  }

  /** The request that took `before` bytes is complete, and takes `bytes` from now on. */
  completed(before: number, bytes: number): boolean {
    if (!this.fits(bytes - before)) return false;
    this.unfinished -= before;
    this.complete += bytes;
    return true;
  }

  giveComplete(bytes: number): void {
    this.complete -= bytes;
    if (bytes > 0) this.retry();
  }

  /** `retry` is called when there is more room. Returns what ends the wait; `onTooLong` does after two minutes. */
  wait(retry: Retry, onTooLong: () => void): () => void {
    const entry: Retry = () => {
      if (!retry()) return false;
      leave();
      return true;
    };
    const leave = () => {
      this.clock.clear(timer);
      this.queue.delete(entry);
    };
    const timer = this.clock.after(PATIENCE * 1000, () => {
      leave();
      onTooLong();
    });
    this.queue.add(entry);
    return leave;
  }

  private fits(bytes: number): boolean {
    if (bytes <= 0) return true;
    if (this.queue.size > 0 && !this.isRetrying) return false; // others were first
    return this.used + bytes <= this.size;
  }

  private retry(): void {
    if (this.isRetrying) return;
    this.isRetrying = true;
    for (const entry of this.queue) if (!entry()) break;
    this.isRetrying = false;
  }
}

/** The memory that results may take until their readers have taken them, of all connections together. */
export class ResultMemory {
  private used = 0;

  constructor(readonly size: number) {}

  take(bytes: number): boolean {
    if (bytes > 0 && this.used + bytes > this.size) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** What a daemon has room for. */
export interface Memory {
  readonly requests: RequestMemory;
  readonly results: ResultMemory;
}

/** A quarter of so many bytes for requests, the rest for results. */
export function memoryOf(bytes: number): Memory {
  const requests = Math.floor(bytes / 4);
  return {
    requests: new RequestMemory(requests),
    results: new ResultMemory(bytes - requests),
  };
}

export function noRoomForRequest({ size }: RequestMemory): MidcltError {
  return new MidcltError(
    'BUSY',
    `The unfinished requests of all connections take more than ${size} bytes; try again`,
  );
}

export function noRoomForResult(bytes: number, { size }: ResultMemory): MidcltError {
  const text =
    bytes > size
      ? `The result has ${bytes} bytes, and the daemon has room for ${size}`
      : `The daemon has no room for a result of ${bytes} bytes: others, which their clients have not read yet, take the most of ${size}`;
  return new MidcltError('BUSY', `${text} (--memory). The call was run; its result is lost`, {
    outcomeUnknown: true,
  });
}
