/**
 * One connection on the Unix socket. This is the only file that states the order of the stages:
 *
 *     socket → line limit → split2 → parse → serialize → forward → stringify → socket
 */
import type { Socket } from 'node:net';
import { Cancellation } from '../cancellation.js';
import { MidcltError, shuttingDown } from '../errors.js';
import { Parse, Stringify, type Incoming } from './codec.js';
import { forward, type Stage, type Verbs } from './forward.js';
import { admit, type Lanes } from './lanes.js';
import { LineLimit, splitLines, type LineLimits } from './lines.js';
import type { Slot } from './scheduler.js';
import { Serialize } from './serialize.js';

export interface SessionOptions {
  readonly verbs: Verbs;
  readonly lanes: Lanes;
  /** The connection's number, for the log. */
  readonly client: number;
  /** Milliseconds without input after which a connection with nothing left to answer is ended. */
  readonly linger: number;
  readonly lines: LineLimits;
  /** Called when a request has come in and when it has been answered or given up. */
  readonly onRequest: () => void;
  readonly onAnswered: () => void;
}

/** Milliseconds in which a client must take something of its output while the daemon goes. */
const STALL = 2000;
/** Milliseconds between two looks at what is still to be written. */
const FLUSH_POLL = 5;

export class Session {
  /** Resolves when the connection is gone, with the error that ended it or null. */
  readonly closed: Promise<Error | null>;

