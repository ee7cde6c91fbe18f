/** The connection to the middleware as its callers see it: many calls over whatever WebSocket there is. */
import { randomBytes } from 'node:crypto';
import type { Cancellation } from '../cancellation.js';
import { abandoned, isMidcltError, type MidcltError } from '../errors.js';
import { EMPTY_LIST } from '../json/members.js';
import { PATIENCE, type Json } from '../protocol/frames.js';
import { notSent, type Channel } from './channel/channel.js';
import { CallFailure, refusalOf, type Refusal } from './wire/failure.js';
import type { SendOptions } from './channel/pending.js';
import type { ConnectionFacts, ConnectionOptions, State } from './state.js';
import { Supervisor } from './supervisor.js';
import { MAX_ANONYMOUS } from './wire/wire.js';

export interface CallOptions extends SendOptions {
  /** The request's id, from {@link Connection.newId}; made here if it isn't given. */
  readonly id?: string;
  /** Cancelled when nobody waits for the answer any more: a call that was refused is not sent again. */
  readonly cancellation?: Cancellation;
  /** To be done before a call that was refused is sent again. What it rejects with ends the call. */
  readonly beforeRepeat?: () => Promise<void>;
}

export type NotificationListener = (method: string, params: Json) => void;

interface Sending extends CallOptions {
  /** Of what makes the message long, in bytes. */
  readonly size: number;
  /** Throws if it is too long for any session. */
  readonly check?: (channel: Channel) => void;
}

type Send = (channel: Channel, options: SendOptions) => Promise<Json>;

/** Bytes, at least as many as characters, that leave room for the rest of a message. */
const SHORT = MAX_ANONYMOUS - 500;
/** Bytes that a character may take in a message. */
const ESCAPED = 6;
/** Milliseconds that a call the server has refused waits until it can be sent once more. */
const REPEAT_PATIENCE = PATIENCE * 1000;
/** Milliseconds until a call refused for too many others is sent again: at first, and at most. */
const BUSY = { least: 100, most: 2000 };

export class Connection {
  private readonly supervisor: Supervisor;
  private readonly notificationListeners: NotificationListener[] = [];
  private readonly renewalListeners: (() => void)[] = [];
  private readonly lossListeners: ((error: MidcltError) => void)[] = [];
  /** Methods that answer "not authenticated" also right after a login. */
  private readonly refusing = new Set<string>();
  /** Unique among all clients of the server: an admin's events name other sessions' ids too. */
  private readonly prefix = randomBytes(6).toString('hex');
  private counter = 0;

  constructor(private readonly options: ConnectionOptions) {
    this.supervisor = new Supervisor(options, {
      newId: () => this.newId(),
      onNotification: (method, params) => {
        for (const listener of this.notificationListeners) listener(method, params);
      },
      onLoss: (error) => {
        for (const listener of this.lossListeners) listener(error);
      },
      onRenewal: () => {
        for (const listener of this.renewalListeners) listener();
      },
    });
  }

  /** Resolves when the connection is closed for good; with why, or null if it was closed here. */
  get ended(): Promise<MidcltError | null> {
    return this.supervisor.ended;
  }

  get state(): State {
    return this.supervisor.state;
  }

  /** Can something be sent in this turn? */
  isReady(): boolean {
    return this.supervisor.usable() !== null;
  }

  /** Calls sent and not answered. */
  get inFlight(): number {
    return this.supervisor.inFlight;
  }

  /** Who waits until something can be sent. */
  get waiting(): number {
    return this.supervisor.waitingCount;
  }

  get facts(): ConnectionFacts {
    return this.supervisor.facts;
  }

  /** Do the middleware's jobs name the requests that started them? */
  get namesRequests(): boolean {
    return this.options.target.wire === 'jsonrpc';
  }

  onNotification(listener: NotificationListener): void {
    this.notificationListeners.push(listener);
  }

  /** Calls can be made again: over a new WebSocket, or after a new login. */
  onRenewal(listener: () => void): void {
    this.renewalListeners.push(listener);
  }

  /** A WebSocket was lost, and another is going to be made. */
  onLoss(listener: (error: MidcltError) => void): void {
    this.lossListeners.push(listener);
  }

  newId(): string {
    this.counter++;
    return `${this.prefix}-${this.counter}`;
  }

  /** As {@link Supervisor.open}. */
  open(): Promise<void> {
    return this.supervisor.open();
  }

  /** As {@link Supervisor.startAfresh}. */
  startAfresh(): void {
    this.supervisor.startAfresh();
  }

