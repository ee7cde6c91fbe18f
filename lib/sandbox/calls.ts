/** What every way to call a method shares: who may call it, and how its job is started. */
import { NO_PIPES, type Pipes } from './files/pipe.js';
import type { Job } from './job.js';
import type { Call, JobMethod, Method } from './middleware.js';
import {
  ENOMETHOD,
  CallError,
  NoMethod,
  PyException,
  notAuthenticated,
  notAuthorized,
} from './python/exceptions.js';
import { bind } from './python/parameters.js';
import { repr, typeName, type PyValue } from './python/values.js';
import type { Session } from './session.js';

/** The error for a session that may not call a method; null if it may. */
export function accessError(session: Session, { access = 'login' }: Method): CallError | null {
  if (access === 'anyone') return null;
  if (session.credentials === null) return notAuthenticated();
  return access === 'admin' && !session.isAdmin ? notAuthorized() : null;
}

/** A method and its arguments as they were sent. */
export interface Invocation {
  readonly name: string;
  readonly params: readonly PyValue[];
}

/** The call with the method's arguments, where its own are missing ones filled in. Throws what is wrong with them. */
export function bound(call: Call, { params }: Method, { params: given }: Invocation): Call {
  return { ...call, args: params === null ? given : bind(params, given) };
}

/** Starts the job of a call, or lets the call join one that waits. Throws what the call is refused with. */
export function startJob(
  call: Call,
  method: JobMethod,
  { name, params }: Invocation,
  pipes: Pipes = NO_PIPES,
): Job {
  const { middleware, session, messageId } = call;
  const { job: options } = method;
  const body = method.body(call);
  if (options.checkPipes !== false) {
    if (options.downloadable === true && pipes.output === null) throw notOpen('output');
    if (options.uploadable === true && pipes.inputs === null) throw notOpen('input');
  }
  const spec = { method: name, body, options, args: params, owner: session, messageId, pipes };
  const job = middleware.jobs.start(spec);
  if (job.spec.args === params)
    // the call did not join another's job
    middleware.journal?.record(name, [...params], session.number);
  return job;
}

function notOpen(pipe: 'input' | 'output'): PyException {
  const message = `Pipe ${repr(pipe)} is not open`;
  return new PyException('ValueError', message, `ValueError(${repr(message)})`);
}

/**
 * Calls a method that may have a job with pipes, as another method of the server does. Throws what the call is
 * refused with, and for a method without a job, once it has run, what Python says of its result.
 * @param isInternal The server itself makes the call, which may call anything.
 */
export async function callWithPipes(
  call: Call,
  invocation: Invocation,
  pipes: Pipes,
  isInternal = false,
): Promise<Job> {
  const { middleware, session } = call;
  const { name } = invocation;
  const method = middleware.method(name);
  if (method === undefined) {
    const { message } = new NoMethod(name, (service) => middleware.hasService(service));
    const reason = message.replace(/^\[\w+\] /, '');
    throw new CallError(reason, ENOMETHOD, null, 'MethodNotFoundError');
  }
  const refusal = isInternal ? null : accessError(session, method);
  if (refusal !== null) throw refusal;
  const inner = bound(call, method, invocation);
  if (!('run' in method)) return startJob(inner, method, invocation, pipes);
  const result = await method.run(inner);
  const message = `'${typeName(result)}' object has no attribute 'id'`;
  throw new PyException('AttributeError', message, `AttributeError(${repr(message)})`);
}
