/**
 * Long work in steps. A generator yields wherever others may have their turn; who runs it decides
 * whether they get it.
 */
import { steadyNow } from './timer.js';

export type Steps<T> = Generator<undefined, T, undefined>;

/** Milliseconds of the event loop that one piece of work takes at a time. */
const TURN = 10;

/** All of it at once, for who has nobody else to serve. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Of what takes no time, where steps are asked for. */
// eslint-disable-next-line require-yield -- there is only one
export function* oneStep<T>(result: T): Steps<T> {
  return result;
}

/** Calls `onEnd` with what comes of it: at once if that is soon, else in a later turn of the event loop. */
export function inTurns<T>(steps: Steps<T>, onEnd: (result: T) => void): void {
  const turn = startTurn();
  for (;;) {
    const step = steps.next();
    if (step.done) {
      onEnd(step.value);
      return;
    }
    if (turn.isOver()) {
      setImmediate(inTurns, steps, onEnd);
      return;
    }
  }
}

/** For work that gives something at each step. */
export function startTurn(): { isOver(): boolean } {
  const end = steadyNow() + TURN;
  return { isOver: () => steadyNow() >= end };
}

/** For small pieces of work of which thousands may come at once: some are done in a turn of the event loop, the others later, in order. */
export class Crowd {
  private readonly waiting: (() => void)[] = [];
  /** How many may be done until the turn in which the last of them is done is over. */
  private left: number;

  /** `most`: pieces a turn. */
  constructor(private readonly most: number) {
    this.left = most;
  }

  /** Does it at once if the turn has room. */
  take(work: () => void): void {
    if (this.left === 0) {
      this.waiting.push(work);
      return;
    }
    // Not at the end of every turn: for who come one by one that would cost as much as a write.
    if (--this.left === 0) this.refillLater();
    work();
  }

  private refillLater(): void {
    setImmediate(() => {
      const due = this.waiting.splice(0, this.most);
      this.left = this.most - due.length;
      if (this.left === 0) this.refillLater();
      for (const work of due) work();
    });
  }
}
