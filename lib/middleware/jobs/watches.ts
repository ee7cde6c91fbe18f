/** Who follows which job: what each was shown last, how the job ended, and what events have told of jobs. */
import type { Cancellation } from '../../cancellation.js';
import { MidcltError } from '../../errors.js';
import {
  NULL,
  booleanOf,
  elementsOf,
  isNull,
  membersOf,
  stringOf,
  type Members,
} from '../../json/members.js';
import { MessageType, type Json, type ProgressFrame } from '../../protocol/frames.js';
import type { Connection } from '../connection.js';
import { jobFailure } from '../wire/failure.js';
import { hasOtherArguments, relationOf, type JobRequest } from './events.js';
import { steadyNow } from '../../timer.js';

/** An event of a job; `isAdded`: the first of all. */
interface Told {
  readonly fields: Members;
  readonly isAdded: boolean;
}

/** How much is kept on the legacy wire until the calls are answered: of each job the first event and the latest. */
const KEPT = { jobs: 100, events: 10 };

export class JobWatches {
  /** Everyone who watches a job or waits to learn its id. */
  private readonly watches = new Set<JobWatch>();
  /** Events of jobs that name no request, by job; empty when nobody watches. */
  private readonly recent = new Map<number, Told[]>();

  constructor(private readonly connection: Connection) {
    // The numbers of jobs start over with the server. One that is lost answers no call that its events have told of.
    connection.on('loss', () => {
      this.recent.clear();
    });
  }

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

