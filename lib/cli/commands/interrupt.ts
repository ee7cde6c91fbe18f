/** What SIGINT and SIGTERM do to a command that waits for a job: they end the command, and the job where that is asked for. */
import type { ErrorFrame, ProgressFrame } from '../../protocol/frames.js';
import { ownCommand, type OwnOptions } from '../../text/for-person.js';
import { sayLine } from '../output/output.js';
import { followedBy, isMidcltError, publicText, type MidcltError } from '../../errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What an interruption needs of the command. */
export interface Waiting {
  readonly options: OwnOptions & { readonly abortOnInterrupt?: boolean };
  /** Ends the line on which progress is shown. */
  readonly endProgress: () => void;
  /** Asks the server to abort the job. Resolves with the error frame of a refusal, or null. */
  readonly abort: (jobId: number) => Promise<ErrorFrame | null>;
}

/** An error after which a job is not heard of any more, with how to hear of it. */
export function goingOn(error: MidcltError, options: OwnOptions, jobId: number): MidcltError {
  return followedBy(error, `${goesOn(jobId)}; ${whatWaits(options, jobId)}`);
}

function goesOn(jobId: number): string {
  return `Job ${jobId} goes on at the server`;
}

function whatWaits(options: OwnOptions, jobId: number | null): string {
  return `'${ownCommand(options, ['job', 'wait', `${jobId ?? ''}`])}' waits for it`;
}

export class Interruption {
  private abortable: boolean | null = null;
  /** What has come while the job is being aborted. */
  private signal: NodeJS.Signals | null = null;

  /** `jobId`: null until it is known. */
  constructor(
    private readonly waiting: Waiting,
    private jobId: number | null,
  ) {
    for (const signal of SIGNALS) process.on(signal, this.onSignal);
  }

  /** Progress has told of the job. */
  hear({ jobId, abortable }: ProgressFrame): void {
    this.jobId = jobId ?? this.jobId;
    this.abortable = abortable ?? this.abortable;
  }

  /** There is nothing to interrupt any more. */
  forget(): void {
    for (const signal of SIGNALS) process.off(signal, this.onSignal);
  }

  /** The loss of whoever tells of the job, as {@link goingOn} says it; null for other errors. */
  explained(error: unknown): MidcltError | null {
    if (this.jobId === null || !isMidcltError(error) || error.code !== 'LOST') return null;
    return goingOn(error, this.waiting.options, this.jobId);
  }

  /** Ends this process as the signal that has come would have. Does nothing if none has. */
  leave(): void {
    this.forget();
    if (this.signal) process.kill(process.pid, this.signal);
  }

  private readonly onSignal = (signal: NodeJS.Signals): void => {
    const { jobId } = this;
    const isFirst = this.signal === null;
    this.signal = signal;
    this.waiting.endProgress();
    if (isFirst && this.waiting.options.abortOnInterrupt && jobId !== null) {
      void this.abort(jobId);
      return;
    }
    sayLine(isFirst ? this.farewell() : `Job ${jobId ?? ''} was to be aborted; ${this.wait()}`);
    this.leave();
  };

  /** If it can't be done, leaves; else the command ends when the job has. */
  private async abort(jobId: number): Promise<void> {
    const doubt = this.abortable === false ? ", although it says that it can't be aborted" : '';
    sayLine(`Interrupted. Aborting job ${jobId}${doubt}; press Ctrl-C again to leave it alone`);
    let problem: string | undefined;
    try {
      problem = (await this.waiting.abort(jobId))?.error;
    } catch (error) {
      problem = publicText(error);
    }
    if (problem === undefined) return;
    sayLine(`Job ${jobId} is not aborted: ${problem.split('\n', 1)[0] ?? ''}; ${this.wait()}`);
    this.leave();
  }

  /** Says that the job goes on although nobody waits for it, and how to end it. */
  private farewell(): string {
    const { jobId, abortable } = this;
    if (jobId === null) {
      const { abortOnInterrupt } = this.waiting.options;
      const why = abortOnInterrupt ? ': its id is not known yet' : '';
      return `Interrupted. If the job was started, it is not ended by this${why}`;
    }
    const text = `Interrupted. ${goesOn(jobId)}`;
    if (abortable === false) return `${text}, and can't be aborted; ${this.wait()}`;
    const abort = ownCommand(this.waiting.options, ['job', 'abort', `${jobId}`]);
    const condition = abortable === null ? ', if it can be aborted' : '';
    return `${text}; ${this.wait()}, '${abort}' ends it${condition}`;
  }

  private wait(): string {
    return whatWaits(this.waiting.options, this.jobId);
  }
}
