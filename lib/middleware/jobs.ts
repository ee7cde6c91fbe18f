/**
 * Follows jobs by the events of `core.get_jobs`: job id → who watches it.
 *
 * The connection stays in `legacy_jobs` mode: a job method answers its call with the job's id at
 * once. An integer is that id only if the job names our request among its `message_ids`, in an
 * event, which always comes before the answer, or in a look-up: transient jobs send no events.
 */
import { MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import { elementsOf, integerOf, membersOf, stringOf } from '../members.js';
import type { Json, ProgressFrame } from '../protocol.js';
import { after } from '../timer.js';
import type { Connection } from './connection.js';
import { JobWatch } from './job-watch.js';

export interface JobOptions {
  /** Milliseconds from sending to the job's id; the job itself may take as long as it takes. */
  readonly timeout: number | null;
  readonly onProgress: (frame: ProgressFrame) => void;
  /** Called once: the server has answered the call itself, with a job's id or otherwise. */
  readonly onAccepted: () => void;
  /** Called once: call and job are over, or the job is no longer followed. */
  readonly onSettled: () => void;
  /** Aborts when nobody wants to know any more; null follows to the end. The job itself goes on. */
  readonly signal: AbortSignal | null;
}

const COLLECTION = 'core.get_jobs';
/** Milliseconds for the calls made here for their own sake. */
const PATIENCE = 60_000;

export class Jobs {
  /** Everyone who watches a job or waits to learn its id. */
  private readonly watches = new Set<JobWatch>();
  private subscription: Promise<Json> | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly log: Log,
  ) {
    connection.onNotification((method, params) => {
      if (method === 'collection_update' && this.watches.size > 0) this.onEvent(params);
    });
    void connection.ended.then((error) => {
      const why = error?.message ?? 'The connection was closed';
      for (const watch of [...this.watches]) {
        if (watch.jobId === null) continue; // its call is still pending and fails by itself
        const text = `${why}; job ${watch.inPlaceOf ?? watch.jobId} goes on at the server, its outcome is unknown`;
        watch.fail(new MidcltError('LOST', text));
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
    try {
      await this.subscribe(options.timeout);
    } catch (error) {
      accept();
      options.onSettled();
      throw error;
    }
    const watch = new JobWatch(this.connection.newId(), options.onProgress);
    let followed: JobWatch | null = null;
    this.watches.add(watch);
    try {
      const answer = await this.connection.call(method, params, {
        timeout: options.timeout,
        id: watch.requestId,
        onSettled: () => {
          stage.answered = true;
          // A call given up by its timeout is over only now, when its late answer has come.
          if (stage.over) {
            accept();
            options.onSettled();
          }
        },
      });
      const jobId = integerOf(answer);
      if (jobId === null || (watch.jobId !== null && watch.jobId !== jobId)) return answer;
      // With the slot still held: a look-up is two calls, and the server counts them.
      const named = watch.jobId === jobId;
      followed = named ? watch : await this.lookUp(jobId, method, watch, options.onProgress);
      if (!followed) return answer;
      accept();
      this.log('info', 'job started', { method, job: jobId });
      return await followed.ended(options.signal);
    } finally {
      this.watches.delete(watch);
      if (followed) this.watches.delete(followed);
      stage.over = true;
      if (stage.answered) {
        accept();
        options.onSettled();
      }
    }
  }

  /**
   * Is the integer a method answered the id of a job of ours that sends no events? Resolves with
   * what to follow for its outcome: the watch itself, if the job has ended, else a proxy that
   * follows `core.job_wait`, a job that sends events in the other's place. Null if it is no job.
   */
  private async lookUp(
    jobId: number,
    method: string,
    watch: JobWatch,
    onProgress: (frame: ProgressFrame) => void,
  ): Promise<JobWatch | null> {
    const filter = Buffer.from(`[[["id", "=", ${jobId}]], {"extra": {"raw_result": true}}]`);
    const seen: { ours: boolean; latest: ProgressFrame | null } = { ours: false, latest: null };
    const proxy = new JobWatch(this.connection.newId(), (frame) => {
      seen.latest = frame;
      if (seen.ours) onProgress(frame);
    });
    proxy.inPlaceOf = jobId;
    this.watches.add(proxy);
    let followed = false;
    try {
      // Together: a transient job is forgotten the moment it ends.
      const [found, waiting] = await Promise.allSettled([
        this.connection.call('core.get_jobs', filter, { timeout: PATIENCE }),
        this.connection.call('core.job_wait', Buffer.from(`[${jobId}]`), {
          timeout: PATIENCE,
          id: proxy.requestId,
        }),
      ]);
      if (found.status === 'rejected') throw found.reason;
      const fields = membersOf(elementsOf(found.value)?.[0]);
      seen.ours = fields ? watch.isNamedBy(fields) : await this.isJob(method);
      if (!seen.ours) return null;
      watch.jobId = jobId;
      if (fields) watch.report(jobId, fields);
      followed = waiting.status === 'fulfilled' && proxy.jobId !== null && !watch.hasEnded;
      if (!followed) {
        const text = `Job ${jobId} ended; the server keeps no result of it`;
        watch.fail(new MidcltError('CALL', text)); // unless it has its outcome
        return watch;
      }
      if (seen.latest) onProgress(seen.latest);
      return proxy;
    } finally {
      if (!followed) this.watches.delete(proxy);
    }
  }

  /** Does the server list the method as a job? False where it does not say. */
  private async isJob(method: string): Promise<boolean> {
    const service = Buffer.from(JSON.stringify([method.slice(0, method.lastIndexOf('.'))]));
    try {
      const methods = await this.connection.call('core.get_methods', service, {
        timeout: PATIENCE,
      });
      const entry = membersOf(membersOf(methods)?.get(method));
      return entry?.get('job')?.toString() === 'true';
    } catch {
      return false;
    }
  }

  /** Once for the connection, when the first job comes: the events of all jobs are a lot of traffic. */
  private async subscribe(timeout: number | null): Promise<void> {
    const params = Buffer.from(`["${COLLECTION}"]`);
    this.subscription ??= this.connection.call('core.subscribe', params, { timeout: PATIENCE });
    const { subscription } = this;
    subscription.catch(() => (this.subscription = null));
    // Others wait for the same answer, each as long as its own call may take.
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<never>((_resolve, reject) => {
      timer = after(timeout, () => {
        reject(new MidcltError('TIMEOUT', 'Call timeout'));
      });
    });
    try {
      await Promise.race([subscription, patience]);
    } finally {
      clearTimeout(timer);
    }
  }

  private onEvent(params: Json): void {
    const event = membersOf(params);
    if (stringOf(event?.get('collection')) !== COLLECTION) return;
    const fields = membersOf(event?.get('fields'));
    const jobId = integerOf(fields?.get('id'));
    if (!fields || jobId === null) return;
    for (const watch of this.watches) {
      // A job that callers are merged into names each of them as they come.
      if (watch.jobId === null && watch.isNamedBy(fields)) watch.jobId = jobId;
      if (watch.jobId === jobId) watch.report(watch.inPlaceOf ?? jobId, fields);
    }
  }
}
