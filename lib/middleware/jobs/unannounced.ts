/**
 * Finds out whether an integer is a job's id although no event has announced the job. Transient jobs send no events:
 * such a one is looked up, and `core.job_wait`, itself a job with events, is followed in its place.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { asMidcltError, isLost, MidcltError } from '../../errors.js';
import { integerOf, type Members } from '../../json/members.js';
import type { ProgressFrame } from '../../protocol/frames.js';
import type { Connection } from '../connection.js';
import { relationOf } from './events.js';
import { LOOK_UP_TIMEOUT, findJob, isJob } from './look-up.js';
import type { JobWatch, JobWatches } from './watches.js';

/** The watch to follow; `merged` if the server merged our request into another's job; null if there is no job. */
export type Followed = JobWatch | 'merged' | null;

/** Milliseconds that an event may come later than the answer it should have come before. */
const LATE = 500;
/** Milliseconds before `core.job_wait`, merged into another job, is sent again. */
const WAIT_AGAIN = [50, 200, 800];

/** A settled promise, whichever way. */
interface Settled {
  readonly value?: Members | null;
  readonly reason?: unknown;
}

interface Asked {
  readonly jobId: number;
  readonly watch: JobWatch;
  readonly onProgress: (frame: ProgressFrame) => void;
  /** The connection was lost meanwhile: a job that is not found may have been there before. */
  readonly isAgain: boolean;
}

/** `forgotten` gives up a job that was there before the connection was lost. */
export async function lookUp(
  connection: Connection,
  watches: JobWatches,
  { jobId, watch, onProgress, isAgain }: Asked,
  forgotten: (watch: JobWatch) => void,
): Promise<Followed> {
  const { isNamed, method } = watch.request;
  const seen: { isOurs: boolean; latest: ProgressFrame | null } = { isOurs: false, latest: null };
  const waiting = new Wait(connection, watches, jobId, (frame) => {
    seen.latest = frame;
    if (seen.isOurs) onProgress(frame);
  });
  try {
    // Together: a transient job is forgotten the moment it ends.
    const found = findJob(connection, jobId);
    const both = Promise.allSettled([found, waiting.start()]);
    // An event that names our request tells everything.
    await Promise.race([both, watch.told()]);
    const told = toldOf(watch, jobId);
    if (told !== undefined) return told;
    const [{ value: fields = null, reason = null }] = (await both) as [Settled, unknown];
    if (isLost(reason)) throw asMidcltError(reason);
    const proxy = waiting.followed();

    const isClaimed = watches
      .all()
      .some((each) => each !== watch && each.jobId === jobId && !each.isOnlooker);
    const relation = fields && relationTo(watch, fields, isClaimed);
    if (relation === 'merged' && (isNamed || !isAgain)) return 'merged';
    const isForeign = relation === 'foreign' && !isAgain;
    if (isForeign && isNamed) return null;
    const isListed = relation === 'ours' || (await isJob(connection, method));
    const since = toldOf(watch, jobId);
    if (since !== undefined) return since;
    if (isListed === false) return null;
    // Its jobs name nobody, but a job's method answers with no other's id unless it was merged.
    if (isForeign) return isListed ? 'merged' : null;

    if (fields && (relation === 'ours' || relation === 'unknown')) {
      watch.attach(jobId, false);
      watch.report(fields);
      const sendsEvents = fields.get('transient')?.toString() === 'false';
      watch.isSilent = !sendsEvents && !proxy;
      if (watch.hasEnded || sendsEvents || !proxy) return watch;
    } else if (isListed === null) {
      // The numbers of jobs count from one, and that of the wait was given out later.
      if (jobId < 1 || (waiting.id !== null && waiting.id < jobId)) return null;
      const known = await late(watch, jobId);
      if (known !== undefined) return known;
      if (!proxy || proxy.hasEnded) return gone(watch, mayHaveEnded(method, jobId));
    } else if (!proxy || relation !== null) {
      const known = await late(watch, jobId);
      if (known !== undefined) return known;
      if (reason) throw asMidcltError(reason);
      watch.attach(jobId, false);
      if (isAgain) forgotten(watch);
      return gone(watch, `Job ${jobId} ended; the server keeps no result of it`);
    }
    watch.attach(jobId, false);
    seen.isOurs = true;
    if (seen.latest) onProgress(seen.latest);
    waiting.keep();
    return proxy;
  } finally {
    waiting.end();
  }
}

