/** Who watches which job, and what events have told of jobs. */
import { stringOf, type Members } from '../../json/members.js';
import type { Json, ProgressFrame } from '../../protocol/frames.js';
import type { Connection } from '../connection.js';
import { hasOtherArguments, relationOf } from './relation.js';
import { JobWatch } from './watch.js';

/** An event of a job; `isAdded`: the first of all. */
interface Told {
  readonly fields: Members;
  readonly isAdded: boolean;
}

/** Of what is kept until the answers that may follow, on the legacy wire; the first event and the latest. */
const KEPT = { jobs: 100, events: 10 };

export class JobWatches {
  /** Everyone who watches a job or waits to learn its id. */
  private readonly watches = new Set<JobWatch>();
  /** Events of jobs that name no request, by job; empty when nobody watches. */
  private readonly recent = new Map<number, Told[]>();

  constructor(private readonly connection: Connection) {}

  get size(): number {
    return this.watches.size;
  }

  all(): JobWatch[] {
    return [...this.watches];
  }

  add(method: string, params: Json, onProgress: (frame: ProgressFrame) => void): JobWatch {
    const { connection } = this;
    const request = { id: connection.newId(), method, params, isNamed: connection.namesRequests };
    const watch = new JobWatch(request, onProgress);
    this.watches.add(watch);
    return watch;
  }

  forget(watch: JobWatch): void {
    this.watches.delete(watch);
    if (this.watches.size === 0) this.recent.clear();
  }

  /** An event has told of a job. */
  onEvent(jobId: number, fields: Members, isAdded: boolean): void {
    if (this.watches.size === 0) return;
    let isOurs = false;
    for (const watch of this.watches) {
      if (watch.jobId === null && watch.request.isNamed) {
        const relation = relationOf(watch.request, fields, isAdded);
        if (relation !== 'foreign') watch.attach(jobId, relation === 'merged');
      }
      // After a restart of the server the number may be another job's.
      if (watch.jobId !== jobId || !watch.isOurs(fields)) continue;
      watch.report(fields);
      isOurs = true;
    }
    if (isOurs || this.connection.namesRequests) return;
    const events = this.recent.get(jobId) ?? [];
    if (events.length === KEPT.events) events.splice(1, 1);
    this.recent.set(jobId, [...events, { fields, isAdded }]);
    for (const oldest of this.recent.keys()) {
      if (this.recent.size <= KEPT.jobs) break;
      this.recent.delete(oldest);
    }
  }

  /**
   * What events have told of the job whose id our request was answered with: `merged` into it, or null for
   * nothing. Where jobs name no requests, the one just before the answer must do, and who comes
   * first has the job.
   */
  announced(jobId: number, watch: JobWatch): 'ours' | 'merged' | null {
    if (watch.mergedInto === jobId) return 'merged';
    if (watch.jobId !== null) return watch.jobId === jobId ? 'ours' : null;
    const events = this.recent.get(jobId) ?? [];
    const [first] = events;
    if (!first || !watch.isOurs(first.fields)) return null;
    if (hasOtherArguments(watch.request, first.fields) && isJoined(events)) return 'merged';
    this.recent.delete(jobId);
    watch.attach(jobId, false);
    for (const { fields } of events) watch.report(fields);
    return 'ours';
  }
}

/** Was the job there before it was watched for, or did a caller join it while it waited? */
function isJoined([first, ...more]: readonly Told[]): boolean {
  return !first?.isAdded || more.some(({ fields }) => stringOf(fields.get('state')) === 'WAITING');
}
