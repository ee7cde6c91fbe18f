/** What becomes of a valid call, on either wire. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  CallError,
  EBUSY,
  NoMethod,
  TooManyCalls,
  asPyException,
  notAuthenticated,
  notAuthorized,
  type PyException,
} from '../python/exceptions.js';
import { Job } from '../methods/job.js';
import type { Call, JobMethod, Method } from '../methods/table.js';
import type { Middleware } from '../middleware.js';
import { bind } from '../python/parameters.js';
import type { Session } from './session.js';
import type { RecordedCall } from '../stats.js';
import { int, type PyValue } from '../python/values.js';

export interface Request {
  /** Undefined: nobody is told what becomes of it. */
  readonly id: PyValue | undefined;
  readonly method: string;
  /** An exception is what is wrong with them, which only those are told who may call the method. */
  readonly params: PyValue[] | PyException;
  /** The id that the events of a job name; undefined breaks them, as on the real server. */
  readonly messageId: PyValue | undefined;
  /** Whether a job is answered with its result, not with its id; asked when it has started. */
  readonly waitsForJob: () => boolean;
}

/** Does what is asked for, and answers. */
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
    let accepted: Job | null = null;
    try {
      if (!session.closed) {
        const outcome = await run(middleware, session, request, method, recorded);
        if (outcome instanceof Job) accepted = outcome;
        else session.answer(id, outcome);
      }
    } catch (error) {
      session.refuse(id, asPyException(error));
    } finally {
      ran();
      session.slots.release();
    }
    if (accepted === null) return;
    await accepted.admitted;
    session.answer(id, int(accepted.id));
  } finally {
    recorded.answered();
  }
}

/** Why a session may not call a method, if it may not. */
export function objection(session: Session, { access = 'login' }: Method): CallError | null {
  if (access === 'anyone') return null;
  if (session.credentials === null) return notAuthenticated();
  return access === 'admin' && !session.isAdmin ? notAuthorized() : null;
}

/** A job is answered with its id, when it has one: it holds no slot until then. */
async function run(
  middleware: Middleware,
  session: Session,
  request: Request,
  method: Method,
  recorded: RecordedCall,
): Promise<PyValue | Job> {
  await authorize(middleware, session, request.method, method);
  const { params } = request;
  if (!Array.isArray(params)) throw params;
  const args = method.params === null ? params : bind(method.params, params);
  const record = (): void => {
    middleware.journal?.record(request.method, params, session.number);
  };
  const call: Call = { middleware, session, args, signal: session.signal };
  if ('run' in method) {
    record();
    return method.run(call);
  }
  const job = startJob(call, request, params, method);
  if (job.spec.args === params) record(); // not merged into another, which is run instead
  recorded.lasts(job.finished);
  if (!request.waitsForJob()) return job;
  await job.finished; // the slot stays taken, as on the real server
  return outcome(job);
}

async function authorize(
  middleware: Middleware,
  session: Session,
  name: string,
  method: Method,
): Promise<void> {
  const refused = objection(session, method);
  if (refused !== null) throw refused;
  const { address } = session.origin;
  if (session.credentials !== null || address === null || name === 'core.set_options') return;
  const wait = middleware.limiter.take(name, address);
  if (wait === null) return;
  await delay(wait, undefined, { signal: session.signal });
  throw new CallError('Rate Limit Exceeded', EBUSY);
}

function startJob(
  call: Call,
  { method: name, messageId }: Request,
  args: readonly PyValue[],
  method: JobMethod,
): Job {
  method.check?.(call);
  const { body, job: options } = method;
  return call.middleware.jobs.start({ method: name, body, options, args, call, messageId });
}

/** A failure whose text is empty is taken for none, by the real server too. */
function outcome({ failure, result }: Job): PyValue {
  const error: PyException | null = failure?.message === '' ? null : failure;
  if (error !== null) throw error;
  return result;
}
