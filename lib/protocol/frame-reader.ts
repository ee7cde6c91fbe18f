/** The client's end of an answer: bytes to the frames that a listener hears. */
import { LF } from '../json/ascii.js';
import { MidcltError } from '../errors.js';
import {
  booleanOf,
  integerOf,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../json/members.js';
import { MessageType, type ErrorFrame, type Json, type ProgressFrame } from './frames.js';

/** Who hears an answer as it comes. Called before the promise of the exchange settles. */
export interface AnswerListener {
  readonly progress: (frame: ProgressFrame) => void;
  /** The result's text, in one piece or many. What it throws ends the exchange with that error. */
  readonly result: (piece: Buffer) => void;
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
/** Bytes in which the head must be found; longer than any head that is written. */
const HEAD_BYTES = 120;
/** Bytes at the end of a result that may be the frame's own: its brace and blanks. */
const TAIL_BYTES = 16;

/**
 * Bytes to the frames of one answer. Holds a progress or error frame until it is whole, and of a
 * result a few bytes only. Looks for a newline in the new chunk alone: a line may have 200 MB.
 */
export class FrameReader {
  private held: Buffer[] = [];
  private heldBytes = 0;
  private inResult = false;

  constructor(
    private readonly listener: AnswerListener,
    private readonly onEnd: (answer: Answer) => void,
  ) {}

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(LF, from);
      const end = newline === -1 ? chunk.length : newline;
      this.take(chunk.subarray(from, end));
      if (newline === -1) return;
      this.endLine();
      from = newline + 1;
    }
  }

  private take(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.held.push(bytes);
    this.heldBytes += bytes.length;
    if (!this.inResult && this.heldBytes - bytes.length < HEAD_BYTES) this.lookForResult();
    if (this.inResult) this.passOn(TAIL_BYTES);
  }

  /** Only while the first bytes of the line are new. */
  private lookForResult(): void {
    const text = this.takeHeld();
    const start = text.toString('latin1', 0, HEAD_BYTES);
    if (start.startsWith(PLAIN_HEAD) && start.length > PLAIN_HEAD.length) {
      this.inResult = true;
      this.hold(text.subarray(PLAIN_HEAD.length));
      return;
    }
    const head = RESULT_HEAD.exec(start);
    this.inResult = head !== null;
    if (head?.[1] !== undefined) this.listener.otherVersion?.(head[1]);
    this.hold(head ? text.subarray(head[0].length) : text);
  }

  /** Gives the listener all but the last `keep` bytes. */
  private passOn(keep: number): void {
    const excess = this.heldBytes - keep;
    if (excess <= 0) return;
    const text = this.takeHeld();
    this.hold(text.subarray(excess));
    this.listener.result(text.subarray(0, excess));
  }

  private endLine(): void {
    const text = this.takeHeld();
    if (this.inResult) {
      const [tail] = /\s*\}\s*$/.exec(text.toString('latin1')) ?? [];
      if (tail === undefined) throw noFrame();
      if (text.length > tail.length) this.listener.result(text.subarray(0, -tail.length));
      this.inResult = false;
      this.onEnd(null);
    } else if (text.length > 0) {
      this.readFrame(text);
    }
  }

  private readFrame(text: Buffer): void {
    const members = membersOf(text);
    const type = stringOf(members?.get('type'));
    const version = stringOf(members?.get('daemon'));
    if (version !== null) this.listener.otherVersion?.(version);
    if (members && type === MessageType.PROGRESS) this.listener.progress(progressFrame(members));
    else if (members && type === MessageType.ERROR) this.onEnd(errorFrame(members));
    else if (members && type === MessageType.RESULT) {
      this.listener.result(members.get('result') ?? NULL);
      this.onEnd(null);
    } else throw noFrame();
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
    isNotSent: members.get('not_sent')?.toString() === 'true',
  };
}

function noFrame(): MidcltError {
  return new MidcltError('PROTOCOL', 'The daemon answered something that is no frame');
}
