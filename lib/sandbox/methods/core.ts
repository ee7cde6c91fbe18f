/** `core.*`: liveness, options, subscriptions, jobs. */
import type { Job } from '../job.js';
import type { Call, MethodTable } from '../middleware.js';
import {
  CallError,
  EINVAL,
  EPERM,
  ValidationErrors,
  instanceNotFound,
} from '../python/exceptions.js';
import { QUERY_PARAMETERS, complaint, optional, query, required } from '../python/parameters.js';
import { dict, numberOf, stringOf, type PyValue } from '../python/values.js';

export const coreMethods: MethodTable = {
  'core.ping': { access: 'anyone', params: [], run: () => 'pong' },

  'core.set_options': {
    access: 'anyone',
    params: [optional('options', 'dict', new Map<string, PyValue>())],
    run: setOptions,
  },

  'core.subscribe': {
    params: [required('event', 'string')],
    run: ({ middleware, session, args }) => middleware.events.subscribe(session, stringOf(args[0])),
  },

  'core.unsubscribe': {
    params: [required('ident', 'string')],
    run: ({ middleware, session, args }) => {
      middleware.events.unsubscribe(session, stringOf(args[0]));
      return null;
    },
  },

  'core.get_jobs': {
    params: QUERY_PARAMETERS,
    run: ({ middleware, session, args }) => {
      const visible = middleware.jobs.list().filter((job) => job.isVisibleTo(session));
      return query(
        visible.map((job) => job.fields()),
        args[0] ?? [],
        args[1] ?? null,
      );
    },
  },

  'core.job_wait': {
    params: [required('id', 'integer')],
    job: {},
    body: (call) => {
      const other = findJob(call);
      return (job) => job.follow(other);
    },
  },

  'core.job_abort': {
    params: [required('id', 'integer')],
    run: (call) => {
      findJob(call).abort();
      return null;
    },
  },

  'core.get_methods': {
    params: [optional('service', 'string', null)],
    run: ({ middleware, args }) =>
      new Map(
        middleware
          .methodNames()
          .filter((name) => middleware.method(name)?.isPrivate !== true)
          .filter((name) => args[0] === null || name.startsWith(`${stringOf(args[0])}.`))
          .map((name) => [name, dict({ job: 'job' in (middleware.method(name) ?? {}) })]),
      ),
  },
};

/** Unknown options are ignored. The answer has the three that are known. */
function setOptions({ session, args }: Call): PyValue {
  const { options } = session;
  const given = args[0] instanceof Map ? args[0] : new Map<string, PyValue>();
  const members = [
    ['legacy_jobs', 'legacyJobs'],
    ['private_methods', 'privateMethods'],
    ['py_exceptions', 'pyExceptions'],
  ] as const;
  const complaints = members.flatMap(([name]) =>
    given.has(name) ? complaint(`options.${name}`, given.get(name) ?? null, 'boolean') : [],
  );
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  for (const [name, member] of members) {
    const value = given.get(name);
    if (typeof value === 'boolean') options[member] = value;
  }
  return new Map(members.map(([name, member]) => [name, options[member]]));
}

/** The job that a call names. Throws unless its session may see that job. */
function findJob({ middleware, session, args }: Call): Job {
  const id = numberOf(args[0]);
  const job = id === undefined ? undefined : middleware.jobs.get(id);
  if (job === undefined) {
    if (id === undefined) throw new CallError('Job id expected', EINVAL);
    throw instanceNotFound(`Job with id ${id} does not exist`);
  }
  if (job.isVisibleTo(session)) return job;
  const reason =
    job.fields().get('credentials') === null
      ? 'Only users with full administrative privileges can access internally ran jobs'
      : 'Job is not owned by current session';
  throw new CallError(reason, EPERM);
}
