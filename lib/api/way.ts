/** How a connection of the API reaches the middleware. */
import { MidcltError } from '../errors.js';
import type { EventFrame, ProgressFrame } from '../protocol/frames.js';
import type { Target } from '../middleware/uri.js';
import type { DaemonRequest } from './request.js';
import type { Turns } from './turns.js';

/** Who hears an answer as it comes. While a promise that is returned is pending, nothing more is told. */
export interface Hearing {
  readonly progress?: (frame: ProgressFrame) => void;
  readonly event?: (frame: EventFrame) => unknown;
  readonly result?: (piece: Buffer) => unknown;
}

export interface Way {
  readonly target: Target;
  /** Aborted when the way is closed, with what to tell of what was sent. For what goes beside its requests. */
  readonly closing: AbortSignal;
  /** For each upload, until its job has begun. */
  readonly uploads: Turns;
  /**
   * Resolves when the result has been heard. Rejects with the answer's error, with what goes wrong on the way, or
   * with the signal's reason as soon as that is aborted.
   */
  ask(request: DaemonRequest, hearing: Hearing, signal?: AbortSignal): Promise<void>;
  /** Ends what is under way. Resolves when nothing is left. */
  close(): Promise<void>;
}

/** Why something rejects that was not sent before the connection was closed. */
export function closed(): MidcltError {
  return new MidcltError('CLOSED', 'The connection was closed; the request was not sent');
}

/** Why something rejects that was under way when the connection was closed. */
export function closedMeanwhile(): MidcltError {
  return new MidcltError('LOST', 'The connection was closed; the outcome is unknown');
}

/** Who hears of a signal's end: through one listener of it, since Node warns of more than ten. */
class Hearers {
  private static readonly all = new WeakMap<AbortSignal, Hearers>();
  private readonly hearers = new Set<() => void>();
  private readonly tell = () => {
    for (const hearer of [...this.hearers]) hearer();
  };

  static of(signal: AbortSignal): Hearers {
    const known = Hearers.all.get(signal) ?? new Hearers(signal);
    Hearers.all.set(signal, known);
    return known;
  }

  private constructor(private readonly signal: AbortSignal) {}

  add(hearer: () => void): void {
    if (this.hearers.size === 0) this.signal.addEventListener('abort', this.tell);
    this.hearers.add(hearer);
  }

  remove(hearer: () => void): void {
    this.hearers.delete(hearer);
    if (this.hearers.size === 0) this.signal.removeEventListener('abort', this.tell);
  }
}

/** Calls `hearer` once the signal is aborted, not if it is already. Returns what ends that. */
export function onAbort(signal: AbortSignal, hearer: () => void): () => void {
  const hearers = Hearers.of(signal);
  const own = () => {
    hearer();
  };
  hearers.add(own);
  return () => {
    hearers.remove(own);
  };
}

/** Aborted when either signal is. Not AbortSignal.any, which remembers what has ended as long as the longer one lives. */
export class Either {
  private readonly controller = new AbortController();
  private readonly ends: (() => void)[] = [];

  constructor(...sources: readonly (AbortSignal | undefined)[]) {
    for (const source of sources) {
      if (!source) continue;
      const abort = () => {
        this.controller.abort(source.reason);
      };
      if (source.aborted) abort();
      else this.ends.push(onAbort(source, abort));
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  forget(): void {
    for (const end of this.ends) end();
  }
}

/** As the promise, but for a signal that is aborted: then it rejects at once with the signal's reason. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason as Error); // whatever it is
    };
    if (signal.aborted) abort();
    const end = onAbort(signal, abort);
    work.then(resolve, reject).finally(end);
  });
}
