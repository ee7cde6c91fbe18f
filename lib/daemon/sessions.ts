/** Accepts connections and keeps them: the silent ones, the open sessions, and those beyond the limit. */
import fs from 'node:fs';
import net from 'node:net';
import type { Socket } from 'node:net';
import { MidcltError, systemReason } from '../errors.js';
import type { Log } from '../logger.js';
import { Command, errorFrame } from '../protocol/frames.js';
import { Crowd } from '../steps.js';
import { encodeFrame } from '../stream/codec.js';
import type { Session } from '../stream/session.js';
import { steadyNow } from '../timer.js';

/** Milliseconds in which a client beyond the limit has to say what it wants. */
const PATIENCE = 1000;
/** Milliseconds a refused client has to read why; without it, its own writing would lose it the answer. */
const REFUSAL_LINGERS = 1000;
/** Milliseconds between two checks whether clients that nobody reads from just now still live. */
const LOOK = 1000;
/** Sessions made in a turn of the event loop, which takes ten milliseconds: thousands may come at once. */
const ARRIVALS = 128;
/** Milliseconds between two lines in the log about refused connections. */
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
  /** Open sessions beyond the limit, which ask for the daemon's status or its end. */
  private guests = 0;
  /** Connections beyond the limit that have said nothing yet, as functions that refuse them. The oldest is first. */
  private readonly asked = new Set<() => void>();
  private readonly refused = new Set<net.Socket>();
  private readonly places: Places;
  /** Silent connections of which something has come. */
  private readonly arrivals = new Crowd(ARRIVALS);
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
      socket.on('error', ignore); // a session listens for itself
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

  /** Logs it if there can be fewer connections than were wanted. */
  tellLimit(): void {
    const { connections, descriptors } = this.places;
    if (descriptors === null) return;
    this.log('warning', 'descriptors limit the connections', { connections, descriptors });
  }

  /** Accepts no more; resolves when every request received is answered. */
  async drain(): Promise<void> {
    this.listener.close();
    for (const refuse of this.asked) refuse();
    for (const socket of this.silent) {
      // What was read of it is answered. What was not, the system says so.
      if (socket.readableLength > 0) this.serve(socket);
      else socket.destroy();
    }
    this.silent.clear();
    await Promise.all([...this.open].map((session) => session.drain()));
  }

  /** Ends every connection at once. `leaveKept`: those that clients keep open end with the process. */
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
      this.arrivals.take(() => {
        socket.off('close', onClose);
        if (silent.delete(socket)) this.serve(socket);
      });
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

  /** Serves a connection beyond the limit if it asks for the daemon's status or its end, and refuses any other. */
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
    const now = steadyNow();
    if (now - this.lastLogged <= REFUSAL_LOGGED) return;
    this.lastLogged = now;
    this.log('warning', event, fields);
  }

  /** Sends an error. What the client sends meanwhile is dropped, so that it has the error before a write of its fails. */
  private refuse(socket: net.Socket): void {
    const { asked, refused, places } = this;
    const options = { jobId: false, version: null, closes: true };
    socket.end(Buffer.concat(encodeFrame({ frame: errorFrame(full(places)), id: null, options })));
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

/** The limit of descriptors where the system does not tell it. Node raises it to the highest that it may have. */
const CAREFUL = 1024;
/** Descriptors for Node itself, the middleware, the log, look-ups of a host's name. */
const OWN = 40;
/** Places beyond the limit of connections, at most; there are fewer where descriptors are few. */
const MOST_REFUSED = 64;
const MOST_GUESTS = 16;

/** Bytes of a line that is looked at; what asks for the daemon's status or its end is short. */
const LONGEST = 4096;
const NEWLINE = 0x0a;

interface Places {
  /** Connections that are served, whatever they ask. */
  readonly connections: number;
  /** Beyond those: connections that ask for the daemon's status or its end. */
  readonly guests: number;
  /** Beyond those: connections that have said nothing yet, or are told that there is no room. */
  readonly refused: number;
  /** Descriptors, if they are why there are fewer connections than were wanted. */
  readonly descriptors: number | null;
}

/** Divides the descriptors of this process; `wanted` connections, or as many as there can be. */
function placesFor(wanted: number, descriptors = descriptorLimit()): Places {
  const free = Math.max(0, descriptors - OWN);
  const guests = Math.max(1, Math.min(MOST_GUESTS, Math.floor(free / 8)));
  const refused = Math.max(1, Math.min(MOST_REFUSED, Math.floor(free / 8)));
  const room = Math.max(1, free - guests - refused);
  const isLess = room < wanted;
  return {
    connections: isLess ? room : wanted,
    guests,
    refused,
    descriptors: isLess ? descriptors : null,
  };
}

function descriptorLimit(): number {
  try {
    const limits = fs.readFileSync('/proc/self/limits', 'latin1');
    const [, soft = ''] = /^Max open files +(\S+)/m.exec(limits) ?? [];
    return soft === 'unlimited' ? Infinity : Number(soft) || CAREFUL;
  } catch {
    return CAREFUL;
  }
}

/**
 * Calls back once, with the first line that comes, which can be read from the socket still. With null if the line is
 * too long, none comes in `patience` milliseconds, or the other side ends. Returns a function that calls back with null at once.
 */
function peekLine(
  socket: Socket,
  patience: number,
  onLine: (line: string | null) => void,
): () => void {
  let head = Buffer.alloc(0);
  const done = (line: string | null) => {
    clearTimeout(timer);
    socket.off('readable', onReadable);
    socket.off('end', giveUp);
    socket.off('close', giveUp);
    onLine(line);
  };
  const giveUp = () => {
    done(null);
  };
  const onReadable = () => {
    for (let chunk; (chunk = socket.read() as Buffer | null) !== null;) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(NEWLINE);
      if (end === -1 && head.length <= LONGEST) continue;
      if (end === -1 || end > LONGEST) {
        giveUp();
        return;
      }
      socket.unshift(head);
      done(head.toString('utf8', 0, end));
      return;
    }
  };
  const timer = setTimeout(giveUp, patience);
  socket.on('readable', onReadable);
  socket.once('end', giveUp);
  socket.once('close', giveUp);
  return giveUp;
}
