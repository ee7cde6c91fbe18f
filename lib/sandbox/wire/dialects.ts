/**
 * The two wires, JSON-RPC (`/api/current` and its versions) and the legacy one (`/websocket`, a dialect of DDP): which
 * messages are requests, what they mean, and how answers are written.
 */
import { accessError } from '../calls.js';
import { Events } from '../events.js';
import type { Middleware, Protocol } from '../middleware.js';
import {
  EACCES,
  EAGAIN,
  EFAULT,
  EINVAL,
  NoMethod,
  PyException,
  TooManyCalls,
  ValidationErrors,
  errname,
  isValidation,
  notSerializable,
  reasonOf,
  traceOf,
} from '../python/exceptions.js';
import {
  dict,
  dump,
  int,
  isTruthy,
  repr,
  typeName,
  type PyDict,
  type PyValue,
} from '../python/values.js';
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
  error: (id, error) => dict({ jsonrpc: '2.0', error: rpcError(error), id }),
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

function rpcError(error: PyException): PyDict {
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

/** An error of the wire itself: its text does not begin with the errno, and it has no trace. */
class Refusal extends PyException {
  constructor(
    override readonly errno: number,
    message: string,
  ) {
    super('Refusal', message, message);
  }
}

const legacyDialect: Dialect = {
  result: (id, result) => dict({ id, msg: 'result', result }),
  error: (id, error) => dict({ msg: 'result', id, error: legacyError(error, true) }),
  event: (params) => params,
  sourceEnd: (collection, error) => {
    const member = error === null ? {} : { error: legacyError(error, false) };
    return dict({ msg: 'nosub', collection, ...member });
  },
  /** Nothing is sent in place of an event. */
  unwritable: (id, reason) =>
    id === undefined ? null : legacyDialect.error(id, notSerializable(reason)),
};

function legacyError(error: PyException, isTraced: boolean): PyDict {
  const plain =
    error instanceof TooManyCalls ? new Refusal(error.errno, `${error.reason}.`) : error;
  const errno = plain instanceof ValidationErrors ? EAGAIN : (plain.errno ?? EINVAL);
  return dict({
    error: int(errno),
    errname: errname(errno),
    type: isValidation(plain) ? 'VALIDATION' : null,
    reason: reasonOf(plain),
    trace: isTraced && !(plain instanceof Refusal) ? traceOf(plain) : null,
    extra: plain.extra,
  });
}

/** An exception that the real server does not handle: it closes the connection with its text. */
class ServerFault extends Error {}

export const legacy: Protocol = {
  dialect: legacyDialect,
  opened: () => undefined, // a Unix connection becomes root's by its greeting
  receive: (middleware, session, text) => {
    const message = readMessage(middleware, session, text);
    if (message === null) return;
    if (!(message instanceof Map)) {
      session.close(1007, message.message);
      return;
    }
    try {
      receive(middleware, session, message);
    } catch (error) {
      if (!(error instanceof ServerFault)) throw error;
      session.close(1011, error.message);
    }
  },
};

/** Messages of other kinds, `ping` included, get no answer. */
function receive(middleware: Middleware, session: Session, message: PyDict): void {
  const kind = member(message, 'msg');
  if (kind === 'connect') connect(middleware, session, message);
  else if (!session.isGreeted) session.send(dict({ msg: 'failed', version: '1' }));
  else if (kind === 'method') call(middleware, session, message);
  else if (kind === 'sub') subscribe(middleware, session, message);
  else if (kind === 'unsub') middleware.events.unsubscribe(session, identOf(session, message));
}

function connect(middleware: Middleware, session: Session, message: PyDict): void {
  if (message.get('version') !== '1') {
    session.send(dict({ msg: 'failed', version: '1' }));
    return;
  }
  const features = message.get('features');
  if (Array.isArray(features) && features.includes('PY_EXCEPTIONS'))
    session.options.pyExceptions = true;
  middleware.greet(session);
  session.isGreeted = true;
  session.send(dict({ msg: 'connected', session: session.id }));
}

/** A call without an id is made and not answered. One that has to be refused needs an id, or the server fails. */
function call(middleware: Middleware, session: Session, message: PyDict): void {
  if (!message.has('method')) {
    const refusal = new Refusal(EINVAL, "Message is malformed: 'method' is absent.");
    session.refuse(member(message, 'id'), refusal);
    return;
  }
  const name = nameIn(message, 'method', 'rsplit');
  const method = middleware.method(name);
  if (method === undefined || accessError(session, method) !== null) member(message, 'id');
  const given = message.get('params') ?? null;
  const notAList = new Refusal(EINVAL, '`params` must be a list.');
  void serve(middleware, session, {
    id: message.get('id'),
    method: name,
    params: Array.isArray(given) ? given : isTruthy(given) ? notAList : [],
    messageId: null, // jobs of this wire show no requests
    waitsForJob: () => false,
  });
}

function subscribe(middleware: Middleware, session: Session, message: PyDict): void {
  const name = nameIn(message, 'name', 'split');
  const id = member(message, 'id');
  if (!Events.mayRead(session, name)) {
    session.refuse(id, new Refusal(EACCES, 'Not authorized'));
    return;
  }
  middleware.events.subscribe(session, name, identOf(session, message));
  session.send(dict({ msg: 'ready', subs: [id] }));
}

/** The id of a subscription. Clients choose theirs, and two may choose the same: the session's id makes it unique. */
function identOf(session: Session, message: PyDict): string {
  return session.id + dump(member(message, 'id'));
}

function member(message: PyDict, name: string): PyValue {
  const value = message.get(name);
  if (value === undefined) throw new ServerFault(repr(name));
  return value;
}

/** A member that the real server takes for a string: it calls this method of it. */
function nameIn(message: PyDict, key: string, method: string): string {
  const value = member(message, key);
  if (typeof value === 'string') return value;
  throw new ServerFault(`'${typeName(value)}' object has no attribute '${method}'`);
}
