/** What a request waits for before it may be sent, by its verb. */
import type { Cancellation } from '../cancellation.js';
import { abandoned } from '../errors.js';
import type { Incoming } from './codec.js';
import type { Verbs } from './forward.js';
import { NO_SLOT, type Scheduler, type Slot } from './scheduler.js';

export interface Lanes {
  /** For calls. */
  readonly call: Scheduler;
  /** For pings, so that they don't wait behind calls. */
  readonly reserved: Scheduler;
  /** Milliseconds a request may wait for its slot, or null for as long as it takes. */
  readonly patience: (incoming: Incoming) => number | null;
  /** Can something be sent at this moment? */
  readonly isReady: () => boolean;
  /** Resolves when something can be sent. Rejects when the client has gone, or after `patience` milliseconds. */
  readonly ready: (client: Cancellation, patience: number | null) => Promise<void>;
}

export interface Applicant {
  readonly verbs: Verbs;
  /** Cancelled when nobody waits for the answer any more. */
  readonly cancellation: Cancellation;
  /** Asked last of all, just before the request is sent: does anybody wait for the answer? */
  readonly isThere: () => true | Promise<boolean>;
}

/**
 * Gives the slot the request's verb needs, once it can be sent; the caller is to do that in the
 * same turn. Fails, holding none, as {@link Scheduler.acquire} does, and when its time is up.
 * What need not wait does not: a promise would cost as much as the rest.
 */
export function admit(
  incoming: Incoming,
  lanes: Lanes,
  applicant: Applicant,
): Slot | Promise<Slot> {
  const { verbs, cancellation, isThere } = applicant;
  const lane = (incoming.request && verbs.get(incoming.request.command)?.lane) ?? 'none';
  if (lane === 'none') return NO_SLOT;
  if (cancellation.isCancelled) throw abandoned();
  const scheduler = lanes[lane];
  const slot = scheduler.tryAcquire();
  if (!slot || !lanes.isReady()) return wait(slot, scheduler, { incoming, lanes, applicant });
  const there = isThere();
  return there === true ? slot : wait(slot, scheduler, { incoming, lanes, applicant }, there);
}

interface Application {
  readonly incoming: Incoming;
  readonly lanes: Lanes;
  readonly applicant: Applicant;
}

async function wait(
  free: Slot | null,
  scheduler: Scheduler,
  { incoming, lanes, applicant: { cancellation, isThere } }: Application,
  asked: true | Promise<boolean> | null = null,
): Promise<Slot> {
  const patience = lanes.patience(incoming);
  const deadline = patience === null ? Infinity : performance.now() + patience;
  const slot = free ?? (await scheduler.acquire(cancellation, patience));
  try {
    let there = asked;
    do {
      if (!lanes.isReady()) {
        const left = Math.max(0, deadline - performance.now());
        await lanes.ready(cancellation, left === Infinity ? null : left);
      }
      there ??= isThere();
      if (there !== true && !(await there)) throw abandoned();
      there = null;
    } while (!lanes.isReady());
    return slot;
  } catch (error) {
    slot.release();
    throw error;
  }
}
