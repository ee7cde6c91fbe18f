/** What a request waits for before it may be sent, by its verb. */
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
  /** Resolves when something can be sent. Rejects when `signal` aborts, or after `patience` milliseconds. */
  readonly ready: (signal: AbortSignal, patience: number | null) => Promise<void>;
}

export interface Applicant {
  readonly verbs: Verbs;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Asked last of all, just before the request is sent: does anybody wait for the answer? */
  readonly isThere: () => Promise<boolean>;
}

/**
 * Resolves with the slot the request's verb needs, once it can be sent; the caller is to do that in
 * the same turn. Rejects, holding none, as {@link Scheduler.acquire} does, and when its time is up.
 */
export async function admit(
  incoming: Incoming,
  lanes: Lanes,
  { verbs, signal, isThere }: Applicant,
): Promise<Slot> {
  const lane = (incoming.request && verbs.get(incoming.request.command)?.lane) ?? 'none';
  if (lane === 'none') return NO_SLOT;
  const patience = lanes.patience(incoming);
  const deadline = patience === null ? Infinity : performance.now() + patience;
  const slot = await lanes[lane].acquire(signal, patience);
  try {
    do {
      if (!lanes.isReady()) {
        const left = Math.max(0, deadline - performance.now());
        await lanes.ready(signal, left === Infinity ? null : left);
      }
      if (!(await isThere())) throw abandoned();
    } while (!lanes.isReady());
    return slot;
  } catch (error) {
    slot.release();
    throw error;
  }
}
