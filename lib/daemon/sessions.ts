/** Accepts connections and keeps them: the silent ones, the open sessions, and those refused. */
import net from 'node:net';
import { errorFrame, MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import { encodeFrame } from '../stream/codec.js';
import type { Session } from '../stream/session.js';

/** Milliseconds a refused client has to read why; without it, its own writing would lose it the answer. */
const REFUSAL_LINGERS = 1000;
/** Refused connections that have this time at once; more are closed as soon as they have been told. */
const MOST_REFUSALS = 64;
/** Milliseconds between two looks at clients that are not read from just now: do they still live? */
const LOOK = 1000;
/** Milliseconds between two lines in the log about it. */
const REFUSAL_LOGGED = 60_000;

export class Sessions {
  readonly listener: net.Server;
  /**
   * Connections that have sent nothing yet. A session and its stages are made when the first byte
   * comes, or the end: they cost ten times what a silent socket does.
   */
  private readonly silent = new Set<net.Socket>();
  private readonly open = new Set<Session>();
  /** Sessions so far; each one's number is its name in the log. */
  private clients = 0;
  private readonly refused = new Set<net.Socket>();
  private lastLogged = -Infinity;
  private looking: NodeJS.Timeout | undefined;

  constructor(
    private readonly make: (socket: net.Socket, client: number) => Session,
    private readonly most: number,
    private readonly log: Log,
  ) {
    // Half-close after the last request is normal: what was asked is still answered.
    this.listener = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', ignore); // a session has its own ears
      if (this.silent.size + this.open.size >= most) this.refuse(socket);
      else this.await(socket);
    });
  }

  get size(): number {
    return this.silent.size + this.open.size;
  }

  /** Accepts no more; resolves when every request received is answered. */
  async drain(): Promise<void> {
    this.listener.close();
    for (const socket of this.silent) socket.destroy();
    await Promise.all([...this.open].map((session) => session.drain()));
  }

  /** Ends every connection at once; with `leaveKept` those kept open to the process's own end. */
  destroy({ leaveKept = false } = {}): void {
    this.listener.close();
    for (const socket of [...this.silent, ...this.refused]) socket.destroy();
    for (const session of this.open) {
      if (leaveKept && session.isKept) session.leave();
      else session.destroy();
    }
  }

  private await(socket: net.Socket): void {
    const { silent } = this;
    silent.add(socket);
    const onClose = () => silent.delete(socket);
    socket.once('close', onClose);
    socket.once('readable', () => {
      socket.off('close', onClose);
      if (silent.delete(socket)) this.serve(socket);
    });
  }

  private serve(socket: net.Socket): void {
    const client = ++this.clients;
    const session = this.make(socket, client);
    this.open.add(session);
    this.looking ??= setInterval(() => {
      for (const each of this.open) void each.checkClient();
    }, LOOK).unref();
    void session.closed.then((error) => {
      this.open.delete(session);
      if (this.open.size === 0) {
        clearInterval(this.looking);
        this.looking = undefined;
      }
      if (error) this.log('debug', 'connection ended early', { client, reason: error.message });
    });
  }

  /** What it sends meanwhile is dropped: the frame is in its hands before a write of its can fail. */
  private refuse(socket: net.Socket): void {
    const now = performance.now();
    if (now - this.lastLogged > REFUSAL_LOGGED) {
      this.lastLogged = now;
      this.log('warning', 'too many connections, some are refused', { limit: this.most });
    }
    socket.end(Buffer.concat(encodeFrame({ frame: errorFrame(full(this.most)), id: null })));
    if (this.refused.size >= MOST_REFUSALS) {
      socket.destroySoon();
      return;
    }
    this.refused.add(socket);
    const timer = setTimeout(() => socket.destroy(), REFUSAL_LINGERS);
    socket.once('close', () => {
      clearTimeout(timer);
      this.refused.delete(socket);
    });
    socket.resume();
  }
}

function full(most: number): MidcltError {
  return new MidcltError(
    'BUSY',
    `The daemon has ${most} connections, which is its limit (--max-connections); the request was not sent`,
  );
}

function ignore(): void {
  // 'close' follows
}
