/** Who is subscribed to which events, and the one event source. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CallError,
  EINVAL,
  EIO,
  ValidationErrors,
  asPyException,
  notAuthorized,
  type Complaint,
  type PyException,
} from './python/exceptions.js';
import { complaint } from './python/parameters.js';
import { PyJsonError, parse } from './python/json.js';
import { PyFloat, dict, int, numberOf, type PyDict, type PyValue } from './python/values.js';
import type { Session } from './session.js';

/** An event's body. Which members it has depends on the kind of event. */
export interface EventBody {
  readonly id?: PyValue;
  readonly fields?: PyValue;
  readonly extra?: PyDict;
}

/**
 * The name of the only event source. Its subscribers give options:
 * `test.ticker:{"interval": seconds, "count": n, "error": text}`.
 */
const TICKER = 'test.ticker';

interface Subscription {
  readonly session: Session;
  readonly name: string;
  /** Ends the source of an event source's subscription; null on other subscriptions. */
  readonly stop: AbortController | null;
}

/** Somebody who waits for a subscription. */
interface Awaited {
  readonly name: string;
  readonly tell: () => void;
  readonly giveUp: (why: Error) => void;
}

export class Events {
  private readonly subscriptions = new Map<string, Subscription>();
  private awaited: Awaited[] = [];
  private isOver = false;

  /** Administrators may read every event, other users those of jobs and of tests, and nobody without a login. */
  static mayRead(session: Session, name: string): boolean {
    if (session.credentials === null) return false;
    return session.isAdmin || name === 'core.get_jobs' || name.startsWith('test.');
  }

  /** Subscribes and returns the subscription's id. Throws EACCES for events that the user may not read. */
  subscribe(session: Session, name: string, id: string = randomUUID()): string {
    if (!Events.mayRead(session, name)) throw notAuthorized();
    this.subscriptions.get(id)?.stop?.abort(); // a client may use its id again: the new subscription counts
    const isSource = name.startsWith(`${TICKER}:`) || name === TICKER;
    const stop = isSource ? new AbortController() : null;
    this.subscriptions.set(id, { session, name, stop });
    for (const { name: event, tell } of this.awaited) if (covers(name, event)) tell();
    this.awaited = this.awaited.filter(({ name: event }) => !covers(name, event));
    if (stop !== null) this.startSource(id, session, name, stop.signal);
    return id;
  }

  /** Resolves when somebody is subscribed to the event. Rejects when the sandbox is closed before. */
  subscribed(event: string): Promise<void> {
    for (const { name } of this.subscriptions.values())
      if (covers(name, event)) return Promise.resolve();
    const found = new Promise<void>((tell, giveUp) =>
      this.awaited.push({ name: event, tell, giveUp }),
    );
    found.catch(() => undefined); // who does not wait any more need not hear it
    if (this.isOver) this.end();
    return found;
  }

  /** For the sandbox's own end: nobody will subscribe any more. */
  end(): void {
    this.isOver = true;
    for (const { name, giveUp } of this.awaited.splice(0))
      giveUp(new Error(`The sandbox was closed before anybody subscribed to ${name}`));
  }

  unsubscribe(session: Session, id: string): void {
    const subscription = this.subscriptions.get(id);
    if (subscription?.session !== session) return;
    if (subscription.stop === null) this.subscriptions.delete(id);
    else this.endSource(id, null);
  }

  /** Ends a session's subscriptions because its connection is gone. */
  drop(session: Session): void {
    for (const [id, subscription] of this.subscriptions) {
      if (subscription.session !== session) continue;
      this.subscriptions.delete(id);
      subscription.stop?.abort();
    }
  }

  /** Sends an event to each subscribed session, once even if it has several subscriptions. Returns their number. */
  publish(
    kind: 'added' | 'changed' | 'removed',
    collection: string,
    body: () => EventBody,
    isFor: (session: Session) => boolean = () => true,
  ): number {
    const sessions = new Set<Session>();
    for (const { session, name } of this.subscriptions.values())
      if (covers(name, collection) && isFor(session)) sessions.add(session);
    if (sessions.size === 0) return 0;
    const params = eventParams(kind, collection, body());
    for (const session of sessions) session.event(params);
    return sessions.size;
  }

  private startSource(id: string, session: Session, name: string, signal: AbortSignal): void {
    let options: TickerOptions;
    try {
      options = tickerOptions(name.slice(TICKER.length + 1));
    } catch (error) {
      this.endSource(id, asPyException(error)); // before the answer to core.subscribe, as on the real server
      return;
    }
    const run = async (): Promise<void> => {
      try {
        await tick(session, name, options, signal);
        this.endSource(id, null);
      } catch (error) {
        if (!signal.aborted) this.endSource(id, asPyException(error));
      }
    };
    setImmediate(() => void run());
  }

  private endSource(id: string, error: PyException | null): void {
    const subscription = this.subscriptions.get(id);
    if (subscription === undefined) return;
    this.subscriptions.delete(id);
    subscription.stop?.abort();
    subscription.session.sourceEnded(subscription.name, error);
  }
}

/** Whether a subscription of this name hears the event. */
function covers(name: string, event: string): boolean {
  return name === event || name === '*';
}

/** An event's params. A removed event has its fields under `extra`. */
function eventParams(kind: string, collection: string, body: EventBody): PyDict {
  const params = dict({ msg: kind, collection });
  if (body.id !== undefined) params.set('id', body.id);
  const fields = body.fields === undefined ? {} : { fields: body.fields };
  if (kind === 'removed') {
    params.set('extra', new Map([...Object.entries(fields), ...(body.extra ?? [])]));
    return params;
  }
  if (body.fields !== undefined) params.set('fields', body.fields);
  if (body.extra !== undefined) params.set('extra', body.extra);
  return params;
}

interface TickerOptions {
  readonly interval: number;
  readonly count: number;
  readonly error: string | null;
}

function tickerOptions(text: string): TickerOptions {
  let given: PyValue;
  try {
    given = text === '' ? dict({}) : parse(text);
  } catch (error) {
    if (!(error instanceof PyJsonError)) throw error;
    throw new ValidationErrors([['', error.message, EINVAL]]);
  }
  if (!(given instanceof Map))
    throw new ValidationErrors([['', 'Input should be a valid dictionary', EINVAL]]);
  const { interval, count, error } = {
    interval: given.get('interval') ?? new PyFloat(1),
    count: given.get('count') ?? 3n,
    error: given.get('error') ?? null,
  };
  const complaints: Complaint[] = [
    ...complaint('interval', interval, 'number'),
    ...complaint('count', count, 'integer'),
    ...(error === null ? [] : complaint('error', error, 'string')),
  ];
  for (const key of given.keys())
    if (!['interval', 'count', 'error'].includes(key))
      complaints.push([key, 'Extra inputs are not permitted', EINVAL]);
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  return {
    interval: numberOf(interval) ?? 1,
    count: numberOf(count) ?? 3,
    error: typeof error === 'string' ? error : null,
  };
}

async function tick(
  session: Session,
  name: string,
  { interval, count, error }: TickerOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const body = { fields: dict({ n: int(n) }) };
    session.event(eventParams('added', name, body));
    await delay(interval * 1000, undefined, { signal });
  }
  if (error !== null) throw new CallError(error, EIO);
}
