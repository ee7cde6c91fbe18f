/** A job at the middleware: awaited for its result, iterated for its progress. */
import { isMidcltError, MidcltError } from '../errors.js';
import type { ProgressFrame } from '../protocol/frames.js';
import { progressOf, type Progress } from './request.js';

/** What a job is made of. */
export interface JobSource<R> {
  /** Begins to follow it. Resolves with its result. */
  readonly run: (
    onProgress: (frame: ProgressFrame) => void,
    onId: (id: number) => void,
  ) => Promise<R>;
  /** Asks the server to end it. */
  readonly abort: (id: number) => Promise<void>;
  /** Where it is known before the server tells. */
  readonly id?: number;
}

/**
 * `await job` gives the result, `for await (const progress of job)` what it says of itself until it ends, whichever
 * way. A slow loop sees the newest only. A job that fails and is awaited by nobody is no unhandled rejection.
 */
export class Job<R> implements PromiseLike<R>, AsyncIterable<Progress> {
  /** Resolves with the job's id as soon as the server has told; null if the method has started no job. Never rejects. */
  readonly id: Promise<number | null>;

  readonly #result: Promise<R>;
  readonly #abort: JobSource<R>['abort'];
  #latest: Progress | null = null;
  #count = 0;
  /** Nobody waits for it any more. */
  #isOver = false;
  /** The server has told its end. */
  #hasEnded = false;
  /** It may run: neither was its end told, nor that it was not sent. */
  #mayRun = true;
  #waiting: (() => void)[] = [];

  /** Made by a connection's `job` and `follow`. */
  constructor({ run, abort, id }: JobSource<R>) {
    this.#abort = abort;
    let tell: (id: number | null) => void = () => undefined;
    this.id = id === undefined ? new Promise((resolve) => (tell = resolve)) : Promise.resolve(id);
    this.#result = run(
      (frame) => {
        if (frame.jobId !== null) tell(frame.jobId);
        this.#latest = progressOf(frame);
        this.#count++;
        this.#wake();
      },
      (known) => {
        tell(known);
      },
    );
    const end = (hasEnded: boolean, mayRun: boolean) => {
      this.#hasEnded = hasEnded;
      this.#mayRun = mayRun;
      tell(null);
      this.#isOver = true;
      this.#wake();
    };
    this.#result.then(
      () => {
        end(true, false);
      },
      (error: unknown) => {
        const isOurs = isMidcltError(error);
        end(isOurs && error.code === 'CALL', !isOurs || error.outcomeUnknown);
      },
    );
  }

  then<T = R, E = never>(
    onFulfilled?: ((result: R) => T | PromiseLike<T>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#result.then(onFulfilled, onRejected);
  }

  catch<E = never>(onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<R | E> {
    return this.#result.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<R> {
    return this.#result.finally(onFinally);
  }

  /** What it last said of itself; null before it said anything. */
  get progress(): Progress | null {
    return this.#latest;
  }

  /**
   * Asks the server to end it: then awaiting it rejects. Does nothing to a job that has ended. Rejects with `LOST` if it
   * was given up, or lost, before the server told its id: it may run.
   */
  async abort(): Promise<void> {
    const id = await this.id;
    if (id === null && this.#mayRun) {
      const text = 'Cannot abort the job: its id is not known, and it may run';
      throw new MidcltError('LOST', text);
    }
    if (id !== null && !this.#hasEnded) await this.#abort(id);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, undefined> {
    for (let seen = 0; ;) {
      if (this.#count > seen && this.#latest) {
        seen = this.#count;
        yield this.#latest;
      } else if (this.#isOver) return;
      else await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
