/** A connection to the daemon for one request of the batch after the other; opens another where one has ended. */
import { DaemonConnection, Lost, Unread, type Address } from '../../protocol/daemon-connection.js';
import { asMidcltError, MidcltError, shuttingDown } from '../../errors.js';
import type { Piece } from '../../protocol/frame-cutter.js';
import { isNull, membersOf } from '../../json/members.js';
import { isRefusal, reasonToClose } from '../../protocol/frame-reader.js';
import { ERROR_ENDS, MAX_REQUEST_LINE, MessageType, isFinal } from '../../protocol/frames.js';
import type { Outcome } from './ledger.js';
import type { Place } from './output.js';
import type { BatchRequest } from './request.js';

/**
 * Added behind a request's own members, since the last of equal ones counts. Without it the daemon might close the
 * connection just when the next request is sent, whose outcome nobody could tell then.
 */
const KEEP = ',"keep":true';
/**
 * Added, too: a daemon that is ending says of each request whether it has sent it on, and any says at the end of an
 * error's frame whether the outcome is unknown. That is for this program: it is not printed.
 */
const NOT_SENT = ',"not_sent":true';
const UNKNOWN = Buffer.from(`${ERROR_ENDS.UNKNOWN}}\n`);
const END = Buffer.from('}\n');

export interface ConnectionOptions {
  /** Progress frames are wanted too. */
  readonly progress: boolean;
  /** Bytes up to which a frame is held until it is whole. */
  readonly patience: number;
  /** A member for every request, with a comma before it; or nothing. */
  readonly member: string;
}

export class BatchConnection {
  private connection: DaemonConnection | null = null;

  constructor(
    private readonly address: Address,
    private readonly options: ConnectionOptions,
  ) {}

  /** Resolves when there is a connection, the one there was or a new one. Rejects with `NO_DAEMON` or `FILES`. */
  async open(): Promise<void> {
    if (!this.connection?.isOpen) this.connection = await DaemonConnection.open(this.address);
  }

  /**
   * Sends a request and resolves with its outcome when its final frame is in its place. Rejects with `LOST`,
   * or `PROTOCOL` for an answer that is no frame (the outcome is unknown then), `CLOSED` (not sent), or `BUSY` (not sent either, and
   * no other daemon would).
   */
  async ask({ line, incoming, members }: BatchRequest, place: Place): Promise<Outcome> {
    await this.open().catch((error: unknown) => {
      throw notSent(asMidcltError(error).message);
    });
    const { connection } = this;
    if (!connection?.isOpen) throw notSent('the connection to the daemon was closed');
    const { member, patience } = this.options;
    const { request } = incoming;
    const keeps = request !== null && !request.close;
    const asked =
      request === null
        ? null
        : withMembers(line, members + NOT_SENT + (keeps ? KEEP : '') + member);
    const isLasting = keeps && asked !== null;
    const printed = { isWhole: true };
    const seen: { error: Buffer | null } = { error: null };
    const onPiece = (piece: Piece) => {
      if (isRefusal(piece)) throw new MidcltError('CLOSED', shuttingDown().message);
      const reason = reasonToClose(piece);
      if (reason !== null) throw new MidcltError('BUSY', reason);
      const isWhole = printed.isWhole && piece.last;
      printed.isWhole = piece.last;
      if (piece.type === MessageType.ERROR && isWhole) seen.error = piece.bytes;
      const isUnwanted = !isFinal(piece.type) && !this.options.progress;
      return isUnwanted ? null : place.push(asPrinted(piece));
    };
    try {
      const bytes = Buffer.from(`${asked ?? line}\n`, 'latin1');
      const { type, peerCloses } = await connection.ask(bytes, { onPiece, whole: patience });
      if (!isLasting || peerCloses) connection.close();
      if (type === MessageType.RESULT) return 'result';
      return seen.error && isUnknown(seen.error, peerCloses) ? 'unknown' : 'failed';
    } catch (error) {
      // What is printed of a frame can't be taken back, but the next one begins on a line of its own.
      if (!printed.isWhole) void place.push(NEWLINE);
      throw inBatch(error);
    }
  }

  /** Nobody waits for the answer to what is under way, if anything is. */
  giveUp(error: MidcltError): void {
    this.connection?.giveUp(error);
  }

  close(): void {
    this.connection?.close();
  }
}

const NEWLINE = Buffer.from('\n');

function endsUnknown(frame: Buffer): boolean {
  return frame.length > UNKNOWN.length && frame.subarray(-UNKNOWN.length).equals(UNKNOWN);
}

function asPrinted({ type, bytes, last }: Piece): Buffer {
  if (type !== MessageType.ERROR || !last || !endsUnknown(bytes)) return bytes;
  return Buffer.concat([bytes.subarray(0, -UNKNOWN.length), END]);
}

/** The Python daemon does not tell: of what has no traceback there, nobody knows whether it was run. */
function isUnknown(frame: Buffer, isPython: boolean): boolean {
  if (!isPython) return endsUnknown(frame);
  const members = membersOf(frame);
  return isNull(members?.get('trace')) && isNull(members?.get('extra'));
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

/** What ended a connection, in the words of a batch. */
function inBatch(error: unknown): unknown {
  if (error instanceof Unread) return notSent('the daemon closed the connection');
  if (!(error instanceof Lost)) return error;
  return new MidcltError(
    'LOST',
    `The connection to the daemon was lost (${error.reason}); the outcome is unknown`,
  );
}
