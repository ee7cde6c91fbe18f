/** One authenticated WebSocket that many calls share: its state, and who waits for which answer. */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { asMidcltError, MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import type { Json } from '../protocol.js';
import { after } from '../timer.js';
import type { Target } from '../uri.js';
import type { Credential } from './credential.js';
import { callFailure } from './failure.js';
import { decodeMessage, encodeCall } from './jsonrpc.js';
import { checkTransport, login } from './login.js';
import { openWebSocket, type Link } from './transport.js';

export type State = 'connecting' | 'authenticating' | 'ready' | 'closed';

export interface CallOptions {
  /** Milliseconds from sending to answer; null waits for ever. */
  readonly timeout: number | null;
  /** The request's id, from {@link Connection.newId}; made here if it isn't given. */
  readonly id?: string;
  /**
   * Called exactly once, when the server is done with the call or never had it. That may be long
   * after the promise is rejected with a timeout: a call given up still runs there.
   */
  readonly onSettled?: () => void;
}

export type NotificationListener = (method: string, params: Json) => void;

interface Pending {
  readonly method: string;
  readonly onSettled: (() => void) | undefined;
  readonly timer: NodeJS.Timeout | undefined;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: MidcltError) => void;
}

export class Connection {
  /** Resolves when the connection ends after it was ready; with why, or null if it was closed here. */
  readonly ended: Promise<MidcltError | null>;

  private current: State = 'closed';
  private socket: WebSocket | null = null;
  private readonly pending = new Map<string, Pending>();
  private readonly listeners: NotificationListener[] = [];
  /** Unique among all clients of the server: an admin's events name other sessions' ids too. */
  private readonly prefix = randomBytes(6).toString('hex');
  private counter = 0;
  private readonly closing = new AbortController();
  private end!: (error: MidcltError | null) => void;

  constructor(
    private readonly target: Target,
    private readonly credential: Credential | null,
    private readonly log: Log,
  ) {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  get state(): State {
    return this.current;
  }

  get inFlight(): number {
    return this.pending.size;
  }

  /** The middleware takes small messages only from who is not. A local socket needs no login. */
  private get isLoggedIn(): boolean {
    const needsNone = this.target.scheme === 'ws+unix';
    return needsNone || (this.credential !== null && this.current === 'ready');
  }

  onNotification(listener: NotificationListener): void {
    this.listeners.push(listener);
  }

  newId(): string {
    this.counter++;
    return `${this.prefix}-${this.counter}`;
  }

  /** Was this request id made here? */
  isOwnId(id: string): boolean {
    return id.startsWith(`${this.prefix}-`);
  }

  /**
   * Resolves when calls can be made. Rejects with a `CONNECT` or `LOGIN` error; `REQUEST` for a
   * credential that must not go over such a connection; `LOST` or `TIMEOUT` in the midst of a login.
   */
  async open(): Promise<void> {
    const { uri } = this.target;
    if (this.credential) checkTransport(this.credential, this.target);
    this.enter('connecting');
    let link: Link;
    try {
      link = await openWebSocket(this.target, this.closing.signal);
    } catch (error) {
      this.enter('closed');
      throw error;
    }
    const { socket, certificate } = link;
    this.socket = socket;
    socket.on('message', (data: Buffer, isBinary) => {
      this.receive(data, isBinary);
    });
    socket.on('error', (error) => {
      this.log('warning', 'websocket error', { uri, error: error.message });
    });
    socket.on('close', (code, reason) => {
      this.lose(code, reason.toString());
    });
    if (this.credential) {
      this.enter('authenticating');
      try {
        await login(this.credential, {
          target: this.target,
          call: (method, params) => this.call(method, params, { timeout: 30_000 }),
          certificate,
        });
      } catch (error) {
        this.close();
        throw error;
      }
    }
    if (this.closing.signal.aborted) {
      this.close();
      throw new MidcltError('CLOSED', 'The connection was closed while it was opened');
    }
    this.enter('ready');
  }

  /**
   * Sends a call and resolves with its result's text. Rejects with a `CALL` error (the server's
   * answer), `TIMEOUT`, `LOST` (sent, outcome unknown), `CLOSED` or `REQUEST` (not sent).
   */
  call(method: string, params: Json, options: CallOptions): Promise<Json> {
    const id = options.id ?? this.newId();
    return new Promise((resolve, reject) => {
      const { socket } = this;
      if (!socket || (this.current !== 'ready' && this.current !== 'authenticating')) {
        options.onSettled?.();
        reject(new MidcltError('CLOSED', 'No connection to the middleware; the call was not sent'));
        return;
      }
      let message: Buffer;
      try {
        message = encodeCall(id, method, params, this.isLoggedIn);
      } catch (error) {
        options.onSettled?.();
        reject(asMidcltError(error));
        return;
      }
      const { timeout } = options;
      const timer = after(timeout, () => {
        reject(new MidcltError('TIMEOUT', 'Call timeout'));
      });
      this.pending.set(id, { method, onSettled: options.onSettled, timer, resolve, reject });
      socket.send(message, { binary: false });
    });
  }

  /** Also while it is being opened, which then rejects. */
  close(): void {
    this.closing.abort();
    this.socket?.close(1000);
    // A server that does not answer the close is not waited for.
    const { socket } = this;
    setTimeout(() => socket?.terminate(), 1000).unref();
    if (this.current !== 'closed') this.enter('closed');
  }

  private receive(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? ({ kind: 'unknown' } as const) : decodeMessage(data);
    switch (message.kind) {
      case 'result':
        this.settle(message.id)?.resolve(message.result);
        return;
      case 'error': {
        const failure = callFailure(message.error);
        // Without an id it answers nobody in particular: no call may fail by it.
        if (message.id === null) {
          this.log('warning', 'error without an id from the server', { error: failure.message });
        } else {
          this.settle(message.id)?.reject(failure);
        }
        return;
      }
      case 'notification':
        for (const listener of this.listeners) listener(message.method, message.params);
        return;
      case 'unknown':
        this.log('warning', 'message not understood', { bytes: data.length, binary: isBinary });
    }
  }

  /** The call with this id is over at the server. A late or foreign answer finds nothing here. */
  private settle(id: string): Pending | undefined {
    const call = this.pending.get(id);
    if (!call) {
      this.log('warning', 'answer to no call of ours');
      return undefined;
    }
    this.pending.delete(id);
    clearTimeout(call.timer);
    call.onSettled?.();
    return call;
  }

  private lose(code: number, reason: string): void {
    const closedHere = this.current === 'closed';
    const why = reason === '' ? `code ${code}` : `code ${code}: ${reason}`;
    const calls = this.pending.size;
    if (!closedHere) {
      this.log('error', 'connection lost', { uri: this.target.uri, why, calls });
      this.enter('closed');
    }
    for (const id of [...this.pending.keys()]) {
      const call = this.settle(id);
      call?.reject(
        new MidcltError(
          'LOST',
          `The connection to the middleware was lost (${why}); the outcome of ${call.method} is unknown`,
        ),
      );
    }
    this.end(
      closedHere ? null : new MidcltError('LOST', `Connection to ${this.target.uri} lost (${why})`),
    );
  }

  private enter(state: State): void {
    this.current = state;
    this.log('info', state, { uri: this.target.uri });
  }
}
