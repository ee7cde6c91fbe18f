/** A result as it comes, and its text, unless that is longer than a string can be. */
import { constants } from 'node:buffer';
import { MidcltError } from '../errors.js';
import { quote } from '../json/members.js';
import type { JsonText } from '../json/text.js';
import { jsonText } from './request.js';

export class Collected {
  private readonly pieces: Buffer[] = [];
  private bytes = 0;

  take(piece: Buffer): void {
    this.bytes += piece.length;
    // What can't be a string is not kept, either.
    if (this.bytes <= constants.MAX_STRING_LENGTH) this.pieces.push(piece);
    else this.pieces.length = 0;
  }

  /** Throws `TOO_LONG`. */
  text(method = ''): JsonText {
    if (this.bytes > constants.MAX_STRING_LENGTH) throw tooLong(method, this.bytes);
    const [first = Buffer.alloc(0), ...more] = this.pieces;
    return jsonText(more.length === 0 ? first : Buffer.concat(this.pieces));
  }
}

function tooLong(method: string, bytes: number): MidcltError {
  return new MidcltError(
    'TOO_LONG',
    `The result of ${quote(method.slice(0, 100))} has ${bytes} bytes, which is more than a string can hold; stream() of a connection gives it piece by piece`,
  );
}
