/**
 * Event name → who listens. Of each event there is one subscription at the middleware, however many listen; it ends
 * when the last of them leaves, and is made anew over the WebSocket that follows one that was lost.
 */
import { MidcltError, isLost } from '../errors.js';
import { isNull, membersOf, stringOf } from '../json/members.js';
import type { Json } from '../protocol/frames.js';
import { inTime, steadyNow } from '../timer.js';
import type { Connection } from './connection.js';
import { waitedInVain } from './unsent.js';
import { validationLines } from './wire/failure.js';

export interface EventListener {
  /** Gets the whole `params` of a notification. */
  readonly onEvent: (params: Json) => void;
  /** The connection is lost. Where nothing else is said by then, `onGap` or `onEnd` follows. */
  readonly onLoss: (error: MidcltError) => void;
  /** The subscription goes on, and events were missed. */
  readonly onGap: () => void;
  /** The server has ended it: null, or the error it gives. Nothing comes after that. */
  readonly onEnd: (error: MidcltError | null) => void;
}

interface Subscription {
  readonly listeners: Set<EventListener>;
  /** Resolves with its id at the server; null when it is to be made anew. */
  asked: Promise<Json> | null;
  /** The server has answered that. */
  isMade: boolean;
  /** Events may have been missed, and who listens has not been told. */
  hasMissed: boolean;
}

/** A subscription that nobody wants any more, until the server has ended it, or it is lost with its WebSocket. */
interface Ending {
  readonly over: Promise<void>;
  readonly settle: () => void;
}

/** The wildcard: all events. */
const ALL = '*';
/** What is waited for before an event is subscribed to again. */
const LAST = 'the end of the subscription before this one';
/** Milliseconds for the server to answer when a subscription is made anew, or ended. */
const TIMEOUT = 60_000;

export class Subscriptions {
  private readonly subscriptions = new Map<string, Subscription>();
  /**
   * By the event's name. What the server tells of that event meanwhile is of the subscription that ends: it names no other.
   */
  private readonly endings = new Map<string, Ending>();

  constructor(private readonly connection: Connection) {
    connection.on('notification', (method, params) => {
      if (this.subscriptions.size > 0) this.onNotification(method, params);
    });
    connection.on('loss', (error) => {
      this.settleEndings();
      for (const subscription of this.subscriptions.values()) {
        subscription.asked = null;
        subscription.isMade = false;
        subscription.hasMissed = true;
        for (const { onLoss } of [...subscription.listeners]) onLoss(error);
      }
    });
    connection.on('lapse', () => {
      for (const subscription of this.subscriptions.values()) subscription.hasMissed = true;
    });
    void connection.ended.then((error) => {
      const why = error ?? new MidcltError('CLOSED', 'The connection was closed');
      this.settleEndings();
      for (const { listeners } of this.subscriptions.values()) {
        for (const { onEnd } of [...listeners]) onEnd(why);
      }
    });
    connection.on('renewal', () => {
      for (const [event, subscription] of this.subscriptions) void this.renew(event, subscription);
    });
  }

