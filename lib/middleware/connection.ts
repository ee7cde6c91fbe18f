/**
 * Keeps one WebSocket to the middleware that is logged in: connects, logs in again when the session
 * has expired, connects again when the WebSocket was lost.
 *
 *     connecting → authenticating → ready ──┐
 *         ↑               ↑ expired ──┘     │ lost
 *         └─────────── waiting ◄────────────┘         closed: for good
 */
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cancellation } from '../cancellation.js';
import { MidcltError } from '../errors.js';
import { Aside } from './channel/aside.js';
import { Authenticator } from './login/authenticator.js';
import { Channel, notSent } from './channel/channel.js';
import { isFinal } from './login/credential.js';
import { Backoff, DEFAULT_POLICY, type ReconnectPolicy } from './login/reconnect-policy.js';
import type { Json } from '../protocol/frames.js';
import { Calls, requestIds, type CallOptions } from './calls.js';
import {
  ConnectionState,
  ReadyQueue,
  type ConnectionEvents,
  type ConnectionFacts,
  type ConnectionOptions,
  type State,
} from './state.js';

export class Connection extends EventEmitter<ConnectionEvents> {
  /** Resolves when it is over for good; with why, or null if it was closed here. */
  readonly ended: Promise<MidcltError | null>;

  private readonly status: ConnectionState;
  private reconnects = 0;
  private wasReady = false;
  /** The one that is logged in, or about to be once more. */
  private channel: Channel | null = null;
  private readonly aside = new Aside();
  /** The one that is not logged in yet. */
  private opening: Channel | null = null;
  private readonly authenticator: Authenticator | null;
  private readonly policy: ReconnectPolicy;
  private readonly backoff: Backoff;
  private readonly waiters: ReadyQueue;
  private readonly closing = new AbortController();
  private end!: (error: MidcltError | null) => void;
  readonly calls = new Calls(this);
  readonly newId = requestIds();
  readonly isAnonymous: boolean;
  readonly log: ConnectionOptions['log'];

