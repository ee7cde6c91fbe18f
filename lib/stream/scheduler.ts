/** The slots that all connections share: how many calls the middleware may be busy with at once. */
import { Alarm, CLOCK, type Clock } from '../timer.js';
import type { Cancellation } from '../cancellation.js';
import { abandoned, MidcltError } from '../errors.js';
import { TakenSlots, type SlotClass, type Slots } from './slots.js';
import { Waiter, Waiting } from './waiting.js';

/**
 * The right to have one request at the middleware. Its slot is free when whoever works on the request has
 * released it, and everybody with whom it was shared.
 */
export interface Lease {
  /** Once; more often does no harm. */
  readonly release: () => void;
  /**
   * To be called when a call is sent: the server may be at work on it long after the request was given up. What
   * it returns is to be called when that is over; more often does no harm.
   */
  readonly share: () => () => void;
  /** To be called when the call has turned out to start no job: another may then. */
  readonly isNoJob: () => void;
  /** To be called when its call was given up, and may run on at the server for ever. */
  readonly giveUp: () => void;
}

/** A request that waits for its slot. Whoever is granted one or refused does not wait any more. */
class WaitingRequest extends Waiter {
  constructor(
    /** Asked whenever there is room: it may have turned out to need another. */
    readonly slotClass: () => SlotClass,
    /** By the clock. */
    readonly deadline: number,
    readonly patience: number,
    readonly grant: (lease: Lease) => void,
    readonly refuse: (error: MidcltError) => void,
  ) {
    super();
  }
}

/** For what needs none. */
export const NO_LEASE: Lease = {
  release: () => undefined,
  share: () => () => undefined,
  isNoJob: () => undefined,
  giveUp: () => undefined,
};

/** Milliseconds in which a call that was given up may still end of itself. */
const STUCK = 10_000;

/**
 * First come, first served, among those for whom there is a slot. A connection never has more than
 * one request waiting here, so that is fair between connections too.
 */
export class Scheduler {
  private readonly slots: TakenSlots;
  private readonly queue = new Waiting<WaitingRequest>();
  private readonly alarm: Alarm;
  private readonly stuckAlarm: Alarm;
  private readonly hasRoom = (slotClass: SlotClass) => this.slots.hasRoom(slotClass);

  constructor(
    slots: Slots,
    /** Called when somebody waits for slots whose calls were all given up some time ago. */
    private readonly onStuck: () => void = () => undefined,
    /** By which everybody waits who waits for a slot, or holds one. */
    readonly clock: Clock = CLOCK,
  ) {
    this.slots = new TakenSlots(slots, clock);
    this.alarm = new Alarm((now) => this.expire(now), clock);
    this.stuckAlarm = new Alarm((now) => this.lookIfStuck(now), clock);
  }

  /** Leases that are out. */
  get active(): number {
    return this.slots.count;
  }

  get waiting(): number {
    return this.queue.size;
  }

  /** Is there room for calls, only not for more that may start a job? */
  get isShortOfJobs(): boolean {
    return this.slots.hasRoom('call') && !this.slots.hasRoom('job');
  }

  /** A lease that is to be had at this moment, or null. */
  tryAcquire(slotClass: SlotClass): Lease | null {
    return this.slots.hasRoom(slotClass) ? this.take(slotClass) : null;
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
    return new Promise<Lease>((resolve, reject) => {
      const onCancel = () => {
        waiter.refuse(abandoned());
      };
      const leave = () => {
        client.off(onCancel);
        this.queue.remove(waiter);
      };
      const waiter = new WaitingRequest(
        slotClass,
        this.clock.now() + (patience ?? Infinity),
        patience ?? Infinity,
        (lease) => {
          leave();
          resolve(lease);
        },
        (error) => {
          leave();
          reject(error);
        },
      );
      client.on(onCancel);
      this.queue.add(waiter);
      this.alarm.by(waiter.deadline);
      this.stuckAlarm.by(this.slots.stuckSince(waiter.line) + STUCK);
    });
  }

  /** Somebody who waits may need another slot than before. Grants what there is room for. */
  reconsider(): void {
    this.queue.regroup();
    this.grant();
  }

  /** Grants what there is room for. */
  private grant(): void {
    const { queue } = this;
    while (queue.size > 0) {
      const waiter = queue.first(this.hasRoom);
      if (!waiter) return;
      waiter.grant(this.take(waiter.line));
    }
  }

  private take(given: SlotClass): Lease {
    if (given === 'none') return NO_LEASE;
    const { slots } = this;
    let slotClass = given;
    let holders = 0;
    let isGivenUp = false;
    slots.take(slotClass);
    const share = () => {
      let isHolding = true;
      holders++;
      return () => {
        if (!isHolding) return;
        isHolding = false;
        holders--;
        if (holders > 0) return;
        slots.free(slotClass, isGivenUp);
        this.grant();
      };
    };
    return {
      release: share(),
      share,
      isNoJob: () => {
        if (holders === 0 || slotClass !== 'job') return;
        slotClass = 'call';
        slots.freeJob(isGivenUp);
        this.grant();
      },
      giveUp: () => {
        if (holders === 0 || isGivenUp) return;
        isGivenUp = true;
        slots.giveUp(slotClass);
        this.stuckAlarm.by(this.lookIfStuck(this.clock.now()));
      },
    };
  }

  /** Returns when to look again. */
  private lookIfStuck(now: number): number {
    let due = Infinity;
    for (const kind of this.queue.kinds()) {
      due = Math.min(due, this.slots.stuckSince(kind) + STUCK);
    }
    if (due > now) return due;
    this.onStuck();
    return Infinity;
  }

  private expire(now: number): number {
    let nearest = Infinity;
    for (const waiter of this.queue) {
      if (waiter.deadline > now) nearest = Math.min(nearest, waiter.deadline);
      else waiter.refuse(tooBusy(waiter.patience));
    }
    return nearest;
  }
}

function tooBusy(patience: number): MidcltError {
  const text = `Call timeout: waited ${patience / 1000} s for a free slot; the call was not sent`;
  return new MidcltError('TIMEOUT', text, { outcomeUnknown: false });
}
