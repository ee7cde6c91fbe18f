/** `subscribe`: an event of the middleware, told as it happens, until something ends that. */
import { MidcltError, abandoned, isLost, shuttingDown } from '../errors.js';
import { integerOf, isNull, quote, stringOf } from '../json/members.js';
import {
  MessageType,
  PATIENCE,
  type FinalFrame,
  type Json,
  type Request,
  type Timeout,
} from '../protocol/frames.js';
import { malformed, timeoutOf } from '../protocol/request-members.js';
import { oneStep } from '../steps.js';
import type { Context } from '../stream/verb.js';
import { after } from '../timer.js';
import {
  ANSWERED_HERE,
  checkVerification,
  result,
  type CommandOptions,
  type Entry,
} from './entry.js';

export interface SubscribeMembers {
  /** An event, or an event source with its arguments: `name:{json}`. */
  readonly event: string | null;
  /** Events after which it is enough; null is no number. */
  readonly number: number | null;
  /** Seconds from the subscription to its end. */
  readonly timeout: Timeout;
}

/** Bytes of an event's name, arguments included. */
const MAX_EVENT = 64 * 1024;
/** Bytes of events that are on their way to a client. */
const WINDOW = 64 * 1024;
/** Bytes of events that a client may be behind, and all clients together. One event is always taken. */
const MOST = { own: 1024 * 1024, all: 64 * 1024 * 1024 };
/** What an event costs beside its own bytes. */
const OVERHEAD = 100;

/** Why it is over, where nothing went wrong; the result of the final frame. */
type Ending = 'number' | 'timeout' | 'ended';

/** Bytes that the events of all subscribers take. */
interface Budget {
  used: number;
}

export const SUBSCRIBE: Entry<SubscribeMembers> = {
  format: {
    names: ['event', 'number', 'timeout'],
    read: (members) =>
      oneStep({
        event: eventOf(members.get('event')),
        number: numberOf(members.get('number')),
        timeout: timeoutOf(members.get('timeout'), 'timeout'),
      }),
  },
  serve: (options) => {
    const budget: Budget = { used: 0 };
    return {
      ...ANSWERED_HERE,
      check: (request) => {
        checkVerification(request, options);
      },
      run: (request, context) => subscribe(request, context, options, budget),
    };
  },
};

async function subscribe(
  { event, number, timeout }: Request & SubscribeMembers,
  context: Context,
  { connection, subscriptions, daemon, callTimeout, log, endsSubscriptions }: CommandOptions,
  budget: Budget,
): Promise<FinalFrame> {
  if (event === null) {
    throw new MidcltError('REQUEST', "'event' is missing", { errorType: 'KeyError' });
  }
  const { cancellation, client } = context;
  await connection.ready(cancellation, PATIENCE * 1000);
  const subscriber = new Subscriber(context.event, number ?? Infinity, budget);
  const onLeft = () => {
    subscriber.abandon();
  };
  let stop = (): void => undefined;
  /** Resolves when the daemon goes. */
  const stopped = new Promise<null>((resolve) => {
    stop = () => {
      resolve(null);
    };
  });
  const onEnding = () => {
    subscriber.end(shuttingDown());
    stop();
  };
  cancellation.on(onLeft);
  daemon?.ending.on(onEnding);
  let leave: (() => void) | null = null;
  let timer: NodeJS.Timeout | undefined;
  try {
    if (daemon?.ending.isCancelled) throw shuttingDown();
    const patience = callTimeout === null ? null : callTimeout * 1000;
    const listener = {
      onEvent: (params: Json) => {
        subscriber.take(params);
      },
      onLoss: (error: MidcltError) => {
        if (endsSubscriptions) subscriber.end(error);
      },
      onGap: () => {
        subscriber.miss();
      },
      onEnd: (error: MidcltError | null) => {
        subscriber.end(error ?? 'ended');
      },
    };
    for (;;) {
      try {
        const asked = subscriptions.subscribe(event, listener, patience);
        leave = await Promise.race([asked, stopped]);
        if (leave === null) leaveLater(asked);
        break;
      } catch (error) {
        if (endsSubscriptions || !isLost(error)) throw error;
        // Nothing is lost with it: it is made over the next connection.
        await new Promise(setImmediate);
        await connection.ready(cancellation, PATIENCE * 1000);
      }
    }
    if (leave) log('debug', 'subscribed', { client, event: event.slice(0, 100) });
    timer = after(timeout == null ? null : timeout * 1000, () => {
      subscriber.end('timeout');
    });
    return result(Buffer.from(quote(await subscriber.over)));
  } finally {
    clearTimeout(timer);
    leave?.();
    subscriber.abandon();
    cancellation.off(onLeft);
    daemon?.ending.off(onEnding);
  }
}

