/** The slots that all connections share: how many calls the middleware may be busy with at once. */
import { Alarm } from '../alarm.js';
import type { Cancellation } from '../cancellation.js';
import { abandoned, MidcltError } from '../errors.js';

/**
 * What a request takes while the middleware is busy with it:
 * - `call`: one of the calls at once.
 * - `job`: the same, and one of those that may start a job.
 * - `look-up`: one of a few kept free, for pings, which calls must not hold up.
 * - `none`: nothing; it is answered here.
 */
export type SlotClass = 'call' | 'job' | 'look-up' | 'none';

/** The right to have one request at the middleware. Released once; more often does no harm. */
export interface Lease {
  readonly release: () => void;
  /** To be called when the call has turned out to start no job: another may then. */
  readonly isNoJob: () => void;
}

export interface Slots {
  readonly calls: number;
  /** Of the calls, those that may start a job. */
  readonly jobs: number;
  readonly lookUps: number;
}

interface Waiter {
  /** Asked whenever there is room: it may have turned out to need another. */
  readonly slotClass: () => SlotClass;
  /** By `performance.now()`. */
  readonly deadline: number;
  readonly patience: number;
  readonly grant: (lease: Lease) => void;
  readonly refuse: (error: MidcltError) => void;
}

/** For what needs none. */
export const NO_LEASE: Lease = { release: () => undefined, isNoJob: () => undefined };

/**
 * First come, first served, among those for whom there is a slot. A connection never has more than
 * one request waiting here, so that is fair between connections too.
 */
export class Scheduler {
  private readonly taken = { calls: 0, jobs: 0, lookUps: 0 };
  private readonly queue = new Set<Waiter>();
  /** Of the queue, those for a look-up. */
  private lookUpsWait = 0;
  private readonly alarm = new Alarm((now) => this.expire(now));

  constructor(private readonly slots: Slots) {}

  /** Leases that are out. */
  get active(): number {
    return this.taken.calls + this.taken.lookUps;
  }

  get waiting(): number {
    return this.queue.size;
  }

  /** Is there room for calls, only not for more that may start a job? */
  get isShortOfJobs(): boolean {
    return this.hasRoom('call') && !this.hasRoom('job');
  }

  /** A lease that is to be had at this moment, or null. */
  tryAcquire(slotClass: SlotClass): Lease | null {
    return this.hasRoom(slotClass) ? this.take(slotClass) : null;
  }

  /**
   * Resolves with a lease. Rejects, having taken none, when the client has gone, or with a `TIMEOUT`
   * error after `patience` milliseconds (null: never).
   */
  acquire(
    slotClass: () => SlotClass,
    client: Cancellation,
    patience: number | null,
  ): Promise<Lease> {
    if (client.isCancelled) return Promise.reject(abandoned());
    const free = this.tryAcquire(slotClass());
    if (free) return Promise.resolve(free);
    const isLookUp = slotClass() === 'look-up';
    return new Promise<Lease>((resolve, reject) => {
      const onCancel = () => {
        waiter.refuse(abandoned());
      };
      const leave = () => {
        client.off(onCancel);
        this.queue.delete(waiter);
        if (isLookUp) this.lookUpsWait--;
      };
      const waiter: Waiter = {
        slotClass,
        deadline: performance.now() + (patience ?? Infinity),
        patience: patience ?? Infinity,
        grant(lease) {
          leave();
          resolve(lease);
        },
        refuse(error) {
          leave();
          reject(error);
        },
      };
      client.on(onCancel);
      this.queue.add(waiter);
      if (isLookUp) this.lookUpsWait++;
      this.alarm.by(waiter.deadline);
    });
  }

  private hasRoom(slotClass: SlotClass): boolean {
    const { taken, slots } = this;
    switch (slotClass) {
      case 'job':
        return taken.calls < slots.calls && taken.jobs < slots.jobs;
      case 'call':
        return taken.calls < slots.calls;
      case 'look-up':
        return taken.lookUps < slots.lookUps;
      case 'none':
        return true;
    }
  }

  /** Grants what there is room for. Somebody who waits may need another slot than before. */
  reconsider(): void {
    for (const waiter of this.queue) {
      if (!this.hasRoom('call') && !(this.hasRoom('look-up') && this.lookUpsWait > 0)) return;
      const slotClass = waiter.slotClass();
      if (this.hasRoom(slotClass)) waiter.grant(this.take(slotClass));
    }
  }

  private take(given: SlotClass): Lease {
    if (given === 'none') return NO_LEASE;
    let slotClass = given;
    let held = true;
    this.count(slotClass, 1);
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.count(slotClass, -1);
        this.reconsider();
      },
      isNoJob: () => {
        if (!held || slotClass !== 'job') return;
        slotClass = 'call';
        this.taken.jobs--;
        this.reconsider();
      },
    };
  }

  private count(slotClass: SlotClass, change: 1 | -1): void {
    const { taken } = this;
    if (slotClass === 'look-up') taken.lookUps += change;
    else taken.calls += change;
    if (slotClass === 'job') taken.jobs += change;
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
