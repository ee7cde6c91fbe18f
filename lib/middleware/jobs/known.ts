/** Follows a job that exists already, whoever has started it. */
import type { Cancellation } from '../../cancellation.js';
import { isLost, MidcltError } from '../../errors.js';
import type { Members } from '../../json/members.js';
import type { Json, ProgressFrame } from '../../protocol/frames.js';
import { after, steadyNow } from '../../timer.js';
import type { Connection } from '../connection.js';
import type { JobEvents } from './events.js';
import { findJob, type JobCheckup } from './look-up.js';
import { Wait } from './unannounced.js';
import type { JobWatches } from './watches.js';

export interface FollowOptions {
  /** Milliseconds until the job must have ended; null is for ever. */
  readonly timeout: number | null;
  readonly onProgress: (frame: ProgressFrame) => void;
  /** Called when the job has been looked up: from then on its events tell. */
  readonly onFound: () => void;
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
  { timeout, onProgress, onFound, cancellation }: FollowOptions,
): Promise<Json> {
  const deadline = steadyNow() + (timeout ?? Infinity);
  const watch = watches.addKnown(jobId, onProgress);
  let followed = watch;
  const timer = after(timeout, () => {
    const text = `Call timeout: job ${jobId} has not ended; it goes on at the server`;
    followed.fail(new MidcltError('TIMEOUT', text));
  });
  const waiting = new Wait(connection, watches, jobId, onProgress);
  try {
    const fields = await find(connection, events, { jobId, deadline, cancellation });
    if (!fields) throw new MidcltError('CALL', unknownJob(jobId));
    watch.report(fields);
    watch.isSilent = fields.get('transient')?.toString() === 'true';
    // A transient job sends no events and is forgotten when it ends, but a wait for it is neither.
    if (watch.isSilent && !watch.hasEnded) await waiting.start();
    followed = waiting.followed() ?? watch;
    if (followed !== watch) watches.forget(watch);
    onFound();
    checkup.begin(followed);
    return await followed.ended(cancellation);
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

interface Sought {
  readonly jobId: number;
  /** By {@link steadyNow}. */
  readonly deadline: number;
  readonly cancellation: Cancellation;
}

/** With its events subscribed to. Asks again over the next connection where one is lost. */
async function find(
  connection: Connection,
  events: JobEvents,
  { jobId, deadline, cancellation }: Sought,
): Promise<Members | null> {
  for (;;) {
    const left = deadline - steadyNow();
    await events.subscribe(left === Infinity ? null : Math.max(1, left), cancellation);
    try {
      return await findJob(connection, jobId);
    } catch (error) {
      if (!isLost(error)) throw error;
    }
  }
}
