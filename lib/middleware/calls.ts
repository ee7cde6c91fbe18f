/**
 * Calls over whatever WebSocket there is. What the server has refused before it ran it, because the session had expired or
 * too many calls were under way, is sent again.
 */
import { randomBytes } from 'node:crypto';
import type { Cancellation } from '../cancellation.js';
import { abandoned, isLost } from '../errors.js';
import type { Log } from '../logger.js';
import { EMPTY_LIST, isNull, quote } from '../json/members.js';
import { PATIENCE, type Json } from '../protocol/frames.js';
import { notSent, type Channel } from './channel/channel.js';
import { CallFailure, refusalOf, type Refusal } from './wire/failure.js';
import type { SendOptions } from './channel/pending.js';
import { MAX_ANONYMOUS } from './wire/wire.js';
import { steadyNow } from '../timer.js';
import { ofUnsent, waitedInVain } from './unsent.js';

export interface CallOptions extends SendOptions {
  /** By {@link steadyNow}: until then the call, if it is refused, is sent again and answered. None unless given. */
  readonly deadline?: number;
  /** The request's id, from {@link Line.newId}; made here if it isn't given. */
  readonly id?: string;
  /** Cancelled when nobody waits for the answer any more: a call that was refused is not sent again. */
  readonly cancellation?: Cancellation;
  /** To be done before a call that was refused is sent again. What it rejects with ends the call. */
  readonly beforeRepeat?: () => Promise<void>;
}

/** What calls need of the connection. */
export interface Line {
  /** The channel that calls can be sent over in this turn; null if there is none. */
  usable(): Channel | null;
  /** Resolves when calls can be made. */
  ready(client: Cancellation | null, patience: number | null, waited: number): Promise<void>;
  /** The session turned out not to be logged in any more. False if nothing can be done about that. */
  renew(channel: Channel): boolean;
  /** An id that no other request has. */
  readonly newId: () => string;
  /** Whether nobody logs in: the session never is logged in then. */
  readonly isAnonymous: boolean;
  readonly log: Log;
}

interface Message {
  readonly method: string;
  /** Bytes of the parameters, or of the event's name; at most so many. */
  readonly size: number;
  /** Throws if it is too long for any session. */
  readonly check?: (channel: Channel) => void;
  readonly send: (channel: Channel, options: SendOptions) => Promise<Json>;
}

/** Bytes, at least as many as characters, that leave room for the rest of a message. */
const SHORT = MAX_ANONYMOUS - 500;
/** Bytes that a character may take in a message. */
const ESCAPED = 6;
/** Milliseconds that a call the server has refused waits until it can be sent once more. */
const REPEAT_PATIENCE = PATIENCE * 1000;
/** Milliseconds until a call refused for too many others is sent again: at first, and at most. */
const BUSY = { least: 100, most: 2000 };
/** What a call that was refused waits for. */
const AWAITED: Readonly<Record<Refusal | 'lost', string>> = {
  session: 'a session that is logged in',
  busy: 'the server to have room for it',
  lost: 'the connection',
};

export class Calls {
  /** Methods that answer "not authenticated" also right after a login. */
  private readonly refusing = new Set<string>();

  constructor(private readonly line: Line) {}

  /**
   * Sends a call and resolves with its result's text. Rejects with a `CALL` error (the server's
   * answer), `TIMEOUT`, `LOST` (sent, outcome unknown), `CLOSED` or `REQUEST` (not sent). What the
   * server refused before running it, for an expired session or too many calls, is sent again.
   */
  call(method: string, params: Json, options: CallOptions): Promise<Json> {
    const id = options.id ?? this.line.newId();
    const message: Message = {
      method,
      size: ESCAPED * method.length + params.length,
      check: (channel) => {
        channel.checkCall(id, method, params);
      },
      send: (channel, sending) => channel.call(id, method, params, sending),
    };
    return this.send(message, options);
  }

  /**
   * Asks for the notifications of an event. Resolves with what {@link unsubscribe} needs. Rejects as {@link call}.
   */
  async subscribe(event: string, timeout: number | null): Promise<Json> {
    let id = '';
    const message: Message = {
      method: 'core.subscribe',
      size: ESCAPED * event.length,
      send: (channel, sending) => channel.subscribe((id = this.line.newId()), event, sending),
    };
    const answer = await this.send(message, { timeout });
    // On the legacy wire the client names the subscription.
    return isNull(answer) ? Buffer.from(quote(id)) : answer;
  }

  /**
   * Ends a subscription, by what {@link subscribe} resolved with. Resolves when nothing more is going to be told of it.
   * Rejects as {@link call}.
   */
  async unsubscribe(subscription: Json, timeout: number | null): Promise<void> {
    const channel = this.line.usable();
    if (!channel) return; // it has ended with its WebSocket
    const message = channel.wire.encodeUnsubscribe(subscription);
    if (message) {
      channel.post(message);
      // That has no answer, but what is sent behind it is answered behind all that comes of it.
      await channel.call(this.line.newId(), 'core.ping', EMPTY_LIST, { timeout });
    } else {
      const params = Buffer.concat([Buffer.from('['), subscription, Buffer.from(']')]);
      await this.call('core.unsubscribe', params, { timeout });
    }
  }

