/**
 * What comes over a WebSocket, checked and handed on in the order in which it came. A large message is
 * checked in turns, so that the process has time for others in between; if it is an answer, what comes
 * behind it need not wait: only events depend on their order.
 */
import type { Members, Scan } from '../../json/members.js';
import { steadyNow } from '../../timer.js';

export interface Received {
  readonly text: Buffer;
  readonly members: Members;
  /** Where it is not JSON, in bytes; null if it is. `members` has those before that. */
  readonly wrongAt: number | null;
}

export interface IntakeHooks {
  readonly onMessage: (message: Received) => void;
  /** No more of them should come for now; they may again. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Bytes checked between two looks at the clock. */
const STEP = 64 * 1024;
/** Milliseconds after which others have their turn. */
const TURN = 5;

/** An answer as the middleware lays it out, on either wire. */
const ANSWER = /^\{("jsonrpc": "2\.0", "(result|error)": |"id": "[^"\\]+", "msg": "result", )/;

export class Intake {
  /** Large answers; the first of them is being checked. */
  private readonly answers: Scan[] = [];
  /** A large message that is none, and all behind it; the first of them is being checked. */
  private readonly others: Scan[] = [];
  private onEmpty: (() => void) | null = null;

  constructor(private readonly hooks: IntakeHooks) {}

  /** Of a large text that was checked as it came, the check is over already. */
  push(scan: Scan): void {
    const { text } = scan;
    const isInOrder = this.others.length > 0;
    if (!isInOrder && this.step(scan)) return;
    const isAnswer = !isInOrder && ANSWER.test(text.toString('latin1', 0, 100));
    const queue = isAnswer ? this.answers : this.others;
    queue.push(scan);
    // One that is large is enough to be kept.
    if (this.others.length > 0 || this.answers.length > 1) this.hooks.pause();
    if (queue.length === 1) this.goOn(queue);
  }

  /** Calls `action` when all that has come is handed on; nothing comes after that. */
  finish(action: () => void): void {
    this.onEmpty = action;
    this.lookIfEmpty();
  }

  private goOn(queue: Scan[]): void {
    setImmediate(() => {
      const [first] = queue;
      if (first && this.step(first)) queue.shift();
      if (this.others.length === 0 && this.answers.length <= 1) this.hooks.resume();
      if (queue.length > 0) this.goOn(queue);
      else this.lookIfEmpty();
    });
  }

  private lookIfEmpty(): void {
    if (this.others.length + this.answers.length > 0) return;
    this.onEmpty?.();
    this.onEmpty = null;
  }

  /** One turn; false while there is more of it to be checked. */
  private step(scan: Scan): boolean {
    let verdict = scan.step(STEP);
    if (verdict === 'unfinished') {
      const end = steadyNow() + TURN;
      do verdict = scan.step(STEP);
      while (verdict === 'unfinished' && steadyNow() < end);
    }
    if (verdict === 'unfinished') return false;
    const wrongAt = verdict === 'valid' ? null : scan.offset;
    this.hooks.onMessage({ text: scan.text, members: scan.members(), wrongAt });
    return true;
  }
}
