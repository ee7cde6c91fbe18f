/** The middleware's two wires: how a call is said, and what a message means. */
import { NULL, elementsOf, isNull, quote, stringOf, type Members } from '../../json/members.js';
import { checkLength, messageLimit, type Json } from '../../protocol/frames.js';
import { onOneLine } from '../../text/terminal.js';
import { callFailure, legacyFailure, type CallFailure } from './failure.js';

export interface Wire {
  /** Sent once the WebSocket is open, and answered with a `hello`; null where there is none. */
  readonly greeting: string | null;
  /** Do the jobs name the requests that started them, in `message_ids`? */
  readonly namesRequests: boolean;
  /** Both throw a `REQUEST` error for a message the middleware would answer by closing the connection. */
  encodeCall(id: string, method: string, params: Json, isLoggedIn: boolean): Buffer;
  encodeSubscribe(id: string, event: string, isLoggedIn: boolean): Buffer;
  /** What ends a subscription, by what the server answered to it; null where that is a call, `core.unsubscribe`. */
  encodeUnsubscribe(subscription: Json): Buffer | null;
  /** What a message means; `members` are those of its text, which is valid JSON. */
  decode(members: Members, text: Buffer): Message;
}

type Message =
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
function checkSize(message: Buffer, method: string, isLoggedIn: boolean): Buffer {
  const limit = isLoggedIn ? messageLimit(method) : MAX_ANONYMOUS;
  checkLength(message, method, limit, isLoggedIn ? '' : ' on a session that is not logged in');
  return message;
}

const EMPTY: Json = Buffer.from('{}');

/** JSON-RPC 2.0 as the middleware speaks it. */
export const jsonrpc: Wire = {
  greeting: null,
  namesRequests: true,
  encodeCall: encodeJsonrpcCall,
  encodeSubscribe: (id, event, isLoggedIn) =>
    encodeJsonrpcCall(id, 'core.subscribe', Buffer.from(`[${quote(event)}]`), isLoggedIn),
  encodeUnsubscribe: () => null,
  decode: decodeJsonrpc,
};

function encodeJsonrpcCall(id: string, method: string, params: Json, isLoggedIn: boolean): Buffer {
  const head = `{"jsonrpc": "2.0", "method": ${quote(method)}, "params": `;
  const message = Buffer.concat([Buffer.from(head), params, Buffer.from(`, "id": ${quote(id)}}`)]);
  return checkSize(message, method, isLoggedIn);
}

function decodeJsonrpc(members: Members): Message {
  const method = stringOf(members.get('method'));
  if (method !== null) {
    return { kind: 'notification', method, params: members.get('params') ?? EMPTY };
  }
  const id = members.get('id');
  const key = stringOf(id);
  const error = members.get('error');
  if (error && (key !== null || isNull(id))) {
    return { kind: 'error', id: key, failure: callFailure(error) };
  }
  const result = members.get('result');
  return result && key !== null ? { kind: 'result', id: key, result } : { kind: 'unknown' };
}

const LEGACY_VERSION = '1';

/**
 * The wire of `/websocket`, before JSON-RPC (TrueNAS 24.10 and older; newer ones still speak it): a dialect of Meteor's
 * DDP. Its notifications are told in JSON-RPC's words.
 */
export const legacy: Wire = {
  greeting: `{"msg": "connect", "version": "${LEGACY_VERSION}", "support": ["${LEGACY_VERSION}"], "features": []}`,
  namesRequests: false,
  encodeCall(id, method, params, isLoggedIn) {
    const head = `{"msg": "method", "method": ${quote(method)}, "params": `;
    const tail = `, "id": ${quote(id)}}`;
    const message = Buffer.concat([Buffer.from(head), params, Buffer.from(tail)]);
    return checkSize(message, method, isLoggedIn);
  },
  encodeSubscribe(id, event, isLoggedIn) {
    const text = `{"msg": "sub", "id": ${quote(id)}, "name": ${quote(event)}}`;
    return checkSize(Buffer.from(text), 'core.subscribe', isLoggedIn);
  },
  encodeUnsubscribe: (subscription) =>
    Buffer.concat([Buffer.from('{"msg": "unsub", "id": '), subscription, Buffer.from('}')]),
  decode: decodeLegacy,
};

function decodeLegacy(members: Members, text: Buffer): Message {
  const id = stringOf(members.get('id'));
  switch (stringOf(members.get('msg'))) {
    case 'connected':
      return { kind: 'hello', refusal: null };
    case 'failed': {
      const version = onOneLine(stringOf(members.get('version'))?.slice(0, 100) ?? 'another');
      return { kind: 'hello', refusal: `it wants version ${version} of the legacy wire` };
    }
    case 'result': {
      if (id === null) return { kind: 'unknown' };
      const error = members.get('error');
      if (error) return { kind: 'error', id, failure: legacyFailure(error) };
      return { kind: 'result', id, result: members.get('result') ?? NULL };
    }
    case 'ready': {
      // Subscriptions are asked for one at a time.
      const subscription = stringOf(elementsOf(members.get('subs'))?.[0]);
      if (subscription === null) return { kind: 'unknown' };
      return { kind: 'result', id: subscription, result: NULL };
    }
    case 'added':
    case 'changed':
    case 'removed':
      return { kind: 'notification', method: 'collection_update', params: text };
    case 'nosub':
      return { kind: 'notification', method: 'notify_unsubscribed', params: text };
    default:
      return { kind: 'unknown' };
  }
}
