/** The legacy wire, `/websocket`, a dialect of DDP: what its messages mean, and how answers are written. */
import { Events } from '../events.js';
import type { Middleware, Protocol } from '../middleware.js';
import {
  EACCES,
  EAGAIN,
  EINVAL,
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
import { accessError, readMessage, serve } from './dispatch.js';

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
  error: (id, error) => dict({ msg: 'result', id, error: errorMember(error, true) }),
  event: (params) => params,
  sourceEnd: (collection, error) => {
    const member = error === null ? {} : { error: errorMember(error, false) };
    return dict({ msg: 'nosub', collection, ...member });
  },
  /** Nothing is sent in place of an event. */
  unwritable: (id, reason) =>
    id === undefined ? null : legacyDialect.error(id, notSerializable(reason)),
};

function errorMember(error: PyException, isTraced: boolean): PyDict {
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
