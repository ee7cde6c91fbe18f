/** Bytes on their way through, counted. */
import { Transform, type TransformCallback } from 'node:stream';

export class Meter extends Transform {
  /** `onBytes` is told of those that the next stage has been given. */
  constructor(private readonly onBytes: (count: number) => void) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.onBytes(chunk.length);
    done(null, chunk);
  }
}
