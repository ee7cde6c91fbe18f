import { CallError, EBUSY } from './exceptions.js';
import { Job, type JobBody, type JobOptions } from './job.js';
import type { Call } from './methods.js';
import { Unserializable, isTruthy, type PyValue } from './values.js';

/** Jobs kept; beyond, the oldest finished go. */
const KEPT = 1000;

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

  constructor(private readonly listener: JobListener) {}

  get(id: number): Job | undefined {
    return this.all.get(id);
  }

  list(): Job[] {
    return [...this.all.values()];
  }

  /** A new job, or the waiting one the caller joins. Its ADDED or CHANGED event is out when this returns. */
  start(start: JobStart): Job {
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
    // Later, so that in legacy mode the answer (the id) goes out before the job runs.
    if (options.lock === undefined) setImmediate(() => void this.next(job));
    else setTimeout(() => void this.next(job), MERGE_MS).unref();
    return job;
  }

  /** Ends every job, for the sandbox's own end. */
  abortAll(): void {
    for (const job of this.all.values()) job.abort();
  }

  private join({ method, options }: JobStart, messageId: PyValue[]): Job | null {
    const { lock, lockQueueSize } = options;
    if (lock === undefined || lockQueueSize === undefined) return null;
    if (lockQueueSize === 0) {
      if (this.locked.has(lock)) throw new CallError('This job is already being performed', EBUSY);
      return null;
    }
    const waiting = this.queue.filter(
      (entry) => entry.start.method === method && entry.start.options.lock === lock,
    );
    const last = waiting.at(-1);
    if (last === undefined || waiting.length < lockQueueSize) return null;
    last.job.messageIds.push(...messageId);
    this.tell('changed', last.job);
    return last.job;
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
