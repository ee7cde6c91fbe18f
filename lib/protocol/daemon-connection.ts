/** A connection to the daemon's socket: a line out, its answer in, and what it means that none comes. Loads node:net and little else. */
import { connect as connectTo, type Socket } from 'node:net';
import { asMidcltError, MidcltError, systemReason } from '../errors.js';
import { checkSocketPath, type DaemonPaths } from '../files/paths.js';
import { trustDirectory, trustSocket } from '../files/trust.js';
import { FrameCutter, type Piece } from './frame-cutter.js';
import { DAEMON_CONNECT_TIMEOUT, isFinal, type MessageType } from './frames.js';
import { hung, watchSilence, type Patience } from './signs-of-life.js';

/** Where a daemon is: the socket, and the directory that makes it private. */
export type Address = Pick<DaemonPaths, 'socket' | 'directory'> & {
  /** The command that starts the daemon, for who finds none. */
  readonly startCommand?: string;
};

/** Milliseconds between two tries to connect. */
const RETRY = 20;
/** The backlog is full; or the daemon ended with the connection in it, so that nothing was read. */
const PASSES = new Set(['EAGAIN', 'ECONNRESET']);

/** The connection was closed with the request in it unread: by a daemon that ends, or can open no more files. */
export class Unread extends MidcltError {
  constructor() {
    super('NO_DAEMON', 'The daemon ended before it read the request; it was not sent');
  }
}

/** The connection was closed before the final frame, after the request was read, for all that is known. */
export class Lost extends MidcltError {
  constructor(readonly reason: string) {
    super('LOST', `The daemon went away before it answered (${reason}); the outcome is unknown`);
  }
}

export interface AskOptions {
  /** Hears each piece of the answer. While what it returns is pending, nothing more is read. What it throws ends the connection. */
  readonly onPiece: (piece: Piece) => Promise<void> | null | undefined;
  /** Bytes up to which a frame is held until it is whole. */
  readonly whole: number;
  /** How long the daemon may be silent. */
  readonly silence?: Patience;
  /** Of a daemon that is hung, for the error's text. */
  readonly consequence?: string;
}

interface Exchange {
  readonly cutter: FrameCutter;
  readonly onPiece: AskOptions['onPiece'];
  readonly resolve: (ending: { type: MessageType; peerCloses: boolean }) => void;
  readonly reject: (error: MidcltError) => void;
  endWatch: () => void;
}

export class DaemonConnection {
  /** Resolves when the connection is gone, from either side. */
  readonly closed: Promise<void>;

  private exchange: Exchange | null = null;
  private reason = 'it closed the connection';
  private isUnread = false;
  /** What is waited for before more is read. */
  private holds = 0;

  /** Rejects as {@link connect} does. */
  static async open(address: Address, patience?: number): Promise<DaemonConnection> {
    return new DaemonConnection(await connect(address, patience), address);
  }

  constructor(
    private readonly socket: Socket,
    private readonly address: Address,
  ) {
    socket.on('data', (chunk) => {
      this.receive(chunk);
    });
    socket.on('error', (error) => {
      const { code } = error as NodeJS.ErrnoException;
      this.reason = systemReason(error);
      // Of a Unix socket both mean that what was sent is still unread.
      this.isUnread = code === 'EPIPE' || code === 'ECONNRESET';
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.fail(this.isUnread ? new Unread() : new Lost(this.reason));
        resolve();
      });
    });
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  /**
   * Sends a line (an empty one was sent before) and resolves with the type of its final frame once that has been heard whole. One at a time.
   * Rejects with {@link Unread} or {@link Lost}, `HUNG` if the daemon shows no sign of life, `PROTOCOL` if it sends
   * no frames; then the connection is closed.
   */
  ask(
    line: string | Buffer,
    { onPiece, whole, silence, consequence = '; the outcome is unknown' }: AskOptions,
  ): Promise<{ type: MessageType; peerCloses: boolean }> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(new Unread());
        return;
      }
      const cutter = new FrameCutter(whole);
      const exchange: Exchange = { cutter, onPiece, resolve, reject, endWatch: () => undefined };
      this.exchange = exchange;
      if (line !== '') this.socket.write(line);
      // Once the request is on its way: what is done now takes no time from it.
      const path = this.address.socket;
      const again = (patience: number) => connect(this.address, patience);
      const onHung = () => {
        this.giveUp(hung(path, consequence));
      };
      exchange.endWatch = watchSilence(this.socket, { path, connect: again }, onHung, silence);
    });
  }

  /** Whoever waits for an answer gets the error. */
  giveUp(error: MidcltError): void {
    this.fail(error);
    this.close();
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    this.endExchange();
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    const { exchange } = this;
    if (!exchange) {
      this.close(); // it has answered what it was not asked: nothing it sends can be told apart any more
      return;
    }
    try {
      for (const piece of exchange.cutter.cut(chunk)) {
        const room = exchange.onPiece(piece);
        if (room) this.holdUntil(room);
        if (piece.last && isFinal(piece.type)) {
          this.endExchange();
          exchange.resolve({ type: piece.type, peerCloses: exchange.cutter.peerCloses });
          return;
        }
      }
    } catch (error) {
      this.giveUp(asMidcltError(error));
    }
  }

  private holdUntil(room: Promise<void>): void {
    this.holds++;
    this.socket.pause();
    void room.then(() => {
      // Of one chunk several pieces may be waited for.
      if (--this.holds === 0) this.socket.resume();
    });
  }

  private fail(error: MidcltError): void {
    this.endExchange()?.reject(error);
  }

  private endExchange(): Exchange | null {
    const { exchange } = this;
    exchange?.endWatch();
    this.exchange = null;
    return exchange;
  }
}

/** Does a daemon that may be trusted accept connections at `address`? */
export async function isListening(address: Address): Promise<boolean> {
  try {
    (await connect(address)).destroy();
    return true;
  } catch {
    return false;
  }
}

/**
 * Resolves with a connection to the daemon at `address`. Rejects with `NO_DAEMON`, with `FILES` for
 * one that can't be used, or can't be trusted: others might see what is sent to it; with `HUNG` if it
 * accepts no connection for `patience` milliseconds.
 */
async function connect(
  { socket: path, directory, startCommand }: Address,
  patience = DAEMON_CONNECT_TIMEOUT * 1000,
): Promise<Socket> {
  checkSocketPath(path);
  if (!trustDirectory(directory) || !trustSocket(path)) throw noDaemon(startCommand);
  const deadline = process.uptime() + patience / 1000; // by a clock that nobody sets
  for (;;) {
    try {
      return await tryConnect(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error; // not the system's
      if (!PASSES.has(code)) throw connectError(path, error, startCommand);
      if (process.uptime() > deadline) throw hung(path, ''); // nobody accepts connections
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

function tryConnect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTo(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function connectError(path: string, error: unknown, startCommand?: string): MidcltError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
    return noDaemon(startCommand);
  }
  return new MidcltError(
    'FILES',
    `Cannot connect to the daemon at ${path}: ${systemReason(error)}`,
  );
}

function noDaemon(startCommand = 'midclt daemon'): MidcltError {
  return new MidcltError('NO_DAEMON', `No daemon is running. Start one with '${startCommand}'`);
}
