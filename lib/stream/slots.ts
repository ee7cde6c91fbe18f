/** Slots, of each kind so many: what of them is taken, and what is held by calls that were given up. */
import type { Clock } from '../timer.js';

/**
 * What a request takes while the middleware is busy with it:
 * - `call`: one of the calls at once.
 * - `job`: the same, and one of those that may start a job.
 * - `look-up`: one of a few kept free, for pings, which calls must not hold up.
 * - `none`: nothing; it is answered here.
 */
export type SlotClass = 'call' | 'job' | 'look-up' | 'none';

type Kind = 'calls' | 'jobs' | 'lookUps';

/** So many of each kind. `jobs` are those of the calls that may start one. */
export type Slots = Readonly<Record<Kind, number>>;

const KINDS: Readonly<Record<SlotClass, readonly Kind[]>> = {
  call: ['calls'],
  job: ['calls', 'jobs'],
  'look-up': ['lookUps'],
  none: [],
};

export class TakenSlots {
  private readonly taken = { calls: 0, jobs: 0, lookUps: 0 };
  private readonly givenUp = { calls: 0, jobs: 0, lookUps: 0 };
  /** Since when all of a kind are held by calls that were given up, by the clock. */
  private readonly stuck = { calls: Infinity, jobs: Infinity, lookUps: Infinity };

  constructor(
    private readonly slots: Slots,
    private readonly clock: Clock,
  ) {}

  /** Requests at the middleware. */
  get count(): number {
    return this.taken.calls + this.taken.lookUps;
  }

  hasRoom(slotClass: SlotClass): boolean {
    // A loop: this is asked several times a call, and a callback would cost more than all else here.
    for (const kind of KINDS[slotClass]) if (this.taken[kind] >= this.slots[kind]) return false;
    return true;
  }

  take(slotClass: SlotClass): void {
    for (const kind of KINDS[slotClass]) this.taken[kind]++;
  }

  /** `wasGivenUp`: its call, before it ended after all. */
  free(slotClass: SlotClass, wasGivenUp: boolean): void {
    for (const kind of KINDS[slotClass]) this.freeOne(kind, wasGivenUp);
  }

  /** A call that might have been a job is none. */
  freeJob(wasGivenUp: boolean): void {
    this.freeOne('jobs', wasGivenUp);
  }

  /** The call in such a slot was given up, and may run on at the server for ever. */
  giveUp(slotClass: SlotClass): void {
    for (const kind of KINDS[slotClass]) {
      this.givenUp[kind]++;
      if (this.givenUp[kind] === this.slots[kind]) this.stuck[kind] = this.clock.now();
    }
  }

  /** Since when nobody gets such a slot because of calls that were given up; Infinity if that is not so. */
  stuckSince(slotClass: SlotClass): number {
    return Math.min(...KINDS[slotClass].map((kind) => this.stuck[kind]));
  }

  private freeOne(kind: Kind, wasGivenUp: boolean): void {
    this.taken[kind]--;
    if (!wasGivenUp) return;
    this.givenUp[kind]--;
    this.stuck[kind] = Infinity;
  }
}