/** What events have told meanwhile; undefined for nothing. */
function toldOf(watch: JobWatch, jobId: number): Followed | undefined {
  if (watch.mergedInto === jobId) return 'merged';
  if (watch.hasEnded || watch.jobId === jobId) return watch;
  return watch.jobId === null ? undefined : null;
}

/** What events tell that come after the answer, against the rule. */
async function late(watch: JobWatch, jobId: number): Promise<Followed | undefined> {
  await Promise.race([watch.told(), delay(LATE)]);
  return toldOf(watch, jobId);
}

/** A watch that has failed, unless it has its outcome. */
function gone(watch: JobWatch, text: string): JobWatch {
  watch.fail(new MidcltError('CALL', text, { outcomeUnknown: true }));
  return watch;
}

/** `unknown`: the record does not say who started the job. */
function relationTo({ request }: JobWatch, fields: Members, isClaimed: boolean) {
  if (!fields.has(request.isNamed ? 'message_ids' : 'method')) return 'unknown';
  const relation = relationOf(request, fields, null);
  if (request.isNamed || relation !== 'merged') return relation;
  // The arguments of a job of our own may be spelled otherwise than we sent them. If it sent events, one would
  // have told of it before.
  const isQuiet = fields.get('transient')?.toString() === 'true';
  return isQuiet && !isClaimed ? 'ours' : 'merged';
}

function mayHaveEnded(method: string, jobId: number): string {
  return (
    `${method.slice(0, 100)} answered ${jobId}, and the server does not say whether it is a job: if it is, ` +
    `job ${jobId} has ended and its result is not kept; if it is none, call it without -j ("job": true)`
  );
}

/** A `core.job_wait` of one job. */
export class Wait {
  /** Of the wait's own job. */
  id: number | null = null;
  private watch: JobWatch | null = null;
  private lost: MidcltError | null = null;
  private isKept = false;
  private isOver = false;

  constructor(
    private readonly connection: Connection,
    private readonly watches: JobWatches,
    private readonly jobId: number,
    private readonly onProgress: (frame: ProgressFrame) => void,
  ) {}

  /** Never rejects. */
  async start(): Promise<void> {
    const params = Buffer.from(`[${this.jobId}]`);
    for (const pause of [...WAIT_AGAIN, null]) {
      if (this.isOver) return;
      if (this.watch) this.watches.forget(this.watch);
      const watch = this.watches.add('core.job_wait', params, this.onProgress);
      watch.waitsFor = this.jobId;
      this.watch = watch;
      try {
        const options = { timeout: LOOK_UP_TIMEOUT, id: watch.request.id };
        this.id = integerOf(await this.connection.call('core.job_wait', params, options));
      } catch (error) {
        if (isLost(error)) this.lost = asMidcltError(error);
        return;
      }
      if (this.id === null || watch.mergedInto !== this.id || pause === null) return;
      await delay(pause);
    }
  }

  /** The connection was lost before it was accepted. */
  get isLost(): boolean {
    return this.lost !== null;
  }

  /** The wait's job, if there is one. Throws if the connection was lost. */
  followed(): JobWatch | null {
    if (this.lost) throw this.lost;
    const { id, watch } = this;
    const isOurs = id !== null && watch && this.watches.announced(id, watch) === 'ours';
    return isOurs ? watch : null;
  }

  keep(): void {
    this.isKept = true;
  }

  end(): void {
    this.isOver = true;
    if (this.watch && !this.isKept) this.watches.forget(this.watch);
  }
}
