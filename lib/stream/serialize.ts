/** Lets one request of a connection through at a time, in order, each with its slot. */
import { Transform, type TransformCallback } from 'node:stream';
import { asMidcltError, MidcltError } from '../errors.js';
import type { Incoming } from './codec.js';
import { NO_SLOT, type Slot } from './scheduler.js';

/** A request whose turn it is. */
export interface Turn {
  readonly incoming: Incoming;
  /** Whoever answers releases it, at the latest when the server is done with the call. */
  readonly slot: Slot;
  /** To be called when the final frame is out: the next request follows. */
  done(): void;
}

/** Waits for what a request needs before it may be sent. Rejects with why it may not. */
export type Admit = (incoming: Incoming) => Promise<Slot>;

export class Serialize extends Transform {
  private draining = false;
  private stopped = false;

  constructor(
    private readonly admit: Admit,
    private readonly onDone: (incoming: Incoming) => void,
  ) {
    super({ objectMode: true, highWaterMark: 1 });
  }

  /** From now on requests are refused; the one whose turn it is goes on. */
  drain(): void {
    this.draining = true;
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
    const pass = (passed: Incoming, slot: Slot) => {
      const done = () => {
        this.onDone(passed);
        if (!this.stopped) next();
      };
      this.push({ incoming: passed, slot, done } satisfies Turn);
    };
    if (!incoming.request) {
      pass(incoming, NO_SLOT);
      return;
    }
    if (this.draining) {
      pass(refused(incoming, shuttingDown()), NO_SLOT);
      return;
    }
    this.admit(incoming).then(
      (slot) => {
        pass(incoming, slot);
      },
      (error: unknown) => {
        pass(refused(incoming, asMidcltError(error)), NO_SLOT);
      },
    );
  }
}

function refused({ id }: Incoming, error: MidcltError): Incoming {
  return { request: null, id, error };
}

function shuttingDown(): MidcltError {
  return new MidcltError('SHUTDOWN', 'The daemon is shutting down; the request was not sent');
}
