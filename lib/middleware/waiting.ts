/** Who waits until calls can be made. */
import type { Cancellation } from '../cancellation.js';
import { abandoned, MidcltError } from '../errors.js';
import { after } from '../timer.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: MidcltError) => void;
}

export class Waiting {
  private readonly waiters = new Set<Waiter>();
  private stopped: MidcltError | null = null;

  /** `why` says what they wait for, in an error to who waited too long. */
  constructor(private readonly why: () => string) {}

  get size(): number {
    return this.waiters.size;
  }

  /**
   * Rejects when the client has gone, with a `TIMEOUT` after `patience` milliseconds (null: never) beside
   * those that were `waited` before, or as {@link stop} says.
   */
  add(client: Cancellation | null, patience: number | null, waited = 0): Promise<void> {
    if (this.stopped) return Promise.reject(this.stopped);
    if (client?.isCancelled) return Promise.reject(abandoned());
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        client?.off(onCancel);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve() {
          leave();
          resolve();
        },
        reject(error) {
          leave();
          reject(error);
        },
      };
      const onCancel = () => {
        waiter.reject(abandoned());
      };
      const timer = after(patience, () => {
        const seconds = Math.round((waited + (patience ?? 0)) / 100) / 10;
        const text = `Call timeout: waited ${seconds} s for ${this.why()}; the call was not sent`;
        waiter.reject(new MidcltError('TIMEOUT', text));
      });
      client?.on(onCancel);
      this.waiters.add(waiter);
    });
  }

  release(): void {
    for (const waiter of [...this.waiters]) waiter.resolve();
  }

  /** Nobody waits any more, now or later. */
  stop(error: MidcltError): void {
    this.stopped = error;
    for (const waiter of [...this.waiters]) waiter.reject(error);
  }
}
