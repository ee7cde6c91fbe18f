/** Notifications on their way to who iterates over them. */
import type { EventFrame } from '../protocol/frames.js';
import type { EventMessage } from './types.js';

/** A frame, and what tells that it has been taken. */
interface Told {
  readonly message: EventMessage;
  readonly taken: () => void;
}

/**
 * Runs while somebody iterates. Each event counts as taken when the loop comes for the next one, so that a slow loop
 * misses events, and is told of that, instead of filling the memory.
 */
export async function* iterate(
  run: (onEvent: (frame: EventFrame) => Promise<void>, signal: AbortSignal) => Promise<void>,
  messageOf: (frame: EventFrame) => EventMessage,
): AsyncGenerator<EventMessage, void, undefined> {
  const leaving = new AbortController();
  const told: Told[] = [];
  let wake: () => void = () => undefined;
  const ending: { isOver: boolean; error: Error | null } = { isOver: false, error: null };
  const onEvent = (frame: EventFrame) =>
    new Promise<void>((taken) => {
      told.push({ message: messageOf(frame), taken });
      wake();
    });
  const end = (error: Error | null) => {
    ending.isOver = true;
    ending.error = error;
    wake();
  };
  run(onEvent, leaving.signal).then(() => {
    end(null);
  }, end);
  try {
    for (;;) {
      const next = told.shift();
      if (next) {
        yield next.message;
        next.taken();
      } else if (ending.isOver) {
        if (ending.error) throw ending.error;
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    leaving.abort();
  }
}