  private readonly cancellation = new Cancellation();
  private readonly lines: LineLimit;
  private readonly serialize: Serialize;
  private readonly frames: Stage;
  private readonly text = new Stringify();
  /** Requests received and not answered. */
  private open = 0;
  private inputEnded = false;
  private keep = false;
  private draining = false;
  private ending = false;
  private onIdle: (() => void) | null = null;
  private lingering: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly options: SessionOptions,
  ) {
    this.lines = new LineLimit(options.lines);
    this.serialize = new Serialize((incoming) => {
      this.answered(incoming);
    });
    this.frames = forward(options.verbs, (incoming) => this.admit(incoming), {
      cancellation: this.cancellation,
      client: options.client,
    });
    const parse = new Parse({
      failure: () => this.lines.failure,
      onRequest: () => {
        this.open++;
        options.onRequest();
      },
    });
    // An `end` with requests still to answer is a half-close, or a client that is gone.
    socket.on('end', () => {
      this.inputEnded = true;
      void this.probe();
    });
    // Nothing more will be written: it is of no use to go on reading.
    socket.once('finish', () => {
      socket.destroy();
    });
    this.closed = this.connect([
      this.lines,
      splitLines(),
      parse,
      this.serialize,
      this.frames,
      this.text,
    ]);
  }

  /**
   * Socket to stages to socket. Not by `stream.pipeline`: that takes each stage apart when the
   * connection goes, with errors that cost more than all the rest of a short connection.
   */
  private connect(stages: readonly NodeJS.ReadWriteStream[]): Promise<Error | null> {
    const { socket } = this;
    let reason: Error | null = null;
    const fail = (error: Error) => {
      reason ??= error;
      socket.destroy();
    };
    let last: NodeJS.ReadableStream = socket;
    for (const stage of [...stages, socket]) {
      stage.on('error', fail);
      last = last.pipe(stage);
    }
    return new Promise((resolve) => {
      socket.once('close', () => {
        if (this.open > 0 && !this.ending) reason ??= leftEarly();
        this.finish();
        resolve(reason);
      });
    });
  }

  /** The connection is gone. What a call under way still answers stays in its stage. */
  private finish(): void {
    this.cancellation.cancel();
    this.serialize.stop();
    this.lines.destroy();
    clearTimeout(this.lingering);
    for (; this.open > 0; this.open--) this.options.onAnswered();
  }

  /**
   * Takes no further request. Resolves when what was received is answered and written; then the
   * connection has ended, unless the client asked to keep it: it sees the daemon's end by its EOF.
   * A client that does not read its answers is given up.
   */
  async drain(): Promise<void> {
    this.draining = true;
    const watch = this.endIfStalled();
    try {
      if (this.open > 0) {
        await Promise.race([this.closed, new Promise<void>((resolve) => (this.onIdle = resolve))]);
      }
      if (this.keep) await this.flushed();
      else {
        this.end();
        await this.closed;
      }
    } finally {
      clearInterval(watch);
    }
  }

  /** Does the client want to see the daemon's end by the connection's? */
  get isKept(): boolean {
    return this.keep && this.open === 0;
  }

  /** Leaves the connection to the end of the process, which does not wait for it. */
  leave(): void {
    this.socket.unref();
  }

  /** Ends the connection at once, whatever is in flight. */
  destroy(): void {
    this.socket.destroy();
  }

  private admit(incoming: Incoming): Slot | Promise<Slot> {
    if (this.draining) throw shuttingDown();
    const { verbs, lanes } = this.options;
    const { cancellation } = this;
    return admit(incoming, lanes, { verbs, cancellation, isThere: () => this.probe() });
  }

  private answered({ request }: Incoming): void {
    if (this.open === 0) return; // the connection went while this was being answered
    this.open--;
    this.options.onAnswered();
    if (request) this.keep = request.keep;
    if (this.open === 0) this.onIdle?.();
    if (request?.close) this.end();
    else if (this.open === 0 && !this.keep && !this.draining) this.startLinger();
  }

  /** `nc -U` waits until the other side closes: after the last answer, give it a moment, then do. */
  private startLinger(): void {
    if (this.lingering) {
      this.lingering.refresh();
      return;
    }
    this.lingering = setTimeout(() => {
      if (this.open > 0 || this.keep) return; // an answer starts it again
      if (this.lines.inLine) this.lingering?.refresh();
      else this.end();
    }, this.options.linger);
  }

  /**
   * Ends the connection once all frames are written, however slowly they are read: the stages
   * after forward end one by one, the ones before it get nothing more to do.
   */
  private end(): void {
    if (this.ending) return;
    this.ending = true;
    this.serialize.stop();
    this.frames.push(null);
  }

  /** Destroys the connection if nothing of its output is taken for a while. */
  private endIfStalled(): NodeJS.Timeout {
    const { socket } = this;
    let pending = 0;
    return setInterval(() => {
      const left = unwritten(socket);
      if (pending > 0 && left === pending) socket.destroy();
      pending = left;
    }, STALL);
  }

  /** Resolves when all frames pushed so far are with the system, or the connection is gone. */
  private async flushed(): Promise<void> {
    const { socket, frames, text } = this;
    const waiting = () =>
      frames.readableLength + text.writableLength + text.readableLength + unwritten(socket);
    do await new Promise((resolve) => setTimeout(resolve, FLUSH_POLL));
    while (!socket.destroyed && waiting() > 0);
  }

  /**
   * Is the client still there? After its EOF nothing else tells a half-close from a client that
   * is gone: a write of zero bytes fails with EPIPE only on the latter.
   */
  private probe(): true | Promise<boolean> {
    const { socket } = this;
    if (socket.destroyed) return Promise.resolve(false);
    // Output that waits for its reader will meet the EPIPE by itself.
    if (!this.inputEnded || !socket.writable || socket.writableLength > 0) return true;
    return new Promise((resolve) => {
      socket.write(Buffer.alloc(0), (error) => {
        resolve(!error);
      });
    });
  }
}

function leftEarly(): Error {
  return new MidcltError('CLOSED', 'The client went away before it was answered');
}

/**
 * Bytes the client has not taken. A stream counts a write as a whole until it is over, and a
 * result may be one; only libuv's queue shows that a reader is slow and not dead.
 */
function unwritten(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return socket.writableLength === 0 ? 0 : (handle?.writeQueueSize ?? socket.writableLength);
}
