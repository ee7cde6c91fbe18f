/**
 * Looks at jobs whose events do not come. An event that can't be put into JSON is an error without an id
 * to every subscriber, or nothing at all on the legacy wire.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Alarm } from '../../timer.js';
import type { Connection } from '../connection.js';
import { glanceAtJob } from './look-up.js';
import type { JobWatch } from './watch.js';
import type { JobWatches } from './watches.js';

/** In milliseconds. */
export interface CheckupPace {
  /** How long nothing may be heard of a job until it is looked at. */
  readonly silence: number;
  /** The same where no events are to be expected. */
  readonly silent: number;
  /** The least between two rounds, for errors may come as fast as events. */
  readonly pause: number;
}

export const CHECKUP: CheckupPace = { silence: 60_000, silent: 5000, pause: 300 };

export class JobCheckup {
  private readonly alarm = new Alarm((now) => this.ring(now));
  private isUnderWay = false;
  /** All are to be looked at: the server could not tell what became of one. */
  private isUntold = false;
  private lastRound = -Infinity;

  /** `onUnknown` is told of a job that the server does not know, or knows as another's. */
  constructor(
    private readonly connection: Connection,
    private readonly watches: JobWatches,
    private readonly onUnknown: (watch: JobWatch) => void,
    private readonly pace: CheckupPace = CHECKUP,
  ) {}

  /** The server could not put an event into JSON, of whatever job. */
  untold(): void {
    this.isUntold = true;
    void this.rounds();
  }

  /** Somebody follows a job from now on. */
  begin(watch: JobWatch): void {
    this.alarm.by(this.dueOf(watch));
  }

  private ring(now: number): number {
    const followed = this.followed();
    if (followed.some((watch) => this.dueOf(watch) <= now)) void this.rounds();
    const later = followed.map((watch) => Math.max(this.dueOf(watch), now + this.pace.pause));
    return Math.min(Infinity, ...later);
  }

  private async rounds(): Promise<void> {
    if (this.isUnderWay) return;
    this.isUnderWay = true;
    try {
      for (;;) {
        const wait = this.lastRound + this.pace.pause - performance.now();
        if (wait > 0) await delay(wait, undefined, { ref: false });
        const { isUntold } = this;
        this.isUntold = false;
        const now = performance.now();
        const due = this.followed().filter((watch) => isUntold || this.dueOf(watch) <= now);
        if (due.length === 0) return;
        this.lastRound = now;
        // One after the other: there are calls of users to be made, too.
        for (const id of new Set(due.map(({ jobId }) => jobId))) {
          if (id !== null) await this.lookAt(id);
        }
      }
    } finally {
      this.isUnderWay = false;
    }
  }

  private async lookAt(id: number): Promise<void> {
    const watches = () => this.followed().filter(({ jobId }) => jobId === id);
    for (const watch of watches()) watch.heard = performance.now();
    try {
      const fields = await glanceAtJob(this.connection, id);
      for (const watch of watches()) {
        if (fields && watch.mayBeOurs(fields)) watch.report(fields);
        else this.onUnknown(watch);
      }
    } catch {
      // It is asked again next time; after a lost connection all are looked up anyway.
    }
  }

  private followed(): JobWatch[] {
    return this.watches.all().filter(({ jobId, hasEnded }) => jobId !== null && !hasEnded);
  }

  private dueOf({ heard, isSilent }: JobWatch): number {
    return heard + (isSilent ? this.pace.silent : this.pace.silence);
  }
}
