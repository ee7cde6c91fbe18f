/** One caller that follows one job: what it was shown last, and how the job ended. */
import type { Cancellation } from '../../cancellation.js';
import { MidcltError } from '../../errors.js';
import {
  booleanOf,
  elementsOf,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../../json/members.js';
import { MessageType, type Json, type ProgressFrame } from '../../protocol/frames.js';
import { jobFailure } from '../wire/failure.js';
import type { JobRequest } from './relation.js';

type Outcome = { readonly result: Json } | { readonly error: MidcltError };

const FINAL = new Set(['SUCCESS', 'FAILED', 'ABORTED']);

/** Has a job with these fields ended? */
export function isFinal(fields: Members): boolean {
  return FINAL.has(stringOf(fields.get('state')) ?? '');
}

export class JobWatch {
  /** Known once an event, an answer or a look-up has told. */
  jobId: number | null = null;
  /** The job that the one watched stands for, if it only waits for another. */
  inPlaceOf: number | null = null;
  /** No events come of it: it has to be looked at. */
  isSilent = false;
  /** The job of another that the server has given our request to, and does not run ours. */
  mergedInto: number | null = null;
  /** By `performance.now()`: when the server told of the job last. */
  heard = performance.now();

  /** The server repeats itself, and sends the final event twice. */
  private shown = '';
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

  /** The job that the caller knows of. */
  get shownId(): number | null {
    return this.inPlaceOf ?? this.jobId;
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

  /** Is this the job that is watched, as far as the job itself can tell? */
  isOurs(fields: Members): boolean {
    const { id, method, isNamed } = this.request;
    if (isNamed) {
      const ids = elementsOf(fields.get('message_ids')) ?? [];
      return ids.some((each) => stringOf(each) === id);
    }
    return this.isSameAge(fields) && stringOf(fields.get('method')) === method;
  }

  /** The same of a record that need not say who started it. */
  mayBeOurs(fields: Members): boolean {
    const isTold = fields.has(this.request.isNamed ? 'message_ids' : 'method');
    return isTold ? this.isOurs(fields) : this.isSameAge(fields);
  }

  /** Takes the fields of the job as they are now. */
  report(fields: Members): void {
    this.heard = performance.now();
    if (this.outcome || this.shownId === null) return;
    this.started ??= fields.get('time_started')?.toString() ?? null;
    const state = stringOf(fields.get('state')) ?? '';
    const progress = membersOf(fields.get('progress'));
    const percent = progress?.get('percent') ?? NULL;
    const description = progress?.get('description') ?? NULL;
    const shown = `${state}\n${percent.toString()}\n${description.toString()}`;
    // What was looked up need not have it.
    if (fields.has('progress') && shown !== this.shown) {
      this.shown = shown;
      const jobId = this.shownId;
      // A job that waits for another says nothing of that one's kind.
      const abortable = this.inPlaceOf === null ? booleanOf(fields.get('abortable')) : null;
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
        reject(new MidcltError('CLOSED', 'The client went away; the job goes on'));
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
    return { error: new MidcltError('CALL', text) };
  }
  return { result: fields.get('result') ?? NULL };
}
