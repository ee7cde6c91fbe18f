/** How long a message the middleware takes. It closes the connection, everybody's, for a longer one. */
import { MidcltError } from '../errors.js';

/** Characters (Python counts code points) of one message, envelope included. */
export const MAX_MESSAGE = 65_536;
const MAX_UPLOAD = 2_097_152;
const UPLOADS = new Set(['filesystem.file_receive', 'failover.datastore.sql']);

/** The characters that a call of this method may have, from who is logged in. */
export function messageLimit(method: string): number {
  return UPLOADS.has(method) ? MAX_UPLOAD : MAX_MESSAGE;
}

/** Bytes of one message that it takes, however few characters they are. */
const MAX_BYTES = 4 * 1024 * 1024 - 1;

/** Throws a `REQUEST` error for a text of more than `limit` characters, or more bytes than any may have. `where` goes into it. */
export function checkLength(text: Buffer, method: string, limit: number, where = ''): void {
  if (text.length <= limit) return;
  const size = characters(text);
  if (size > limit) throw tooLong(size, method, limit, where);
  if (text.length > MAX_BYTES) {
    throw new MidcltError(
      'REQUEST',
      `Request of ${text.length} bytes for ${method.slice(0, 100)}; the middleware takes ${MAX_BYTES}`,
    );
  }
}

export function tooLong(size: number, method: string, limit: number, where = ''): MidcltError {
  return new MidcltError(
    'REQUEST',
    `Request of ${size} characters for ${method.slice(0, 100)}${where}; the middleware takes ${limit}`,
  );
}

/** Code points of valid UTF-8: the bytes that are no continuation. */
export function characters(text: Buffer): number {
  let count = 0;
  // Not with an iterator: that takes five times as long.
  for (let at = 0; at < text.length; at++) if (((text[at] ?? 0) & 0xc0) !== 0x80) count++;
  return count;
}
