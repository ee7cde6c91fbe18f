/**
 * Writes a log to what has a reader: a named pipe, a terminal, another device. Never waits for that reader in a
 * system call, not on a thread either: the process could not end before.
 */
import fs from 'node:fs';
import { Writable } from 'node:stream';

/** Milliseconds between two tries while there is no room. */
const RETRY = 20;

/** The flags with which such a file is opened. */
export const PIPE_FLAGS = fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY;

export class LogPipe extends Writable {
  private timer: NodeJS.Timeout | undefined;

  /** `descriptor` was opened with {@link PIPE_FLAGS} and is this stream's from now on. */
  constructor(private readonly descriptor: number) {
    super({ decodeStrings: true });
  }

  override _write(text: Buffer, encoding: BufferEncoding, done: (error?: Error) => void): void {
    let written = 0;
    try {
      written = fs.writeSync(this.descriptor, text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        done(error as Error);
        return;
      }
    }
    if (written === text.length) {
      setImmediate(done); // a long log does not keep the process from its work
      return;
    }
    this.timer = setTimeout(() => {
      this._write(text.subarray(written), encoding, done);
    }, RETRY).unref();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.timer);
    fs.close(this.descriptor, () => {
      done(error);
    });
  }
}
