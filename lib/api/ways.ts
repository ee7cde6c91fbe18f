/** The ways to the middleware: over a WebSocket of this process's own, or through the daemon. */
import type { Core } from '../compose.js';
import { asMidcltError, isMidcltError, MidcltError, type ErrorCode } from '../errors.js';
import { sendRequest, type Address } from '../protocol/client.js';
import { MessageType, type ErrorFrame } from '../protocol/frames.js';
import type { Target } from '../middleware/uri.js';
import { encodeRequest, type DaemonRequest } from './request.js';
import { Either, unlessAborted, type Hearing, type Way } from './way.js';

/** A longer delay makes setInterval fire at once. */
const FOREVER = 2 ** 31 - 1;

/** Over a connection of this process. */
export class DirectWay implements Way {
  private underWay = 0;
  private isOver = false;
  private holder: NodeJS.Timeout | undefined;

  /** `isHeld`: keep the process alive although nothing is under way. */
  constructor(
    readonly target: Target,
    private readonly core: Core,
    private readonly isHeld: boolean,
  ) {
    void core.connection.ended.then(() => {
      this.isOver = true;
      this.hold();
    });
  }

  /** Connects and logs in. Rejects as the middleware's connection does. */
  async open(): Promise<void> {
    this.underWay++;
    this.hold();
    try {
      await this.core.connection.open();
    } finally {
      this.underWay--;
      this.hold();
    }
  }

  async ask(request: DaemonRequest, hearing: Hearing, signal?: AbortSignal): Promise<void> {
    const { request: parsed } = encodeRequest(request);
    signal?.throwIfAborted();
    const session = this.core.local();
    this.underWay++;
    this.hold();
    try {
      const { progress = nothing, event = nothing } = hearing;
      const frame = await unlessAborted(session.ask(parsed, progress, event), signal);
      if (frame.type === MessageType.ERROR) throw errorOf(frame);
      await hearing.result?.(frame.result);
    } finally {
      session.close();
      this.underWay--;
      this.hold();
    }
  }

  async close(): Promise<void> {
    this.core.connection.close();
    await this.core.connection.ended;
  }

  /** The connection itself keeps no process alive. */
  private hold(): void {
    clearInterval(this.holder);
    const isWanted = this.underWay > 0 || (this.isHeld && !this.isOver);
    this.holder = isWanted ? setInterval(nothing, FOREVER) : undefined;
  }
}

/** Sockets to the daemon at once: it serves a thousand, of all its clients together. */
const MOST_SOCKETS = 64;

/** Through the daemon. Each request has a socket of its own, which keeps the process alive until it is answered. */
export class DaemonWay implements Way {
  private sockets = 0;
  private readonly queue: (() => void)[] = [];
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<unknown>>();

  /** `start` starts the daemon where there is none; it rejects with the error it is given where it may not. */
  constructor(
    readonly target: Target,
    private readonly address: Address,
    private readonly start: (missing: MidcltError) => Promise<void>,
  ) {}

  async ask(request: DaemonRequest, hearing: Hearing, signal?: AbortSignal): Promise<void> {
    const { line } = encodeRequest({ ...request, error_code: true });
    signal?.throwIfAborted();
    const asked = this.inTurn(() => this.send(line, hearing, signal));
    this.running.add(asked);
    try {
      await unlessAborted(asked, signal);
    } finally {
      this.running.delete(asked);
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
  }

  private async send(line: string, hearing: Hearing, signal?: AbortSignal): Promise<void> {
    const { progress = nothing, event = nothing, result = nothing } = hearing;
    const listener = { progress, event, result };
    const ending = new Either(this.closing.signal, signal);
    try {
      for (let isFirst = true; ; isFirst = false) {
        this.checkOpen();
        try {
          const error = await sendRequest(this.address, line, listener, ending.signal);
          if (error) throw errorOf(error);
          return;
        } catch (error) {
          this.checkOpen();
          const isMissing = isMidcltError(error) && error.code === 'NO_DAEMON';
          if (!isFirst || !isMissing || signal?.aborted) throw error;
          await this.start(error);
        }
      }
    } finally {
      ending.forget();
    }
  }

  private checkOpen(): void {
    if (!this.closing.signal.aborted) return;
    throw new MidcltError('CLOSED', 'The connection was closed');
  }

  private async inTurn(work: () => Promise<void>): Promise<void> {
    if (this.sockets >= MOST_SOCKETS) await new Promise<void>((go) => this.queue.push(go));
    else this.sockets++;
    try {
      await work();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.sockets--;
    }
  }
}

const CODES: readonly ErrorCode[] = [
  ...(['CALL', 'TIMEOUT', 'LOST', 'CLOSED', 'CONNECT', 'LOGIN', 'PROTOCOL', 'REQUEST'] as const),
  ...(['SHUTDOWN', 'BUSY', 'FILES'] as const),
];

function errorOf({ cause, code, error, errorType, trace, extra }: ErrorFrame): MidcltError {
  if (cause) return asMidcltError(cause);
  const known = CODES.find((each) => each === code) ?? 'CALL';
  return new MidcltError(known, error, { errorType, trace, extra });
}

function nothing(): void {
  // nobody hears it
}
