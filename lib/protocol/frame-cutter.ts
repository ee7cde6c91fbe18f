/** The daemon's bytes, cut into frames without looking into them further than their type. */
import { LF } from '../json/ascii.js';
import { MidcltError } from '../errors.js';
import { membersOf, stringOf } from '../json/members.js';
import { MessageType } from './frames.js';

/** Bytes at the beginning of a frame in which its type is found. */
const HEAD_BYTES = 64;
const HEAD = /^\s*\{\s*"type"\s*:\s*"(progress|result|error|event)"/;
const { RESULT, PROGRESS, ERROR, EVENT } = MessageType;
const TYPES = [RESULT, PROGRESS, ERROR, EVENT] as const;

/** Part of a frame, its newline included; most frames come in one. */
export interface Piece {
  readonly type: MessageType;
  readonly bytes: Buffer;
  /** It is the frame's last. */
  readonly last: boolean;
}

/** Looks for a newline in the new chunk alone: a line may have 200 MB. */
export class FrameCutter {
  private held: Buffer[] = [];
  private heldBytes = 0;
  private type: MessageType | null = null;
  private begun = false;

  /**
   * Does the peer close the connection after a final frame? The Python daemon does; it is known
   * by the blank it writes after a colon.
   */
  peerCloses = false;

  /** `patience`: bytes up to which a frame is held until it is whole. */
  constructor(private readonly patience: number) {}

  /** Throws a `PROTOCOL` error for a line that is no frame. */
  *cut(chunk: Buffer): Generator<Piece, void> {
    for (let from = 0; from < chunk.length;) {
      const newline = chunk.indexOf(LF, from);
      const end = newline === -1 ? chunk.length : newline + 1;
      const last = newline !== -1;
      this.held.push(chunk.subarray(from, end));
      this.heldBytes += end - from;
      from = end;
      if (!last && !this.begun && this.heldBytes <= this.patience) return;
      const type = (this.type ??= this.typeOfHeld(last));
      this.begun = !last;
      if (last) this.type = null;
      yield { type, bytes: this.take(), last };
    }
  }

  private typeOfHeld(isWhole: boolean): MessageType {
    const [first = EMPTY] = this.held;
    const start = first.length < HEAD_BYTES ? Buffer.concat(this.held) : first;
    const head = start.toString('latin1', 0, HEAD_BYTES);
    // What this program's daemon writes is found without waking the regular expression.
    const plain = TYPES.find((type) => head.startsWith(`{"type":"${type}"`));
    if (plain) return plain;
    const [text = '', word] = HEAD.exec(head) ?? [];
    this.peerCloses = /:\s/.test(text);
    const name =
      word ?? (isWhole ? stringOf(membersOf(Buffer.concat(this.held))?.get('type')) : '');
    const type = TYPES.find((each) => each === name);
    if (!type) throw noFrame();
    return type;
  }

  private take(): Buffer {
    const [only = EMPTY] = this.held;
    const bytes = this.held.length === 1 ? only : Buffer.concat(this.held, this.heldBytes);
    this.held = [];
    this.heldBytes = 0;
    return bytes;
  }
}

const EMPTY = Buffer.alloc(0);

export function noFrame(): MidcltError {
  return new MidcltError('PROTOCOL', 'The daemon answered something that is no frame');
}
