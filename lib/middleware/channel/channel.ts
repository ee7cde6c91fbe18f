/** One WebSocket from its opening to its end, and the calls that wait for an answer over it. */
import type { WebSocket } from 'ws';
import { asMidcltError, MidcltError } from '../../errors.js';
import type { Log } from '../../logger.js';
import { Scan, stringOf, type Members } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { onOneLine } from '../../text/terminal.js';
import { after } from '../../timer.js';
import type { Target } from '../uri.js';
import { Intake, type Received } from './intake.js';
import { UNTOLD, jsonrpc, legacy, type Wire } from '../wire/wire.js';
import { PendingCalls, type PendingCall, type SendOptions } from './pending.js';
import { openWebSocket, type Liveness, type Link } from './transport.js';

export interface ChannelOptions {
  readonly target: Target;
  readonly liveness: Liveness;
  readonly log: Log;
  /** It keeps no process alive. */
  readonly isUnref?: boolean | undefined;
  readonly onNotification: (method: string, params: Json) => void;
}

/** JSON-RPC's; without an id it stands for a message that could not be written. */
const INTERNAL_ERROR = -32603;
const EMPTY: Json = Buffer.from('{}');
/** What a call is sent as. */
const MESSAGE = { binary: false };
/** A message's last member, where that is its id. */
const ID_BEHIND = /"id": ?"([^"\\]+)"\}$/;
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
  private readonly pending = new PendingCalls();
  private onHello: ((refusal: string | null) => void) | null = null;
  private gone = false;
  private isRetired = false;
  private isAside = false;

  private constructor(
    { socket, largeTexts, certificate, gather, keepAlive }: Link,
    readonly wire: Wire,
    private readonly options: ChannelOptions,
  ) {
    this.socket = socket;
    this.certificate = certificate;
    this.gather = gather;
    // A local socket needs no login.
    this.isLoggedIn = options.target.scheme === 'ws+unix';
    const intake = new Intake({
      onMessage: (message) => {
        this.receive(message);
      },
      pause: () => {
        socket.pause();
      },
      resume: () => {
        socket.resume();
      },
    });
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.notUnderstood(data.length, 'binary');
      else intake.push(new Scan(data));
    });
    largeTexts.onText = (scan) => {
      intake.push(scan);
    };
    socket.on('error', (error) => {
      options.log('warning', 'websocket error', { error: error.message });
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        const said = onOneLine(reason.toString());
        const why = said === '' ? `code ${code}` : `code ${code}: ${said}`;
        this.gone = true;
        // What came before the end may be an answer.
        intake.finish(() => {
          this.onClosed(why);
          this.pending.lose(`The connection to the middleware was lost (${why})`);
          resolve(why);
        });
      });
    });
    keepAlive(() => this.pending.size > 0);
    socket.resume();
  }

  /** Rejects with a `CONNECT` error, also when `signal` aborts. */
  static async open(options: ChannelOptions, signal: AbortSignal): Promise<Channel> {
    const { target, liveness } = options;
    const link = await openWebSocket(target, liveness, options, signal);
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

  /** Throws the `REQUEST` error of a call that is too long for any session. */
  checkCall(id: string, method: string, params: Json): void {
    this.wire.encodeCall(id, method, params, true);
  }

  /** Asks for the notifications of an event. Resolves and rejects as {@link call}. */
  subscribe(id: string, event: string, options: SendOptions): Promise<Json> {
    const encode = () => this.wire.encodeSubscribe(id, event, this.isLoggedIn);
    return this.send(id, 'core.subscribe', encode, options);
  }

  /** Sends what is not answered. */
  post(message: Buffer): void {
    this.socket.send(message, MESSAGE);
  }

  close(): void {
    this.socket.close(1000);
    // A server that does not answer the close is not waited for.
    setTimeout(() => {
      this.socket.terminate();
    }, CLOSE_TIMEOUT).unref();
  }

  /**
   * As {@link retire}; what was given up, or will be, counts as settled at once. Events come over the one
   * after it.
   */
  setAside(): void {
    this.isAside = true;
    this.retire();
    this.pending.freeGivenUp();
  }

  /** Closes, and nothing that was sent is waited for; `why` is a sentence. */
  abandon(why: string): void {
    this.pending.lose(why);
    this.close();
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
    options: SendOptions,
  ): Promise<Json> {
    let message: Buffer;
    try {
      if (this.gone) throw notSent();
      message = encode();
    } catch (error) {
      return Promise.reject(asMidcltError(error));
    }
    const answer = this.pending.add(id, method, options);
    this.gather(this.pending.size === 1);
    this.socket.send(message, MESSAGE);
    return answer;
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

  private receive({ text, members, wrongAt }: Received): void {
    if (wrongAt !== null) {
      this.fail(text, members, wrongAt);
      return;
    }
    const message = this.wire.decode(members, text);
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
        if (!this.isAside) onNotification(message.method, message.params);
        return;
      case 'hello':
        this.onHello?.(message.refusal);
        return;
      case 'unknown':
        this.notUnderstood(text.length, 'unknown');
    }
  }

  /** Whose answer is no JSON, has none: passed on, it could say anything in the client's frame. */
  private fail(text: Buffer, members: Members, wrongAt: number): void {
    this.notUnderstood(text.length, 'no JSON');
    const id =
      stringOf(members.get('id')) ?? ID_BEHIND.exec(text.toString('latin1', text.length - 80))?.[1];
    if (id === undefined || !this.pending.has(id)) return;
    const call = this.settle(id);
    call?.reject(
      new MidcltError(
        'PROTOCOL',
        `The middleware's answer to ${call.method.slice(0, 100)} is not valid JSON (byte ${wrongAt}); the outcome is unknown`,
      ),
    );
  }

  private notUnderstood(bytes: number, why: string): void {
    this.options.log('warning', 'message not understood', { bytes, why });
  }

  /** The call with this id is over at the server. A late or foreign answer finds nothing here. */
  private settle(id: string): PendingCall | undefined {
    const call = this.pending.settle(id);
    if (!call) this.options.log('warning', 'answer to no call of ours');
    else if (this.isRetired && this.pending.size === 0) this.close();
    return call;
  }
}

export function notSent(): MidcltError {
  return new MidcltError('CLOSED', 'No connection to the middleware; the call was not sent');
}
