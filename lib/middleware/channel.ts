/** One WebSocket from its opening to its end, and the calls that wait for an answer over it. */
import type { WebSocket } from 'ws';
import { Alarm } from '../alarm.js';
import { asMidcltError, MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import type { Json } from '../protocol.js';
import { after } from '../timer.js';
import type { Target } from '../uri.js';
import { jsonrpc } from './jsonrpc.js';
import { legacy } from './legacy.js';
import { openWebSocket, type Liveness, type Link } from './transport.js';
import { UNTOLD, type Wire } from './wire.js';

export interface SendOptions {
  /** Milliseconds from sending to answer; null waits for ever. */
  readonly timeout: number | null;
  /**
   * Called exactly once, when the server is done with the call or never had it. That may be long
   * after the promise is rejected with a timeout: a call given up still runs there.
   */
  readonly onSettled?: (() => void) | undefined;
}

export interface ChannelOptions {
  readonly target: Target;
  readonly liveness: Liveness;
  readonly log: Log;
  readonly onNotification: (method: string, params: Json) => void;
}

interface Pending {
  readonly method: string;
  readonly onSettled: (() => void) | undefined;
  /** By `performance.now()`; Infinity for none, and once it has been given up. */
  deadline: number;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: MidcltError) => void;
}

/** JSON-RPC's; without an id it stands for a message that could not be written. */
const INTERNAL_ERROR = -32603;
const EMPTY: Json = Buffer.from('{}');
/** What a call is sent as. */
const MESSAGE = { binary: false };
/** Milliseconds for the answer to the greeting, where there is one; as in Python's client. */
const HELLO_TIMEOUT = 10_000;
/** Milliseconds for the answer to a close. */
const CLOSE_TIMEOUT = 1000;

export class Channel {
  /** Resolves when the WebSocket is gone, with why. */
  readonly closed: Promise<string>;
  /** The middleware takes only small messages from who is not. */
  isLoggedIn: boolean;
  /** Called first of all when the WebSocket is gone. */
  onClosed: (why: string) => void = () => undefined;

  /** The server's own certificate (DER), null without TLS. */
  readonly certificate: () => Buffer | null;

  private readonly socket: WebSocket;
  private readonly gather: Link['gather'];
  private readonly pending = new Map<string, Pending>();
  private readonly alarm = new Alarm((now) => this.giveUp(now));
  private onHello: ((refusal: string | null) => void) | null = null;
  private gone = false;
  private isRetired = false;

