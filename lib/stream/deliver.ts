/** The last stage: writes frames to the socket, and knows what the socket has taken. */
import { Writable, type Duplex } from 'node:stream';
import { asMidcltError } from '../errors.js';
import { startTurn } from '../steps.js';
import { CLOCK, type Timer } from '../timer.js';
import type { EncodedFrame } from './codec.js';

/** Bytes written at a time, so that a slow reader is told from one that takes nothing. */
const CHUNK = 64 * 1024;

/**
 * A frame has been taken when the system has its last byte: from then on the client gets it, whatever
 * becomes of this process. One frame is written at a time.
 */
export class Deliver extends Writable {
  /** Bytes wait for the client to read what came before. */
  private isWaiting = false;
  /** Milliseconds that they may wait until the next of them are taken; null is for ever. */
  private stall: number | null = null;
  private timer: Timer | undefined;

  constructor(
    private readonly socket: Duplex,
    private readonly clock = CLOCK,
  ) {
    super({ objectMode: true, highWaterMark: 1 });
  }

  /** From now on a client that takes nothing for so many milliseconds is given up. */
  limitStall(milliseconds: number): void {
    this.stall = milliseconds;
    this.watch();
  }

  override _write(
    { pieces, onTaken }: EncodedFrame,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const taken = (error?: Error | null) => {
      this.isWaiting = false;
      // A socket that was destroyed meanwhile may tell no error.
      if (!error && !this.socket.destroyed) onTaken?.();
      done(error);
    };
    // Nearly all frames are one small piece.
    const only = Array.isArray(pieces) && pieces.length === 1 ? (pieces[0] as Buffer) : null;
    if (only && only.length <= CHUNK) this.writeChunk(only, taken);
    else this.writeAll(chunksOf(pieces), taken);
  }

  private writeChunk(chunk: Buffer, next: (error?: Error | null) => void): void {
    this.isWaiting = true;
    this.socket.write(chunk, next);
    if (this.stall !== null) this.watch();
  }

  private writeAll(
    chunks: Iterator<Buffer | null, void>,
    taken: (error?: Error | null) => void,
  ): void {
    let turn = startTurn();
    const next = (error?: Error | null) => {
      const step: Step = error ? { error } : nextOf(chunks, turn);
      if ('error' in step) {
        taken(step.error);
      } else if (step.done) {
        taken();
      } else if (step.value !== null) {
        this.writeChunk(step.value, next);
      } else {
        setImmediate(() => {
          turn = startTurn();
          next();
        });
      }
    };
    next();
  }

  private watch(): void {
    this.clock.clear(this.timer);
    if (!this.isWaiting) return;
    this.timer = this.clock.after(this.stall, () => {
      if (this.isWaiting) this.socket.destroy();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.clock.clear(this.timer);
    done(error);
  }

  override _final(done: () => void): void {
    this.socket.end();
    done();
  }
}

type Step = IteratorResult<Buffer | null, void> | { readonly error: Error };

/** The next chunk; null where it takes longer than this turn, an error where it cannot be made. */
function nextOf(chunks: Iterator<Buffer | null, void>, turn: ReturnType<typeof startTurn>): Step {
  try {
    for (;;) {
      const step = chunks.next();
      if (step.done || step.value !== null || turn.isOver()) return step;
    }
  } catch (error) {
    return { error: asMidcltError(error) };
  }
}

function* chunksOf(pieces: EncodedFrame['pieces']): Generator<Buffer | null, void> {
  for (const piece of pieces) {
    if (piece === null || piece.length <= CHUNK) yield piece;
    else for (let at = 0; at < piece.length; at += CHUNK) yield piece.subarray(at, at + CHUNK);
  }
}
