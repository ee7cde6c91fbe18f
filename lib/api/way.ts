/** How a connection of the API reaches the middleware. */
import type { EventFrame, ProgressFrame } from '../protocol/frames.js';
import type { Target } from '../middleware/uri.js';
import type { DaemonRequest } from './request.js';

/** Who hears an answer as it comes. While a promise that is returned is pending, nothing more is told. */
export interface Hearing {
  readonly progress?: (frame: ProgressFrame) => void;
  readonly event?: (frame: EventFrame) => unknown;
  readonly result?: (piece: Buffer) => unknown;
}

export interface Way {
  readonly target: Target;
  /**
   * Resolves when the result has been heard. Rejects with the answer's error, with what goes wrong on the way, or
   * with the signal's reason as soon as that is aborted.
   */
  ask(request: DaemonRequest, hearing: Hearing, signal?: AbortSignal): Promise<void>;
  /** Ends what is under way. Resolves when nothing is left. */
  close(): Promise<void>;
}

/** Aborted when either signal is. Not AbortSignal.any, which remembers what has ended as long as the longer one lives. */
export class Either {
  private readonly controller = new AbortController();
  private readonly sources: readonly AbortSignal[];
  private readonly abort = () => {
    this.controller.abort(this.sources.find(({ aborted }) => aborted)?.reason);
  };

  constructor(one: AbortSignal, other: AbortSignal | undefined) {
    this.sources = other ? [one, other] : [one];
    for (const source of this.sources) {
      if (source.aborted) this.abort();
      else source.addEventListener('abort', this.abort);
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  forget(): void {
    for (const source of this.sources) source.removeEventListener('abort', this.abort);
  }
}

/** As the promise, but for a signal that is aborted: then it rejects at once with the signal's reason. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(reasonOf(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const settled = () => {
      signal.removeEventListener('abort', onAbort);
    };
    work.then(resolve, reject).finally(settled);
  });
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}
