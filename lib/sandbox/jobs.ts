/** Every job there is, the queue of those that wait, and their locks. */
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import type { Pipes } from './files/pipe.js';
import { Job, type JobBody, type JobOptions } from './job.js';
import { CallError, EBUSY } from './python/exceptions.js';
import { Unserializable, isTruthy, type PyValue } from './python/values.js';
import type { Session } from './session.js';

/** So many jobs are kept; beyond, the oldest finished ones are dropped. */
const KEPT = 1000;

/**
 * Jobs wait until the burst they came in is over, and so others can join them: until no call came for `quietMs`, but
 * for no more than so many `rounds` of it. The real server gets to its queue when its event loop has a moment.
 * A round ends with some `turns` of the event loop, which read what came while this process got no processor: what
 * joins what must not depend on how busy the machine is.
 */
const BURST = { quietMs: 4, rounds: 5, turns: 5 };

/** So many jobs may wait where their method does not say how many. */
const QUEUE_SIZE = 5;

/** A job to start. */
export interface JobStart {
  readonly method: string;
  readonly body: JobBody;
  readonly options: JobOptions;
  /** The arguments as sent, which the job shows. */
  readonly args: readonly PyValue[];
  readonly owner: Session;
  /** The request's id, undefined for a notification. */
  readonly messageId: PyValue | undefined;
  readonly pipes?: Pipes;
}

/** Tells the subscribers of core.get_jobs. */
export type JobListener = (kind: 'added' | 'changed', job: Job) => void;

export class Jobs {
  private readonly all = new Map<number, Job>();
  /** The locks of the jobs that run. */
  private readonly locked = new Set<string>();
  /** The jobs that wait, in the order they came. */
  private queue: Job[] = [];
  private lastId = 0;
  /** Counts the calls, those included that joined a job. */
  private calls = 0;
  private isBurst = false;

  constructor(private readonly listener: JobListener) {}

  get(id: number): Job | undefined {
    return this.all.get(id);
  }

  list(): Job[] {
    return [...this.all.values()];
  }

  /** Makes a new job, or lets the caller join one that waits. Its ADDED or CHANGED event is sent when this returns. */
  start({ messageId, ...start }: JobStart): Job {
    const { options, owner } = start;
    this.calls += 1;
    const messageIds = messageIdsOf(messageId);
    const joined = this.join(options, owner, messageIds);
    if (joined !== null) return joined;
    this.lastId += 1;
    const changed = (each: Job): void => {
      this.tell('changed', each);
    };
    const job = new Job({ ...start, id: this.lastId, messageIds, changed });
    this.all.set(job.id, job);
    this.evict();
    this.tell('added', job);
    this.queue.push(job);
    if (options.lock !== undefined) job.admit();
    if (!this.isBurst) void this.runAfterBurst();
    return job;
  }

  /** Ends every job, for the sandbox's own end. */
  abortAll(): void {
    for (const job of this.all.values()) job.abort();
  }

  /**
   * The waiting job that a caller joins, or null. The real server compares locks by identity alone, and all jobs
   * without a lock have the same one: None. So while five of those wait, the next one, of any method and with any
   * arguments, is never run, and its caller gets the id of the last that waits.
   */
  private join(options: JobOptions, owner: Session, messageIds: readonly PyValue[]): Job | null {
    const { lock, lockQueueSize = lock === undefined ? QUEUE_SIZE : null } = options;
    if (lockQueueSize === null) return null;
    if (lockQueueSize === 0) {
      if (lock !== undefined && this.locked.has(lock))
        throw new CallError('This job is already being performed', EBUSY);
      return null;
    }
    const waiting = this.queue.filter(
      (job) => job.spec.options.lock === lock && !(lock === undefined && job.isAdmitted),
    );
    if (waiting.length < lockQueueSize) return null;
    const last = waiting.findLast(
      (job) => owner.isAdmin || job.spec.owner.credentials?.account === owner.credentials?.account,
    );
    if (last === undefined)
      throw new CallError('This job is already being performed by another user', EBUSY);
    last.messageIds.push(...messageIds);
    if (messageIds.length > 0) this.tell('changed', last);
    return last;
  }

  /** Waits for the end of a burst of calls, then answers the calls of jobs without a lock and runs what may run. */
  private async runAfterBurst(): Promise<void> {
    this.isBurst = true;
    let before = NaN;
    for (let round = 0; round < BURST.rounds && before !== this.calls; round += 1) {
      before = this.calls;
      await delay(BURST.quietMs);
      for (let passed = 0; passed < BURST.turns; passed += 1) await turn();
    }
    this.isBurst = false;
    for (const job of this.queue) {
      const { lock } = job.spec.options;
      if (lock !== undefined) {
        this.wake(lock);
        continue;
      }
      job.admit();
      // In a later turn, so that in legacy mode the answer (the id) goes out before the job runs.
      setImmediate(() => void this.run(job));
    }
  }

  /** Runs the job that has waited longest for this lock, if nobody holds it. */
  private wake(lock: string): void {
    // In a later turn, so that the callers of the job before are answered first.
    setImmediate(() => {
      const next = this.queue.find((job) => job.spec.options.lock === lock);
      if (next !== undefined && !this.locked.has(lock)) void this.run(next);
    });
  }

  private async run(job: Job): Promise<void> {
    if (!this.queue.includes(job)) return; // it was started meanwhile
    this.queue = this.queue.filter((each) => each !== job);
    const { lock, transient } = job.spec.options;
    if (job.signal.aborted) {
      job.cancel();
    } else {
      if (lock !== undefined) this.locked.add(lock);
      await job.run();
      if (lock !== undefined) this.locked.delete(lock);
    }
    if (transient === true) this.all.delete(job.id);
    if (lock !== undefined) this.wake(lock);
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

/** The real server, too, loses falsy ids, and a notification's id is something that has no JSON form. */
function messageIdsOf(messageId: PyValue | undefined): PyValue[] {
  if (messageId === undefined) return [new Unserializable('Undefined')];
  return isTruthy(messageId) ? [messageId] : [];
}