  constructor(private readonly options: ConnectionOptions) {
    super();
    this.setMaxListeners(0);
    this.status = new ConnectionState(options.target.uri, options.log);
    const { target, credential, askOtp = null, policy = DEFAULT_POLICY } = options;
    this.policy = policy;
    this.log = options.log;
    this.isAnonymous = credential === null && target.scheme !== 'ws+unix';
    this.authenticator = credential && new Authenticator(target, credential, askOtp, policy);
    this.backoff = new Backoff(policy);
    this.waiters = new ReadyQueue(() => {
      const why = this.status.lastError === null ? '' : ` (${this.status.lastError})`;
      return `the connection to ${target.uri}${why}`;
    });
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  get state(): State {
    return this.status.current;
  }

  /** The channel that calls can be sent over in this turn; null if there is none. */
  usable(): Channel | null {
    const { channel } = this;
    // The server has begun to close it: what is sent would be lost.
    if (this.status.current === 'ready' && channel?.isClosing)
      this.lose(channel, 'the server closes it');
    return this.status.current === 'ready' ? this.channel : null;
  }

  /** Calls sent and not answered. */
  get inFlight(): number {
    return (this.channel?.inFlight ?? 0) + this.aside.inFlight;
  }

  /** How many wait until something can be sent. */
  get waiting(): number {
    return this.waiters.size;
  }

  /** Whether something can be sent in this turn. */
  isReady(): boolean {
    return this.usable() !== null;
  }

  /** Do the middleware's jobs name the requests that started them? */
  get namesRequests(): boolean {
    return this.options.target.wire === 'jsonrpc';
  }

  /** `call` and `subscribe` are those of {@link Calls}. */
  call(method: string, params: Json, options: CallOptions): Promise<Json> {
    return this.calls.call(method, params, options);
  }

  get facts(): ConnectionFacts {
    const { status, reconnects, authenticator } = this;
    const { current: state, since, lastError } = status;
    const canLogInAgain = authenticator?.isReusable ?? true;
    const tookCode = authenticator?.tookCode ?? false;
    const logins = authenticator?.count ?? 0;
    return { state, since, lastError, logins, reconnects, canLogInAgain, tookCode };
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
  ready(client: Cancellation | null, patience: number | null, waited = 0): Promise<void> {
    if (this.usable()) return Promise.resolve();
    return this.waiters.add(client, patience, waited);
  }

  /**
   * Makes another WebSocket for the calls to come, since this one is full of calls that were given up and don't end.
   * Those count as settled. The others are still answered over this one.
   */
  startAfresh(): void {
    const { channel } = this;
    if (!channel || this.isOver()) return;
    const { uri } = this.options.target;
    this.options.log('warning', 'calls given up take all slots', { uri, calls: channel.inFlight });
    this.channel = null;
    void this.heal();
    this.emit('loss', new MidcltError('LOST', `Connection to ${uri} given up for another`));
    this.aside.add(channel); // last, since it gives a slot to whoever waits
  }

  /** Everyone who waits gets this error, now and later, until what this returns is called. */
  stopWaiting(error: MidcltError): () => void {
    return this.waiters.stop(error);
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
    if (!isLocal || !this.status.lasts(this.policy.settled)) return false;
    channel.retire();
    this.lose(channel, 'the session has expired');
    return true;
  }

  /** Also while it is being opened, which then rejects. With an error what was sent gets it, who waits to send `unsent`. */
  close(error: MidcltError | null = null, unsent = error): void {
    const { channel, aside } = this;
    this.finish(error, unsent);
    for (const each of error ? [channel, aside] : []) each?.abandon(error?.message ?? '');
  }

  private async logInAgain(channel: Channel, authenticator: Authenticator): Promise<void> {
    const { status, newId } = this;
    const isInUse = () => this.channel === channel; // else it was lost: that is seen to elsewhere
    const onRefused = (refusal: unknown, ms: number) => {
      const why = status.note(refusal).message;
      this.log('warning', 'login refused for now', { why, ms });
      return isInUse();
    };
    status.enter('authenticating');
    this.emit('lapse');
    try {
      await authenticator.logInPatiently(channel, newId, this.closing.signal, onRefused);
      if (isInUse()) this.becomeReady(channel);
    } catch (thrown) {
      if (!isInUse()) return;
      const error = status.note(thrown);
      if (isFinal(error)) this.finish(error);
      else channel.close();
    }
  }

  /** One attempt at a WebSocket that is logged in. */
  private async establish(): Promise<void> {
    const { target, log, isUnref } = this.options;
    const { signal } = this.closing;
    const onNotification = (method: string, params: Json) => {
      this.emit('notification', method, params);
    };
    this.status.enter('connecting');
    const { liveness } = this.policy;
    const channel = await Channel.open({ target, liveness, log, isUnref, onNotification }, signal);
    channel.onClosed = (why) => {
      this.lose(channel, why);
    };
    this.opening = channel;
    try {
      signal.throwIfAborted();
      if (this.authenticator) {
        this.status.enter('authenticating');
        await this.authenticator.logIn(channel, this.newId, signal);
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
    this.status.enter('ready');
    if (this.wasReady) this.emit('renewal');
    this.wasReady = true;
    this.waiters.release();
  }

  private lose(channel: Channel, why: string): void {
    if (this.channel !== channel) return;
    const { uri } = this.options.target;
    this.channel = null;
    if (this.isOver()) return;
    this.options.log('warning', 'connection lost', { uri, why, calls: channel.inFlight });
    const error = this.status.note(new MidcltError('LOST', `Connection to ${uri} lost (${why})`));
    if (this.status.lasts(this.policy.settled)) this.backoff.reset();
    this.reconnects++;
    void this.heal();
    this.emit('loss', error);
  }

  private async heal(): Promise<void> {
    for (;;) {
      const pause = Math.ceil(Math.max(this.backoff.next(), this.authenticator?.wait ?? 0));
      this.status.enter('waiting', { ms: pause, why: this.status.lastError });
      const ref = this.options.isUnref !== true;
      await delay(pause, undefined, { signal: this.closing.signal, ref }).catch(() => undefined);
      if (this.isOver()) return;
      try {
        await this.establish();
        return;
      } catch (thrown) {
        if (this.isOver()) return;
        const error = this.status.note(thrown);
        if (isFinal(error)) {
          this.finish(error);
          return;
        }
      }
    }
  }

  /** Over for good: because of `error`, or because it was asked for. */
  private finish(error: MidcltError | null, unsent = error): void {
    if (this.isOver()) return;
    this.closing.abort();
    const { channel, opening } = this;
    this.status.enter('closed', error ? { why: error.message } : {});
    opening?.close();
    if (!error) this.aside.close();
    this.waiters.stop(unsent ?? notSent());
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

  private isOver(): boolean {
    return this.closing.signal.aborted;
  }
}