  /** A job that exists, whoever has started it. */
  addKnown(jobId: number, onProgress: (frame: ProgressFrame) => void): JobWatch {
    const request = { id: '', method: ANY, params: NULL, isNamed: false };
    const watch = new JobWatch(request, onProgress);
    watch.attach(jobId, false);
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
      isOurs ||= !watch.isOnlooker;
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
   * What events have told of job `jobId`, with which our request was answered; null for nothing. Where jobs name no
   * requests, the job is ours if the events just before fit, and belongs to the first who asks.
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

/** Whether the job was there before anybody watched for it, or a caller joined it while it waited. */
function isJoined([first, ...more]: readonly Told[]): boolean {
  return !first?.isAdded || more.some(({ fields }) => stringOf(fields.get('state')) === 'WAITING');
}

/** The method of a job that is known by its id alone: no method has such a name. */
const ANY = '';

type Outcome = { readonly result: Json } | { readonly error: MidcltError };

const FINAL = new Set(['SUCCESS', 'FAILED', 'ABORTED']);

/** Has a job with these fields ended? */
export function isFinal(fields: Members): boolean {
  return FINAL.has(stringOf(fields.get('state')) ?? '');
}

export class JobWatch {
  /** Known once an event, an answer or a look-up has told. */
  jobId: number | null = null;
  /** Of a `core.job_wait`: the job that it waits for. */
  waitsFor: number | null = null;
  /** No events come of it: it has to be looked at. */
  isSilent = false;
  /** Another's job, into which the server merged our request: ours is not run. */
  mergedInto: number | null = null;
  /** By {@link steadyNow}: when the server told of the job last. */
  heard = steadyNow();

  /** The server repeats itself, and sends the final event twice. */
  private shown = '';
  /** How often it was told of the job. */
  private reports = 0;
  /** When the job began, as the server wrote it: numbers start over when it restarts. */
  private started: string | null = null;
  /** Set by the final event, which may come before anyone waits for it. */
  private outcome: Outcome | null = null;
  private onOutcome: ((outcome: Outcome) => void) | null = null;
  private onTold: (() => void) | null = null;

  constructor(
    readonly request: JobRequest,
    private readonly onProgress: (frame: ProgressFrame) => void,
  ) {}

  get hasEnded(): boolean {
    return this.outcome !== null;
  }

  /** It looks at a job that somebody has started, and claims none. */
  get isOnlooker(): boolean {
    return this.request.method === ANY;
  }

  /** The job that the caller knows of. */
  get shownId(): number | null {
    return this.waitsFor ?? this.jobId;
  }

  /** Resolves when an event, or {@link fail}, has told of the job. */
  told(): Promise<void> {
    if (this.jobId !== null || this.mergedInto !== null || this.outcome) return Promise.resolve();
    return new Promise((resolve) => {
      this.onTold = resolve;
    });
  }

  /** An event has told whose job it is. */
  attach(jobId: number, isMerged: boolean): void {
    if (isMerged) this.mergedInto = jobId;
    else this.jobId = jobId;
    this.onTold?.();
  }

  /** Whether these are the fields of the watched job. */
  isOurs(fields: Members): boolean {
    const { id, method, isNamed } = this.request;
    if (isNamed) {
      const ids = elementsOf(fields.get('message_ids')) ?? [];
      return ids.some((each) => stringOf(each) === id);
    }
    return this.isSameAge(fields) && (method === ANY || stringOf(fields.get('method')) === method);
  }

  /** The same, of a record that may not say who started the job. */
  mayBeOurs(fields: Members): boolean {
    const isTold = fields.has(this.request.isNamed ? 'message_ids' : 'method');
    return isTold ? this.isOurs(fields) : this.isSameAge(fields);
  }

  /**
   * To be called when the job is about to be looked up; what it returns takes the fields that were found. The server may
   * have looked before an event that came sooner than its answer: an event tells what is newer, unless the job has ended.
   */
  asking(): (found: Members) => void {
    const { reports } = this;
    return (found) => {
      if (this.reports === reports || isFinal(found)) this.report(found);
    };
  }

  /** Takes the fields of the job as they are now. */
  report(fields: Members): void {
    this.heard = steadyNow();
    this.reports += 1;
    if (this.outcome || this.shownId === null) return;
    this.started ??= fields.get('time_started')?.toString() ?? null;
    const state = stringOf(fields.get('state')) ?? '';
    const progress = membersOf(fields.get('progress'));
    const percent = progress?.get('percent') ?? NULL;
    const description = progress?.get('description') ?? NULL;
    const shown = `${state}\n${percent.toString()}\n${description.toString()}`;
    // A record that was looked up may lack it.
    if (fields.has('progress') && shown !== this.shown) {
      this.shown = shown;
      const jobId = this.shownId;
      // A `core.job_wait` does not tell whether the job it waits for can be aborted.
      const abortable = this.waitsFor === null ? booleanOf(fields.get('abortable')) : null;
      const type = MessageType.PROGRESS;
      this.onProgress({ type, percent, description, state, jobId, abortable });
    }
    if (isFinal(fields)) this.finish(outcomeOf(this.shownId, state, fields));
  }

  /** Gives the job up, unless it has its outcome. */
  fail(error: MidcltError): void {
    this.finish({ error });
  }

  /** The job's result; rejects with its failure, or with `CLOSED` when the client has gone. */
  ended(client: Cancellation | null): Promise<Json> {
    return new Promise((resolve, reject) => {
      const onCancel = () => {
        const text = 'The client went away; the job goes on';
        reject(new MidcltError('CLOSED', text, { outcomeUnknown: true }));
      };
      const settle = (outcome: Outcome) => {
        client?.off(onCancel);
        if ('result' in outcome) resolve(outcome.result);
        else reject(outcome.error);
      };
      if (this.outcome) {
        settle(this.outcome);
      } else if (client?.isCancelled) {
        onCancel();
      } else {
        this.onOutcome = settle;
        client?.on(onCancel);
      }
    });
  }

  /** Numbers start over when the server restarts. */
  private isSameAge(fields: Members): boolean {
    const started = fields.get('time_started')?.toString();
    return !started || this.started === null || this.started === started;
  }

  private finish(outcome: Outcome): void {
    this.outcome ??= outcome;
    this.onTold?.();
    this.onOutcome?.(this.outcome);
  }
}

function outcomeOf(jobId: number, state: string, fields: Members): Outcome {
  if (state !== 'SUCCESS') return { error: jobFailure(jobId, state, fields) };
  const encodingError = fields.get('result_encoding_error');
  if (!isNull(encodingError)) {
    const why = stringOf(encodingError) ?? encodingError?.toString() ?? '';
    const text = `Job ${jobId} succeeded, but the server could not encode its result: ${why}`;
    return { error: new MidcltError('CALL', text, { outcomeUnknown: true }) }; // it is done
  }
  return { result: fields.get('result') ?? NULL };
}
