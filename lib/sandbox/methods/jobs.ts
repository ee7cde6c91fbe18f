import { setTimeout as delay } from 'node:timers/promises';
import { CallError, EBUSY } from '../python/exceptions.js';
import { Job, type JobBody, type JobOptions } from './job.js';
import type { Call } from './table.js';
import { Unserializable, isTruthy, type PyValue } from '../python/values.js';

/** Jobs kept; beyond, the oldest finished go. */
const KEPT = 1000;

/**
 * How long jobs without a lock wait, in ms: until no other came for so long, or at most. The real server gets
 * to them when its event loop has a moment; it answers their calls then, too.
 */
const BURST_MS = { quiet: 4, most: 20 };

/** Jobs that may wait where their method does not say how many. */
const QUEUE_SIZE = 5;

/** How long a locked job lets callers that arrive together join it before it looks at its lock, in ms. */
const MERGE_MS = 10;

/** A job to start. `messageId` is the request's id, undefined for a notification. */
export interface JobStart {
  readonly method: string;
  readonly body: JobBody;
  readonly options: JobOptions;
  /** The arguments as sent, which the job shows. */
  readonly args: readonly PyValue[];
  /** Who starts it, and the arguments with defaults, which the body gets. */
  readonly call: Call;
  readonly messageId: PyValue | undefined;
}

/** Tells the subscribers of core.get_jobs. */
export type JobListener = (kind: 'added' | 'changed', job: Job) => void;

/** Every job there is, their ids and their locks. */
export class Jobs {
  private readonly all = new Map<number, Job>();
  private readonly locked = new Set<string>();
  private readonly queue: { readonly job: Job; readonly start: JobStart }[] = [];
  private lastId = 0;
  /** Calls so far, also those that were merged into a job. */
  private started = 0;
  private isDraining = false;

  constructor(private readonly listener: JobListener) {}

  get(id: number): Job | undefined {
    return this.all.get(id);
  }

  list(): Job[] {
    return [...this.all.values()];
  }

  /** A new job, or the waiting one the caller joins. Its ADDED or CHANGED event is out when this returns. */
  start(start: JobStart): Job {
    this.started += 1;
    const messageId = messageIdOf(start.messageId);
    const joined = this.join(start, messageId);
    if (joined !== null) return joined;
    this.lastId += 1;
    const { method, args, options } = start;
    const owner = start.call.session;
    const changed = (job: Job): void => {
      this.tell('changed', job);
    };
    const job = new Job({ id: this.lastId, method, args, options, messageId, owner, changed });
    this.all.set(job.id, job);
    this.evict();
    this.tell('added', job);
    this.queue.push({ job, start });
    if (options.lock === undefined) {
      void this.drain();
    } else {
      job.admit();
      setTimeout(() => void this.next(job), MERGE_MS).unref();
    }
    return job;
  }

  /** Ends every job, for the sandbox's own end. */
  abortAll(): void {
    for (const job of this.all.values()) job.abort();
  }

  /**
   * The waiting job that a caller is merged into, as the real server does it: it compares locks by identity alone,
   * and all jobs without a lock have the same one, none. So while five of those wait, the next one, of
   * whatever method and arguments, is never run, and its caller is told of the last that waits.
   */
  private join({ options, call }: JobStart, messageId: PyValue[]): Job | null {
    const { lock, lockQueueSize = lock === undefined ? QUEUE_SIZE : null } = options;
    if (lockQueueSize === null) return null;
    if (lockQueueSize === 0) {
      if (lock !== undefined && this.locked.has(lock))
        throw new CallError('This job is already being performed', EBUSY);
      return null;
    }
    const waiting = this.queue.filter(
      ({ job, start }) => start.options.lock === lock && !(lock === undefined && job.isAdmitted),
    );
    if (waiting.length < lockQueueSize) return null;
    const { credentials, isAdmin } = call.session;
    const last = waiting.findLast(
      ({ start }) => isAdmin || start.call.session.credentials?.account === credentials?.account,
    );
    if (last === undefined)
      throw new CallError('This job is already being performed by another user', EBUSY);
    last.job.messageIds.push(...messageId);
    if (messageId.length > 0) this.tell('changed', last.job);
    return last.job;
  }

  /** Answers and runs the jobs without a lock when the burst they came in is over. */
  private async drain(): Promise<void> {
    if (this.isDraining) return;
    this.isDraining = true;
    const latest = Date.now() + BURST_MS.most;
    for (let before = NaN; before !== this.started && Date.now() < latest;) {
      before = this.started;
      await delay(BURST_MS.quiet, undefined, { ref: false });
    }
    this.isDraining = false;
    for (const { job, start } of this.queue) {
      if (start.options.lock !== undefined) continue;
      job.admit();
      // Later, so that in legacy mode the answer (the id) goes out before the job runs.
      setImmediate(() => void this.next(job));
    }
  }

  /** Runs `job` if it still waits and its lock is free; who ends calls for the next. */
  private async next(job: Job): Promise<void> {
    const index = this.queue.findIndex((entry) => entry.job === job);
    const entry = this.queue[index];
    const lock = entry?.start.options.lock;
    if (entry === undefined || (lock !== undefined && this.locked.has(lock))) return;
    this.queue.splice(index, 1);
    if (job.signal.aborted) {
      job.cancel();
    } else {
      if (lock !== undefined) this.locked.add(lock);
      await job.run(entry.start.body, entry.start.call);
      if (lock !== undefined) this.locked.delete(lock);
    }
    if (job.spec.options.transient === true) this.all.delete(job.id);
    if (lock !== undefined) this.wake(lock);
  }

  private wake(lock: string): void {
    const waiting = this.queue.find((entry) => entry.start.options.lock === lock);
    // Later: the callers of the job before are answered first.
    if (waiting !== undefined) setImmediate(() => void this.next(waiting.job));
  }

  private evict(): void {
    if (this.all.size <= KEPT) return;
    for (const job of this.all.values()) {
      if (!job.isFinished) continue;
      this.all.delete(job.id);
      return;
    }
  }

  private tell(kind: 'added' | 'changed', job: Job): void {
    if (job.spec.options.transient !== true) this.listener(kind, job);
  }
}

/** Falsy ids are lost, and a notification leaves something that can't be serialized: so does the real server. */
function messageIdOf(messageId: PyValue | undefined): PyValue[] {
  if (messageId === undefined) return [new Unserializable('Undefined')];
  return isTruthy(messageId) ? [messageId] : [];
}
