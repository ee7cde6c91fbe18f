/** JSON-RPC 2.0 as the middleware speaks it: requests to text, messages to what they are. */
import { MidcltError } from '../errors.js';
import { isNull, membersOf, quote, stringOf } from '../members.js';
import type { Json } from '../protocol.js';

/** Characters (Python counts code points) the middleware takes in one message; it closes the connection above. */
const MAX_MESSAGE = 65_536;
const MAX_ANONYMOUS = 8192;
const MAX_UPLOAD = 2_097_152;
const UPLOADS = new Set(['filesystem.file_receive', 'failover.datastore.sql']);

export type Message =
  | { readonly kind: 'result'; readonly id: string; readonly result: Json }
  | { readonly kind: 'error'; readonly id: string | null; readonly error: Json }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Json }
  | { readonly kind: 'unknown' };

/** Throws a `REQUEST` error for a message the middleware would answer by closing the connection. */
export function encodeCall(id: string, method: string, params: Json, isLoggedIn: boolean): Buffer {
  const head = `{"jsonrpc": "2.0", "method": ${quote(method)}, "params": `;
  const message = Buffer.concat([Buffer.from(head), params, Buffer.from(`, "id": ${quote(id)}}`)]);
  const limit = !isLoggedIn ? MAX_ANONYMOUS : UPLOADS.has(method) ? MAX_UPLOAD : MAX_MESSAGE;
  if (message.length > limit && characters(message) > limit) {
    throw new MidcltError(
      'REQUEST',
      `Request of ${characters(message)} characters for ${method.slice(0, 100)}; the middleware takes ${limit}`,
    );
  }
  return message;
}

export function decodeMessage(text: Buffer): Message {
  const members = membersOf(text);
  if (!members) return { kind: 'unknown' };
  const method = stringOf(members.get('method'));
  if (method !== null) {
    return { kind: 'notification', method, params: members.get('params') ?? EMPTY };
  }
  const id = members.get('id');
  const key = stringOf(id);
  const error = members.get('error');
  if (error && (key !== null || isNull(id))) return { kind: 'error', id: key, error };
  const result = members.get('result');
  return result && key !== null ? { kind: 'result', id: key, result } : { kind: 'unknown' };
}

const EMPTY: Json = Buffer.from('{}');

/** Code points of valid UTF-8: the bytes that are no continuation. */
function characters(text: Buffer): number {
  let count = 0;
  for (const byte of text) if ((byte & 0xc0) !== 0x80) count++;
  return count;
}
