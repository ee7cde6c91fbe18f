/** The slots that all connections share: how many calls the middleware may be busy with at once. */
import { abandoned, MidcltError } from '../errors.js';
import { after } from '../timer.js';

/** The right to have one call at the middleware. Released once; more often does no harm. */
export interface Slot {
  release(): void;
}

/** A slot for what needs none. */
export const NO_SLOT: Slot = { release: () => undefined };

interface Waiter {
  grant(slot: Slot): void;
}

/**
 * First come, first served. A connection never has more than one request waiting here, so that
 * is fair between connections too.
 */
export class Scheduler {
  private taken = 0;
  private readonly queue = new Set<Waiter>();

  constructor(readonly width: number) {}

  get active(): number {
    return this.taken;
  }

  get waiting(): number {
    return this.queue.size;
  }

  /**
   * Resolves with a slot. Rejects, having taken none, when `signal` aborts, or with a `TIMEOUT`
   * error after `patience` milliseconds (null: never).
   */
  acquire(signal: AbortSignal, patience: number | null): Promise<Slot> {
    if (signal.aborted) return Promise.reject(abandoned());
    if (this.taken < this.width) return Promise.resolve(this.take());
    return new Promise<Slot>((resolve, reject) => {
      const leave = (error: MidcltError) => {
        settle();
        reject(error);
      };
      const onAbort = () => {
        leave(abandoned());
      };
      const timer = after(patience, () => {
        leave(new MidcltError('TIMEOUT', tooBusy(patience ?? 0)));
      });
      const waiter: Waiter = {
        grant(slot) {
          settle();
          resolve(slot);
        },
      };
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.queue.delete(waiter);
      };
      signal.addEventListener('abort', onAbort);
      this.queue.add(waiter);
    });
  }

  private take(): Slot {
    this.taken++;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.taken--;
        for (const waiter of this.queue) {
          waiter.grant(this.take());
          break;
        }
      },
    };
  }
}

function tooBusy(patience: number): string {
  return `Call timeout: waited ${patience / 1000} s for a free slot; the call was not sent`;
}
