/** `core.*`: liveness, options, subscriptions, jobs. */
import { callWithPipes, type Invocation } from '../calls.js';
import { openPipe } from '../files/pipe.js';
import type { Job } from '../job.js';
import type { Call, MethodTable } from '../middleware.js';
import {
  CallError,
  EINVAL,
  EPERM,
  ValidationErrors,
  instanceNotFound,
  notAuthenticated,
} from '../python/exceptions.js';
import { QUERY_PARAMETERS, complaint, optional, query, required } from '../python/parameters.js';
import { int, numberOf, stringOf, type PyValue } from '../python/values.js';

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

  'core.download': {
    params: [
      required('method', 'string'),
      required('args', 'list'),
      required('filename', 'string'),
      optional('buffered', 'boolean', false),
    ],
    run: (call) => {
      const [method, args = null, filename, buffered] = call.args;
      const invocation = { name: stringOf(method), params: Array.isArray(args) ? args : [] };
      return download(call, invocation, stringOf(filename), buffered === true);
    },
  },

  'core.job_download_logs': {
    params: [
      required('id', 'integer'),
      required('filename', 'string'),
      optional('buffered', 'boolean', false),
    ],
    run: async (call) => {
      const { logsPath } = findJob(call);
      if (logsPath === null) throw new CallError('This job does not have logs');
      const [, filename, buffered] = call.args;
      const invocation = { name: 'filesystem.get', params: [logsPath] };
      const name = stringOf(filename);
      const [, url = null] = await download(call, invocation, name, buffered === true, true);
      return url;
    },
  },
};

/** How long the token of a download lives, in seconds. */
const DOWNLOAD_TTL = 300;

/** Starts a job whose output can be fetched. Answers its id and the path to fetch it from. */
async function download(
  call: Call,
  invocation: Invocation,
  filename: string,
  isBuffered: boolean,
  isInternal = false,
): Promise<PyValue[]> {
  const { middleware, session } = call;
  const output = openPipe(isBuffered);
  let job: Job;
  try {
    job = await callWithPipes(call, invocation, { inputs: null, output }, isInternal);
  } catch (error) {
    output.close();
    throw error;
  }
  if (session.credentials === null) throw notAuthenticated();
  const token = middleware.tokens.issue(session.credentials.account, {
    ttlSeconds: DOWNLOAD_TTL,
    isSingleUse: true,
    origin: session.origin.address,
    download: { jobId: job.id, filename },
  });
  const theirs = job.pipes.output; // another's, when the call joined its job
  if (theirs === null) output.end();
  else if (theirs !== output) output.close();
  middleware.transfers.offer(job.id, theirs ?? output, isBuffered);
  return [int(job.id), `/_download/${job.id}?auth_token=${token}`];
}

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
