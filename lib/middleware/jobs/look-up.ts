/** Asks the middleware about jobs: when their ids are to be looked up, and when their events do not come. */
import { setTimeout as delay } from 'node:timers/promises';
import { asMidcltError, isLost } from '../../errors.js';
import { elementsOf, integerOf, membersOf, quote, type Members } from '../../json/members.js';
import { Alarm, steadyNow } from '../../timer.js';
import type { CallOptions } from '../calls.js';
import type { Connection } from '../connection.js';
import { isFinal, type JobWatch, type JobWatches } from './watches.js';

/** Milliseconds for the calls made for their own sake. */
export const LOOK_UP_TIMEOUT = 60_000;

/** For calls that hold no slot. */
const LOOKING_UP: CallOptions = { timeout: LOOK_UP_TIMEOUT };

/** What can't be put into JSON spoils an answer as a whole: then fewer columns are asked for. */
const BRIEF = [
  ...['id', 'message_ids', 'method', 'arguments', 'transient', 'time_started'],
  ...['state', 'error'],
];
const WITH_RESULT = [...BRIEF, 'result', 'result_encoding_error'];
const LEAST = ['id', 'state', 'error'];

type Columns = readonly string[] | null;

/**
 * The jobs with these ids as they are now, as far as the server knows and shows them. Secrets are not
 * masked: a result is what the event would have had. Rejects as {@link Connection.call}.
 */
export function findJobs(
  connection: Connection,
  ids: readonly number[],
): Promise<Map<number, Members>> {
  return query(connection, ids, null);
}

/** A job as it is now, as much of it as the server can tell; null if it knows none. Rejects as {@link Connection.call}. */
export function findJob(
  connection: Connection,
  id: number,
  calling = LOOKING_UP,
): Promise<Members | null> {
  return firstToldOf(connection, id, [null, WITH_RESULT, BRIEF, LEAST], calling);
}

/** The same at a small price: without progress, and with its result only if it has ended. */
async function glanceAtJob(connection: Connection, id: number): Promise<Members | null> {
  const fields = await firstToldOf(connection, id, [BRIEF, LEAST]);
  if (!fields || !isFinal(fields)) return fields;
  return (await findJob(connection, id)) ?? withoutResult(fields, 'it is gone');
}

/** Does the server list the method as a job? Null where it does not list it. Rejects if the connection is lost. */
export async function isJob(connection: Connection, method: string): Promise<boolean | null> {
  const service = Buffer.from(JSON.stringify([method.slice(0, method.lastIndexOf('.'))]));
  try {
    const methods = await connection.call('core.get_methods', service, {
      timeout: LOOK_UP_TIMEOUT,
    });
    const entry = membersOf(membersOf(methods)?.get(method));
    return entry ? entry.get('job')?.toString() === 'true' : null;
  } catch (error) {
    if (isLost(error)) throw error;
    return null;
  }
}

async function firstToldOf(
  connection: Connection,
  id: number,
  selections: readonly Columns[],
  calling = LOOKING_UP,
): Promise<Members | null> {
  let first: unknown;
  for (const columns of selections) {
    try {
      const fields = (await query(connection, [id], columns, calling)).get(id) ?? null;
      const isPart = columns !== null && !columns.includes('result');
      if (!fields || !isPart || !first) return fields;
      return withoutResult(fields, asMidcltError(first).message);
    } catch (error) {
      if (asMidcltError(error).code !== 'CALL') throw error;
      first ??= error;
    }
  }
  throw first;
}

/** A job that succeeded without the result that it had. */
function withoutResult(fields: Members, why: string): Members {
  return new Map([...fields, ['result_encoding_error', Buffer.from(quote(why))]]);
}

async function query(
  connection: Connection,
  ids: readonly number[],
  columns: Columns,
  calling = LOOKING_UP,
): Promise<Map<number, Members>> {
  const filter =
    ids.length === 1 ? `["id", "=", ${ids[0] ?? 0}]` : `["id", "in", [${ids.join(', ')}]]`;
  const names = columns?.map((name) => `"${name}"`).join(', ');
  const select = names === undefined ? '' : `"select": [${names}]`;
  const raw = names === undefined || names.includes('"result"');
  const extra = raw ? '"extra": {"raw_result": true}' : '';
  const options = [select, extra].filter(Boolean).join(', ');
  const params = Buffer.from(`[[${filter}], {${options}}]`);
  const answer = await connection.call('core.get_jobs', params, calling);
  const found = new Map<number, Members>();
  for (const entry of elementsOf(answer) ?? []) {
    const fields = membersOf(entry);
    const id = integerOf(fields?.get('id'));
    if (fields && id !== null) found.set(id, fields);
  }
  return found;
}

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

/**
 * Looks at jobs whose events do not come. An event that can't be put into JSON is an error without an id
 * to every subscriber, or nothing at all on the legacy wire.
 */
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

  /** Nobody can be asked any more. */
  stop(): void {
    this.alarm.stop();
  }

  private ring(now: number): number {
    const followed = this.followed();
    if (followed.some((watch) => this.dueOf(watch) <= now)) void this.rounds();
    const next = (soonest: number, watch: JobWatch) => Math.min(soonest, this.dueOf(watch));
    return Math.max(followed.reduce(next, Infinity), now + this.pace.pause);
  }

  private async rounds(): Promise<void> {
    if (this.isUnderWay) return;
    this.isUnderWay = true;
    try {
      for (;;) {
        const wait = this.lastRound + this.pace.pause - steadyNow();
        if (wait > 0) await delay(wait, undefined, { ref: false });
        const { isUntold } = this;
        this.isUntold = false;
        const now = steadyNow();
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
    for (const watch of watches()) watch.heard = steadyNow();
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
