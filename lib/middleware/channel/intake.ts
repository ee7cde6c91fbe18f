/**
 * What comes over a WebSocket, checked and handed on in the order in which it came. A large message is
 * checked in steps, so that the process has time for others in between.
 */
import type { Members } from '../../json/members.js';
import { Scan } from '../../json/scan.js';

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

export class Intake {
  /** The first of them is being checked. */
  private readonly waiting: Buffer[] = [];
  private onEmpty: (() => void) | null = null;

  constructor(private readonly hooks: IntakeHooks) {}

  push(text: Buffer): void {
    if (this.waiting.length === 0) {
      const scan = new Scan(text);
      if (this.step(text, scan)) return;
      this.hooks.pause();
      this.goOn(text, scan);
    }
    this.waiting.push(text);
  }

  /** Calls `action` when all that has come is handed on; nothing comes after that. */
  finish(action: () => void): void {
    if (this.waiting.length === 0) action();
    else this.onEmpty = action;
  }

  private goOn(text: Buffer, scan: Scan): void {
    setImmediate(() => {
      if (!this.step(text, scan)) {
        this.goOn(text, scan);
        return;
      }
      this.waiting.shift();
      const [next] = this.waiting;
      if (next) {
        this.goOn(next, new Scan(next));
      } else {
        this.hooks.resume();
        this.onEmpty?.();
      }
    });
  }

  /** False while there is more of it to be checked. */
  private step(text: Buffer, scan: Scan): boolean {
    let verdict = scan.step(STEP);
    if (verdict === 'unfinished') {
      const end = performance.now() + TURN;
      do verdict = scan.step(STEP);
      while (verdict === 'unfinished' && performance.now() < end);
    }
    if (verdict === 'unfinished') return false;
    const wrongAt = verdict === 'valid' ? null : scan.offset;
    this.hooks.onMessage({ text, members: scan.members(), wrongAt });
    return true;
  }
}
