/** The legacy wire, `/websocket`: a dialect of DDP. */
import { objection, serve } from './dispatch.js';
import { Events } from '../methods/events.js';
import { EACCES, EINVAL } from '../python/exceptions.js';
import { takeIn } from './intake.js';
import { Refusal, legacyDialect } from './legacy-dialect.js';
import type { Middleware, Protocol } from '../middleware.js';
import { dump, repr } from '../python/dump.js';
import type { Session } from './session.js';
import { dict, isTruthy, typeName, type PyDict, type PyValue } from '../python/values.js';

/** What the real server stumbles over; it closes the connection with the exception's text. */
class Stumble extends Error {}

export const legacy: Protocol = {
  dialect: legacyDialect,
  opened: () => undefined, // who it is comes with its greeting
  receive: (middleware, session, text) => {
    const message = takeIn(middleware, session, text);
    if (message === null) return;
    if (!(message instanceof Map)) {
      session.close(1007, message.message);
      return;
    }
    try {
      understand(middleware, session, message);
    } catch (error) {
      if (!(error instanceof Stumble)) throw error;
      session.close(1011, error.message);
    }
  },
};

/** What is not known here, `ping` included, gets no answer. */
function understand(middleware: Middleware, session: Session, message: PyDict): void {
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

/** Without an id a call is made and not answered, but one that is refused has to be. */
function call(middleware: Middleware, session: Session, message: PyDict): void {
  if (!message.has('method')) {
    const refusal = new Refusal(EINVAL, "Message is malformed: 'method' is absent.");
    session.refuse(member(message, 'id'), refusal);
    return;
  }
  const name = nameIn(message, 'method', 'rsplit');
  const method = middleware.method(name);
  if (method === undefined || objection(session, method) !== null) member(message, 'id');
  const given = message.get('params') ?? null;
  const notAList = new Refusal(EINVAL, '`params` must be a list.');
  void serve(middleware, session, {
    id: message.get('id'),
    method: name,
    params: Array.isArray(given) ? given : isTruthy(given) ? notAList : [],
    messageId: null, // its jobs name no requests
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

/** Clients choose the ids of their subscriptions: each connection has its own. */
function identOf(session: Session, message: PyDict): string {
  return session.id + dump(member(message, 'id'));
}

function member(message: PyDict, name: string): PyValue {
  const value = message.get(name);
  if (value === undefined) throw new Stumble(repr(name));
  return value;
}

/** A string the real server would call a method of. */
function nameIn(message: PyDict, key: string, method: string): string {
  const value = member(message, key);
  if (typeof value === 'string') return value;
  throw new Stumble(`'${typeName(value)}' object has no attribute '${method}'`);
}
