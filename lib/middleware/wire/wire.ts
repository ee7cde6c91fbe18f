/** What the middleware's two wires have in common: how a call is said, and what a message means. */
import type { Members } from '../../json/members.js';
import { checkLength, messageLimit } from '../../protocol/message-size.js';
import type { Json } from '../../protocol/frames.js';
import type { CallFailure } from './failure.js';

export interface Wire {
  /** Sent once the WebSocket is open, and answered with a `hello`; null where there is none. */
  readonly greeting: string | null;
  /** Do the jobs name the requests that started them, in `message_ids`? */
  readonly namesRequests: boolean;
  /** Both throw a `REQUEST` error for a message the middleware would answer by closing the connection. */
  encodeCall(id: string, method: string, params: Json, isLoggedIn: boolean): Buffer;
  encodeSubscribe(id: string, event: string, isLoggedIn: boolean): Buffer;
  /** What a message means; `members` are those of its text, which is valid JSON. */
  decode(members: Members, text: Buffer): Message;
}

export type Message =
  | { readonly kind: 'hello'; readonly refusal: string | null }
  | { readonly kind: 'result'; readonly id: string; readonly result: Json }
  | { readonly kind: 'error'; readonly id: string | null; readonly failure: CallFailure }
  /** `method` and `params` as JSON-RPC has them: `collection_update`, `notify_unsubscribed`. */
  | { readonly kind: 'notification'; readonly method: string; readonly params: Json }
  | { readonly kind: 'unknown' };

/** The name of a notification that is made here: the server could not put some message into JSON. */
export const UNTOLD = 'untold';

/** The characters that one message may have from who is not logged in. */
export const MAX_ANONYMOUS = 8192;

/** Throws a `REQUEST` error for a message that is longer than the middleware takes. */
export function checkSize(message: Buffer, method: string, isLoggedIn: boolean): Buffer {
  const limit = isLoggedIn ? messageLimit(method) : MAX_ANONYMOUS;
  checkLength(message, method, limit, isLoggedIn ? '' : ' on a session that is not logged in');
  return message;
}
