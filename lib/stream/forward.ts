/** A request to the frames that answer it, through the table of verbs. */
import { objectTransform } from 'through2';
import type { Cancellation } from '../cancellation.js';
import { errorFrame, MidcltError } from '../errors.js';
import type { FinalFrame, Frame, ProgressFrame, Request } from '../protocol.js';
import type { Incoming, Outgoing } from './codec.js';
import type { Slot } from './scheduler.js';
import type { Turn } from './serialize.js';

/** What a verb has at hand while it answers. */
export interface Context {
  /** The verb sees to it that it is released, at the latest when the server is done with the call. */
  readonly slot: Slot;
  /** Cancelled when the client has gone: nobody will read the answer. */
  readonly cancellation: Cancellation;
  readonly progress: (frame: ProgressFrame) => void;
  /** The connection's number, for the log; null within this process. */
  readonly client: number | null;
}

export interface Verb {
  /** What it waits for before it runs: a slot for calls, one for look-ups, or nothing. */
  readonly lane: 'call' | 'reserved' | 'none';
  /** Resolves with the final frame; what it throws becomes an error frame. */
  run(request: Request, context: Context): Promise<FinalFrame>;
}

export type Verbs = ReadonlyMap<string, Verb>;

/** Gives what a request needs before it may be sent, waiting for it if it must. Fails with why it may not. */
export type Admit = (incoming: Incoming) => Slot | Promise<Slot>;

/** through2 makes its stages of a copy of Node's stream classes. */
export type Stage = ReturnType<typeof objectTransform>;

/**
 * A stage runs only while what comes after it has room. So a slot is asked for here, and not
 * before: a client that does not read holds none, and one that dies leaves none behind.
 */
export function forward(
  verbs: Verbs,
  admit: Admit,
  from: Pick<Context, 'cancellation' | 'client'>,
): Stage {
  const stage = objectTransform({ highWaterMark: 1 }, (turn: Turn, _encoding, next) => {
    const { id, request: wishes } = turn.incoming;
    const push = (frame: Frame) => stage.push({ frame, id, wishes } satisfies Outgoing);
    // For a slow reader only the newest progress is kept; results are never skipped.
    let newest: ProgressFrame | null = null;
    const progress = (frame: ProgressFrame) => {
      newest = frame;
      if (stage.readableLength > 0) return;
      newest = null;
      push(frame);
    };
    void answer(turn.incoming, verbs, admit, { ...from, progress }).then((frame) => {
      if (newest) push(newest);
      push(frame);
      turn.done();
      next();
    });
  });
  return stage;
}

/** Never rejects: exactly one final frame comes of every turn. */
async function answer(
  incoming: Incoming,
  verbs: Verbs,
  admit: Admit,
  context: Omit<Context, 'slot'>,
): Promise<FinalFrame> {
  if (!incoming.request) return errorFrame(incoming.error);
  const verb = verbs.get(incoming.request.command);
  try {
    if (!verb) {
      throw new MidcltError('REQUEST', `Unknown command: ${incoming.request.command}`);
    }
    const admitted = admit(incoming);
    const slot = admitted instanceof Promise ? await admitted : admitted;
    return await verb.run(incoming.request, { ...context, slot });
  } catch (error) {
    return errorFrame(error);
  }
}
