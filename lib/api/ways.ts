/** The ways to the middleware: over a WebSocket of this process's own, or through the daemon. */
import type { Core } from '../compose.js';
import { asMidcltError, MidcltError, type ErrorCode } from '../errors.js';
import { sendRequest, startingDaemon, type Address } from '../protocol/client.js';
import { MessageType, type ErrorFrame } from '../protocol/frames.js';
import type { Target } from '../middleware/uri.js';
import { encodeRequest, type DaemonRequest } from './request.js';
import { MOST_UPLOADS, Turns } from './turns.js';
import { closed, closedMeanwhile, Either, unlessAborted, type Hearing, type Way } from './way.js';

/** A longer delay makes setInterval fire at once. */
const FOREVER = 2 ** 31 - 1;

/** Over a connection of this process. */
export class DirectWay implements Way {
  private readonly end = new AbortController();
  readonly closing: AbortSignal = this.end.signal;
  readonly uploads = new Turns(MOST_UPLOADS);
  private underWay = 0;
  private isOver = false;
  private isClosed = false;
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
    this.end.abort(closedMeanwhile());
    this.core.connection.close();
    await this.core.connection.ended;
    // A loop that was left without a word still waits to take its event.
    this.isClosed = true;
    this.hold();
  }

  /** The connection itself keeps no process alive. */
  private hold(): void {
    const isWanted = (this.underWay > 0 && !this.isClosed) || (this.isHeld && !this.isOver);
    if (isWanted) this.holder ??= setInterval(nothing, FOREVER);
    else {
      clearInterval(this.holder);
      this.holder = undefined;
    }
  }
}

/**
 * Sockets to the daemon at once: it serves a thousand, of all its clients together. Calls do not wait for jobs, which
 * may take hours, and neither does what subscribes, which has no end.
 */
const MOST = { calls: 64, jobs: 256, subscriptions: Infinity };

/** Through the daemon. Each request has a socket of its own, which keeps the process alive until it is answered. */
export class DaemonWay implements Way {
  private readonly turns = {
    calls: new Turns(MOST.calls),
    jobs: new Turns(MOST.jobs),
    subscriptions: new Turns(MOST.subscriptions),
  };
  private readonly end = new AbortController();
  readonly closing: AbortSignal = this.end.signal;
  readonly uploads = new Turns(MOST_UPLOADS);
  private readonly running = new Set<Promise<unknown>>();
  private starting: Promise<void> | null = null;
  private holder: NodeJS.Timeout | undefined;

  /** `start` starts the daemon where there is none; it rejects with the error it is given where it may not. */
  constructor(
    readonly target: Target,
    private readonly address: Address,
    private readonly start: (missing: MidcltError) => Promise<void>,
    /** Seconds for calls that name no timeout; none is what the daemon has. */
    private readonly callTimeout: number | undefined,
  ) {}

  /** Keeps the process alive until it is closed, although nothing is under way. */
  hold(): void {
    this.holder ??= setInterval(nothing, FOREVER);
  }

  async ask(request: DaemonRequest, hearing: Hearing, signal?: AbortSignal): Promise<void> {
    const { scheme, verify } = this.target;
    // What subscribes ends with the daemon: the events until there is another would be missed.
    const kind = kindOf(request);
    const goesOn = kind === 'subscriptions' ? '' : ',"not_sent":true';
    const verification = scheme === 'wss' ? `,"insecure":${!verify}` : '';
    const asked = { ...this.withTimeout(request), error_code: true };
    const { line } = encodeRequest(asked, `${goesOn}${verification}`);
    signal?.throwIfAborted();
    const sent = this.turns[kind].run(() => this.send(line, hearing, signal));
    this.running.add(sent);
    const over = () => this.running.delete(sent);
    sent.then(over, over);
    await unlessAborted(sent, signal);
  }

  async close(): Promise<void> {
    this.end.abort(closedMeanwhile());
    await Promise.allSettled(this.running);
    clearInterval(this.holder);
  }

  private withTimeout(request: DaemonRequest): DaemonRequest {
    const { command, kwargs } = request;
    const { callTimeout } = this;
    if (command !== 'call' || callTimeout === undefined) return request;
    // JSON has no infinity.
    const usual = Number.isFinite(callTimeout) ? callTimeout : null;
    const { timeout = usual } = kwargs ?? {};
    return { ...request, kwargs: { ...kwargs, timeout } };
  }

  private async send(line: string, hearing: Hearing, signal?: AbortSignal): Promise<void> {
    const { progress = nothing, event = nothing, result = nothing } = hearing;
    const listener = { progress, event, result };
    const ending = new Either(this.closing, signal);
    const checkOpen = () => {
      if (ending.signal.aborted) throw closed();
    };
    const attempt = async () => {
      checkOpen();
      const error = await sendRequest(this.address, line, listener, ending.signal);
      if (error) throw errorOf(error);
    };
    const start = (missing: MidcltError) => {
      checkOpen();
      return this.startOnce(missing);
    };
    try {
      await startingDaemon(attempt, start);
    } finally {
      ending.forget();
    }
  }

  /** For all who find none at the same time. */
  private startOnce(missing: MidcltError): Promise<void> {
    this.starting ??= this.start(missing).finally(() => (this.starting = null));
    return this.starting;
  }
}

function kindOf({ command, kwargs }: DaemonRequest): keyof typeof MOST {
  if (command === 'subscribe') return 'subscriptions';
  return command === 'follow' || kwargs?.job === true ? 'jobs' : 'calls';
}

const CODES: readonly ErrorCode[] = [
  ...(['CALL', 'TIMEOUT', 'LOST', 'CLOSED', 'CONNECT', 'LOGIN', 'PROTOCOL', 'REQUEST'] as const),
  ...(['SHUTDOWN', 'BUSY', 'FILES'] as const),
];

function errorOf({ cause, code, error, ...more }: ErrorFrame): MidcltError {
  if (cause) return asMidcltError(cause);
  const known = CODES.find((each) => each === code) ?? 'CALL';
  const { errorType, trace, extra, isOutcomeUnknown = false } = more;
  const details = { errorType, trace, extra };
  return new MidcltError(known, error, { ...details, outcomeUnknown: isOutcomeUnknown });
}

function nothing(): void {
  // nobody hears it
}
