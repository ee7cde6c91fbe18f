/** Two ends of a connection in memory: what is written to one is read from the other. */
import { Duplex } from 'node:stream';

class End extends Duplex {
  other!: End;
  private hasEnded = false;
  private onRead: ((error?: Error) => void) | null = null;

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 1024 });
  }

  override _read(): void {
    const { onRead } = this;
    this.onRead = null;
    onRead?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    if (this.other.destroyed) {
      done(brokenPipe());
    } else if (chunk.length === 0) {
      done();
    } else {
      // Taken when the other side has read it.
      this.other.onRead = done;
      this.other.push(chunk);
    }
  }

  /** The other side reads an end, as from a socket whose peer was closed. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.other.destroyed && !this.hasEnded) this.other.push(null);
    // Of a write that waits Node's sockets tell the other side the error, and this side none.
    const [ours, others] = [this.other.onRead, this.onRead];
    this.other.onRead = null;
    this.onRead = null;
    ours?.();
    others?.(brokenPipe());
    done(error);
  }

  override _final(done: () => void): void {
    if (!this.other.destroyed) this.other.push(null);
    this.hasEnded = true;
    done();
  }
}

function brokenPipe(): Error {
  return Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
}

export function duplexPair(): [Duplex, Duplex] {
  const [one, two] = [new End(), new End()];
  one.other = two;
  two.other = one;
  return [one, two];
}
