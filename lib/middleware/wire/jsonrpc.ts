/** JSON-RPC 2.0 as the middleware speaks it: requests to text, messages to what they are. */
import { isNull, quote, stringOf, type Members } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { callFailure } from './failure.js';
import { checkSize, type Message, type Wire } from './wire.js';

const EMPTY: Json = Buffer.from('{}');

export const jsonrpc: Wire = {
  greeting: null,
  namesRequests: true,
  encodeCall,
  encodeSubscribe: (id, event, isLoggedIn) =>
    encodeCall(id, 'core.subscribe', Buffer.from(`[${quote(event)}]`), isLoggedIn),
  decode,
};

function encodeCall(id: string, method: string, params: Json, isLoggedIn: boolean): Buffer {
  const head = `{"jsonrpc": "2.0", "method": ${quote(method)}, "params": `;
  const message = Buffer.concat([Buffer.from(head), params, Buffer.from(`, "id": ${quote(id)}}`)]);
  return checkSize(message, method, isLoggedIn);
}

function decode(members: Members): Message {
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
