/** The JSON-RPC wire: `/api/current` and its versions. */
import { serve, type Request } from './dispatch.js';
import { takeIn } from './intake.js';
import { Malformed, rpcDialect } from './rpc-dialect.js';
import type { Protocol } from '../middleware.js';
import type { Session } from './session.js';
import type { PyDict } from '../python/values.js';

export const rpc: Protocol = {
  dialect: rpcDialect,
  opened: (middleware, session) => {
    middleware.greet(session);
  },
  receive: (middleware, session, text) => {
    const message = takeIn(middleware, session, text);
    if (message === null) return;
    if (!(message instanceof Map)) {
      session.refuse(null, new Malformed(-32700, message.message));
      return;
    }
    const request = requestIn(session, message);
    if (request instanceof Malformed) session.refuse(message.get('id'), request);
    else void serve(middleware, session, request);
  },
};

/** The request in a message, or what is wrong with it; nothing is said without an id. */
function requestIn({ options }: Session, message: PyDict): Request | Malformed {
  const complaint = envelopeComplaint(message);
  const params = message.get('params') ?? [];
  const method = message.get('method');
  if (complaint !== null || typeof method !== 'string' || !Array.isArray(params))
    return new Malformed(-32600, complaint ?? 'Invalid request');
  const id = message.get('id');
  return { id, method, params, messageId: id, waitsForJob: () => !options.legacyJobs };
}

function envelopeComplaint(message: PyDict): string | null {
  if (!message.has('jsonrpc')) return "Missing 'jsonrpc' member";
  if (message.get('jsonrpc') !== '2.0')
    return "'jsonrpc' member must be of type string and must be exactly '2.0'";
  const id = message.get('id') ?? null;
  // A bool is an int to Python.
  if (id !== null && !['string', 'bigint', 'boolean'].includes(typeof id))
    return "'id' member must be of type null, string or number";
  if (!message.has('method')) return "Missing 'method' member";
  const method = message.get('method');
  if (typeof method !== 'string' || method === '') return "'method' member must be of type string";
  if (message.has('params') && !Array.isArray(message.get('params')))
    return "'params' member must be of type array";
  return null;
}
