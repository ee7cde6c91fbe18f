import { setTimeout as delay } from 'node:timers/promises';
import {
  CallError,
  EBUSY,
  asPyException,
  notAuthenticated,
  notAuthorized,
  rpcError,
  type PyException,
} from './exceptions.js';
import type { Job } from './job.js';
import type { Call, JobMethod, Method } from './methods.js';
import type { Middleware } from './middleware.js';
import { bind } from './parameters.js';
import { PyJsonError, PyJsonNesting, parse } from './pyjson.js';
import type { Session } from './session.js';
import type { RecordedCall } from './stats.js';
import { dict, int, type PyDict, type PyValue } from './values.js';

/** The longest message in characters: before a login, after it, and for two methods that carry files. */
const MAX_ANONYMOUS = 8192;
const MAX_MESSAGE = 65536;
const MAX_LARGE_MESSAGE = 2097152;
const LARGE_METHODS: readonly PyValue[] = ['filesystem.file_receive', 'failover.datastore.sql'];

/** A valid request. `id` undefined makes it a notification. */
interface Request {
  readonly id: PyValue | undefined;
  readonly method: string;
  readonly params: PyValue[];
}

/** Takes one text message of a session; whatever it leads to is answered on that session. */
export function receive(middleware: Middleware, session: Session, text: string): void {
  middleware.recorder.message(text);
  const length = characters(text);
  if (session.credentials === null && length > MAX_ANONYMOUS) {
    session.close(1007, 'Anonymous connection max message length is 8 kB');
    return;
  }
  if (length > MAX_LARGE_MESSAGE) {
    session.close(1009, 'Max message length is 64 kB');
    return;
  }
  let message: PyValue;
  try {
    message = parse(text);
  } catch (error) {
    if (error instanceof PyJsonNesting) session.terminate();
    else if (length > MAX_MESSAGE) session.close(1009, 'Max message length is 64 kB');
    else if (error instanceof PyJsonError)
      session.answer(null, 'error', plainError(-32700, error.message));
    else throw error;
    return;
  }
  if (length > MAX_MESSAGE && !isLarge(message)) {
    session.close(1009, 'Max message length is 64 kB');
    return;
  }
  const request = validate(session, message);
  if (request !== null) void serve(middleware, session, request);
}

/** Python counts code points. */
function characters(text: string): number {
  const pairs = text.length > MAX_ANONYMOUS ? (text.match(/[\ud800-\udbff]/g)?.length ?? 0) : 0;
  return text.length - pairs;
}

function isLarge(message: PyValue): boolean {
  return message instanceof Map && LARGE_METHODS.includes(message.get('method') ?? null);
}

/** The request in a message; what is wrong with it is answered here, and nothing is said without an id. */
function validate(session: Session, message: PyValue): Request | null {
  if (!(message instanceof Map)) {
    const reason = Array.isArray(message)
      ? 'Batch messages are not supported at this time'
      : 'Invalid Message Format';
    session.answer(null, 'error', plainError(-32700, reason));
    return null;
  }
  const id = message.get('id');
  const complaint = envelopeComplaint(message);
  if (complaint === null) {
    const params = message.get('params') ?? [];
    const method = message.get('method');
    if (typeof method === 'string' && Array.isArray(params)) return { id, method, params };
  }
  session.answer(id, 'error', plainError(-32600, complaint ?? 'Invalid request'));
  return null;
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

async function serve(middleware: Middleware, session: Session, request: Request): Promise<void> {
  const { id, method: name } = request;
  const recorded = middleware.recorder.call(name);
  try {
    if (session.expired) middleware.logout(session);
    const method = middleware.method(name);
    if (method === undefined) {
      session.answer(id, 'error', plainError(-32601, 'Method does not exist'));
      return;
    }
    const slot = session.slots.acquire();
    if (slot === null) {
      const reason = 'Maximum number of concurrent calls (20) has exceeded';
      session.answer(id, 'error', plainError(-32000, reason));
      return;
    }
    await slot;
    const ran = middleware.recorder.run(name);
    try {
      if (!session.closed)
        session.answer(id, 'result', await run(middleware, session, request, method, recorded));
    } catch (error) {
      session.answer(id, 'error', rpcError(asPyException(error)));
    } finally {
      ran();
      session.slots.release();
    }
  } finally {
    recorded.answered();
  }
}

async function run(
  middleware: Middleware,
  session: Session,
  request: Request,
  method: Method,
  recorded: RecordedCall,
): Promise<PyValue> {
  await authorize(middleware, session, request.method, method);
  const args = method.params === null ? request.params : bind(method.params, request.params);
  const call: Call = { middleware, session, args, signal: session.signal };
  if ('run' in method) return method.run(call);
  const job = startJob(call, request, method);
  recorded.lasts(job.finished);
  if (session.options.legacyJobs) return int(job.id);
  await job.finished; // the slot stays taken, as on the real server
  return outcome(job);
}

async function authorize(
  middleware: Middleware,
  session: Session,
  name: string,
  { access = 'login' }: Method,
): Promise<void> {
  if (session.credentials !== null) {
    if (access === 'admin' && !session.isAdmin) throw notAuthorized();
    return;
  }
  if (access !== 'anyone') throw notAuthenticated();
  if (session.origin.address === null || name === 'core.set_options') return;
  const wait = middleware.limiter.take(name, session.origin.address);
  if (wait === null) return;
  await delay(wait, undefined, { signal: session.signal });
  throw new CallError('Rate Limit Exceeded', EBUSY);
}

function startJob(call: Call, request: Request, method: JobMethod): Job {
  method.check?.(call);
  return call.middleware.jobs.start({
    method: request.method,
    body: method.body,
    options: method.job,
    args: request.params,
    call,
    messageId: request.id,
  });
}

/** A failure whose text is empty is taken for none, by the real server too. */
function outcome({ failure, result }: Job): PyValue {
  const error: PyException | null = failure?.message === '' ? null : failure;
  if (error !== null) throw error;
  return result;
}

function plainError(code: number, message: string): PyDict {
  return dict({ code: int(code), message });
}
