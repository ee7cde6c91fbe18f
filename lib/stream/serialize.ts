/** Lets one request of a connection through at a time, in order. */
import { Transform, type TransformCallback } from 'node:stream';
import type { Incoming } from './codec.js';

/** A request whose turn it is. */
export interface Turn {
  readonly incoming: Incoming;
  /** To be called when the final frame is out: the next request follows. */
  readonly done: () => void;
}

export class Serialize extends Transform {
  private stopped = false;

  constructor(private readonly onDone: (incoming: Incoming) => void) {
    super({ objectMode: true, highWaterMark: 1 });
  }

  /** Nothing more is let through, not even a refusal: the connection is about to end. */
  stop(): void {
    this.stopped = true;
  }

  override _transform(
    incoming: Incoming,
    _encoding: BufferEncoding,
    next: TransformCallback,
  ): void {
    if (this.stopped) return;
    const done = () => {
      this.onDone(incoming);
      if (!this.stopped) next();
    };
    this.push({ incoming, done } satisfies Turn);
  }
}