  /** As {@link Supervisor.ready}. */
  ready(client: Cancellation | null, patience: number | null, waited = 0): Promise<void> {
    return this.supervisor.ready(client, patience, waited);
  }

  /** Nobody waits any more until calls can be made. */
  stopWaiting(error: MidcltError): void {
    this.supervisor.stopWaiting(error);
  }

  /**
   * Sends a call and resolves with its result's text. Rejects with a `CALL` error (the server's
   * answer), `TIMEOUT`, `LOST` (sent, outcome unknown), `CLOSED` or `REQUEST` (not sent). What the
   * server refused before running it, for an expired session or too many calls, is sent again.
   */
  call(method: string, params: Json, options: CallOptions): Promise<Json> {
    const id = options.id ?? this.newId();
    const size = ESCAPED * method.length + params.length;
    const check = (channel: Channel) => {
      channel.checkCall(id, method, params);
    };
    return this.send(method, { ...options, size, check }, (channel, sending) =>
      channel.call(id, method, params, sending),
    );
  }

  /** Asks for the notifications of an event. Rejects as {@link call}. */
  subscribe(event: string, timeout: number | null): Promise<Json> {
    const size = ESCAPED * event.length;
    return this.send('core.subscribe', { timeout, size }, (channel, sending) =>
      channel.subscribe(this.newId(), event, sending),
    );
  }

  /** Also while it is being opened, which then rejects. */
  close(): void {
    this.supervisor.close();
  }

  private async send(method: string, options: Sending, send: Send): Promise<Json> {
    const { lease } = options;
    const began = performance.now();
    for (let attempt = 1; ;) {
      const channel = this.supervisor.usable();
      if (!channel) throw notSent();
      let isSent = false;
      try {
        let { timeout } = options;
        if (options.size > SHORT) timeout = await this.checkSession(channel, options);
        isSent = true;
        const result = await send(channel, { timeout, lease });
        if (this.refusing.size > 0) this.refusing.delete(method);
        return result;
      } catch (error) {
        const isLost = !isSent && isMidcltError(error) && /LOST|CLOSED/.test(error.code);
        const refusal = isLost ? 'lost' : this.repeatable(error, channel, method, attempt);
        if (refusal === null || performance.now() > began + REPEAT_PATIENCE) {
          // Too long for a session that is not logged in, which its encoding says.
          if (!isSent && refusalOf(error) === 'session') return await send(channel, { timeout: 0 });
          throw error;
        }
        await this.becomesPossible(refusal, attempt, options);
        if (!isLost) attempt++;
      }
    }
  }

  /**
   * Before a long message: is the session logged in? Otherwise the server would close the connection under
   * everybody. Resolves with what is left of the timeout, in the turn in which it can be sent. Rejects with
   * the refusal, with `LOST` or `CLOSED` if another connection is to be used, and as {@link call}.
   */
  private async checkSession(channel: Channel, { timeout, cancellation, check }: Sending) {
    check?.(channel);
    const { credential, target } = this.options;
    const neverIs = credential === null && target.scheme !== 'ws+unix';
    if (neverIs) return timeout;
    const began = performance.now();
    try {
      await channel.call(this.newId(), 'auth.me', EMPTY_LIST, { timeout });
      channel.isLoggedIn = true;
    } catch (error) {
      const isOther = error instanceof CallFailure && refusalOf(error) === null;
      if (!isOther) throw error;
    }
    if (cancellation?.isCancelled) throw abandoned();
    if (this.supervisor.usable() !== channel) throw notSent();
    return timeout === null ? null : Math.max(0, timeout - (performance.now() - began));
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
      this.options.log('warning', 'too many calls under way', { method: method.slice(0, 100) });
    }
    if (refusal !== 'session') return refusal;
    channel.isLoggedIn = false;
    if (attempt > 1) this.refusing.add(method);
    return !this.refusing.has(method) && this.supervisor.renew(channel) ? refusal : null;
  }

  /** Resolves, in the turn in which it can be sent, when what a call was refused for is over. */
  private async becomesPossible(
    refusal: Refusal | 'lost',
    attempt: number,
    { cancellation, beforeRepeat }: Sending,
  ): Promise<void> {
    if (refusal === 'busy') {
      const pause = Math.min(BUSY.most, BUSY.least * 2 ** attempt);
      await delay(pause, cancellation);
    }
    await this.ready(cancellation ?? null, REPEAT_PATIENCE);
    await beforeRepeat?.();
    if (cancellation?.isCancelled) throw abandoned();
  }
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
