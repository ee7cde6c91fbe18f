/**
 * Lines to requests and frames to bytes.
 *
 * Lines travel as latin1 strings between socket and parser: one character a byte, so that what
 * split2 hands on is what came, also where it is no valid UTF-8.
 */
import { Transform, type TransformCallback } from 'node:stream';
import type { MidcltError } from '../errors.js';
import { NULL, onOneLine, quote } from '../members.js';
import {
  MessageType,
  VERSION,
  type Frame,
  type Json,
  type ProgressFrame,
  type Request,
} from '../protocol.js';
import { readingRequest, type Incoming } from '../request.js';
import { atOnce, inTurns } from '../steps.js';
import { answerText } from '../text/answer.js';

export type { Incoming } from '../request.js';

/** Above this many bytes a payload is written as it is, not copied into one Buffer with its envelope. */
const COPY_LIMIT = 64 * 1024;

/** A frame and the `id` of the request it answers. */
export interface Outgoing {
  readonly frame: Frame;
  readonly id: Json | null;
  /** How the client wants its answer; nothing where it is not given. */
  readonly options?:
    (Pick<Request, 'jobId' | 'version' | 'text'> & Partial<Pick<Request, 'notSent'>>) | null;
  /** Called when the client's socket has taken the frame. */
  readonly onTaken?: (() => void) | null;
}

/** A frame's line, in pieces. */
export interface EncodedFrame {
  /** Long ones are made as they are asked for; null is where others may have their turn. */
  readonly pieces: Iterable<Buffer | null>;
  readonly onTaken: (() => void) | null;
}

/** What a {@link Parse} tells and asks; nothing where it stands alone. */
export interface ParseHooks {
  /** A request has come in. It counts from here, also while it waits its turn. */
  readonly onRequest: () => void;
  /** Why the input ended before its end. */
  readonly failure: () => MidcltError | null;
}

/**
 * A line to an {@link Incoming}. A bad line is one too: its place in the order is its error frame's.
 * So is what ended the input before its end.
 */
export class Parse extends Transform {
  constructor(private readonly hooks: ParseHooks | null = null) {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _transform(line: string, _encoding: BufferEncoding, done: TransformCallback): void {
    // It counts from here: the connection may go in the midst of reading it.
    this.hooks?.onRequest();
    inTurns(readingRequest(Buffer.from(line, 'latin1')), (incoming) => {
      this.push(incoming);
      done();
    });
  }

  override _flush(done: TransformCallback): void {
    const error = this.hooks?.failure();
    if (error) {
      this.hooks?.onRequest();
      this.push({ request: null, id: null, error } satisfies Incoming);
    }
    done();
  }
}

/** Never throws: what is wrong with the line is in what it returns. */
export function parseLine(line: Buffer): Incoming {
  return atOnce(readingRequest(line));
}

/** An {@link Outgoing} to its line. Members come in the order `type`, `id`, the rest, `result` last. */
export class Stringify extends Transform {
  constructor() {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _transform(out: Outgoing, _encoding: BufferEncoding, done: TransformCallback): void {
    const kind = out.options?.text;
    const pieces = kind ? answerText(out.frame, kind) : encodeFrame(out);
    done(null, { pieces, onTaken: out.onTaken ?? null } satisfies EncodedFrame);
  }
}

/** A frame's line in as few pieces as possible without copying a large payload. */
export function encodeFrame({ frame, id, options }: Outgoing): Buffer[] {
  if (options?.text) return [...answerText(frame, options.text)].filter((piece) => piece !== null);
  const isOther = frame.type !== MessageType.PROGRESS && (options?.version ?? VERSION) !== VERSION;
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
          frame.isNotSent && (options?.version || options?.notSent) ? NOT_SENT : EMPTY,
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
          options?.jobId ? jobMembers(frame) : EMPTY,
          END,
        ]),
      ];
  }
}

/** What of a job only those get who asked for it. */
function jobMembers({ jobId, abortable = null }: ProgressFrame): Buffer {
  const id = jobId === null ? '' : `,"job_id":${jobId}`;
  return Buffer.from(abortable === null ? id : `${id},"abortable":${abortable}`);
}

const EMPTY = Buffer.alloc(0);
const END = Buffer.from('}\n');
/** For clients of this program, who ask the next daemon. */
const NOT_SENT = Buffer.from(',"not_sent":true');
const EXTRA = Buffer.from(',"extra":');
const DESCRIPTION = Buffer.from(',"description":');
