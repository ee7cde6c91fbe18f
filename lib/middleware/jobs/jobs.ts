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
import type { Cancellation } from '../../cancellation.js';
import { abandoned, asMidcltError, isLost, MidcltError } from '../../errors.js';
import type { Log } from '../../logger.js';
import { integerOf, type Members } from '../../json/members.js';
import type { Json, ProgressFrame } from '../../protocol/frames.js';
import type { CallLease } from '../channel/pending.js';
import { delay, timeLeft } from '../calls.js';
import type { Connection } from '../connection.js';
import {
  CHECKUP,
  JobCheckup,
  LOOK_UP_TIMEOUT,
  findJob,
  findJobs,
  type CheckupPace,
} from './look-up.js';
import { JOB_PATIENCE, JobEvents } from './events.js';
import { lookUp, type Followed } from './unannounced.js';
import { followKnown, type FollowOptions } from './known.js';
import { JobWatches, type JobWatch } from './watches.js';

export interface JobOptions {
  /** Milliseconds from sending to the job's id; the job itself may take as long as it takes. */
  readonly timeout: number | null;
  /** By {@link steadyNow}, for all of that and what is waited for before; Infinity for none. */
  readonly deadline: number;
  readonly onProgress: (frame: ProgressFrame) => void;
  /** Released when the server has accepted the job, unless it is held to the job's end. */
  readonly lease: CallLease & { readonly release: () => void };
  /** Cancelled when nobody wants to know any more. The job itself goes on. */
  readonly cancellation: Cancellation;
  /** Keep the lease to the job's end, and follow it that far whoever still listens. */
  readonly isHeld: boolean;
  /** Resolve with the job's id when the server has accepted it. */
  readonly isDetached?: boolean;
}

const WHILE_JOB = 'The connection to the middleware was lost while job';
const FORGOTTEN = 'ran, and the server knows it no longer or shows it to administrators only';

/** Milliseconds before a call that the server merged into another's job is sent again. */
const SEND_AGAIN = [50, 150, 400, 1000, 2000];

export class Jobs {
  private readonly watches: JobWatches;
  private readonly events: JobEvents;
  private readonly checkup: JobCheckup;

