/** The beginning of a line whose end has not come. */
import { characters } from '../protocol/frames.js';

/** Bytes of the first piece. */
const LEAST = 512;

/**
 * Bytes in pieces, each as long as all before it: what many chunks of few bytes bring costs no buffer each, nothing is
 * copied to make room, and no outgrown buffers wait for the garbage collector beside those that are in use.
 */
export class Beginning {
  private pieces: Buffer[] = [];
  /** Bytes of all pieces. */
  room = 0;
  private used = 0;

  /** The {@link room} that it takes for `bytes` in all, of which there are `most` at most. */
  roomFor(bytes: number, most: number): number {
    return bytes <= this.room ? this.room : Math.min(Math.max(bytes, 2 * this.room, LEAST), most);
  }

  /** Adds what {@link roomFor} has told the `room` for. */
  add(part: Buffer, room: number): void {
    const free = this.room - this.used;
    const last = this.pieces.at(-1);
    if (last && free > 0) part.copy(last, last.length - free);
    if (room > this.room) {
      const piece = Buffer.allocUnsafeSlow(room - this.room);
      part.copy(piece, 0, free);
      this.pieces.push(piece);
      this.room = room;
    }
    this.used += part.length;
  }

  /** Characters in it. */
  get count(): number {
    return this.filled().reduce((sum, piece) => sum + characters(piece), 0);
  }

  /** Takes all out, `end` behind it. */
  takeWith(end: Buffer): Buffer {
    const whole = this.used === 0 ? end : Buffer.concat([...this.filled(), end]);
    this.clear();
    return whole;
  }

  clear(): void {
    this.pieces = [];
    this.room = 0;
    this.used = 0;
  }

  private filled(): Buffer[] {
    const free = this.room - this.used;
    return this.pieces.map((piece, at) =>
      at < this.pieces.length - 1 ? piece : piece.subarray(0, piece.length - free),
    );
  }
}
