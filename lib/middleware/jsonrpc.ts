/** JSON-RPC 2.0 as the middleware speaks it: requests to text, messages to what they are. */
import { CLOSE_BRACE, CLOSE_BRACKET, OPEN_BRACE, OPEN_BRACKET, QUOTE } from '../ascii.js';
import { isNull, membersOf, quote, stringOf } from '../members.js';
import type { Json } from '../protocol.js';
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

/** As the middleware lays out an answer: what stands before a result, and behind it. */
const BEFORE = Buffer.from('{"jsonrpc": "2.0", "result": ');
const BEHIND = /, "id": "([^"\\]+)"\}$/;
/** Bytes from which on a result is looked for by that; to read through less takes no time. */
const LARGE = 16 * 1024;
/** What a large value begins with, and ends with. */
const ENDS = new Map([
  [QUOTE, QUOTE],
  [OPEN_BRACE, CLOSE_BRACE],
  [OPEN_BRACKET, CLOSE_BRACKET],
]);

/**
 * A large result by its place in the message: reading through it would hold up everybody. Within a
 * value, no text like {@link BEHIND} can end the message: a string has its quotes escaped, and an
 * object would need one more brace. Null where the layout is another.
 */
function decodeLarge(text: Buffer): Message | null {
  if (text.length < LARGE || !text.subarray(0, BEFORE.length).equals(BEFORE)) return null;
  const behind = BEHIND.exec(text.toString('latin1', text.length - 80));
  if (behind?.[1] === undefined) return null;
  const result = text.subarray(BEFORE.length, text.length - behind[0].length);
  const isWhole = result.at(-1) === ENDS.get(result[0] ?? 0);
  return isWhole ? { kind: 'result', id: behind[1], result } : null;
}

function decode(text: Buffer): Message {
  const large = decodeLarge(text);
  if (large) return large;
  const members = membersOf(text);
  if (!members) return { kind: 'unknown' };
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
