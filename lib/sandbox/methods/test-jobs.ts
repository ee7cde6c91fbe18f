/** `test.*` jobs: each way a job can go. */
import type { JobBody } from '../job.js';
import { ROOT } from '../login/accounts.js';
import type { Call, MethodTable } from '../middleware.js';
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
import { optional } from '../python/parameters.js';
import { PyFloat, Unserializable, dict, int, numberOf, type PyValue } from '../python/values.js';
import { Session, newCredentials } from '../session.js';

/** [steps, seconds a step, how to fail, result]. */
const steps = [
  optional('steps', 'integer', 3n),
  optional('delay', 'number', 1n),
  optional('fail', 'string', null),
  optional('result', 'any', 'done'),
];

/** [result, seconds]. */
const locked = [optional('result', 'any', null), optional('delay', 'number', 1n)];

export const testJobMethods: MethodTable = {
  'test.job': { params: steps, job: {}, body: walk },
  'test.job_sync': { params: steps, job: { abortable: true }, body: walkWithoutExtra },
  'test.job_audited': { params: steps, job: { audited: true }, body: walk },
  'test.job_transient': { params: steps, job: { transient: true }, body: walk },

  'test.job_private': {
    params: steps,
    isPrivate: true,
    job: { transient: true },
    body: walk,
  },

  'test.job_abortable': {
    params: steps,
    job: {
      abortable: true,
      describe: (args) => `abortable job of ${numberOf(args[0]) ?? 3} steps`,
    },
    body: walk,
  },

  /** One may wait for the lock; callers beyond join it. */
  'test.job_locked': {
    params: locked,
    job: { lock: 'test.job_locked', lockQueueSize: 1 },
    body: hold,
  },

  /** None may wait: a call is refused while one runs. Those that come together are run one after the other. */
  'test.job_locked_busy': {
    params: locked,
    job: { lock: 'test.job_locked_busy', lockQueueSize: 0 },
    body: hold,
  },

  /** Any number may wait for the lock. */
  'test.job_locked_all': { params: locked, job: { lock: 'test.job_locked_all' }, body: hold },

  /** A value without a JSON form, where the parameter says: in the job's result, progress or error. */
  'test.job_unserializable': {
    params: [optional('where', 'string', 'result'), optional('delay', 'number', new PyFloat(0.1))],
    job: {},
    body: unserializable,
  },

  /** Starts jobs of another session of root's, whose requests have the ids 1, 2, 3… Answers the jobs' ids. */
  'test.foreign_jobs': {
    params: [optional('count', 'integer', 3n), optional('delay', 'number', 0n)],
    run: foreignJobs,
  },
};

function walk({ args }: Call): JobBody {
  return steppedJob(args, { extra: true });
}

function walkWithoutExtra({ args }: Call): JobBody {
  return steppedJob(args, { extra: false });
}

/** Steps with progress, then a result or a failure. */
function steppedJob(
  [count = null, seconds = null, fail = null, result = null]: readonly PyValue[],
  { extra }: { readonly extra: boolean },
): JobBody {
  return async (job) => {
    const total = numberOf(count) ?? 0;
    for (let step = 0; step < total; step += 1) {
      const percent = int(Math.floor((step * 100) / total));
      job.setProgress(percent, `step ${step + 1}/${total}`, extra ? dict({ i: int(step) }) : null);
      await job.sleep(numberOf(seconds) ?? 0);
    }
    return typeof fail === 'string' ? raise(fail, true) : result;
  };
}

function hold({ args: [result = null, seconds = null] }: Call): JobBody {
  return async (job) => {
    job.setProgress(50n, 'holding the lock');
    await job.sleep(numberOf(seconds) ?? 0);
    return result;
  };
}

function unserializable({ args: [where = null, seconds = null] }: Call): JobBody {
  return async (job) => {
    const odd = new Unserializable('bytes');
    job.setProgress(50n, 'half way', where === 'progress' ? odd : null);
    await job.sleep(numberOf(seconds) ?? 0);
    if (where === 'error') throw new CallError('job failed on purpose', EIO, odd);
    return where === 'result' ? odd : 'done';
  };
}

/** Throws an exception of this kind. The text of an unknown kind says whether it was raised in a job. */
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

function foreignJobs({ middleware, session, args: [count = null, seconds = null] }: Call): PyValue {
  const nothing = (): void => undefined;
  const silent = { send: nothing, close: nothing, terminate: nothing, cut: nothing };
  const origin = { text: 'another session', address: null, secure: true, isTls: false };
  const owner = new Session(0, silent, origin, session.dialect);
  owner.credentials = newCredentials('UNIX_SOCKET', ROOT);
  return Array.from({ length: numberOf(count) ?? 0 }, (_, index) => {
    const args = [1n, seconds, null, `foreign ${index + 1}`];
    const body = steppedJob(args, { extra: true });
    const messageId = int(index + 1);
    const spec = { method: 'test.job', body, options: {}, args, owner, messageId };
    const job = middleware.jobs.start(spec);
    return int(job.id);
  });
}
