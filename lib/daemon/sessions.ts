/** Accepts connections and keeps them: the silent ones, the open sessions, and those beyond the limit. */
import net from 'node:net';
import { MidcltError, systemReason } from '../errors.js';
import { errorFrame } from '../protocol/error-frame.js';
import type { Log } from '../logger.js';
import { Command } from '../protocol/frames.js';
import { encodeFrame } from '../stream/codec.js';
import type { Session } from '../stream/session.js';
import { peekLine, placesFor, type Places } from './admission.js';

/** Milliseconds in which a client beyond the limit has to say what it wants. */
const PATIENCE = 1000;
/** Milliseconds a refused client has to read why; without it, its own writing would lose it the answer. */
const REFUSAL_LINGERS = 1000;
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
  /** Those of the sessions that are open beyond the limit. */
  private guests = 0;
  /** Beyond the limit, and silent so far: what refuses them at once. The oldest is first. */
  private readonly asked = new Set<() => void>();
  private readonly refused = new Set<net.Socket>();
  private readonly places: Places;
  private lastLogged = -Infinity;
  private looking: NodeJS.Timeout | undefined;

  constructor(
    private readonly make: (socket: net.Socket, client: number) => Session,
    most: number,
    private readonly log: Log,
  ) {
    this.places = placesFor(most);
    // Half-close after the last request is normal: what was asked is still answered.
    this.listener = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', ignore); // a session has its own ears
      if (this.size - this.guests < this.places.connections) this.await(socket);
      else this.ask(socket);
    });
    this.listener.once('listening', () => {
      this.listener.on('error', (error) => {
        this.warn('connection not accepted', { error: systemReason(error) });
      });
    });
  }

  get size(): number {
    return this.silent.size + this.open.size;
  }

  /** Says in the log where there can be fewer connections than were wanted. */
  tellLimit(): void {
    const { connections, descriptors } = this.places;
    if (descriptors === null) return;
    this.log('warning', 'descriptors limit the connections', { connections, descriptors });
  }

  /** Accepts no more; resolves when every request received is answered. */
  async drain(): Promise<void> {
    this.listener.close();
    for (const refuse of this.asked) refuse();
    for (const socket of this.silent) socket.destroy();
    await Promise.all([...this.open].map((session) => session.drain()));
  }

  /** Ends every connection at once; with `leaveKept` those kept open to the process's own end. */
  destroy({ leaveKept = false } = {}): void {
    this.listener.close();
    for (const refuse of this.asked) refuse();
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

  private serve(socket: net.Socket, isGuest = false): void {
    const client = ++this.clients;
    const session = this.make(socket, client);
    this.open.add(session);
    if (isGuest) this.guests++;
    this.looking ??= setInterval(() => {
      for (const each of this.open) void each.checkClient();
    }, LOOK).unref();
    void session.closed.then((error) => {
      this.open.delete(session);
      if (isGuest) this.guests--;
      if (this.open.size === 0) {
        clearInterval(this.looking);
        this.looking = undefined;
      }
      if (error) this.log('debug', 'connection ended early', { client, reason: error.message });
    });
  }

  /** One beyond the limit: it is served if it wants to know how the daemon is, or to end it. */
  private ask(socket: net.Socket): void {
    const { asked, refused, places } = this;
    this.warn('too many connections, some are refused', { limit: places.connections });
    const [oldest] = asked;
    if (asked.size + refused.size >= places.refused) oldest?.();
    const giveUp = peekLine(socket, PATIENCE, (line) => {
      asked.delete(giveUp);
      if (socket.destroyed) return;
      const isGuest = line !== null && this.guests < places.guests && isForDaemon(line);
      if (isGuest) this.serve(socket, true);
      else this.refuse(socket);
    });
    asked.add(giveUp);
  }

  private warn(event: string, fields: Parameters<Log>[2]): void {
    const now = performance.now();
    if (now - this.lastLogged <= REFUSAL_LOGGED) return;
    this.lastLogged = now;
    this.log('warning', event, fields);
  }

  /** What it sends meanwhile is dropped: the frame is in its hands before a write of its can fail. */
  private refuse(socket: net.Socket): void {
    const { asked, refused, places } = this;
    socket.end(Buffer.concat(encodeFrame({ frame: errorFrame(full(places)), id: null })));
    if (asked.size + refused.size >= places.refused) {
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

function full({ connections, descriptors }: Places): MidcltError {
  const number = `${connections} connection${connections === 1 ? '' : 's'}`;
  const limit = descriptors === null ? '--max-connections' : `ulimit -n ${descriptors}`;
  return new MidcltError(
    'BUSY',
    `The daemon has ${number}, which is its limit (${limit}); the request was not sent`,
  );
}

function isForDaemon(line: string): boolean {
  try {
    const { command } = JSON.parse(line) as { command?: unknown };
    return command === Command.STATUS || command === Command.STOP;
  } catch {
    return false; // no JSON, or null
  }
}

function ignore(): void {
  // 'close' follows
}
