/** Lets one request of a connection through at a time, in order. */
import { Transform, type TransformCallback } from 'node:stream';
import type { Incoming } from './verb.js';

/** A request whose turn it is. */
export interface Turn {
  readonly incoming: Incoming;
  /** To be called when the request is over, that is, its final frame has been taken: the next one follows. */
  readonly over: () => void;
}

export class Serialize extends Transform {
  private stopped = false;

  /** `onOver` is called for each request that is over, before the next one follows. */
  constructor(private readonly onOver: (incoming: Incoming) => void) {
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
    const over = () => {
      this.onOver(incoming);
      if (!this.stopped) next();
    };
    this.push({ incoming, over } satisfies Turn);
  }
}
