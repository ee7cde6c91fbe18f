/** The daemon's phase: accepting → draining → stopped. Owns the holds and the idle clock. */
import { isMidcltError, systemReason } from '../errors.js';
import type { Log } from '../logger.js';

export type Phase = 'accepting' | 'draining' | 'stopped';

export class Lifecycle {
  /** Resolves with the reason when the daemon is to finish what it has and go. */
  readonly draining: Promise<string>;
  /** Resolves when it is to go at once, whatever is in flight. */
  readonly aborted: Promise<string>;

  private current: Phase = 'accepting';
  private holds = 0;
  private timer: NodeJS.Timeout | undefined;
  private startDrain!: (reason: string) => void;
  private abort!: (reason: string) => void;

  /** `lifetime`: seconds without a hold after which the daemon goes; 0 or less is never. */
  constructor(readonly lifetime: number) {
    this.draining = new Promise((resolve) => (this.startDrain = resolve));
    this.aborted = new Promise((resolve) => (this.abort = resolve));
  }

  get phase(): Phase {
    return this.current;
  }

  /** Requests received and not answered, and jobs that are followed whoever listens. */
  get holding(): number {
    return this.holds;
  }

  /** Starts the idle clock. */
  start(): void {
    this.wind();
  }

  hold(): void {
    this.holds++;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  release(): void {
    this.holds--;
    if (this.holds === 0) this.wind();
  }

  /** The first call drains; a signal that comes while draining aborts. */
  drain(reason: string): void {
    if (this.current !== 'accepting') return;
    this.current = 'draining';
    clearTimeout(this.timer);
    this.startDrain(reason);
  }

  /**
   * Takes SIGTERM and SIGINT: once to drain, again to go at once. SIGHUP says that a terminal was
   * closed: it drains a daemon that has one, and is nothing to another. Returns what undoes it.
   */
  takeSignals(source: NodeJS.Process, hasTerminal: boolean): () => void {
    const onSignal = (signal: NodeJS.Signals) => {
      if (this.current === 'accepting') this.drain(signal);
      else this.abort(signal);
    };
    // It comes twice, from the system and from the shell. The second one must not abort.
    const onHangup = () => {
      if (hasTerminal) this.drain('SIGHUP');
    };
    source.on('SIGTERM', onSignal);
    source.on('SIGINT', onSignal);
    source.on('SIGHUP', onHangup);
    return () => {
      source.off('SIGTERM', onSignal);
      source.off('SIGINT', onSignal);
      source.off('SIGHUP', onHangup);
    };
  }

  stopped(): void {
    this.current = 'stopped';
    clearTimeout(this.timer);
  }

  private wind(): void {
    if (this.lifetime <= 0 || this.current !== 'accepting') return;
    const milliseconds = Math.min(this.lifetime * 1000, 2 ** 31 - 1);
    this.timer = setTimeout(() => {
      this.drain(`idle for ${this.lifetime} s`);
    }, milliseconds);
  }
}

/**
 * Takes one step of the daemon's end. Each step is taken whatever became of those before it: a failure is logged and
 * goes no further.
 */
export function takeStep(log: Log, step: string, take: () => void): void {
  try {
    take();
  } catch (error) {
    const reason = isMidcltError(error) ? error.message : systemReason(error);
    log('warning', 'step of the end failed', { step, error: reason });
  }
}
