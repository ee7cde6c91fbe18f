/** The last stage: writes frames to the socket, and knows what the socket has taken. */
import { Writable, type Duplex } from 'node:stream';
import { after } from '../timer.js';
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
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly socket: Duplex) {
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
    const chunks = chunksOf(pieces);
    let at = 0;
    const next = (error?: Error | null) => {
      const chunk = chunks[at++];
      if (error || chunk === undefined) {
        this.isWaiting = false;
        if (!error) onTaken?.();
        done(error);
        return;
      }
      this.isWaiting = true;
      this.socket.write(chunk, next);
      if (this.stall !== null) this.watch();
    };
    next();
  }

  private watch(): void {
    clearTimeout(this.timer);
    if (!this.isWaiting) return;
    this.timer = after(this.stall, () => {
      if (this.isWaiting) this.socket.destroy();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.timer);
    done(error);
  }

  override _final(done: () => void): void {
    this.socket.end();
    done();
  }
}

function chunksOf(pieces: readonly Buffer[]): readonly Buffer[] {
  if (pieces.every((piece) => piece.length <= CHUNK)) return pieces;
  return pieces.flatMap((piece) => {
    const count = Math.ceil(piece.length / CHUNK);
    return Array.from({ length: count }, (_, i) => piece.subarray(i * CHUNK, (i + 1) * CHUNK));
  });
}
