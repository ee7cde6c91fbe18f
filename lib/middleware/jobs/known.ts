/** Follows a job that exists already, whoever has started it. */
import type { Cancellation } from '../../cancellation.js';
import { asMidcltError, isLost, MidcltError } from '../../errors.js';
import type { Members } from '../../json/members.js';
import type { Json, ProgressFrame } from '../../protocol/frames.js';
import { after, steadyNow } from '../../timer.js';
import type { CallLease } from '../channel/pending.js';
import type { Connection } from '../connection.js';
import type { JobEvents } from './events.js';
import { findJob, LOOK_UP_TIMEOUT, type JobCheckup } from './look-up.js';
import { Wait } from './unannounced.js';
import type { JobWatch, JobWatches } from './watches.js';

export interface FollowOptions {
  /** Milliseconds until the job must have ended; null is for ever. */
  readonly timeout: number | null;
  readonly onProgress: (frame: ProgressFrame) => void;
  /** Of the look-up. Released when the job is found: from then on its events tell. */
  readonly lease: CallLease & { readonly release: () => void };
  /** Cancelled when nobody wants to know any more. The job itself goes on. */
  readonly cancellation: Cancellation;
}

/** What follows jobs. */
interface Followers {
  readonly connection: Connection;
  readonly watches: JobWatches;
  readonly events: JobEvents;
  readonly checkup: JobCheckup;
}

/**
 * Resolves with the job's result. Rejects with its failure, with a `CALL` error where the server knows no such job or
 * shows it to others only, and with `TIMEOUT`.
 */
export async function followKnown(
  { connection, watches, events, checkup }: Followers,
  jobId: number,
  { timeout, onProgress, lease, cancellation }: FollowOptions,
): Promise<Json> {
  const deadline = steadyNow() + (timeout ?? Infinity);
  const watch = watches.addKnown(jobId, onProgress);
  const ended = watch.ended(cancellation);
  let followed = watch;
  let isFound = false;
  const late = () => {
    const what = isFound
      ? `job ${jobId} has not ended; it goes on at the server`
      : `the server has not told of job ${jobId}`;
    return new MidcltError('TIMEOUT', `Call timeout: ${what}`);
  };
  const timer = after(timeout, () => {
    followed.fail(late());
  });
  let waiting = new Wait(connection, watches, jobId, onProgress);
  try {
    for (;;) {
      // It is not waited for by who has left, nor longer than there is time.
      const finding = find(connection, events, { watch, jobId, deadline, lease, cancellation });
      const fields = await Promise.race([finding, ended.then(() => NOTHING_MORE)]);
      if (!fields) throw new MidcltError('CALL', unknownJob(jobId));
      isFound = true;
      watch.isSilent = fields.get('transient')?.toString() === 'true';
      // A transient job sends no events and is forgotten when it ends, but a wait for it is neither.
      if (watch.isSilent && !watch.hasEnded) await Promise.race([waiting.start(), ended]);
      if (!waiting.isLost) break;
      waiting.end();
      waiting = new Wait(connection, watches, jobId, onProgress);
    }
    followed = waiting.followed() ?? watch;
    lease.release();
    if (followed === watch) {
      checkup.begin(watch);
      return await ended;
    }
    watches.forget(watch);
    return await followed.ended(cancellation);
  } catch (error) {
    throw asMidcltError(error).code === 'TIMEOUT' ? late() : error;
  } finally {
    clearTimeout(timer);
    watches.forget(watch);
    waiting.end();
  }
}

/** What is said of a job that `core.get_jobs` does not list. */
export function unknownJob(jobId: number): string {
  return `Job ${jobId} does not exist, or the server does not show it to this user`;
}

/** Of a job that has ended, all is told. */
const NOTHING_MORE: Members = new Map();

interface Sought {
  readonly watch: JobWatch;
  readonly jobId: number;
  /** By {@link steadyNow}. */
  readonly deadline: number;
  readonly lease: CallLease;
  readonly cancellation: Cancellation;
}

/** With its events subscribed to; the watch takes what is found. Asks again over the next connection where one is lost. */
async function find(
  connection: Connection,
  events: JobEvents,
  { watch, jobId, deadline, lease, cancellation }: Sought,
): Promise<Members | null> {
  const left = () => Math.max(1, deadline - steadyNow());
  for (;;) {
    await events.subscribe(null, cancellation, deadline);
    try {
      const timeout = Math.min(LOOK_UP_TIMEOUT, left());
      const take = watch.asking();
      const fields = await findJob(connection, jobId, { timeout, lease, cancellation });
      if (fields) take(fields);
      return fields;
    } catch (error) {
      if (!isLost(error)) throw error;
    }
  }
}
