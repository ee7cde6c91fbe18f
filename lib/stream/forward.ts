/** A request to the frames that answer it, through the table of verbs. */
import { objectTransform } from 'through2';
import type { Cancellation } from '../cancellation.js';
import { MidcltError } from '../errors.js';
import { errorFrame } from '../protocol/error-frame.js';
import type { FinalFrame, Frame, ProgressFrame, Request } from '../protocol/frames.js';
import { acquire, type Client, type Gate, type Want } from './acquire.js';
import type { Incoming, Outgoing } from './codec.js';
import type { Lease } from './scheduler.js';
import type { Turn } from './serialize.js';
import type { SlotClass } from './slots.js';

/** What a verb has at hand while it answers. */
export interface Context {
  /** The verb sees to it that it is released, at the latest when the server is done with the call. */
  readonly lease: Lease;
  /** Milliseconds from sending to answer, or null for as long as it takes. */
  readonly timeout: number | null;
  /** By `performance.now()`, for all of the request, where that has one time; else Infinity. */
  readonly deadline: number;
  /** Cancelled when the client has gone: nobody will read the answer. */
  readonly cancellation: Cancellation;
  readonly progress: (frame: ProgressFrame) => void;
  /** The connection's number, for the log; null within this process. */
  readonly client: number | null;
}

/** How long a request may take, in milliseconds; null is for ever. */
export interface Patience {
  /** Until it is sent. */
  readonly toSend: number | null;
  /** From then to its answer. */
  readonly toAnswer: number | null;
  /** The waiting counts for both: they are one and the same time. */
  readonly isShared: boolean;
}

export interface Verb {
  /** Throws why the request may not be run here. */
  check?(request: Request): void;
  /** What it takes while the middleware is busy with it, by what is known now. */
  slotClass(request: Request): SlotClass;
  /** As {@link Want.onShortOfJobs}. */
  onShortOfJobs?(request: Request): void;
  patience(request: Request): Patience;
  /** Resolves with the final frame; what it throws becomes an error frame. */
  run(request: Request, context: Context): Promise<FinalFrame>;
}

export type Verbs = ReadonlyMap<string, Verb>;

export interface Forwarding {
  readonly verbs: Verbs;
  readonly gate: Gate;
  readonly client: Client & { readonly number: number | null };
  /** Throws if no request may be run any more. */
  readonly check: () => void;
  /** Asked of each final frame before it is passed on: the frame, or the one to pass on in its place. */
  readonly admit: (frame: FinalFrame) => FinalFrame;
}

/** through2 makes its stages of a copy of Node's stream classes. */
export type Stage = ReturnType<typeof objectTransform>;

/**
 * A stage runs only while what comes after it has room. So a lease is acquired here, and not
 * before: a client that does not read holds none, and one that dies leaves none behind.
 */
export function forward(forwarding: Forwarding): Stage {
  const stage = objectTransform({ highWaterMark: 1 }, (turn: Turn, _encoding, next) => {
    const { id, request: options } = turn.incoming;
    const push = (frame: Frame, onTaken: Outgoing['onTaken'] = null) =>
      stage.push({ frame, id, options, onTaken } satisfies Outgoing);
    // For a slow reader only the newest progress is kept; results are never skipped.
    let newest: ProgressFrame | null = null;
    const progress = (frame: ProgressFrame) => {
      newest = frame;
      if (stage.readableLength > 0) return;
      newest = null;
      push(frame);
    };
    void answer(turn.incoming, forwarding, progress).then((frame) => {
      if (newest) push(newest);
      push(forwarding.admit(frame), turn.over);
      next();
    });
  });
  return stage;
}

/** Never rejects: exactly one final frame comes of every turn. */
async function answer(
  incoming: Incoming,
  { verbs, gate, client, check }: Forwarding,
  progress: Context['progress'],
): Promise<FinalFrame> {
  if (!incoming.request) return errorFrame(incoming.error);
  const { request } = incoming;
  const verb = verbs.get(request.command);
  try {
    if (!verb) throw new MidcltError('REQUEST', `Unknown command: ${request.command}`);
    check();
    verb.check?.(request);
    const patience = verb.patience(request);
    const began = performance.now();
    const want: Want = {
      slotClass: () => verb.slotClass(request),
      onShortOfJobs: () => verb.onShortOfJobs?.(request),
      patience: patience.toSend,
    };
    const acquired = acquire(want, client, gate);
    const lease = acquired instanceof Promise ? await acquired : acquired;
    const timeout = timeLeft(patience, performance.now() - began);
    const deadline = patience.isShared ? began + (patience.toAnswer ?? Infinity) : Infinity;
    const { cancellation, number } = client;
    const context = { lease, timeout, deadline, cancellation, progress, client: number };
    return await verb.run(request, context);
  } catch (error) {
    return errorFrame(error);
  }
}

function timeLeft({ toAnswer, isShared }: Patience, waited: number): number | null {
  return toAnswer === null || !isShared ? toAnswer : Math.max(1, toAnswer - waited);
}
