import { ROOT } from '../login/accounts.js';
import {
  CallError,
  EINVAL,
  EIO,
  ENOENT,
  ProcessError,
  PyException,
  ValidationError,
  ValidationErrors,
  instanceNotFound,
  matchNotFound,
} from '../python/exceptions.js';
import type { Job, JobBody } from './job.js';
import type { Call, MethodTable } from './table.js';
import { optional } from '../python/parameters.js';
import { Session, newCredentials } from '../wire/session.js';
import { PyFloat, Unserializable, dict, int, numberOf, type PyValue } from '../python/values.js';

/** [steps, seconds a step, how to fail, result]. */
const steps = [
  optional('steps', 'integer', 3n),
  optional('delay', 'number', 1n),
  optional('fail', 'string', null),
  optional('result', 'any', 'done'),
];

/** [result, seconds]. */
const locked = [optional('result', 'any', null), optional('delay', 'number', 1n)];

/** `test.*` jobs: each way a job can go. */
export const testJobMethods: MethodTable = {
  'test.job': { params: steps, job: {}, body: walk({ extra: true }) },
  'test.job_sync': { params: steps, job: { abortable: true }, body: walk({ extra: false }) },
  'test.job_audited': { params: steps, job: { audited: true }, body: walk({ extra: true }) },
  'test.job_transient': { params: steps, job: { transient: true }, body: walk({ extra: true }) },

  'test.job_private': {
    params: steps,
    isPrivate: true,
    job: { transient: true },
    body: walk({ extra: true }),
  },

  'test.job_abortable': {
    params: steps,
    job: {
      abortable: true,
      describe: (args) => `abortable job of ${numberOf(args[0]) ?? 3} steps`,
    },
    body: walk({ extra: true }),
  },

  /** One may wait for the lock; who calls meanwhile joins it. */
  'test.job_locked': {
    params: locked,
    job: { lock: 'test.job_locked', lockQueueSize: 1 },
    body: hold,
  },

  /** None waits: refused while one runs, one after the other when they come together. */
  'test.job_locked_busy': {
    params: locked,
    job: { lock: 'test.job_locked_busy', lockQueueSize: 0 },
    body: hold,
  },

  /** Any number waits for the lock. */
  'test.job_locked_all': { params: locked, job: { lock: 'test.job_locked_all' }, body: hold },

  /** What can't be put into JSON, in the place a job names: its result, its progress or its error. */
  'test.job_unserializable': {
    params: [optional('where', 'string', 'result'), optional('delay', 'number', new PyFloat(0.1))],
    job: {},
    body: unserializable,
  },

  /** Jobs of another session of root's, whose requests had the ids 1, 2, 3…; answers their ids. */
  'test.foreign_jobs': {
    params: [optional('count', 'integer', 3n), optional('delay', 'number', 0n)],
    run: foreignJobs,
  },
};

/** Steps with progress, then a result or a failure. */
function walk({ extra }: { readonly extra: boolean }): JobBody {
  return async (job, [count = null, seconds = null, fail = null, result = null]) => {
    const total = numberOf(count) ?? 0;
    for (let step = 0; step < total; step += 1) {
      const percent = int(Math.floor((step * 100) / total));
      job.setProgress(percent, `step ${step + 1}/${total}`, extra ? dict({ i: int(step) }) : null);
      await job.sleep(numberOf(seconds) ?? 0);
    }
    return typeof fail === 'string' ? raise(fail, true) : result;
  };
}

async function hold(
  job: Job,
  [result = null, seconds = null]: readonly PyValue[],
): Promise<PyValue> {
  job.setProgress(50n, 'holding the lock');
  await job.sleep(numberOf(seconds) ?? 0);
  return result;
}

async function unserializable(
  job: Job,
  [where = null, seconds = null]: readonly PyValue[],
): Promise<PyValue> {
  const odd = new Unserializable('bytes');
  job.setProgress(50n, 'half way', where === 'progress' ? odd : null);
  await job.sleep(numberOf(seconds) ?? 0);
  if (where === 'error') throw new CallError('job failed on purpose', EIO, odd);
  return where === 'result' ? odd : 'done';
}

/** Throws an exception of a kind; some carry other texts in a job than in a plain call. */
export function raise(kind: string, inJob: boolean): never {
  switch (kind) {
    case 'callerror':
      throw new CallError('job failed on purpose', EIO, dict({ hint: 'extra data' }));
    case 'validation':
      throw new ValidationErrors([
        ['test.job.steps', 'bad steps', EINVAL],
        ['test.job.delay', 'bad delay', ENOENT],
      ]);
    case 'validation1':
      throw new ValidationError(['test.job.steps', 'single validation error', EINVAL]);
    case 'exception':
      throw new PyException('RuntimeError', 'boom', "RuntimeError('boom')");
    case 'process':
      throw new ProcessError(
        'Command /bin/false x failed (code 3):\nouterr',
        "CalledProcessError(3, ['/bin/false', 'x'], 'out', 'err')",
      );
    case 'notfound':
      throw instanceNotFound('Thing 5 does not exist');
    case 'match':
      throw matchNotFound();
    case 'key':
      throw new PyException('KeyError', "'missing-key'", "KeyError('missing-key')");
    default:
      throw new CallError(`${inJob ? 'Job' : 'Call'} can't fail with ${kind}`, EINVAL);
  }
}

function foreignJobs({ middleware, session, args }: Call): PyValue {
  const [count = null, seconds = null] = args;
  const nothing = (): void => undefined;
  const silent = { send: nothing, close: nothing, terminate: nothing, cut: nothing };
  const origin = { text: 'another session', address: null, secure: true, isTls: false };
  const other = new Session(0, silent, origin, session.dialect);
  other.credentials = newCredentials('UNIX_SOCKET', ROOT);
  const call: Call = {
    middleware,
    session: other,
    args: [1n, seconds, null, null],
    signal: other.signal,
  };
  const total = numberOf(count) ?? 0;
  return Array.from({ length: total }, (_, index) => {
    const result = `foreign ${index + 1}`;
    const job = middleware.jobs.start({
      method: 'test.job',
      body: walk({ extra: true }),
      options: {},
      args: [1n, seconds, null, result],
      call: { ...call, args: [1n, seconds, null, result] },
      messageId: int(index + 1),
    });
    return int(job.id);
  });
}