  constructor(
    private readonly connection: Connection,
    private readonly log: Log,
    pace: CheckupPace = CHECKUP,
  ) {
    this.watches = new JobWatches(connection);
    const onUnknown = (watch: JobWatch) => {
      watch.fail(lost(watch, 'The server knows job', 'no longer'));
    };
    this.checkup = new JobCheckup(connection, this.watches, onUnknown, pace);
    this.events = new JobEvents(connection, {
      onEvent: (jobId, fields, isAdded) => {
        this.watches.onEvent(jobId, fields, isAdded);
      },
      onUntold: () => {
        this.checkup.untold();
      },
    });
    connection.on('renewal', () => {
      void this.resume();
    });
    void connection.ended.then((error) => {
      this.checkup.stop();
      const why = error?.message ?? 'The connection was closed';
      for (const watch of this.watches.all()) {
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
   * method's own when it is none. Rejects as {@link Connection.call}, or with the job's failure. A call that
   * the server merged into another's job was not run: it is sent again.
   */
  async call(method: string, params: Json, options: JobOptions): Promise<Json> {
    for (const pause of [...SEND_AGAIN, null]) {
      const result = await this.attempt(method, params, options);
      if (result !== 'merged') return result;
      this.log('warning', 'job merged into another', { method: method.slice(0, 100) });
      if (pause === null) break;
      // A random pause, so that the calls it was merged with come again at another time.
      await delay(pause * (0.5 + Math.random()), options.cancellation);
      if (options.cancellation.isCancelled) throw abandoned();
    }
    const text = 'the server merged this job with another and did not run it';
    throw new MidcltError('CALL', `${method.slice(0, 100)}: ${text}; call it again`);
  }

  /** As {@link followKnown}. */
  follow(jobId: number, options: FollowOptions): Promise<Json> {
    const { connection, watches, events, checkup } = this;
    return followKnown({ connection, watches, events, checkup }, jobId, options);
  }

  private async attempt(
    method: string,
    params: Json,
    options: JobOptions,
  ): Promise<Json | 'merged'> {
    const { lease, cancellation, isHeld, deadline } = options;
    const following = isHeld ? null : cancellation;
    const accept = () => {
      if (!isHeld) lease.release();
    };
    const subscribe = () => this.events.subscribe(options.timeout, cancellation, deadline);
    await subscribe();
    const watch = this.watches.add(method, params, options.onProgress);
    let followed: Followed = null;
    try {
      const answer = await this.connection.call(method, params, {
        timeout: timeLeft(options),
        deadline,
        id: watch.request.id,
        cancellation,
        beforeRepeat: subscribe,
        lease,
      });
      followed = await this.watchFor(answer, watch, options);
      if (followed === 'merged') return followed;
      if (!followed) return answer;
      accept();
      this.log('info', 'job started', { method: method.slice(0, 100), job: followed.shownId });
      if (options.isDetached) return idText(followed);
      this.checkup.begin(followed);
      return await followed.ended(following);
    } catch (error) {
      if (!isLost(error) || followed) throw error;
      // An event has told before the connection was lost.
      if (watch.mergedInto !== null && watch.jobId === null) return 'merged';
      if (watch.jobId === null) throw error;
      accept();
      if (options.isDetached) return idText(watch);
      this.checkup.begin(watch);
      return await watch.ended(following);
    } finally {
      this.watches.forget(watch);
      if (followed && followed !== 'merged') this.watches.forget(followed);
    }
  }

  /** What to follow for the job whose id a method has answered with. */
  private async watchFor(answer: Json, watch: JobWatch, options: JobOptions): Promise<Followed> {
    const jobId = integerOf(answer);
    if (jobId === null || (watch.jobId !== null && watch.jobId !== jobId)) return null;
    const announced = this.watches.announced(jobId, watch);
    if (announced !== null) return announced === 'ours' ? watch : announced;
    const { onProgress } = options;
    for (let isAgain = false; ; isAgain = true) {
      try {
        // The lease is still held: a look-up makes two calls, which count at the server.
        const asked = { jobId, watch, onProgress, isAgain };
        return await lookUp(this.connection, this.watches, asked, forget);
      } catch (error) {
        if (watch.hasEnded) return watch;
        if (!isLost(error)) throw error;
        await this.events.subscribe(JOB_PATIENCE, options.cancellation).catch(() => {
          throw error;
        });
      }
    }
  }

  /** Looks up every job that was followed when the connection went, and shows where it stands. */
  private async resume(): Promise<void> {
    const isFollowed = ({ jobId, hasEnded }: JobWatch) => jobId !== null && !hasEnded;
    const watches = this.watches.all().filter(isFollowed);
    if (watches.length === 0) return;
    try {
      await this.events.subscribe(LOOK_UP_TIMEOUT, null);
      const takes = new Map(watches.map((watch) => [watch, watch.asking()]));
      const found = await this.findAll([...new Set(watches.map(idOf))]);
      this.log('info', 'jobs followed on', { jobs: watches.length, known: found.size });
      for (const watch of watches) {
        const fields = found.get(idOf(watch));
        if (fields instanceof MidcltError) {
          const why = `ran, and asking for it failed (${fields.message})`;
          watch.fail(lost(watch, WHILE_JOB, why));
        } else if (fields && watch.mayBeOurs(fields)) takes.get(watch)?.(fields);
        else forget(watch);
      }
    } catch (error) {
      if (isLost(error)) return; // it will be done when there is another
      for (const watch of watches) {
        const why = `ran, and asking for it failed (${asMidcltError(error).message})`;
        watch.fail(lost(watch, WHILE_JOB, why));
      }
    }
  }

  /** Together; if the server can't tell of one of them, each for itself. Rejects if the connection is lost. */
  private async findAll(ids: readonly number[]): Promise<Map<number, Members | MidcltError>> {
    try {
      return await findJobs(this.connection, ids);
    } catch (error) {
      if (isLost(error)) throw error;
      const found = new Map<number, Members | MidcltError>();
      for (const id of ids) {
        const fields = await findJob(this.connection, id).catch((reason: unknown) => {
          if (isLost(reason)) throw reason;
          return asMidcltError(reason);
        });
        if (fields) found.set(id, fields);
      }
      return found;
    }
  }
}

function idOf({ jobId }: JobWatch): number {
  return jobId ?? NaN;
}

function idText({ shownId }: JobWatch): Json {
  return Buffer.from(String(shownId));
}

function forget(watch: JobWatch): void {
  watch.fail(lost(watch, WHILE_JOB, FORGOTTEN));
}

function lost(watch: JobWatch, before: string, after: string): MidcltError {
  const id = watch.shownId ?? 0;
  return new MidcltError('LOST', `${before} ${id} ${after}; its outcome is unknown`);
}
