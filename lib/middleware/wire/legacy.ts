/**
 * The wire of `/websocket`, before JSON-RPC (TrueNAS 24.10 and older; newer ones still speak it):
 * a dialect of Meteor's DDP. Its notifications are told in JSON-RPC's words.
 */
import { elementsOf, NULL, quote, stringOf, type Members } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { legacyFailure } from './failure.js';
import { checkSize, type Message, type Wire } from './wire.js';

const VERSION = '1';

export const legacy: Wire = {
  greeting: `{"msg": "connect", "version": "${VERSION}", "support": ["${VERSION}"], "features": []}`,
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
  decode,
};

function decode(members: Members, text: Buffer): Message {
  const id = stringOf(members.get('id'));
  switch (stringOf(members.get('msg'))) {
    case 'connected':
      return { kind: 'hello', refusal: null };
    case 'failed': {
      const version = stringOf(members.get('version')) ?? 'another';
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
      return { kind: 'result', id: subscription, result: RESULT_OF_SUBSCRIBE };
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

const RESULT_OF_SUBSCRIBE: Json = NULL;
