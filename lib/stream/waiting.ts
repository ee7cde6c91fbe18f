/** Who waits for a slot: a line for each kind of slot, and one order for all. */
import type { SlotClass } from './slots.js';

/** A place in a line. What waits there may turn out to need another slot than it needed when it came. */
export abstract class Waiter {
  /** The order in which they came; 0: it does not wait. */
  number = 0;
  before: Waiter | null = null;
  behind: Waiter | null = null;
  /** The line in which it stands. */
  line: SlotClass = 'none';

  /** The slot that it needs by now. */
  abstract readonly slotClass: () => SlotClass;
}

class Line {
  first: Waiter | null = null;
  last: Waiter | null = null;
}

/** Of which there can be too few. */
const KINDS = ['call', 'job', 'look-up'] as const;

/**
 * Nothing here looks at all who wait, but `regroup`: with ten thousand of them that would be most of what a call costs. The lines
 * are linked, since an array moves all of them when one leaves.
 */
export class Waiting<W extends Waiter> {
  private readonly lines: Readonly<Record<SlotClass, Line>> = {
    call: new Line(),
    job: new Line(),
    'look-up': new Line(),
    none: new Line(),
  };
  private last = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(waiter: W): void {
    this.count++;
    waiter.number = ++this.last;
    this.append(waiter);
  }

  /** Once; more often does no harm. */
  remove(waiter: W): void {
    if (waiter.number === 0) return;
    this.count--;
    waiter.number = 0;
    const line = this.lines[waiter.line];
    const { before, behind } = waiter;
    if (before) before.behind = behind;
    else line.first = behind;
    if (behind) behind.before = before;
    else line.last = before;
    waiter.before = waiter.behind = null;
  }

  /** Who came first of those that need a slot for which `hasRoom`, or null. */
  first(hasRoom: (slotClass: SlotClass) => boolean): W | null {
    let found: Waiter | null = null;
    for (const kind of KINDS) {
      const { first } = this.lines[kind];
      if (first === null || !hasRoom(kind)) continue;
      if (!found || first.number < found.number) found = first;
    }
    if (!found || found.slotClass() === found.line) return found as W | null;
    this.regroup();
    return this.first(hasRoom);
  }

  /** Lets everybody stand in the line of the slot that it needs by now. */
  regroup(): void {
    const all = [...this].sort((one, other) => one.number - other.number);
    for (const kind of KINDS) this.lines[kind].first = this.lines[kind].last = null;
    for (const waiter of all) this.append(waiter);
  }

  /** The kinds of slots for which somebody waits. */
  *kinds(): Generator<SlotClass> {
    for (const kind of KINDS) if (this.lines[kind].first) yield kind;
  }

  /** Line by line. Who is looked at may leave. */
  *[Symbol.iterator](): Generator<W> {
    for (const kind of KINDS) {
      for (let waiter = this.lines[kind].first; waiter;) {
        const { behind }: Waiter = waiter;
        yield waiter as W;
        waiter = behind;
      }
    }
  }

  private append(waiter: W): void {
    waiter.line = waiter.slotClass();
    const line = this.lines[waiter.line];
    waiter.before = line.last;
    waiter.behind = null;
    if (line.last) line.last.behind = waiter;
    else line.first = waiter;
    line.last = waiter;
  }
}