  private constructor(
    { socket, certificate, gather }: Link,
    readonly wire: Wire,
    private readonly options: ChannelOptions,
  ) {
    this.socket = socket;
    this.certificate = certificate;
    this.gather = gather;
    // A local socket needs no login.
    this.isLoggedIn = options.target.scheme === 'ws+unix';
    socket.on('message', (data: Buffer, isBinary) => {
      this.receive(data, isBinary);
    });
    socket.on('error', (error) => {
      options.log('warning', 'websocket error', { error: error.message });
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        const why = reason.length === 0 ? `code ${code}` : `code ${code}: ${reason.toString()}`;
        this.gone = true;
        this.alarm.stop();
        this.onClosed(why);
        this.lose(why);
        resolve(why);
      });
    });
    socket.resume();
  }

  /** Rejects with a `CONNECT` error, also when `signal` aborts. */
  static async open(options: ChannelOptions, signal: AbortSignal): Promise<Channel> {
    const { target, liveness } = options;
    const link = await openWebSocket(target, liveness, signal);
    const wire = target.wire === 'legacy' ? legacy : jsonrpc;
    const channel = new Channel(link, wire, options);
    if (wire.greeting !== null) await channel.greet(wire.greeting, signal);
    return channel;
  }

  /** Is the end of it on its way? */
  get isClosing(): boolean {
    return this.socket.readyState !== this.socket.OPEN;
  }

  get inFlight(): number {
    return this.pending.size;
  }

  /**
   * Sends a call and resolves with its result's text. Rejects with a `CALL` error (the server's
   * answer), `TIMEOUT`, `LOST` (sent, outcome unknown), `CLOSED` or `REQUEST` (not sent).
   */
  call(id: string, method: string, params: Json, options: SendOptions): Promise<Json> {
    const encode = () => this.wire.encodeCall(id, method, params, this.isLoggedIn);
    return this.send(id, method, encode, options);
  }

  /** Asks for the notifications of an event. Resolves and rejects as {@link call}. */
  subscribe(id: string, event: string, options: SendOptions): Promise<Json> {
    const encode = () => this.wire.encodeSubscribe(id, event, this.isLoggedIn);
    return this.send(id, 'core.subscribe', encode, options);
  }

  close(): void {
    this.socket.close(1000);
    // A server that does not answer the close is not waited for.
    setTimeout(() => {
      this.socket.terminate();
    }, CLOSE_TIMEOUT).unref();
  }

  /** Closes when what was sent is answered. */
  retire(): void {
    this.isRetired = true;
    if (this.pending.size === 0) this.close();
  }

  private send(
    id: string,
    method: string,
    encode: () => Buffer,
    { timeout, onSettled }: SendOptions,
  ): Promise<Json> {
    return new Promise((resolve, reject) => {
      let message: Buffer;
      try {
        if (this.gone) throw notSent();
        message = encode();
      } catch (error) {
        onSettled?.();
        reject(asMidcltError(error));
        return;
      }
      const deadline = performance.now() + (timeout ?? Infinity);
      this.pending.set(id, { method, onSettled, deadline, resolve, reject });
      this.alarm.by(deadline);
      this.gather(this.pending.size === 1);
      this.socket.send(message, MESSAGE);
    });
  }

  private greet(greeting: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        settle();
        this.close();
        const text = `Cannot connect to ${this.options.target.uri}: ${reason}`;
        reject(new MidcltError('CONNECT', text));
      };
      const onAbort = () => {
        fail('closed');
      };
      const timer = after(HELLO_TIMEOUT, () => {
        fail('no answer to the greeting');
      });
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.onHello = null;
      };
      signal.addEventListener('abort', onAbort);
      void this.closed.then(fail);
      this.onHello = (refusal) => {
        if (refusal !== null) {
          fail(refusal);
          return;
        }
        settle();
        resolve();
      };
      this.socket.send(greeting);
    });
  }

  private receive(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? ({ kind: 'unknown' } as const) : this.wire.decode(data);
    const { log, onNotification } = this.options;
    switch (message.kind) {
      case 'result':
        this.settle(message.id)?.resolve(message.result);
        return;
      case 'error':
        // Without an id it answers nobody in particular: no call may fail by it.
        if (message.id !== null) {
          this.settle(message.id)?.reject(message.failure);
          return;
        }
        log('warning', 'error without an id', { error: message.failure.message.slice(0, 500) });
        if (message.failure.rpcCode === INTERNAL_ERROR) onNotification(UNTOLD, EMPTY);
        return;
      case 'notification':
        onNotification(message.method, message.params);
        return;
      case 'hello':
        this.onHello?.(message.refusal);
        return;
      case 'unknown':
        log('warning', 'message not understood', { bytes: data.length, binary: isBinary });
    }
  }

  /** The call with this id is over at the server. A late or foreign answer finds nothing here. */
  private settle(id: string): Pending | undefined {
    const call = this.pending.get(id);
    if (!call) {
      this.options.log('warning', 'answer to no call of ours');
      return undefined;
    }
    this.pending.delete(id);
    call.onSettled?.();
    if (this.isRetired && this.pending.size === 0) this.close();
    return call;
  }

  /** Calls whose time is up. The server may still be at work on them. */
  private giveUp(now: number): number {
    let nearest = Infinity;
    for (const call of this.pending.values()) {
      if (call.deadline <= now) {
        call.deadline = Infinity;
        call.reject(new MidcltError('TIMEOUT', 'Call timeout'));
      }
      nearest = Math.min(nearest, call.deadline);
    }
    return nearest;
  }

  private lose(why: string): void {
    for (const id of [...this.pending.keys()]) {
      const call = this.settle(id);
      const text = `The connection to the middleware was lost (${why}); the outcome of ${call?.method ?? ''} is unknown`;
      call?.reject(new MidcltError('LOST', text));
    }
  }
}

export function notSent(): MidcltError {
  return new MidcltError('CLOSED', 'No connection to the middleware; the call was not sent');
}
