/**
 * Keeps one WebSocket to the middleware that is logged in: connects, logs in again when the session
 * has expired, connects again when the WebSocket was lost.
 *
 *     connecting → authenticating → ready ──┐
 *         ↑               ↑ expired ──┘     │ lost
 *         └─────────── waiting ◄────────────┘         closed: for good
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cancellation } from '../cancellation.js';
import { asMidcltError, MidcltError } from '../errors.js';
import { Aside } from './channel/aside.js';
import { Authenticator } from './login/authenticator.js';
import { Channel, notSent } from './channel/channel.js';
import { isFinal, isRateLimit } from './login/credential.js';
import { Backoff, PACE, type Pace } from './login/reconnect-policy.js';
import type { ConnectionFacts, ConnectionOptions, Hooks, State } from './state.js';
import { Waiting } from './waiting.js';

export class Supervisor {
  /** Resolves when it is over for good; with why, or null if it was closed here. */
  readonly ended: Promise<MidcltError | null>;

  private current: State = 'closed';
  private since = Date.now();
  /** The same by the steady clock: the other one may be set meanwhile. */
  private entered = performance.now();
  private lastError: string | null = null;
  private reconnects = 0;
  private wasReady = false;
  /** The one that is logged in, or about to be once more. */
  private channel: Channel | null = null;
  private readonly aside = new Aside();
  /** The one that is not logged in yet. */
  private opening: Channel | null = null;
  private readonly authenticator: Authenticator | null;
  private readonly pace: Pace;
  private readonly backoff: Backoff;
  private readonly waiting: Waiting;
  private readonly closing = new AbortController();
  private end!: (error: MidcltError | null) => void;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly hooks: Hooks,
  ) {
    const { target, credential, askOtp = null, pace = PACE } = options;
    this.pace = pace;
    this.authenticator = credential && new Authenticator(target, credential, askOtp, pace);
    this.backoff = new Backoff(pace);
    this.waiting = new Waiting(() => {
      const why = this.lastError === null ? '' : ` (${this.lastError})`;
      return `the connection to ${target.uri}${why}`;
    });
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  get state(): State {
    return this.current;
  }

  /** What calls can be sent over in this turn. */
  usable(): Channel | null {
    const { channel } = this;
    // Its server has said goodbye, and the line is still to end: what is sent would be lost.
    if (this.current === 'ready' && channel?.isClosing) this.lose(channel, 'the server closes it');
    return this.current === 'ready' ? this.channel : null;
  }

  /** Calls sent and not answered. */
  get inFlight(): number {
    return (this.channel?.inFlight ?? 0) + this.aside.inFlight;
  }

  /** Who waits until something can be sent. */
  get waitingCount(): number {
    return this.waiting.size;
  }

  get facts(): ConnectionFacts {
    const { current: state, since, lastError, reconnects, authenticator } = this;
    const canLogInAgain = authenticator?.isReusable ?? true;
    return {
      state,
      since,
      lastError,
      logins: authenticator?.count ?? 0,
      reconnects,
      canLogInAgain,
    };
  }

  /**
   * Resolves when calls can be made; from then on a WebSocket that is lost is made anew. Rejects
   * with a `CONNECT` or `LOGIN` error; `LOST` or `TIMEOUT` in the midst of a login.
   */
  async open(): Promise<void> {
    try {
      this.authenticator?.check();
      await this.establish();
    } catch (error) {
      const wasClosed = this.isOver();
      this.finish(null);
      throw wasClosed
        ? new MidcltError('CLOSED', 'The connection was closed while it was opened')
        : error;
    }
  }

  /**
   * Resolves when calls can be made. Rejects when the client has gone, after `patience` milliseconds
   * (null: never; so many were `waited` before), or when it is over for good.
   */
  ready(client: Cancellation | null, patience: number | null, waited: number): Promise<void> {
    if (this.usable()) return Promise.resolve();
    return this.waiting.add(client, patience, waited);
  }

  /**
   * Makes another WebSocket for what is to be sent, since this one is full of calls that were given up
   * and don't end; those count as settled. Whatever else it is to answer, it does.
   */
  startAfresh(): void {
    const { channel } = this;
    if (!channel || this.isOver()) return;
    const { uri } = this.options.target;
    this.options.log('warning', 'calls given up take all slots', { uri, calls: channel.inFlight });
    this.channel = null;
    void this.heal();
    this.hooks.onLoss(new MidcltError('LOST', `Connection to ${uri} given up for another`));
    this.aside.add(channel); // last, since it gives a slot to whoever waits
  }

  /** Nobody waits any more until calls can be made. */
  stopWaiting(error: MidcltError): void {
    this.waiting.stop(error);
  }

  /** The session turned out not to be logged in any more. False if nothing can be done about that. */
  renew(channel: Channel): boolean {
    if (this.usable() !== channel) return true; // it is being done
    if (this.authenticator) {
      void this.logInAgain(channel, this.authenticator);
      return true;
    }
    // A local socket's session begins logged in, or never is.
    const isLocal = this.options.target.scheme === 'ws+unix';
    if (!isLocal || !this.isSettled()) return false;
    channel.retire();
    this.lose(channel, 'the session has expired');
    return true;
  }

  /** Also while it is being opened, which then rejects. */
  close(): void {
    this.finish(null);
  }

  private async logInAgain(channel: Channel, authenticator: Authenticator): Promise<void> {
    this.enter('authenticating');
    for (;;) {
      try {
        await authenticator.logIn(channel, this.hooks.newId, this.closing.signal);
        if (this.channel === channel) this.becomeReady(channel);
        return;
      } catch (thrown) {
        if (this.channel !== channel) return; // lost meanwhile: that is seen to elsewhere
        const error = this.note(thrown);
        if (isFinal(error)) {
          this.finish(error);
          return;
        }
        if (!isRateLimit(error)) {
          channel.close();
          return;
        }
        const ms = Math.round(authenticator.wait);
        this.options.log('warning', 'login refused for now', { why: error.message, ms });
      }
    }
  }

  /** One attempt at a WebSocket that is logged in. */
  private async establish(): Promise<void> {
    const { target, log } = this.options;
    const { newId, onNotification } = this.hooks;
    const { signal } = this.closing;
    this.enter('connecting');
    const { liveness } = this.pace;
    const channel = await Channel.open({ target, liveness, log, onNotification }, signal);
    channel.onClosed = (why) => {
      this.lose(channel, why);
    };
    this.opening = channel;
    try {
      signal.throwIfAborted();
      if (this.authenticator) {
        this.enter('authenticating');
        await this.authenticator.logIn(channel, newId, signal);
      }
    } catch (error) {
      channel.close();
      throw error;
    } finally {
      this.opening = null;
    }
    this.becomeReady(channel);
  }

  private becomeReady(channel: Channel): void {
    this.channel = channel;
    this.enter('ready');
    if (this.wasReady) this.hooks.onRenewal();
    this.wasReady = true;
    this.waiting.release();
  }

  private lose(channel: Channel, why: string): void {
    if (this.channel !== channel) return;
    const { uri } = this.options.target;
    this.channel = null;
    if (this.isOver()) return;
    this.options.log('warning', 'connection lost', { uri, why, calls: channel.inFlight });
    const error = this.note(new MidcltError('LOST', `Connection to ${uri} lost (${why})`));
    if (this.isSettled()) this.backoff.reset();
    this.reconnects++;
    void this.heal();
    this.hooks.onLoss(error);
  }

  private async heal(): Promise<void> {
    for (;;) {
      const pause = Math.ceil(Math.max(this.backoff.next(), this.authenticator?.wait ?? 0));
      this.enter('waiting', { ms: pause, why: this.lastError });
      await delay(pause, undefined, { signal: this.closing.signal }).catch(() => undefined);
      if (this.isOver()) return;
      try {
        await this.establish();
        return;
      } catch (thrown) {
        if (this.isOver()) return;
        const error = this.note(thrown);
        if (isFinal(error)) {
          this.finish(error);
          return;
        }
      }
    }
  }

  /** Over for good: because of `error`, or because it was asked for. */
  private finish(error: MidcltError | null): void {
    if (this.isOver()) return;
    this.closing.abort();
    const { channel, opening } = this;
    this.enter('closed', error ? { why: error.message } : {});
    opening?.close();
    if (!error) this.aside.close();
    this.waiting.stop(error ?? notSent());
    if (error || !channel) {
      channel?.retire();
      this.end(error);
      return;
    }
    channel.close();
    void channel.closed.then(() => {
      this.end(null);
    });
  }

  /** Has it been in this state for some time? */
  private isSettled(): boolean {
    return performance.now() - this.entered >= this.pace.settled;
  }

  private isOver(): boolean {
    return this.closing.signal.aborted;
  }

  /** Remembers what went wrong last. */
  private note(thrown: unknown): MidcltError {
    const error = asMidcltError(thrown);
    this.lastError = error.message;
    return error;
  }

  private enter(state: State, fields: Record<string, number | string | null> = {}): void {
    this.current = state;
    this.since = Date.now();
    this.entered = performance.now();
    this.options.log('info', state, { uri: this.options.target.uri, ...fields });
  }
}
