/** What both wires do with a message: they read it, and call the method it names. */
import { setTimeout as delay } from 'node:timers/promises';
import { accessError, bound, startJob } from '../calls.js';
import { Job } from '../job.js';
import type { Method, Middleware } from '../middleware.js';
import {
  CallError,
  EBUSY,
  NoMethod,
  TooManyCalls,
  asPyException,
  type PyException,
} from '../python/exceptions.js';
import { PyJsonError, PyJsonNesting, parse } from '../python/json.js';
import { int, type PyDict, type PyValue } from '../python/values.js';
import type { RecordedCall } from '../recorder.js';
import type { Session } from '../session.js';

/** The longest message in characters: before a login, after it, and for two methods that carry files. */
const MAX_ANONYMOUS = 8192;
const MAX_MESSAGE = 65536;
const MAX_LARGE_MESSAGE = 2097152;
const LARGE_METHODS: readonly PyValue[] = ['filesystem.file_receive', 'failover.datastore.sql'];

/** The object in a message, or what is wrong with its JSON. Null when the message ended the connection. */
export function readMessage(
  middleware: Middleware,
  session: Session,
  text: string,
): PyDict | PyJsonError | null {
  middleware.recorder.message(text);
  const length = characters(text);
  if (session.credentials === null && length > MAX_ANONYMOUS) {
    session.close(1007, 'Anonymous connection max message length is 8 kB');
    return null;
  }
  if (length > MAX_LARGE_MESSAGE) return tooLong(session);
  let message: PyValue;
  try {
    message = parse(text);
  } catch (error) {
    if (error instanceof PyJsonNesting) {
      session.terminate();
      return null;
    }
    if (!(error instanceof PyJsonError)) throw error;
    return length > MAX_MESSAGE ? tooLong(session) : error;
  }
  if (length > MAX_MESSAGE && !isLarge(message)) return tooLong(session);
  const now = performance.now();
  if (session.expired || now - session.lastMessage > session.idleLimitMs)
    middleware.logout(session);
  session.lastMessage = now;
  if (message instanceof Map) return message;
  const isBatch = Array.isArray(message);
  return new PyJsonError(
    isBatch ? 'Batch messages are not supported at this time' : 'Invalid Message Format',
  );
}

function tooLong(session: Session): null {
  session.close(1009, 'Max message length is 64 kB');
  return null;
}

/** Python counts code points, JavaScript UTF-16 units. */
function characters(text: string): number {
  const pairs = text.length > MAX_ANONYMOUS ? (text.match(/[\ud800-\udbff]/g)?.length ?? 0) : 0;
  return text.length - pairs;
}

function isLarge(message: PyValue): boolean {
  return message instanceof Map && LARGE_METHODS.includes(message.get('method') ?? null);
}

export interface Request {
  /** Undefined for a notification, which gets no answer. */
  readonly id: PyValue | undefined;
  readonly method: string;
  /** An exception says what is wrong with them. Only a session that may call the method gets it. */
  readonly params: PyValue[] | PyException;
  /** The id that a job's events show. Without one the events have no JSON form, as on the real server. */
  readonly messageId: PyValue | undefined;
  /** Whether the answer is a job's result, not its id. Asked when the job has started. */
  readonly waitsForJob: () => boolean;
}

/** Calls the method and answers. */
export async function serve(
  middleware: Middleware,
  session: Session,
  request: Request,
): Promise<void> {
  const { id, method: name } = request;
  const recorded = middleware.recorder.call(name);
  try {
    const method = middleware.method(name);
    if (method === undefined) {
      const isService = (service: string): boolean => middleware.hasService(service);
      session.refuse(id, new NoMethod(name, isService));
      return;
    }
    const slot = session.slots.acquire();
    if (slot === null) {
      session.refuse(id, new TooManyCalls());
      return;
    }
    await slot;
    const ran = middleware.recorder.run(name);
    let started: Job | null = null;
    try {
      if (!session.closed) {
        const outcome = await run(middleware, session, request, method, recorded);
        if (outcome instanceof Job) started = outcome;
        else session.answer(id, outcome);
      }
    } catch (error) {
      session.refuse(id, asPyException(error));
    } finally {
      ran();
      session.slots.release();
    }
    if (started === null) return;
    await started.admitted;
    session.answer(id, int(started.id));
  } finally {
    recorded.answered();
  }
}

/** The call's result, or the job it started, whose id is the answer. Such a job's call gives its slot back at once. */
async function run(
  middleware: Middleware,
  session: Session,
  request: Request,
  method: Method,
  recorded: RecordedCall,
): Promise<PyValue | Job> {
  const { method: name, params, messageId } = request;
  const { latencyMs } = middleware;
  if (latencyMs > 0) await delay(latencyMs, undefined, { signal: session.signal });
  await authorize(middleware, session, name, method);
  if (!Array.isArray(params)) throw params;
  const invocation = { name, params };
  const unbound = { middleware, session, args: params, signal: session.signal, messageId };
  const call = bound(unbound, method, invocation);
  if ('run' in method) {
    middleware.journal?.record(name, params, session.number);
    return method.run(call);
  }
  const job = startJob(call, method, invocation);
  recorded.lasts(job.finished);
  if (!request.waitsForJob()) return job;
  await job.finished; // the slot stays taken, as on the real server
  return resultOf(job);
}

async function authorize(
  middleware: Middleware,
  session: Session,
  name: string,
  method: Method,
): Promise<void> {
  const error = accessError(session, method);
  if (error !== null) throw error;
  const { address } = session.origin;
  if (session.credentials !== null || address === null || name === 'core.set_options') return;
  const wait = middleware.limiter.take(name, address);
  if (wait === null) return;
  await delay(wait, undefined, { signal: session.signal });
  throw new CallError('Rate Limit Exceeded', EBUSY);
}

/** Throws the job's failure. The real server, too, takes a failure with an empty text for none. */
function resultOf({ failure, result }: Job): PyValue {
  if (failure !== null && failure.message !== '') throw failure;
  return result;
}
