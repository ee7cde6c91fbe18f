/** What a request waits for before it may be sent, by its verb. */
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
}

/** Resolves with the slot the request's verb needs; rejects as {@link Scheduler.acquire} does. */
export function admit(
  incoming: Incoming,
  verbs: Verbs,
  lanes: Lanes,
  signal: AbortSignal,
): Promise<Slot> {
  const lane = (incoming.request && verbs.get(incoming.request.command)?.lane) ?? 'none';
  if (lane === 'none') return Promise.resolve(NO_SLOT);
  return lanes[lane].acquire(signal, lanes.patience(incoming));
}
