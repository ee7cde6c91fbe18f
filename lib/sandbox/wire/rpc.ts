/** The JSON-RPC wire, `/api/current` and its versions: which messages are requests, and how answers are written. */
import type { Protocol } from '../middleware.js';
import {
  EFAULT,
  EINVAL,
  NoMethod,
  PyException,
  TooManyCalls,
  errname,
  isValidation,
  notSerializable,
  reasonOf,
  traceOf,
} from '../python/exceptions.js';
import { dict, int, type PyDict } from '../python/values.js';
import type { Dialect, Session } from '../session.js';
import { readMessage, serve, type Request } from './dispatch.js';

/** The error of a message that is no request. It has a code and a message only. */
class Malformed extends PyException {
  constructor(
    readonly code: -32700 | -32600,
    message: string,
  ) {
    super('Malformed', message, message);
  }
}

const rpcDialect: Dialect = {
  result: (id, result) => dict({ jsonrpc: '2.0', result, id }),
  error: (id, error) => dict({ jsonrpc: '2.0', error: errorMember(error), id }),
  event: (params) => notification('collection_update', params),
  sourceEnd: (collection, error) => {
    const member = error === null ? null : sourceError(error);
    return notification('notify_unsubscribed', dict({ collection, error: member }));
  },
  /** An error with a null id stands for an event. */
  unwritable: (id, reason) => {
    const message = 'Failed to JSON serialize server message';
    const error = errorObject(-32603, message, notSerializable(reason), EFAULT);
    return dict({ jsonrpc: '2.0', error, id: id ?? null });
  },
};

function notification(method: string, params: PyDict): PyDict {
  return dict({ jsonrpc: '2.0', method, params });
}

function errorMember(error: PyException): PyDict {
  if (error instanceof Malformed) return plainError(error.code, error.message);
  if (error instanceof NoMethod) return plainError(-32601, 'Method does not exist');
  if (error instanceof TooManyCalls) return plainError(-32000, error.reason);
  if (isValidation(error)) return errorObject(-32602, 'Invalid params', error, EINVAL);
  return errorObject(-32001, 'Method call error', error, error.errno ?? EINVAL);
}

function plainError(code: number, message: string): PyDict {
  return dict({ code: int(code), message });
}

function errorObject(code: number, message: string, error: PyException, errno: number): PyDict {
  const data = errorData(errno, error, traceOf(error));
  return dict({ code: int(code), message, data });
}

/** The error that ended an event source. It has no trace. */
function sourceError(error: PyException): PyDict {
  return errorData(isValidation(error) ? EINVAL : (error.errno ?? EINVAL), error, null);
}

function errorData(errno: number, error: PyException, trace: PyDict | null): PyDict {
  return dict({
    error: int(errno),
    errname: errname(errno),
    reason: reasonOf(error),
    trace,
    extra: error.extra,
  });
}

export const rpc: Protocol = {
  dialect: rpcDialect,
  opened: (middleware, session) => {
    middleware.greet(session);
  },
  receive: (middleware, session, text) => {
    const message = readMessage(middleware, session, text);
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

/** The request in a message, or what is wrong with it. */
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
