/**
 * The answers of a batch, brought back into the order of its requests.
 *
 *     printed | head: written as it comes | finished or outstanding: held | to be read
 *             ^---------------------- the window ----------------------^
 *
 * Owns the places of the window: whose turn it is, what is held for the others, and who waits for
 * room. The window is bounded twice, in places and in bytes, so that neither a request that takes
 * its time nor large answers behind it can fill the memory.
 */

/** Where the answers go. */
export interface Sink {
  write(bytes: Buffer): void;
  /** It has more than it can get rid of. Calls the listener of `onRoom` when it no longer has. */
  readonly full: boolean;
  onRoom(listener: () => void): void;
}

export interface Limits {
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
  end(): void;
}

interface Entry {
  next: Entry | null;
  readonly held: Buffer[];
  ended: boolean;
  /** Set while whoever fills the place waits. */
  waiting: { readonly promise: Promise<void>; readonly resume: () => void } | null;
}

export class Order {
  private head: Entry | null = null;
  private tail: Entry | null = null;
  private places = 0;
  private bytes = 0;
  private readonly blocked = new Set<Entry>();
  private onRoom: (() => void) | null = null;
  private onIdle: (() => void) | null = null;

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
    const entry: Entry = { next: null, held: [], ended: false, waiting: null };
    if (this.tail) this.tail.next = entry;
    else this.head = entry;
    this.tail = entry;
    this.places++;
    return {
      push: (bytes) => this.push(entry, bytes),
      end: () => {
        this.end(entry);
      },
    };
  }

  /** Resolves when another place may be taken. One may wait at a time. */
  room(): Promise<void> {
    if (this.hasRoom()) return Promise.resolve();
    return new Promise((resolve) => (this.onRoom = resolve));
  }

  /** Resolves when every place taken is complete and its answer with the sink. One may wait at a time. */
  idle(): Promise<void> {
    if (!this.head) return Promise.resolve();
    return new Promise((resolve) => (this.onIdle = resolve));
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

  private end(entry: Entry): void {
    entry.ended = true;
    this.unblock(entry);
    if (entry === this.head) this.advance();
  }

  /** To the first place that is not complete; it writes from now on. */
  private advance(): void {
    while (this.head?.ended) {
      this.head = this.head.next;
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
    if (this.onIdle && !this.head) {
      const resolve = this.onIdle;
      this.onIdle = null;
      resolve();
    }
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
