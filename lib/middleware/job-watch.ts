/** One caller that follows one job: what it was shown last, and how the job ended. */
import type { Cancellation } from '../cancellation.js';
import { MidcltError } from '../errors.js';
import {
  booleanOf,
  elementsOf,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../members.js';
import { MessageType, type Json, type ProgressFrame } from '../protocol.js';
import { jobFailure } from './failure.js';

type Outcome = { readonly result: Json } | { readonly error: MidcltError };

const FINAL = new Set(['SUCCESS', 'FAILED', 'ABORTED']);

export interface JobRequest {
  /** The id of the request that started or joined the job. */
  readonly id: string;
  readonly method: string;
  /** Do jobs name the requests that started them? The legacy wire's don't. */
  readonly isNamed: boolean;
}

export class JobWatch {
  /** Known once an event, an answer or a look-up has told. */
  jobId: number | null = null;
  /** The job that the one watched stands for, if it only waits for another. */
  inPlaceOf: number | null = null;

  /** The server repeats itself, and sends the final event twice. */
  private shown = '';
  /** When the job began, as the server wrote it: numbers start over when it restarts. */
  private started: string | null = null;
  /** Set by the final event, which may come before anyone waits for it. */
  private outcome: Outcome | null = null;
  private onOutcome: ((outcome: Outcome) => void) | null = null;

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

  /** Is this the job our request started, as far as the job itself can tell? */
  isOurs(fields: Members): boolean {
    const { id, method, isNamed } = this.request;
    if (isNamed) {
      const ids = elementsOf(fields.get('message_ids')) ?? [];
      return ids.some((each) => stringOf(each) === id);
    }
    const started = fields.get('time_started')?.toString() ?? null;
    const isSame = this.started === null || this.started === started;
    return isSame && stringOf(fields.get('method')) === method;
  }

  /** Takes the fields of the job as they are now. */
  report(fields: Members): void {
    if (this.outcome || this.shownId === null) return;
    this.started ??= fields.get('time_started')?.toString() ?? null;
    const state = stringOf(fields.get('state')) ?? '';
    const progress = membersOf(fields.get('progress'));
    const percent = progress?.get('percent') ?? NULL;
    const description = progress?.get('description') ?? NULL;
    const shown = `${state}\n${percent.toString()}\n${description.toString()}`;
    if (shown !== this.shown) {
      this.shown = shown;
      const jobId = this.shownId;
      // A job that waits for another says nothing of that one's kind.
      const abortable = this.inPlaceOf === null ? booleanOf(fields.get('abortable')) : null;
      const type = MessageType.PROGRESS;
      this.onProgress({ type, percent, description, state, jobId, abortable });
    }
    if (FINAL.has(state)) this.finish(outcomeOf(this.shownId, state, fields));
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

  private finish(outcome: Outcome): void {
    this.outcome ??= outcome;
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