  private async send(message: Message, options: CallOptions): Promise<Json> {
    const { lease, deadline = Infinity } = options;
    const { method } = message;
    const began = steadyNow();
    const patience = () => began + REPEAT_PATIENCE - steadyNow();
    let usable = this.line.usable();
    for (let attempt = 1; ;) {
      if (!usable) throw notSent();
      const channel = usable;
      let isSent = false;
      try {
        let timeout = timeLeft(options);
        if (message.size > SHORT) {
          timeout = await this.checkSession(channel, message, { ...options, timeout });
        }
        isSent = true;
        const result = await message.send(channel, { timeout, lease });
        if (this.refusing.size > 0) this.refusing.delete(method);
        return result;
      } catch (error) {
        const wasLost = !isSent && isLost(error);
        const refusal = wasLost ? 'lost' : this.repeatable(error, channel, method, attempt);
        if (refusal === null || patience() < 0) {
          // Too long for a session that is not logged in, which its encoding says.
          if (!isSent && refusalOf(error) === 'session') {
            return await message.send(channel, { timeout: 0 });
          }
          throw error;
        }
        if (refusal === 'busy') await pauseWhileBusy(attempt, options);
        // A connection may be lost in the turn in which it was had again.
        do {
          await this.becomesPossible(options, began);
          usable = this.line.usable();
        } while (!usable && patience() >= 0);
        if (deadline - steadyNow() < 1) {
          throw waitedInVain(steadyNow() - began, AWAITED[refusal], 'run');
        }
        if (!wasLost) attempt++;
      }
    }
  }

  /**
   * Before a long message: is the session logged in? Otherwise the server would close the connection under
   * everybody. Resolves with what is left of the timeout, in the turn in which it can be sent. Rejects with
   * the refusal, with `LOST` or `CLOSED` if another connection is to be used, and as {@link call}.
   */
  private async checkSession(
    channel: Channel,
    { check }: Message,
    { timeout, cancellation }: CallOptions,
  ): Promise<number | null> {
    check?.(channel);
    if (this.line.isAnonymous) return timeout;
    const began = steadyNow();
    try {
      await channel.call(this.line.newId(), 'auth.me', EMPTY_LIST, { timeout });
      channel.isLoggedIn = true;
    } catch (error) {
      const isOther = error instanceof CallFailure && refusalOf(error) === null;
      if (!isOther) throw ofUnsent(error, steadyNow() - began, 'the answer to auth.me');
    }
    if (cancellation?.isCancelled) throw abandoned();
    if (this.line.usable() !== channel) throw notSent();
    return timeout === null ? null : Math.max(0, timeout - (steadyNow() - began));
  }

  /** Why the call was refused before it was run, if it makes sense to send it once more. */
  private repeatable(
    error: unknown,
    channel: Channel,
    method: string,
    attempt: number,
  ): Refusal | null {
    const refusal = refusalOf(error);
    if (refusal === 'busy') {
      this.line.log('warning', 'too many calls under way', { method: method.slice(0, 100) });
    }
    if (refusal !== 'session') return refusal;
    channel.isLoggedIn = false;
    if (attempt > 1) this.refusing.add(method);
    return !this.refusing.has(method) && this.line.renew(channel) ? refusal : null;
  }

  /** Resolves, in the turn in which it can be sent, when what a call was refused for is over. */
  private async becomesPossible(
    { cancellation, beforeRepeat, deadline = Infinity }: CallOptions,
    began: number,
  ): Promise<void> {
    const now = steadyNow();
    const patience = Math.max(0, Math.min(REPEAT_PATIENCE, deadline - now));
    await this.line.ready(cancellation ?? null, patience, now - began);
    await beforeRepeat?.();
    if (cancellation?.isCancelled) throw abandoned();
  }
}

/** Longer each time: others wait, too. */
function pauseWhileBusy(
  attempt: number,
  { cancellation, deadline = Infinity }: CallOptions,
): Promise<void> {
  const pause = Math.min(BUSY.most, BUSY.least * 2 ** attempt);
  return delay(Math.ceil(Math.max(0, Math.min(pause, deadline - steadyNow()))), cancellation);
}

/** Milliseconds for what is asked next: at most `timeout` (null: without end), and not beyond the deadline. */
export function timeLeft(options: Pick<CallOptions, 'timeout' | 'deadline'>): number | null {
  const { timeout, deadline = Infinity } = options;
  const left = Math.min(timeout ?? Infinity, Math.max(1, deadline - steadyNow()));
  return left === Infinity ? null : left;
}

/** Resolves after so many milliseconds, or when the client has gone. */
export function delay(milliseconds: number, client: Cancellation | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (client?.isCancelled) {
      resolve();
      return;
    }
    const end = () => {
      clearTimeout(timer);
      client?.off(end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    client?.on(end);
  });
}

/** Unique among all clients of the server: an admin's events name other sessions' ids too. */
export function requestIds(): () => string {
  const prefix = randomBytes(6).toString('hex');
  let counter = 0;
  return () => `${prefix}-${++counter}`;
}
