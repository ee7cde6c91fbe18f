/**
 * Follows jobs by the events of `core.get_jobs`: job id → who watches it.
 *
 * The connection stays in `legacy_jobs` mode: a job method answers its call with the job's id at
 * once. An integer is that id only if the job names our request among its `message_ids`, in an
 * event, which always comes before the answer, or in a look-up: transient jobs send no events. On
 * the legacy wire, whose jobs name no requests, the method and the event just before must do.
 *
 * When the connection was lost, a job that goes on at the server is looked up and followed on.
 */
import type { Cancellation } from '../cancellation.js';
import { asMidcltError, MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import { integerOf, type Members } from '../members.js';
import type { Json, ProgressFrame } from '../protocol.js';
import type { Connection } from './connection.js';
import { isLost, JOB_PATIENCE, JobEvents } from './job-events.js';
import { findJobs, isJob, LOOK_UP_TIMEOUT } from './job-lookup.js';
import { JobWatch } from './job-watch.js';

export interface JobOptions {
  /** Milliseconds from sending to the job's id; the job itself may take as long as it takes. */
  readonly timeout: number | null;
  readonly onProgress: (frame: ProgressFrame) => void;
  /** Called once: the server has answered the call itself, with a job's id or otherwise. */
  readonly onAccepted: () => void;
  /** Called once: call and job are over, or the job is no longer followed. */
  readonly onSettled: () => void;
  /** Cancelled when nobody wants to know any more. The job itself goes on. */
  readonly cancellation: Cancellation;
  /** Follow it to its end all the same. */
  readonly isHeld: boolean;
}

/** Of what is kept until the answers that may follow, on the legacy wire. */
const KEPT = { jobs: 100, events: 10 };

const WHILE_JOB = 'The connection to the middleware was lost while job';
const FORGOTTEN = 'ran, and the server knows it no longer or shows it to administrators only';

export class Jobs {
  /** Everyone who watches a job or waits to learn its id. */
  private readonly watches = new Set<JobWatch>();
  private readonly events: JobEvents;
  /** Events of jobs that name no request, by job; empty when nobody watches. */
  private readonly recent = new Map<number, Members[]>();

  constructor(
    private readonly connection: Connection,
    private readonly log: Log,
  ) {
    this.events = new JobEvents(connection, (jobId, fields) => {
      this.onEvent(jobId, fields);
    });
    connection.onRenewal(() => {
      void this.followOn();
    });
    void connection.ended.then((error) => {
      const why = error?.message ?? 'The connection was closed';
      for (const watch of [...this.watches]) {
        if (watch.jobId !== null) watch.fail(lost(watch, `${why}; job`, 'goes on at the server'));
      }
    });
  }

  /** Jobs that are being followed now. */
  get followed(): number {
    return this.watches.size;
  }

  /**
   * Calls a method that is (or may be) a job and resolves with the job's result, or with the
   * method's own when it is none. Rejects as {@link Connection.call}, or with the job's failure.
   */
  async call(method: string, params: Json, options: JobOptions): Promise<Json> {
    const stage = { answered: false, over: false, accepted: false };
    const accept = () => {
      if (!stage.accepted) options.onAccepted();
      stage.accepted = true;
    };
    const { timeout, cancellation } = options;
    const following = options.isHeld ? null : cancellation;
    const subscribe = () => this.events.subscribe(timeout, cancellation);
    try {
      await subscribe();
    } catch (error) {
      accept();
      options.onSettled();
      throw error;
    }
    const watch = this.watch(method, options.onProgress);
    let followed: JobWatch | null = null;
    try {
      const answer = await this.connection.call(method, params, {
        timeout,
        id: watch.request.id,
        cancellation,
        beforeRepeat: subscribe,
        onSettled: () => {
          stage.answered = true;
          // A call given up by its timeout is over only now, when its late answer has come.
          if (stage.over) {
            accept();
            options.onSettled();
          }
        },
      });
      followed = await this.watchFor(answer, watch, options);
      if (!followed) return answer;
      accept();
      this.log('info', 'job started', { method: method.slice(0, 100), job: followed.shownId });
      return await followed.ended(following);
    } catch (error) {
      // An event has told of the job before the connection was lost: it can be followed all the same.
      if (!isLost(error) || watch.jobId === null || followed) throw error;
      accept();
      return await watch.ended(following);
    } finally {
      this.forget(watch);
      if (followed) this.forget(followed);
      stage.over = true;
      if (stage.answered) {
        accept();
        options.onSettled();
      }
    }
  }

  /** What to follow for the job whose id a method has answered with; null if it is no job. */
  private async watchFor(
    answer: Json,
    watch: JobWatch,
    options: JobOptions,
  ): Promise<JobWatch | null> {
    const jobId = integerOf(answer);
    if (jobId === null || (watch.jobId !== null && watch.jobId !== jobId)) return null;
    if (this.isAnnounced(jobId, watch)) return watch;
    for (let isAgain = false; ; isAgain = true) {
      try {
        // With the slot still held: a look-up is two calls, and the server counts them.
        return await this.lookUp(jobId, watch, options.onProgress, isAgain);
      } catch (error) {
        if (watch.hasEnded) return watch;
        if (!isLost(error)) throw error;
        await this.events.subscribe(JOB_PATIENCE, options.cancellation).catch(() => {
          throw error;
        });
      }
    }
  }

  /** Has an event told that this is the job of our request? */
  private isAnnounced(jobId: number, watch: JobWatch): boolean {
    if (watch.jobId !== null) return watch.jobId === jobId;
    const [first, ...more] = this.recent.get(jobId) ?? [];
    if (!first || !watch.isOurs(first)) return false;
    this.recent.delete(jobId);
    watch.jobId = jobId;
    for (const fields of [first, ...more]) watch.report(fields);
    return true;
  }

  /**
   * Is the integer a method answered the id of a job of ours that sends no events? Resolves with
   * what to follow for its outcome: the watch itself, if the job has ended, else a proxy that
   * follows `core.job_wait`, a job that sends events in the other's place. Null if it is no job.
   * `isAgain`: the connection was lost meanwhile, and what is not found may have been there before.
   */
  private async lookUp(
    jobId: number,
    watch: JobWatch,
    onProgress: (frame: ProgressFrame) => void,
    isAgain: boolean,
  ): Promise<JobWatch | null> {
    const seen: { ours: boolean; latest: ProgressFrame | null } = { ours: false, latest: null };
    const proxy = this.watch('core.job_wait', (frame) => {
      seen.latest = frame;
      if (seen.ours) onProgress(frame);
    });
    proxy.inPlaceOf = jobId;
    let followed = false;
    try {
      // Together: a transient job is forgotten the moment it ends.
      const [found, waiting] = await Promise.allSettled([
        findJobs(this.connection, [jobId]),
        this.connection.call('core.job_wait', Buffer.from(`[${jobId}]`), {
          timeout: LOOK_UP_TIMEOUT,
          id: proxy.request.id,
        }),
      ]);
      if (found.status === 'rejected') throw found.reason;
      if (waiting.status === 'rejected' && isLost(waiting.reason)) throw waiting.reason;
      const { method } = watch.request;
      const there = found.value.get(jobId);
      const fields = there && watch.isOurs(there) ? there : null;
      const isForeign = there && !fields && !isAgain;
      seen.ours = fields !== null || (!isForeign && (await isJob(this.connection, method)));
      if (!seen.ours) return null;
      watch.jobId = jobId;
      if (fields) watch.report(fields);
      else if (isAgain) {
        watch.fail(lost(watch, WHILE_JOB, FORGOTTEN));
        return watch;
      }
      const waitId = waiting.status === 'fulfilled' ? integerOf(waiting.value) : null;
      followed = waitId !== null && this.isAnnounced(waitId, proxy) && !watch.hasEnded;
      if (!followed) {
        const text = `Job ${jobId} ended; the server keeps no result of it`;
        watch.fail(new MidcltError('CALL', text)); // unless it has its outcome
        return watch;
      }
      if (seen.latest) onProgress(seen.latest);
      return proxy;
    } finally {
      if (!followed) this.forget(proxy);
    }
  }

  /** Looks up every job that was followed when the connection went, and shows where it stands. */
  private async followOn(): Promise<void> {
    const watches = [...this.watches].filter((watch) => watch.jobId !== null && !watch.hasEnded);
    if (watches.length === 0) return;
    const fail = (watch: JobWatch, why: string) => {
      watch.fail(lost(watch, WHILE_JOB, why));
    };
    try {
      await this.events.subscribe(LOOK_UP_TIMEOUT, null);
      const found = await findJobs(this.connection, [...new Set(watches.map(idOf))]);
      this.log('info', 'jobs followed on', { jobs: watches.length, known: found.size });
      for (const watch of watches) {
        const fields = found.get(idOf(watch));
        if (fields && watch.isOurs(fields)) watch.report(fields);
        else fail(watch, FORGOTTEN);
      }
    } catch (error) {
      if (isLost(error)) return; // it will be done when there is another
      for (const watch of watches) {
        fail(watch, `ran, and asking for it failed (${asMidcltError(error).message})`);
      }
    }
  }

  private onEvent(jobId: number, fields: Members): void {
    if (this.watches.size === 0) return;
    let isOurs = false;
    for (const watch of this.watches) {
      if (watch.jobId !== null ? watch.jobId !== jobId : !watch.request.isNamed) continue;
      // After a restart of the server the number may be another job's.
      if (!watch.isOurs(fields)) continue;
      // A job that callers are merged into names each of them as they come.
      watch.jobId = jobId;
      watch.report(fields);
      isOurs = true;
    }
    if (isOurs || this.connection.namesRequests) return;
    const events = this.recent.get(jobId) ?? [];
    this.recent.set(jobId, [...events, fields].slice(-KEPT.events));
    for (const oldest of this.recent.keys()) {
      if (this.recent.size <= KEPT.jobs) break;
      this.recent.delete(oldest);
    }
  }

  private watch(method: string, onProgress: (frame: ProgressFrame) => void): JobWatch {
    const { connection } = this;
    const request = { id: connection.newId(), method, isNamed: connection.namesRequests };
    const watch = new JobWatch(request, onProgress);
    this.watches.add(watch);
    return watch;
  }

  private forget(watch: JobWatch): void {
    this.watches.delete(watch);
    if (this.watches.size === 0) this.recent.clear();
  }
}

function idOf({ jobId }: JobWatch): number {
  return jobId ?? NaN;
}

function lost(watch: JobWatch, before: string, after: string): MidcltError {
  const id = watch.shownId ?? 0;
  return new MidcltError('LOST', `${before} ${id} ${after}; its outcome is unknown`);
}
