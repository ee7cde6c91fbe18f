/** Who waits at a terminal is told after a while what for. Part of the daemon path: it loads nothing. */
import type { AnswerListener } from '../../protocol/frame-reader.js';
import { isTerminal } from '../output/output.js';

/** Milliseconds without a sign of the answer. */
const PATIENCE = 1000;

/** Does the work. If it takes long, and stderr is a terminal, `tell` is called once meanwhile. */
export async function tellAfterSilence<T>(
  work: (heard: () => void) => Promise<T>,
  tell: (isOver: () => boolean) => void,
): Promise<T> {
  let isOver = false;
  const timer = setTimeout(() => {
    if (isTerminal()) tell(() => isOver);
  }, PATIENCE);
  const heard = () => {
    isOver = true;
    clearTimeout(timer);
  };
  try {
    return await work(heard);
  } finally {
    heard();
  }
}

/** A listener that calls `heard` before the first that it hears. */
export function hearing(listener: AnswerListener, heard: () => void): AnswerListener {
  return {
    ...listener,
    progress(frame) {
      heard();
      listener.progress(frame);
    },
    result(piece) {
      heard();
      listener.result(piece);
    },
  };
}
