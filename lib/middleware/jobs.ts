/**
 * Follows jobs by the events of `core.get_jobs`: job id → who watches it.
 *
 * The connection stays in `legacy_jobs` mode: a job method answers its call with the job's id at
 * once. An integer is that id only if an event, which always comes before the answer, names our
 * request among the job's `message_ids`; a plain method may well return a number.
 */
import { MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import {
  elementsOf,
  integerOf,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../members.js';
import { MessageType, type Json, type ProgressFrame } from '../protocol.js';
import type { Connection } from './connection.js';
import { jobFailure } from './failure.js';

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

interface Watch {
  /** The id of the request that started or joined the job. */
  readonly requestId: string;
  readonly onProgress: (frame: ProgressFrame) => void;
  jobId: number | null;
  /** The progress shown last; the server repeats itself. */
  shown: string;
  /** Set by the job's final event, which may come before anyone waits for it. */
  outcome: Outcome | null;
  onOutcome: ((outcome: Outcome) => void) | null;
}

type Outcome = { readonly result: Json } | { readonly error: MidcltError };

const COLLECTION = 'core.get_jobs';
const FINAL = new Set(['SUCCESS', 'FAILED', 'ABORTED']);

export class Jobs {
  /** Everyone who watches a job or waits to learn its id. */
  private readonly watches = new Set<Watch>();
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
        const text = `${why}; job ${watch.jobId} goes on at the server, its outcome is unknown`;
        finish(watch, { error: new MidcltError('LOST', text) });
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
    try {
      await this.subscribe();
    } catch (error) {
      options.onAccepted();
      options.onSettled();
      throw error;
    }
    const watch: Watch = {
      requestId: this.connection.newId(),
      onProgress: options.onProgress,
      jobId: null,
      shown: '',
      outcome: null,
      onOutcome: null,
    };
    // A call given up is over only when its late answer has come.
    const stage = { answered: false, over: false };
    this.watches.add(watch);
    try {
      const answer = await this.connection.call(method, params, {
        timeout: options.timeout,
        id: watch.requestId,
        onSettled: () => {
          stage.answered = true;
          options.onAccepted();
          if (stage.over) options.onSettled();
        },
      });
      if (watch.jobId === null || integerOf(answer) !== watch.jobId) return answer;
      this.log('info', 'job started', { method, job: watch.jobId });
      return await outcomeOf(watch, options.signal);
    } finally {
      this.watches.delete(watch);
      stage.over = true;
      if (stage.answered) options.onSettled();
    }
  }

  /** Once for the connection, when the first job comes: the events of all jobs are a lot of traffic. */
  private async subscribe(): Promise<void> {
    const params = Buffer.from(`["${COLLECTION}"]`);
    this.subscription ??= this.connection.call('core.subscribe', params, { timeout: 60_000 });
    try {
      await this.subscription;
    } catch (error) {
      this.subscription = null;
      throw error;
    }
  }

  private onEvent(params: Json): void {
    const event = membersOf(params);
    if (stringOf(event?.get('collection')) !== COLLECTION) return;
    const fields = membersOf(event?.get('fields'));
    const jobId = integerOf(fields?.get('id'));
    if (!fields || jobId === null) return;
    let ids: Set<string> | null = null;
    for (const watch of this.watches) {
      if (watch.jobId === null) {
        ids ??= requestIds(fields);
        if (!ids.has(watch.requestId)) continue;
        watch.jobId = jobId;
      }
      if (watch.jobId === jobId) this.report(watch, jobId, fields);
    }
  }

  private report(watch: Watch, jobId: number, fields: Members): void {
    if (watch.outcome) return; // SUCCESS comes twice
    const state = stringOf(fields.get('state')) ?? '';
    const progress = membersOf(fields.get('progress'));
    const percent = progress?.get('percent') ?? NULL;
    const description = progress?.get('description') ?? NULL;
    const shown = `${state}\n${percent.toString()}\n${description.toString()}`;
    if (shown !== watch.shown) {
      watch.shown = shown;
      watch.onProgress({ type: MessageType.PROGRESS, percent, description, state });
    }
    if (FINAL.has(state)) finish(watch, outcome(jobId, state, fields));
  }
}

function outcome(jobId: number, state: string, fields: Members): Outcome {
  if (state !== 'SUCCESS') return { error: jobFailure(jobId, state, fields) };
  const encodingError = fields.get('result_encoding_error');
  if (!isNull(encodingError)) {
    const why = stringOf(encodingError) ?? encodingError?.toString() ?? '';
    const text = `Job ${jobId} succeeded, but the server could not encode its result: ${why}`;
    return { error: new MidcltError('CALL', text) };
  }
  return { result: fields.get('result') ?? NULL };
}

function finish(watch: Watch, result: Outcome): void {
  watch.outcome = result;
  watch.onOutcome?.(result);
}

function outcomeOf(watch: Watch, signal: AbortSignal | null): Promise<Json> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(new MidcltError('CLOSED', 'The client went away; the job goes on'));
    };
    const settle = (found: Outcome) => {
      signal?.removeEventListener('abort', onAbort);
      if ('result' in found) resolve(found.result);
      else reject(found.error);
    };
    if (watch.outcome) {
      settle(watch.outcome);
    } else if (signal?.aborted) {
      onAbort();
    } else {
      watch.onOutcome = settle;
      signal?.addEventListener('abort', onAbort);
    }
  });
}

/** The request ids a job answers that can be ours: strings. Merged callers are added as they come. */
function requestIds(fields: Members): Set<string> {
  const ids = new Set<string>();
  for (const id of elementsOf(fields.get('message_ids')) ?? []) {
    const text = stringOf(id);
    if (text !== null) ids.add(text);
  }
  return ids;
}
