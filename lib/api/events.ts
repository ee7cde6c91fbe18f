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
export function iterate(
  run: (onEvent: (frame: EventFrame) => Promise<void>, signal: AbortSignal) => Promise<void>,
  messageOf: (frame: EventFrame) => EventMessage,
): AsyncGenerator<EventMessage, void, undefined> {
  const leaving = new AbortController();
  const told: Told[] = [];
  let wake: () => void = () => undefined;
  /** Throws what it has ended with; null until then. */
  let ending: (() => void) | null = null;
  const end = (how: () => void) => {
    ending ??= how;
    wake();
  };
  const fail = (error: unknown) => {
    end(() => {
      throw error;
    });
  };
  const onEvent = (frame: EventFrame) =>
    new Promise<void>((taken) => {
      try {
        told.push({ message: messageOf(frame), taken });
        wake();
      } catch (error) {
        fail(error);
        leaving.abort();
      }
    });
  const leave = () => {
    told.length = 0;
    end(() => undefined);
    leaving.abort();
  };
  async function* loop(): AsyncGenerator<EventMessage, void, undefined> {
    if (!ending)
      run(onEvent, leaving.signal).then(() => {
        end(() => undefined);
      }, fail);
    try {
      for (;;) {
        const next = told.shift();
        if (next) {
          yield next.message;
          next.taken();
        } else if (ending) {
          ending();
          return;
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      leave();
    }
  }
  const events = loop();
  // A generator that waits would do so until the next event.
  const comeBack = events.return.bind(events);
  events.return = (value) => {
    leave();
    return comeBack(value);
  };
  return events;
}
