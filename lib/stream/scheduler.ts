/** The slots that all connections share: how many calls the middleware may be busy with at once. */
import { Alarm } from '../alarm.js';
import type { Cancellation } from '../cancellation.js';
import { abandoned, MidcltError } from '../errors.js';

/** The right to have one call at the middleware. Released once; more often does no harm. */
export interface Slot {
  release(): void;
}

/** A slot for what needs none. */
export const NO_SLOT: Slot = { release: () => undefined };

interface Waiter {
  /** By `performance.now()`. */
  readonly deadline: number;
  readonly patience: number;
  readonly grant: (slot: Slot) => void;
  readonly refuse: (error: MidcltError) => void;
}

/**
 * First come, first served. A connection never has more than one request waiting here, so that
 * is fair between connections too.
 */
export class Scheduler {
  private taken = 0;
  private readonly queue = new Set<Waiter>();
  private readonly alarm = new Alarm((now) => this.expire(now));

  constructor(readonly width: number) {}

  get active(): number {
    return this.taken;
  }

  get waiting(): number {
    return this.queue.size;
  }

  /** A slot that is free at this moment, or null. */
  tryAcquire(): Slot | null {
    return this.taken < this.width ? this.take() : null;
  }

  /**
   * Resolves with a slot. Rejects, having taken none, when the client has gone, or with a `TIMEOUT`
   * error after `patience` milliseconds (null: never).
   */
  acquire(client: Cancellation, patience: number | null): Promise<Slot> {
    if (client.isCancelled) return Promise.reject(abandoned());
    const free = this.tryAcquire();
    if (free) return Promise.resolve(free);
    return new Promise<Slot>((resolve, reject) => {
      const onCancel = () => {
        waiter.refuse(abandoned());
      };
      const leave = () => {
        client.off(onCancel);
        this.queue.delete(waiter);
      };
      const waiter: Waiter = {
        deadline: performance.now() + (patience ?? Infinity),
        patience: patience ?? Infinity,
        grant(slot) {
          leave();
          resolve(slot);
        },
        refuse(error) {
          leave();
          reject(error);
        },
      };
      client.on(onCancel);
      this.queue.add(waiter);
      this.alarm.by(waiter.deadline);
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

  private expire(now: number): number {
    let nearest = Infinity;
    for (const waiter of [...this.queue]) {
      if (waiter.deadline > now) nearest = Math.min(nearest, waiter.deadline);
      else waiter.refuse(new MidcltError('TIMEOUT', tooBusy(waiter.patience)));
    }
    return nearest;
  }
}

function tooBusy(patience: number): string {
  return `Call timeout: waited ${patience / 1000} s for a free slot; the call was not sent`;
}
