/** One job: what core.get_jobs shows of it, and how it gets there. */
import { setTimeout as delay } from 'node:timers/promises';
import { NO_PIPES, type Pipes } from './files/pipe.js';
import {
  CallError,
  ProcessError,
  asPyException,
  isValidation,
  ValidationErrors,
  type PyException,
} from './python/exceptions.js';
import { datetime, dict, int, type PyDict, type PyValue } from './python/values.js';
import { credentialsData, type Credentials, type Session } from './session.js';

export type JobState = 'WAITING' | 'RUNNING' | 'SUCCESS' | 'FAILED' | 'ABORTED';

/** How a method's jobs behave. Every member is off unless given. */
export interface JobOptions {
  readonly abortable?: boolean;
  /** No events tell of the job, and nothing is kept of it when it has ended. */
  readonly transient?: boolean;
  /** The job's caller is answered before the job's last event. */
  readonly audited?: boolean;
  /** Jobs with the same lock run one after the other. */
  readonly lock?: string;
  /**
   * How many may wait for the lock; callers beyond share the last that waits (0: refused while one runs). Unless
   * given, any number may wait for a lock, and five jobs that have none.
   */
  readonly lockQueueSize?: number;
  /** Its jobs write to an output pipe, which core.download opens. */
  readonly downloadable?: boolean;
  /** Its jobs read input pipes, which an upload opens. */
  readonly uploadable?: boolean;
  /** An upload is answered only when its job has begun with what it has read: the job may break it until then. */
  readonly holdsUpload?: boolean;
  /** False: a job may do without its pipes. */
  readonly checkPipes?: boolean;
  /** Its jobs write logs. */
  readonly logs?: boolean;
  readonly describe?: (args: readonly PyValue[]) => string;
}

/** What a job does. It may stop when `job.signal` is aborted: its outcome no longer counts then. */
export type JobBody = (job: Job) => Promise<PyValue> | PyValue;

export interface JobSpec {
  readonly id: number;
  readonly method: string;
  /** The arguments as sent, which the job shows. */
  readonly args: readonly PyValue[];
  readonly options: JobOptions;
  readonly body: JobBody;
  /** The ids of the requests that the job was started by so far. */
  readonly messageIds: readonly PyValue[];
  readonly owner: Session;
  readonly pipes?: Pipes;
  /** Called whenever the fields changed enough to tell the subscribers. */
  readonly changed: (job: Job) => void;
}

export class Job {
  readonly messageIds: PyValue[];
  state: JobState = 'WAITING';
  progress: { percent: PyValue; description: string; extra: PyValue } = {
    percent: 0n,
    description: '',
    extra: null,
  };
  result: PyValue = null;
  failure: PyException | null = null;
  /** What the job logged so far. */
  logs = '';
  /** Resolves when the job's callers may be told its id. */
  readonly admitted: Promise<void>;
  isAdmitted = false;
  readonly finished: Promise<void>;
  private readonly credentials: Credentials | null;
  private readonly timeStarted = Date.now();
  private timeFinished: number | null = null;
  private readonly stopping = new AbortController();
  private readonly followers: Job[] = [];
  private finish!: () => void;
  private tellAdmitted!: () => void;