  /**
   * Subscribes to an event (`pool.query`) or event source (`reporting.realtime:{"interval": 5}`). Resolves with what
   * ends it. Rejects as {@link Connection.call}.
   */
  async subscribe(
    event: string,
    listener: EventListener,
    timeout: number | null,
  ): Promise<() => void> {
    let subscription = this.subscriptions.get(event);
    if (!subscription) {
      subscription = { listeners: new Set(), asked: null, isMade: false, hasMissed: false };
      this.subscriptions.set(event, subscription);
    }
    // Before the call: a source with bad arguments ends before the answer to it comes.
    const { listeners } = subscription;
    listeners.add(listener);
    const leave = () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.end(event, subscription);
    };
    const asked = (subscription.asked ??= this.ask(event, subscription, timeout));
    try {
      await asked;
      return leave;
    } catch (error) {
      if (subscription.asked === asked) subscription.asked = null; // whoever comes next asks anew
      leave();
      throw error;
    }
  }

  private async renew(event: string, subscription: Subscription): Promise<void> {
    try {
      // After another login over the same WebSocket the subscription is still there.
      await (subscription.asked ??= this.ask(event, subscription, TIMEOUT));
      tellGap(subscription);
    } catch (error) {
      if (isLost(error)) return; // it is renewed once more
      this.finish(event, subscription, error as MidcltError);
    }
  }

  /** Asks the server, once it has ended the subscription before of that name. */
  private async ask(
    event: string,
    subscription: Subscription,
    timeout: number | null,
  ): Promise<Json> {
    let left = timeout;
    const ending = this.endings.get(event);
    if (ending) {
      const began = steadyNow();
      const waited = () => steadyNow() - began;
      await inTime(ending.over, timeout, () => waitedInVain(waited(), LAST));
      left = timeout === null ? null : Math.max(1, timeout - waited());
    }
    const id = await this.connection.calls.subscribe(event, left);
    subscription.isMade = true;
    return id;
  }

  private end(event: string, subscription: Subscription): void {
    if (this.subscriptions.get(event) !== subscription) return;
    this.subscriptions.delete(event);
    this.unsubscribe(event, subscription);
  }

  private unsubscribe(event: string, { asked }: Subscription): void {
    if (!asked) return;
    const { calls } = this.connection;
    let resolve!: () => void;
    const over = new Promise<void>((resolved) => (resolve = resolved));
    const ending: Ending = {
      over,
      settle: () => {
        if (this.endings.get(event) === ending) this.endings.delete(event);
        resolve();
      },
    };
    this.endings.set(event, ending);
    // Whatever becomes of it: nobody listens any more.
    asked.then((id) => calls.unsubscribe(id, TIMEOUT)).then(ending.settle, ending.settle);
  }

  /** The subscriptions have ended with their WebSocket. */
  private settleEndings(): void {
    for (const { settle } of [...this.endings.values()]) settle();
  }

  private finish(event: string, subscription: Subscription, error: MidcltError | null): void {
    if (this.subscriptions.get(event) === subscription) {
      this.subscriptions.delete(event);
      // With an error a source has refused its arguments. Without one, what has ended was perhaps another of its name.
      if (error === null && !subscription.isMade) this.unsubscribe(event, subscription);
    }
    const listeners = [...subscription.listeners];
    subscription.listeners.clear();
    for (const { onEnd } of listeners) onEnd(error);
  }

  private onNotification(method: string, params: Json): void {
    const members = membersOf(params);
    const collection = stringOf(members?.get('collection'));
    if (!members || collection === null) return;
    const subscription = this.subscriptions.get(collection);
    if (method === 'collection_update') {
      for (const name of collection === ALL ? [ALL] : [collection, ALL]) {
        const subscription = this.subscriptions.get(name);
        if (!subscription || this.endings.has(name)) continue;
        // What is subscribed to anew may be told of before the answer to that has come.
        tellGap(subscription);
        for (const { onEvent } of subscription.listeners) onEvent(params);
      }
    } else if (method === 'notify_unsubscribed' && subscription && !this.endings.has(collection)) {
      tellGap(subscription);
      this.finish(collection, subscription, endError(members.get('error')));
    }
  }
}

/** Once, in front of whatever comes next. */
function tellGap(subscription: Subscription): void {
  if (!subscription.hasMissed) return;
  subscription.hasMissed = false;
  for (const { onGap } of [...subscription.listeners]) onGap();
}

/** The `error` of `notify_unsubscribed`: null, or an object with a reason. */
function endError(error: Json | undefined): MidcltError | null {
  if (error === undefined || isNull(error)) return null;
  const members = membersOf(error);
  const lines = validationLines(members?.get('extra'));
  const reason = stringOf(members?.get('reason')) ?? stringOf(error) ?? error.toString();
  return new MidcltError('CALL', lines ?? reason.trimEnd());
}
