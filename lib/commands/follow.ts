/** `follow`: a job that exists already, by its id, as `call` follows one that it has started. */
import { Cancellation } from '../cancellation.js';
import { asMidcltError, MidcltError } from '../errors.js';
import { integerOf } from '../json/members.js';
import type { FinalFrame, Timeout } from '../protocol/frames.js';
import { malformed, timeoutOf } from '../protocol/request-members.js';
import { oneStep } from '../steps.js';
import type { Context } from '../stream/verb.js';
import { checkVerification, patienceOf, result, type CommandOptions, type Entry } from './entry.js';

export interface FollowMembers {
  /** The job's id. */
  readonly job: number;
  /** Seconds until the job must have ended; none unless given. */
  readonly timeout: Timeout;
}

export const FOLLOW: Entry<FollowMembers> = {
  format: {
    names: ['job', 'timeout'],
    read: (members) => {
      const job = integerOf(members.get('job'));
      if (job === null || job < 1) throw malformed("'job' must be the id of a job", 'TypeError');
      return oneStep({ job, timeout: timeoutOf(members.get('timeout'), 'timeout') });
    },
  },
  serve: (options) => ({
    check: (request) => {
      checkVerification(request, options);
    },
    // Only to look the job up: who waits for a job holds nothing, not even where one lock is around all calls.
    slotClass: () => 'look-up',
    patience: ({ timeout }) => patienceOf(timeout, null),
    run: (request, context) => follow(request, context, options),
  }),
};

/** A daemon that is to go does not wait for jobs that need nobody: the next one can be asked. */
async function follow(
  { job }: FollowMembers,
  { lease, timeout, cancellation, progress }: Context,
  { jobs, daemon }: CommandOptions,
): Promise<FinalFrame> {
  const over = new Cancellation();
  const onOver = () => {
    over.cancel();
  };
  cancellation.on(onOver);
  daemon?.ending.on(onOver);
  try {
    if (cancellation.isCancelled || daemon?.ending.isCancelled) onOver();
    const options = { timeout, onProgress: progress, cancellation: over, lease };
    return result(await jobs.follow(job, options));
  } catch (error) {
    if (!daemon?.ending.isCancelled || asMidcltError(error).code !== 'CLOSED') throw error;
    const text = `The daemon is shutting down; job ${job} goes on at the server`;
    throw new MidcltError('SHUTDOWN', text);
  } finally {
    cancellation.off(onOver);
    daemon?.ending.off(onOver);
  }
}
