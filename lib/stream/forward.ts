/** A request to the frames that answer it, through the table of verbs. */
import { objectTransform } from 'through2';
import { errorFrame, MidcltError } from '../errors.js';
import type { FinalFrame, Frame, ProgressFrame, Request } from '../protocol.js';
import type { Outgoing } from './codec.js';
import type { Slot } from './scheduler.js';
import type { Turn } from './serialize.js';

/** What a verb has at hand while it answers. */
export interface Context {
  readonly slot: Slot;
  /** Aborts when the client has gone: nobody will read the answer. */
  readonly signal: AbortSignal;
  readonly progress: (frame: ProgressFrame) => void;
}

export interface Verb {
  /** What it waits for before it runs: a slot for calls, one for look-ups, or nothing. */
  readonly lane: 'call' | 'reserved' | 'none';
  /** Resolves with the final frame; what it throws becomes an error frame. */
  run(request: Request, context: Context): Promise<FinalFrame>;
}

export type Verbs = ReadonlyMap<string, Verb>;

/** through2 makes its stages of a copy of Node's stream classes. */
export type Stage = ReturnType<typeof objectTransform>;

export function forward(verbs: Verbs, signal: AbortSignal): Stage {
  const stage = objectTransform({ highWaterMark: 1 }, (turn: Turn, _encoding, next) => {
    const { id } = turn.incoming;
    const push = (frame: Frame) => stage.push({ frame, id } satisfies Outgoing);
    void answer(verbs, turn, signal, push).then((frame) => {
      push(frame);
      turn.done();
      next();
    });
  });
  return stage;
}

/** Never rejects: exactly one final frame comes of every turn. */
async function answer(
  verbs: Verbs,
  turn: Turn,
  signal: AbortSignal,
  progress: (frame: ProgressFrame) => void,
): Promise<FinalFrame> {
  const { incoming, slot } = turn;
  if (!incoming.request) return errorFrame(incoming.error);
  const verb = verbs.get(incoming.request.command);
  try {
    if (!verb) {
      throw new MidcltError('REQUEST', `Unknown command: ${incoming.request.command}`);
    }
    return await verb.run(incoming.request, { slot, signal, progress });
  } catch (error) {
    return errorFrame(error);
  }
}
