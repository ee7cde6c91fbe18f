/**
 * One connection on the Unix socket and what becomes of it:
 *
 *     open ⇄ lingering        draining        ended
 *       └─────────┴──────────────→──────────────→
 *
 * It is `lingering` when all requests are over and the client has not said that it stays, `draining`
 * when it takes no further one. A request is over when the socket has taken its final frame: idle
 * clock, linger and drain follow from that one moment.
 */
import type { Duplex } from 'node:stream';
import { Cancellation } from '../cancellation.js';
import { MidcltError, shuttingDown } from '../errors.js';
import { MessageType, errorFrame, type FinalFrame } from '../protocol/frames.js';
import { CLOCK, type Clock, type Timer } from '../timer.js';
import type { Gate } from './acquire.js';
import type { LineLimits } from './guard.js';
import { costOf, noRoomForResult, type Memory } from './memory.js';
import { joinPipeline, type Pipeline } from './pipeline.js';
import type { Incoming, Verbs } from './verb.js';

/** A socket, or what passes for one in memory. */
export type Connection = Duplex & { unref?(): unknown };

export interface SessionOptions {
  readonly verbs: Verbs;
  readonly gate: Gate;
  /** The connection's number, for the log. */
  readonly client: number;
  /** Milliseconds without input after which a connection with nothing left to answer is ended. */
  readonly linger: number;
  readonly lines: Omit<LineLimits, 'memory'>;
  readonly memory: Memory;
  readonly clock?: Clock;
  /** Called when a request has come in and when it is over or given up. */
  readonly onRequest: () => void;
  readonly onOver: () => void;
}

type State = 'open' | 'lingering' | 'draining' | 'ended';

/** Milliseconds in which a client must take something of its answer while the daemon goes. */
const STALL = 30_000;

export class Session {
  /** Resolves when the connection is gone, with the error that ended it or null. */
  readonly closed: Promise<Error | null>;

  private state: State = 'open';
  private readonly cancellation = new Cancellation();
  private readonly pipeline: Pipeline;
  private readonly clock: Clock;
  /** Requests that came in and are not over. */
  private requests = 0;
  /** Bytes of the result that waits for its reader, as they were counted. */
  private resultCost = 0;
  /** Did the last request ask for the connection to stay? */
  private keep = false;
  private inputEnded = false;
  private reason: Error | null = null;
  private lingerTimer: Timer | undefined;
  private onDrained: (() => void) | null = null;

