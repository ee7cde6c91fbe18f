/** An answer's frames to what a listener hears of them. */
import {
  booleanOf,
  integerOf,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../json/members.js';
import { noFrame, type Piece } from './frame-cutter.js';
import {
  ERROR_ENDS,
  MessageType,
  type ErrorFrame,
  type EventFrame,
  type Json,
  type ProgressFrame,
} from './frames.js';

/** Who hears an answer as it comes. Called before the promise of the exchange settles. */
export interface AnswerListener {
  readonly progress: (frame: ProgressFrame) => void;
  /** What a subscriber is told. While a promise that it returns is pending, nothing more is read. */
  readonly event?: (frame: EventFrame) => unknown;
  /** The result's text, in one piece or many; the same. What it throws ends the exchange with that error. */
  readonly result: (piece: Buffer) => unknown;
  /** The daemon is of another version than this program. */
  readonly otherVersion?: (version: string) => void;
}

/** How an answer ended: null after a result, which the listener has had whole, or the error frame. */
export type Answer = ErrorFrame | null;

/** What this version's daemon begins one with, found without waking the regular expression. */
const PLAIN_HEAD = '{"type":"result","result":';
/** What a result frame begins with: `result` is its last member, so that its text can be passed on as it comes. */
const RESULT_HEAD =
  /^\s*\{\s*"type"\s*:\s*"result"\s*,\s*(?:"daemon"\s*:\s*"([^"]{0,30})"\s*,\s*)?"result"\s*:\s*(?=\S)/;
/** Bytes in which the head must be found; longer than any head that is written. A cutter is to hold so many. */
export const HEAD_BYTES = 120;
/** Bytes at the end of a result that may be the frame's own: its brace, blanks and the newline. */
const TAIL_BYTES = 17;

/**
 * The frames of one answer to what a listener hears of them. Holds a progress or error frame until it is
 * whole, and of a result a few bytes only.
 */
export class FrameReader {
  /** How the answer has ended, once it has. */
  answer: Answer = null;

  private held: Buffer[] = [];
  private heldBytes = 0;
  /** Are these pieces of a result that is passed on as it comes? Null between frames. */
  private inResult: boolean | null = null;

  constructor(private readonly listener: AnswerListener) {}

  /** Returns what is to be waited for before the next piece, if there is anything. */
  take({ type, bytes, last }: Piece): Promise<void> | null {
    let text = bytes;
    if (this.inResult === null) {
      const head = type === MessageType.RESULT ? this.headLength(bytes) : 0;
      this.inResult = head > 0;
      text = bytes.subarray(head);
    }
    this.hold(text);
    let room: unknown = null;
    if (this.inResult && last) room = this.endResult();
    else if (this.inResult) room = this.passOn();
    else if (last) room = this.readFrame(this.takeHeld());
    if (last) this.inResult = null;
    return room instanceof Promise ? (room as Promise<void>) : null;
  }

  /** Of the part before the result's text; 0 where that is not at the beginning. */
  private headLength(bytes: Buffer): number {
    const start = bytes.toString('latin1', 0, HEAD_BYTES);
    if (start.startsWith(PLAIN_HEAD)) return PLAIN_HEAD.length;
    const head = RESULT_HEAD.exec(start);
    if (head?.[1] !== undefined) this.listener.otherVersion?.(head[1]);
    return head?.[0].length ?? 0;
  }

  /** Gives the listener all but what may be the frame's own. */
  private passOn(): unknown {
    const excess = this.heldBytes - TAIL_BYTES;
    if (excess <= 0) return null;
    const text = this.takeHeld();
    this.hold(text.subarray(excess));
    return this.listener.result(text.subarray(0, excess));
  }

  private endResult(): unknown {
    const text = this.takeHeld();
    const end = text.toString('latin1', Math.max(0, text.length - TAIL_BYTES));
    const [tail] = /\s*\}\s*$/.exec(end) ?? [];
    if (tail === undefined) throw noFrame();
    this.answer = null;
    return text.length > tail.length ? this.listener.result(text.subarray(0, -tail.length)) : null;
  }

  private readFrame(text: Buffer): unknown {
    const members = membersOf(text);
    if (!members) throw noFrame();
    const version = stringOf(members.get('daemon'));
    if (version !== null) this.listener.otherVersion?.(version);
    switch (stringOf(members.get('type'))) {
      case MessageType.PROGRESS:
        this.listener.progress(progressFrame(members));
        return null;
      case MessageType.EVENT:
        return this.listener.event?.({
          type: MessageType.EVENT,
          event: members.get('event') ?? null,
        });
      case MessageType.ERROR:
        this.answer = errorFrame(members);
        return null;
      case MessageType.RESULT:
        this.answer = null;
        return this.listener.result(members.get('result') ?? NULL);
      default:
        throw noFrame();
    }
  }

  private takeHeld(): Buffer {
    const [only] = this.held;
    const text = this.held.length === 1 && only ? only : Buffer.concat(this.held);
    this.held = [];
    this.heldBytes = 0;
    return text;
  }

  private hold(bytes: Buffer): void {
    if (bytes.length > 0) this.held.push(bytes);
    this.heldBytes += bytes.length;
  }
}

/** Does a daemon that is going say that it has not sent the request on? A frame as short as that is whole. */
export function isRefusal({ type, bytes, last }: Piece): boolean {
  return type === MessageType.ERROR && last && isNotSent(membersOf(bytes));
}

/** Why the daemon closes the connection behind this frame, which is the last, if it says that it does. Nothing was run of what it answers. */
export function reasonToClose({ type, bytes, last }: Piece): string | null {
  if (type !== MessageType.ERROR || !last || !bytes.subarray(-CLOSES.length).equals(CLOSES))
    return null;
  return stringOf(membersOf(bytes)?.get('error'));
}

const CLOSES = Buffer.from(`${ERROR_ENDS.CLOSES}}\n`);

function isNotSent(members: Members | null): boolean {
  return booleanOf(members?.get('not_sent')) === true;
}

function progressFrame(members: Members): ProgressFrame {
  return {
    type: MessageType.PROGRESS,
    percent: members.get('percent') ?? NULL,
    description: members.get('description') ?? NULL,
    state: stringOf(members.get('state')) ?? '',
    jobId: integerOf(members.get('job_id')),
    abortable: booleanOf(members.get('abortable')),
  };
}

function errorFrame(members: Members): ErrorFrame {
  const orNull = (text: Json | undefined) => (text === undefined || isNull(text) ? null : text);
  return {
    type: MessageType.ERROR,
    error: stringOf(members.get('error')) ?? 'Unknown error',
    errorType: stringOf(members.get('error_type')) ?? '',
    trace: orNull(members.get('trace')),
    extra: orNull(members.get('extra')),
    isNotSent: isNotSent(members),
    code: stringOf(members.get('code')),
    isOutcomeUnknown: stringOf(members.get('outcome')) === 'unknown',
  };
}
