/** `call`: a method of the middleware, or the job that it starts. */
import { MidcltError } from '../errors.js';
import { OPEN_BRACKET } from '../json/ascii.js';
import { readingArgument } from '../json/check.js';
import {
  elementsOf,
  EMPTY_LIST,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../json/members.js';
import {
  MAX_MESSAGE,
  checkLength,
  messageLimit,
  tooLong,
  type FinalFrame,
  type Json,
  type Request,
  type Timeout,
} from '../protocol/frames.js';
import { flagOf, malformed, timeoutOf, wordOf } from '../protocol/request-members.js';
import type { Steps } from '../steps.js';
import type { Context } from '../stream/verb.js';
import { checkVerification, patienceOf, result, type CommandOptions, type Entry } from './entry.js';
import { steadyNow } from '../timer.js';

export interface CallMembers {
  readonly method: string | null;
  /** The text of a JSON array. Made of `args`, where there are any. */
  readonly params: Json;
  readonly kwargs: {
    readonly timeout: Timeout;
    readonly job: boolean;
    /** Of a job: answer with its id when the server has accepted it. */
    readonly detach?: boolean;
  };
}

/** More arguments are too long a message, whatever they are: each takes a character, a comma and a blank. */
const MAX_ARGS = Math.floor(MAX_MESSAGE / 3);
/** The longest spelling of a character in a string, `\uXXXX`. */
const LONGEST_SPELLING = 6;

/** What is asked of a job must not wait until it has ended, as it would where one lock is around everything. */
const ABOUT_JOBS = new Set(['core.get_jobs', 'core.job_abort']);

export const CALL: Entry<CallMembers> = {
  format: {
    names: ['method', 'params', 'kwargs', 'args'],
    checkSize,
    *read(members) {
      const method = methodOf(members.get('method'));
      const params = members.has('args')
        ? yield* readingArgs(members.get('args'), method ?? '')
        : paramsOf(members.get('params'));
      return { method, params, kwargs: kwargsOf(members.get('kwargs')) };
    },
  },
  serve: (options) => ({
    check: (request) => {
      checkVerification(request, options);
    },
    slotClass: ({ method, kwargs }) => {
      if (options.concurrency === 1 && ABOUT_JOBS.has(method ?? '')) return 'look-up';
      return kwargs.job || options.plainMethods.mayStartJob(method ?? '') ? 'job' : 'call';
    },
    onShortOfJobs: ({ method }) => {
      options.plainMethods.lookUp(method ?? '');
    },
    patience: ({ kwargs }) => patienceOf(kwargs.timeout, options.callTimeout),
    run: (request, context) => call(request, context, options),
  }),
};

async function call(
  { method, params, kwargs }: Request & CallMembers,
  { lease, timeout, deadline, cancellation, progress, client }: Context,
  { connection, jobs, plainMethods, log, metrics, concurrency, daemon }: CommandOptions,
): Promise<FinalFrame> {
  if (method === null || method === '') {
    throw new MidcltError('REQUEST', "'method' is missing", { errorType: 'KeyError' });
  }
  const endCall = kwargs.job ? null : plainMethods.calling(method, lease.isNoJob);
  // One lock around everything holds until the job ends, whoever still listens; so does the daemon.
  const isHeld = kwargs.job && concurrency === 1 && !kwargs.detach;
  const release = isHeld ? daemon?.hold() : undefined;
  const started = steadyNow();
  const report = (outcome: string) => {
    const duration = steadyNow() - started;
    metrics.count(duration, outcome === 'result');
    const ms = Math.round(duration);
    log('debug', 'call', { client, method: method.slice(0, 100), job: kwargs.job, ms, outcome });
  };
  try {
    const answer = kwargs.job
      ? jobs.call(method, params, {
          timeout,
          deadline,
          onProgress: kwargs.detach ? () => undefined : progress,
          lease,
          cancellation,
          isHeld,
          isDetached: kwargs.detach === true,
        })
      : connection.call(method, params, { timeout, deadline, lease, cancellation });
    const text = await answer;
    if (!kwargs.job) plainMethods.answered(method, text);
    report('result');
    return result(text);
  } catch (error) {
    report(error instanceof MidcltError ? error.code : 'error');
    throw error;
  } finally {
    endCall?.();
    release?.();
  }
}

/** Throws what the middleware connection would, were the request read and sent. */
function checkSize(members: Members): void {
  const method = wordOf(members.get('method'), 'method') ?? '';
  const limit = messageLimit(method);
  const params = members.get('params');
  if (params) checkLength(params, method, limit);
  const args = members.get('args')?.length ?? 0;
  if (args > LONGEST_SPELLING * limit) throw tooLong(args, method, limit);
}

function methodOf(text: Json | undefined): string | null {
  if (isNull(text)) return null;
  const method = wordOf(text, 'method');
  if (method === null) throw malformed("'method' must be a string", 'TypeError');
  return method;
}

function paramsOf(text: Json | undefined): Json {
  if (!text || text.equals(NULL)) return EMPTY_LIST;
  if (text[0] !== OPEN_BRACKET) throw malformed("'params' must be an array", 'TypeError');
  return text;
}

/** Strings as typed, each of which is JSON or else a string. */
function* readingArgs(text: Json | undefined, method: string): Steps<Json> {
  if (text?.[0] !== OPEN_BRACKET) throw noArgs();
  const args = elementsOf(text, MAX_ARGS);
  if (!args) throw malformed(`More than ${MAX_ARGS} arguments`, 'ValueError');
  const limit = messageLimit(method);
  const params: string[] = [];
  let size = 0;
  for (const each of args) {
    const arg = stringOf(each);
    if (arg === null) throw noArgs();
    yield;
    const param = yield* readingArgument(arg);
    params.push(param);
    size += param.length;
    // A character may be two of JavaScript's.
    if (size > 2 * limit) throw tooLong(size, method, limit);
    yield;
  }
  return Buffer.from(`[${params.join(', ')}]`);
}

function noArgs(): MidcltError {
  return malformed("'args' must be an array of strings", 'TypeError');
}

function kwargsOf(text: Json | undefined): CallMembers['kwargs'] {
  if (!text || text.equals(NULL)) return { timeout: undefined, job: false };
  const members = membersOf(text);
  if (!members) throw malformed("'kwargs' must be an object", 'TypeError');
  for (const key of members.keys()) {
    if (key !== 'timeout' && key !== 'job' && key !== 'detach') {
      throw malformed(
        `Unknown member of 'kwargs': '${key.slice(0, 50)}' (known: timeout, job, detach)`,
        'TypeError',
      );
    }
  }
  return {
    timeout: timeoutOf(members.get('timeout'), 'kwargs.timeout'),
    job: flagOf(members.get('job'), 'kwargs.job'),
    ...(members.has('detach') && { detach: flagOf(members.get('detach'), 'kwargs.detach') }),
  };
}