/** The server may take its time to answer, and nobody waits for it. */
function leaveLater(asked: Promise<() => void>): void {
  asked.then(
    (leave) => {
      leave();
    },
    () => undefined,
  );
}

/**
 * What one client is told. A client that reads slowly is told later, up to a bound: then events are missed until it has
 * taken all that waited, and it is told of that.
 */
class Subscriber {
  /** Resolves when the client has taken what it was told, and why that is all; rejects with what went wrong. */
  readonly over: Promise<Ending>;

  private readonly waiting: Json[] = [];
  /** Bytes on their way, and those that wait. */
  private sent = 0;
  private held = 0;
  private isBehind = false;
  private ending: Ending | MidcltError | null = null;
  private settle!: (ending: Ending | MidcltError) => void;

  constructor(
    private readonly tell: Context['event'],
    /** Events that it is still to be told. */
    private left: number,
    private readonly budget: Budget,
  ) {
    this.over = new Promise((resolve, reject) => {
      this.settle = (ending) => {
        if (ending instanceof MidcltError) reject(ending);
        else resolve(ending);
      };
    });
    this.over.catch(() => undefined); // it may end before anybody waits for that
  }

  take(event: Json): void {
    if (this.ending) return;
    if (this.isBehind && this.held > 0) return;
    if (!this.hasRoom(event)) {
      this.isBehind = true;
      return;
    }
    if (this.isBehind) this.tellGap();
    this.left--;
    this.hold(costOf(event));
    if (this.sent < WINDOW) this.send(event);
    // A copy: the event may be a small part of what was read with it.
    else this.waiting.push(Buffer.from(event));
    if (this.left === 0) this.end('number');
  }

  /** Events were missed. */
  miss(): void {
    if (this.ending) return;
    this.isBehind = true;
    if (this.held === 0) this.tellGap();
  }

  /** There is nothing more to tell than what waits. */
  end(ending: Ending | MidcltError): void {
    this.ending ??= ending;
    this.goOn();
  }

  /** Nobody reads any more. */
  abandon(): void {
    this.ending = abandoned();
    this.waiting.length = 0;
    this.hold(-this.held);
    this.settle(this.ending);
  }

  private hasRoom(event: Json): boolean {
    const cost = costOf(event);
    const isFirst = this.held === 0 && cost > MOST.own;
    return (isFirst || this.held + cost <= MOST.own) && this.budget.used + cost <= MOST.all;
  }

  private hold(bytes: number): void {
    this.held += bytes;
    this.budget.used += bytes;
  }

  private tellGap(): void {
    this.isBehind = false;
    this.hold(OVERHEAD);
    this.send(null);
  }

  private send(event: Json | null): void {
    const cost = costOf(event);
    this.sent += cost;
    this.tell({ type: MessageType.EVENT, event }, () => {
      this.sent -= cost;
      if (this.held === 0) return; // it was abandoned
      this.hold(-cost);
      this.goOn();
    });
  }

  private goOn(): void {
    while (this.sent < WINDOW) {
      const event = this.waiting.shift();
      if (!event) break;
      this.send(event);
    }
    if (this.held > 0) return;
    if (this.ending) this.settle(this.ending);
    else if (this.isBehind) this.tellGap();
  }
}

function costOf(event: Json | null): number {
  return (event?.length ?? 0) + OVERHEAD;
}

function eventOf(text: Json | undefined): string | null {
  if (isNull(text)) return null;
  if (text && text.length > MAX_EVENT) {
    throw malformed(`'event' is longer than ${MAX_EVENT} bytes`, 'ValueError');
  }
  const event = stringOf(text);
  if (event === null) throw malformed("'event' must be a string", 'TypeError');
  return event;
}

function numberOf(text: Json | undefined): number | null {
  if (isNull(text)) return null;
  const number = integerOf(text);
  if (number === null || number < 1) {
    throw malformed("'number' must be a positive integer, or null for no end", 'TypeError');
  }
  return number;
}
