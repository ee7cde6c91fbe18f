/**
 * Bytes to requests and frames to bytes.
 *
 * Lines travel as latin1 strings between socket and parser: one character a byte, so that what
 * split2 hands on is what came, also where it is no valid UTF-8.
 */
import { Transform, type TransformCallback } from 'node:stream';
import split2 from 'split2';
import { LF } from '../ascii.js';
import { asMidcltError, type MidcltError } from '../errors.js';
import { NULL, onOneLine, quote } from '../members.js';
import {
  MAX_REQUEST_LINE,
  MessageType,
  VERSION,
  type Frame,
  type Json,
  type Request,
} from '../protocol.js';
import { idOfRejected, parseRequest } from '../request.js';

/** Above this many bytes a payload is written as it is, not copied into one Buffer with its envelope. */
const COPY_LIMIT = 64 * 1024;

/** What became of one line. */
export type Incoming =
  | { readonly request: Request; readonly id: Json | null }
  | { readonly request: null; readonly id: Json | null; readonly error: MidcltError };

/** A frame and the `id` of the request it answers. */
export interface Outgoing {
  readonly frame: Frame;
  readonly id: Json | null;
  /** What the client asked for beside its answer; nothing where it is not given. */
  readonly wishes?: Pick<Request, 'jobId' | 'version'> | null;
}

/**
 * Passes whole lines on as latin1 text and cuts a line two bytes after `limit`: the parser sees
 * that it is too long, also if split2 takes the last byte off as a CR; the rest of it is dropped
 * as it comes. Stands before split2, which would either
 * buffer without end or drop the line without a word, and looks through an unfinished line anew
 * at every chunk.
 */
export class LineLimit extends Transform {
  /** Bytes of the line that is being received; beyond the cut they are dropped. */
  private length = 0;
  private readonly cut: number;
  /** What of it is held until its newline comes, in the first `used` bytes. */
  private held = EMPTY;
  private used = 0;

  constructor(limit = MAX_REQUEST_LINE) {
    super({ encoding: 'latin1' });
    this.cut = limit + 2;
  }

  /** Has a line begun that has not ended yet? */
  get inLine(): boolean {
    return this.length > 0;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(LF, from);
      this.collect(chunk.subarray(from, newline === -1 ? chunk.length : newline));
      if (newline === -1) break;
      if (this.length < this.cut) this.passLine();
      this.length = 0;
      from = newline + 1;
    }
    done();
  }

  /** The last line counts also without its newline. */
  override _flush(done: TransformCallback): void {
    if (this.length > 0 && this.length < this.cut) this.passLine();
    done();
  }

  private collect(part: Buffer): void {
    const room = this.cut - this.length;
    this.length += part.length;
    if (room <= 0) return;
    this.hold(part.subarray(0, room));
    // Answer at once: the end of such a line may never come.
    if (this.length >= this.cut) this.passLine();
  }

  private hold(part: Buffer): void {
    const size = this.used + part.length;
    if (size > this.held.length) {
      const grown = Buffer.allocUnsafe(Math.max(size, 2 * this.held.length));
      this.held.copy(grown, 0, 0, this.used);
      this.held = grown;
    }
    part.copy(this.held, this.used);
    this.used = size;
  }

  private passLine(): void {
    this.push(this.held.subarray(0, this.used));
    this.push('\n', 'latin1');
    this.held = EMPTY;
    this.used = 0;
  }
}

/** Text to lines, one string each, the last one also without its newline. */
export function splitLines(): Transform {
  return split2(/\r?\n/, { decodeStrings: false, readableHighWaterMark: 1 });
}

/** A line to an {@link Incoming}. A bad line is one too: its place in the order is its error frame's. */
export class Parse extends Transform {
  constructor() {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _transform(line: string, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, parseLine(Buffer.from(line, 'latin1')));
  }
}

/** Never throws: what is wrong with the line is in what it returns. */
export function parseLine(line: Buffer): Incoming {
  try {
    const request = parseRequest(line);
    return { request, id: request.id };
  } catch (thrown) {
    return { request: null, id: idOfRejected(line), error: asMidcltError(thrown) };
  }
}

/** An {@link Outgoing} to its line. Members come in the order `type`, `id`, the rest, `result` last. */
export class Stringify extends Transform {
  constructor() {
    super({ writableObjectMode: true, writableHighWaterMark: 1 });
  }

  override _transform(out: Outgoing, _encoding: BufferEncoding, done: TransformCallback): void {
    for (const piece of encodeFrame(out)) this.push(piece);
    done();
  }
}

/** A frame's line in as few pieces as possible without copying a large payload. */
export function encodeFrame({ frame, id, wishes }: Outgoing): Buffer[] {
  const isOther = frame.type !== MessageType.PROGRESS && (wishes?.version ?? VERSION) !== VERSION;
  const version = isOther ? `,"daemon":"${VERSION}"` : '';
  const head = `{"type":"${frame.type}"${id ? `,"id":${id.toString()}` : ''}${version}`;
  switch (frame.type) {
    case MessageType.RESULT: {
      const pieces = [Buffer.from(`${head},"result":`), onOneLine(frame.result), END];
      return frame.result.length > COPY_LIMIT ? pieces : [Buffer.concat(pieces)];
    }
    case MessageType.ERROR:
      return [
        Buffer.concat([
          Buffer.from(
            `${head},"error":${quote(frame.error)},"error_type":${quote(frame.errorType)},"trace":`,
          ),
          onOneLine(frame.trace ?? NULL),
          EXTRA,
          onOneLine(frame.extra ?? NULL),
          END,
        ]),
      ];
    case MessageType.PROGRESS:
      return [
        Buffer.concat([
          Buffer.from(`${head},"percent":`),
          onOneLine(frame.percent),
          DESCRIPTION,
          onOneLine(frame.description),
          Buffer.from(`,"state":${quote(frame.state)}`),
          wishes?.jobId && frame.jobId !== null ? Buffer.from(`,"job_id":${frame.jobId}`) : EMPTY,
          END,
        ]),
      ];
  }
}

const EMPTY = Buffer.alloc(0);
const END = Buffer.from('}\n');
const EXTRA = Buffer.from(',"extra":');
const DESCRIPTION = Buffer.from(',"description":');
