/** What a session says, as JSON-RPC. */
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
import type { Dialect } from './session.js';
import { dict, int, type PyDict } from '../python/values.js';

/** A message that is no request; the error has a code and nothing else. */
export class Malformed extends PyException {
  constructor(
    readonly code: -32700 | -32600,
    message: string,
  ) {
    super('Malformed', message, message);
  }
}

export const rpcDialect: Dialect = {
  result: (id, result) => dict({ jsonrpc: '2.0', result, id }),
  error: (id, error) => dict({ jsonrpc: '2.0', error: errorMember(error), id }),
  event: (params) => notification('collection_update', params),
  sourceEnd: (collection, error) => {
    const member = error === null ? null : sourceError(error);
    return notification('notify_unsubscribed', dict({ collection, error: member }));
  },
  /** An event's has a null id. */
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

/** An event source's end: an error without trace. */
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