  constructor(
    private readonly socket: Connection,
    private readonly options: SessionOptions,
  ) {
    const { verbs, gate, client, lines, memory, clock = CLOCK } = options;
    this.clock = clock;
    this.pipeline = joinPipeline(socket, {
      lines: { ...lines, memory: memory.requests },
      clock,
      verbs,
      forwarding: {
        gate,
        client: {
          cancellation: this.cancellation,
          isAlive: () => this.isClientAlive(),
          isThere: () => this.askSocket(),
          number: client,
        },
        check: () => {
          if (this.state === 'draining') throw shuttingDown();
        },
        admit: (frame) => this.admit(frame),
      },
      onRequest: () => {
        this.requestCame();
      },
      onOver: (incoming) => {
        this.requestIsOver(incoming);
      },
      onError: (error) => {
        this.fail(error);
      },
    });
    socket.on('error', (error) => {
      this.fail(error);
    });
    // An `end` with requests still to answer is a half-close, or a client that is gone.
    socket.on('end', () => {
      this.inputEnded = true;
      // With nothing to answer the session ends by itself; to ask costs a failed write, of ten thousand clients a second.
      if (this.requests > 0) void this.checkClient();
    });
    // Nothing more will be written: it is of no use to go on reading.
    socket.once('finish', () => {
      socket.destroy();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        if (this.requests > 0 && this.state !== 'ended') this.reason ??= leftEarly();
        this.finish();
        resolve(this.reason);
      });
    });
  }

  /**
   * Takes no further request. Resolves when those that came in are over; then the connection has
   * ended, unless the client asked to keep it: it sees the daemon's end by its EOF. A client that
   * takes nothing of its answer for half a minute is given up. Who has sent part of a request is told that it was not sent.
   */
  async drain(): Promise<void> {
    if (this.state === 'open' || this.state === 'lingering') this.state = 'draining';
    this.pipeline.deliver.limitStall(STALL);
    await this.allOver();
    await nextTurn(); // what has been read comes through the stages
    await this.allOver();
    // An end without a word would look as if the request had been read, and perhaps run.
    if (this.state === 'draining') this.pipeline.guard.refuse(shuttingDown());
    await nextTurn();
    await this.allOver();
    if (this.keep) return;
    this.end();
    await this.closed;
  }

  /** Does the client want to see the daemon's end by the connection's? */
  get isKept(): boolean {
    return this.keep && this.requests === 0;
  }

  /** Leaves the connection to the end of the process, which does not wait for it. */
  leave(): void {
    this.socket.unref?.();
  }

  /** Ends the connection at once, whatever is in flight. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Ends the connection if its client has gone and nothing else would tell. */
  async checkClient(): Promise<void> {
    if (!(await this.isClientAlive())) this.socket.destroy();
  }

  /** Resolves when those that came in are over, or the connection is gone. */
  private async allOver(): Promise<void> {
    if (this.requests === 0) return;
    await Promise.race([this.closed, new Promise<void>((resolve) => (this.onDrained = resolve))]);
  }

  private requestCame(): void {
    this.requests++;
    if (this.state === 'lingering') this.state = 'open';
    this.options.onRequest();
  }

  private requestIsOver({ request }: Incoming): void {
    if (this.requests === 0) return; // the connection went before it was
    this.requests--;
    this.pipeline.guard.over();
    this.releaseResult();
    this.options.onOver();
    if (request) this.keep = request.keep;
    const isIdle = this.requests === 0;
    switch (this.state) {
      case 'open':
        if (request?.close) this.end();
        else if (isIdle && !this.keep) this.linger();
        return;
      case 'draining':
        if (request?.close) this.end();
        if (isIdle) this.onDrained?.();
        return;
      case 'lingering':
      case 'ended':
    }
  }

  /** `nc -U` waits until the other side closes: after the last answer, give it a moment, then do. */
  private linger(): void {
    this.state = 'lingering';
    if (this.lingerTimer) this.lingerTimer.refresh();
    else {
      this.lingerTimer = this.clock.after(this.options.linger, () => {
        this.lingered();
      });
    }
  }

  private lingered(): void {
    if (this.state !== 'lingering') return;
    if (this.pipeline.guard.isHolding) this.lingerTimer?.refresh();
    else this.end();
  }

  /** All that is to be written has been taken. */
  private end(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.pipeline.serialize.stop();
    this.socket.end();
  }

  private fail(error: Error): void {
    this.reason ??= error;
    this.socket.destroy();
  }

  /** The connection is gone. What a call under way still answers stays in its stage. */
  private finish(): void {
    this.state = 'ended';
    this.cancellation.cancel();
    this.pipeline.serialize.stop();
    this.pipeline.guard.destroy();
    this.pipeline.deliver.destroy();
    this.clock.clear(this.lingerTimer);
    this.releaseResult();
    for (; this.requests > 0; this.requests--) this.options.onOver();
  }

  /** A result waits in memory until its reader has taken it: if there is room for that. */
  private admit(frame: FinalFrame): FinalFrame {
    if (this.state === 'ended') return frame; // nobody reads it
    const { results } = this.options.memory;
    const size = sizeOf(frame);
    const cost = costOf(size);
    if (!results.take(cost)) {
      if (frame.type === MessageType.ERROR) return { ...frame, trace: null, extra: null };
      return errorFrame(noRoomForResult(size, results));
    }
    this.resultCost = cost;
    return frame;
  }

  private releaseResult(): void {
    this.options.memory.results.give(this.resultCost);
    this.resultCost = 0;
  }

  /**
   * Is the client still there? A socket that is being read tells by itself. One that is not, and one
   * whose client has sent its EOF, is asked.
   */
  private isClientAlive(): true | Promise<boolean> {
    const { socket } = this;
    const isRead = !socket.destroyed && !this.inputEnded && !socket.isPaused();
    return isRead || this.askSocket();
  }

  /** Asked by a write of zero bytes, which fails only if the client is gone, be it that its EOF is still unread. */
  private askSocket(): true | Promise<boolean> {
    const { socket } = this;
    if (socket.destroyed) return Promise.resolve(false);
    // Output that waits for its reader will meet the end by itself.
    if (!socket.writable || socket.writableLength > 0) return true;
    return new Promise((resolve) => {
      socket.write(Buffer.alloc(0), (error) => {
        resolve(!error);
      });
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function sizeOf(frame: FinalFrame): number {
  if (frame.type === MessageType.RESULT) return frame.result.length;
  return (frame.trace?.length ?? 0) + (frame.extra?.length ?? 0);
}

function leftEarly(): Error {
  return new MidcltError('CLOSED', 'The client went away before it was answered');
}
