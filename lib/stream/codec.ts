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
import { MAX_REQUEST_LINE, MessageType, type Frame, type Json, type Request } from '../protocol.js';
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
}

/**
 * Passes bytes on as latin1 text and cuts a line at `limit` + 1 bytes: the parser sees that it is
 * too long, the rest of it is dropped as it comes. Stands before split2, which would either
 * buffer without end or drop the line without a word.
 */
export class LineLimit extends Transform {
  /** Bytes of the line that is being received; beyond `limit` they are dropped. */
  private length = 0;

  constructor(private readonly limit: number = MAX_REQUEST_LINE) {
    super({ encoding: 'latin1' });
  }

  /** Has a line begun that has not ended yet? */
  get inLine(): boolean {
    return this.length > 0;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.length + chunk.length <= this.limit) {
      const newline = chunk.lastIndexOf(LF);
      this.length = newline === -1 ? this.length + chunk.length : chunk.length - newline - 1;
      done(null, chunk);
      return;
    }
    let from = 0;
    while (from < chunk.length) {
      const newline = chunk.indexOf(LF, from);
      const end = newline === -1 ? chunk.length : newline;
      this.passLine(chunk, from, end);
      if (newline === -1) break;
      if (this.length <= this.limit) this.push('\n', 'latin1');
      this.length = 0;
      from = newline + 1;
    }
    done();
  }

  private passLine(chunk: Buffer, from: number, end: number): void {
    const room = this.limit + 1 - this.length;
    this.length += end - from;
    if (room > 0 && end > from) this.push(chunk.subarray(from, Math.min(end, from + room)));
    // Answer at once: the end of such a line may never come.
    if (room > 0 && this.length > this.limit) this.push('\n', 'latin1');
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

function parseLine(line: Buffer): Incoming {
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
export function encodeFrame({ frame, id }: Outgoing): Buffer[] {
  const head = `{"type":"${frame.type}"${id ? `,"id":${id.toString()}` : ''}`;
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
          Buffer.from(`,"state":${quote(frame.state)}}\n`),
        ]),
      ];
  }
}

const END = Buffer.from('}\n');
const EXTRA = Buffer.from(',"extra":');
const DESCRIPTION = Buffer.from(',"description":');
