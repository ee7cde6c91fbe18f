/** What a request waits for before it may be sent: its slot, the middleware, and a client that is still there. */
import type { Cancellation } from '../cancellation.js';
import { abandoned } from '../errors.js';
import { NO_LEASE, type Lease, type Scheduler } from './scheduler.js';
import type { SlotClass } from './slots.js';

/** What is waited for, beside the client. */
export interface Gate {
  readonly scheduler: Scheduler;
  /** Can something be sent at this moment? */
  readonly isReady: () => boolean;
  /**
   * Resolves when something can be sent. Rejects when the client has gone, or after `patience`
   * milliseconds (null: never); so many milliseconds were `waited` before, for a slot.
   */
  readonly ready: (client: Cancellation, patience: number | null, waited: number) => Promise<void>;
  /** Logs what has failed a request by a mistake in this program; its client hears no more than that. */
  readonly onMistake?: (thrown: unknown) => void;
}

/** Who has asked. */
export interface Client {
  /** Cancelled when nobody waits for the answer any more. */
  readonly cancellation: Cancellation;
  /** Asked last of all, just before the request is sent: does anybody wait for the answer? */
  readonly isAlive: () => true | Promise<boolean>;
}

export interface Want {
  readonly slotClass: () => SlotClass;
  /** Called when others that may start a job are all that it waits for: perhaps it, or they, start none. */
  readonly onShortOfJobs?: () => void;
  /** Milliseconds the request may wait until it is sent, or null for as long as it takes. */
  readonly patience: number | null;
}

/**
 * Gives the lease for a request, once it can be sent; the caller is to do that in the same turn.
 * Fails, holding none, as {@link Scheduler.acquire} does, and when its time is up. What need not
 * wait does not: a promise would cost as much as the rest.
 */
export function acquire(want: Want, client: Client, gate: Gate): Lease | Promise<Lease> {
  const slotClass = want.slotClass();
  if (slotClass === 'none') return NO_LEASE;
  const { cancellation } = client;
  if (cancellation.isCancelled) throw abandoned();
  const { scheduler } = gate;
  const began = scheduler.clock.now();
  const lease = scheduler.tryAcquire(slotClass);
  if (lease) return whenSendable(lease, began, want, client, gate);
  if (scheduler.isShortOfJobs) want.onShortOfJobs?.();
  return scheduler
    .acquire(want.slotClass, cancellation, want.patience)
    .then((granted) => whenSendable(granted, began, want, client, gate));
}

function whenSendable(
  lease: Lease,
  began: number,
  { patience }: Want,
  client: Client,
  gate: Gate,
): Lease | Promise<Lease> {
  if (!gate.isReady()) return wait(lease, began, patience, client, gate, null);
  const alive = client.isAlive();
  return alive === true ? lease : wait(lease, began, patience, client, gate, alive);
}

/** `began`: when the waiting did, by the scheduler's clock. `asked`: whether the client is alive, if that was asked. */
async function wait(
  lease: Lease,
  began: number,
  patience: number | null,
  client: Client,
  { scheduler, isReady, ready }: Gate,
  asked: Promise<boolean> | null,
): Promise<Lease> {
  try {
    let alive: true | Promise<boolean> | null = asked;
    do {
      if (!isReady()) {
        const waited = scheduler.clock.now() - began;
        const left = patience === null ? null : Math.max(0, patience - waited);
        await ready(client.cancellation, left, waited);
      }
      alive ??= client.isAlive();
      if (alive !== true && !(await alive)) throw abandoned();
      alive = null;
    } while (!isReady());
    return lease;
  } catch (error) {
    lease.release();
    throw error;
  }
}