  constructor(readonly spec: JobSpec) {
    this.messageIds = [...spec.messageIds];
    this.credentials = spec.owner.credentials;
    this.admitted = new Promise((resolve) => {
      this.tellAdmitted = resolve;
    });
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  get id(): number {
    return this.spec.id;
  }

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  get pipes(): Pipes {
    return this.spec.pipes ?? NO_PIPES;
  }

  /** The file that the job's logs are in on the server; null if it has none, or has not begun. */
  get logsPath(): string | null {
    const hasLogs = this.spec.options.logs === true && this.state !== 'WAITING';
    return hasLogs ? `/var/log/jobs/${this.id}.log` : null;
  }

  get isFinished(): boolean {
    return this.state !== 'WAITING' && this.state !== 'RUNNING';
  }

  /** Administrators see every job. Others see the jobs of their own sessions, as long as the session is open. */
  isVisibleTo(session: Session): boolean {
    if (session.credentials === null) return false;
    if (session.isAdmin) return true;
    if (!this.spec.owner.isConnection) return false; // an upload's
    return this.livingCredentials?.account === session.credentials.account;
  }

  admit(): void {
    this.isAdmitted = true;
    this.tellAdmitted();
  }

  /** Runs the body, to the job's end. Never throws: an exception is the job's outcome. */
  async run(): Promise<void> {
    this.state = 'RUNNING';
    this.spec.changed(this);
    try {
      this.result = await Promise.race([this.spec.body(this), this.aborted()]);
      this.state = 'SUCCESS';
      this.timeFinished = Date.now();
      this.setProgress(100n); // this tells the subscribers too, unless the progress was 100 before
    } catch (error) {
      this.timeFinished = Date.now();
      if (this.signal.aborted) this.state = 'ABORTED';
      else this.fail(asPyException(error));
    }
    this.closePipes();
    this.finish();
    if (this.spec.options.audited === true) await new Promise(setImmediate);
    this.spec.changed(this);
  }

  /** Aborts a running job as soon as the caller is answered. A waiting job ends when it would have been run. */
  abort(): void {
    setImmediate(() => {
      if (!this.isFinished) this.stopping.abort();
    });
  }

  /** Ends a job that was aborted before it was run. */
  cancel(): void {
    this.state = 'ABORTED';
    this.timeFinished = Date.now();
    this.closePipes();
    this.finish();
    this.spec.changed(this);
  }

  /** Tells the subscribers and the jobs that follow this one, if anything changed. */
  setProgress(percent: PyValue, description?: string, extra: PyValue = null): void {
    if (this.state === 'ABORTED' || this.state === 'FAILED') return; // the body has not stopped yet
    const before = this.progress;
    const after = {
      percent,
      description: description ?? before.description,
      extra: extra ?? before.extra,
    };
    if (
      extra === null &&
      before.percent === after.percent &&
      before.description === after.description
    )
      return;
    this.progress = after;
    this.spec.changed(this);
    for (const follower of this.followers) follower.mirror(this);
  }

  /** What core.job_wait does: this job shows the other's progress and ends as the other does. */
  async follow(other: Job): Promise<PyValue> {
    this.mirror(other);
    other.followers.push(this);
    await other.finished;
    const failure = other.failure;
    if (failure === null) return other.result;
    throw failure instanceof CallError || isValidation(failure)
      ? failure
      : new CallError(failure.message);
  }

  /** Sleeps `seconds`. Rejects as soon as the job is aborted. */
  async sleep(seconds: number): Promise<void> {
    await delay(seconds * 1000, undefined, { signal: this.signal });
  }

  /** What core.get_jobs and its events show. */
  fields(): PyDict {
    const { failure, progress, spec } = this;
    const credentials = this.livingCredentials;
    return dict({
      id: int(spec.id),
      message_ids: [...this.messageIds],
      method: spec.method,
      arguments: [...spec.args],
      transient: spec.options.transient === true,
      description: spec.options.describe?.(spec.args) ?? null,
      abortable: spec.options.abortable === true,
      logs_path: this.logsPath,
      logs_excerpt: this.logsPath !== null && this.isFinished ? excerptOf(this.logs) : null,
      progress: dict({ ...progress }),
      result: this.result,
      result_encoding_error: null,
      error: failure === null ? null : failure.message,
      exception: failure === null ? null : failure.traceback,
      exc_info: failure === null ? null : excInfo(failure),
      state: this.state,
      time_started: datetime(this.timeStarted),
      time_finished: datetime(this.timeFinished),
      credentials:
        credentials === null
          ? null
          : dict({ type: credentials.type, data: credentialsData(credentials) }),
    });
  }

  /** Who waits for the other end of a pipe is told that there will be nothing more. */
  private closePipes(): void {
    this.pipes.inputs?.close();
    this.pipes.output?.end();
  }

  private get livingCredentials(): Credentials | null {
    return this.spec.owner.closed ? null : this.credentials;
  }

  private mirror(other: Job): void {
    const { percent, description, extra } = other.progress;
    this.setProgress(percent, description, extra);
  }

  private fail(error: PyException): void {
    this.state = 'FAILED';
    this.failure = error instanceof ProcessError ? new CallError(error.reason) : error;
  }

  private aborted(): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.signal.addEventListener('abort', () => {
        reject(new Error('aborted'));
      });
    });
  }
}

/** So many lines are shown of each end of long logs. */
const LOG_LINES = 10;

function excerptOf(logs: string): string {
  const lines = logs.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  if (lines.length <= 2 * LOG_LINES) return logs;
  const between = `... ${lines.length - 2 * LOG_LINES} more lines ...\n`;
  return [...lines.slice(0, LOG_LINES), between, ...lines.slice(-LOG_LINES)].join('');
}

function excInfo(error: PyException): PyDict {
  return dict({
    repr: error.repr,
    type: isValidation(error) ? 'VALIDATION' : error.className,
    errno: error instanceof ValidationErrors || error.errno === null ? null : int(error.errno),
    extra: error.extra,
  });
}
