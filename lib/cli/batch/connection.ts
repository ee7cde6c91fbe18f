/** One connection to the daemon and the request it is busy with; opens another where one has ended. */
import type { Socket } from 'node:net';
import { connect, watched, type Address } from '../../protocol/client.js';
import { asMidcltError, MidcltError, shuttingDown, systemReason } from '../../errors.js';
import { booleanOf, membersOf } from '../../json/members.js';
import { MAX_REQUEST_LINE, MessageType, type Request } from '../../protocol/frames.js';
import { FrameCutter, type Piece } from './frames.js';
import type { Place } from './reorder-buffer.js';
import { hung, watchSilence } from '../../protocol/silence.js';

/**
 * Put behind a request's members, the last of equal ones counting: else the daemon might close the
 * connection just when the next request is sent, and nobody could tell what became of that one.
 */
const KEEP = ',"keep":true';
/** The same: a daemon that is going is to say of each request whether it has sent it on. */
const NOT_SENT = ',"not_sent":true';

export interface LaneOptions {
  /** Progress frames are wanted too. */
  readonly progress: boolean;
  /** Bytes up to which a frame is held until it is whole. */
  readonly patience: number;
  /** A member for every request, with a comma before it; or nothing. */
  readonly member: string;
}

interface Exchange {
  readonly place: Place;
  readonly cutter: FrameCutter;
  readonly resolve: (type: MessageType) => void;
  readonly reject: (error: MidcltError) => void;
}

export class Lane {
  private socket: Socket | null = null;
  private exchange: Exchange | null = null;
  private endWatch = (): void => undefined;

  constructor(
    private readonly address: Address,
    private readonly options: LaneOptions,
  ) {}

  /** Resolves when there is a connection, the one there was or a new one. Rejects with `NO_DAEMON` or `FILES`. */
  async open(): Promise<void> {
    if (!this.socket) this.adopt(await connect(this.address));
  }

  /**
   * Sends a line (latin1, without its newline; `request` is what it says, null if it is no valid
   * one) and resolves with the type of its final frame when that is in its place. Rejects with `LOST`,
   * or `PROTOCOL` for an answer that is no frame (the outcome is unknown then), or `CLOSED` (not sent).
   */
  async ask(line: string, request: Request | null, place: Place): Promise<MessageType> {
    await this.open().catch((error: unknown) => {
      throw notSent(asMidcltError(error).message);
    });
    const { socket } = this;
    if (!socket) throw notSent('the connection to the daemon was closed');
    const { member } = this.options;
    const keeps = request !== null && !request.close;
    const asked =
      request === null ? null : withMembers(line, NOT_SENT + (keeps ? KEEP : '') + member);
    const isLasting = keeps && asked !== null;
    const cutter = new FrameCutter(this.options.patience);
    this.endWatch = watchSilence(socket, watched(this.address), () => {
      this.fail(hung(this.address.socket, '; the outcome is unknown'));
      this.close();
    });
    try {
      return await new Promise<MessageType>((resolve, reject) => {
        this.exchange = { place, cutter, resolve, reject };
        socket.write(`${asked ?? line}\n`, 'latin1');
      });
    } finally {
      this.endWatch();
      this.exchange = null;
      if (!isLasting || cutter.peerCloses) this.close();
    }
  }

  close(): void {
    this.endWatch(); // nobody may wait for the exchange any more
    this.socket?.destroy();
    this.socket = null;
  }

  private adopt(socket: Socket): void {
    let reason = 'it closed the connection';
    let refused = false;
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.receive(socket, chunk);
    });
    socket.on('error', (error) => {
      reason = systemReason(error);
      // Not all of the line went out, so that it was no request.
      refused =
        (error as NodeJS.ErrnoException).code === 'EPIPE' ||
        (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    });
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.fail(refused ? notSent('the daemon closed the connection') : lost(reason));
    });
  }

  private receive(socket: Socket, chunk: Buffer): void {
    const { exchange } = this;
    if (!exchange) {
      this.close(); // whoever answers unasked is not asked again
      return;
    }
    try {
      for (const piece of exchange.cutter.cut(chunk)) {
        if (isRefusal(piece)) {
          this.close(); // it goes: the next request is for another
          exchange.reject(new MidcltError('CLOSED', shuttingDown().message));
          return;
        }
        this.pass(socket, exchange, piece);
        if (piece.last && piece.type !== MessageType.PROGRESS) {
          exchange.resolve(piece.type);
          return;
        }
      }
    } catch (error) {
      this.close();
      this.fail(asMidcltError(error));
    }
  }

  private pass(socket: Socket, { place }: Exchange, { type, bytes }: Piece): void {
    if (type === MessageType.PROGRESS && !this.options.progress) return;
    const room = place.push(bytes);
    if (!room) return;
    socket.pause();
    void room.then(() => {
      socket.resume();
    });
  }

  private fail(error: MidcltError): void {
    const { exchange } = this;
    if (!exchange) return;
    // What is printed of a frame can't be taken back, but the next one begins on a line of its own.
    if (exchange.cutter.inFrame) void exchange.place.push(NEWLINE);
    exchange.reject(error);
  }
}

const NEWLINE = Buffer.from('\n');

/** Does a daemon that is going say that it has not sent the request on? A frame as short as that is whole. */
function isRefusal({ type, bytes, last }: Piece): boolean {
  if (type !== MessageType.ERROR || !last) return false;
  return booleanOf(membersOf(bytes)?.get('not_sent')) === true;
}

/** The line of a valid request with more members, or null where it has no room for them. */
function withMembers(line: string, members: string): string | null {
  if (line.length + members.length > MAX_REQUEST_LINE) return null;
  const brace = line.lastIndexOf('}');
  return `${line.slice(0, brace)}${members}${line.slice(brace)}`;
}

export function notSent(why: string): MidcltError {
  return new MidcltError('CLOSED', `The request was not sent: ${why}`);
}

function lost(reason: string): MidcltError {
  return new MidcltError(
    'LOST',
    `The connection to the daemon was lost (${reason}); the outcome is unknown`,
  );
}
