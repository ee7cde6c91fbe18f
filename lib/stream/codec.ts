/**
 * Lines to requests and frames to bytes.
 *
 * Lines travel as latin1 strings between socket and parser: one character a byte, so that what
 * split2 hands on is what came, also where it is no valid UTF-8.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { asMidcltError, type MidcltError } from '../errors.js';
import { NULL, onOneLine, quote } from '../json/members.js';
import {
  ERROR_ENDS,
  MessageType,
  VERSION,
  isFinal,
  type ErrorFrame,
  type Frame,
  type Json,
  type ProgressFrame,
  type Request,
} from '../protocol/frames.js';
import { inTurns, type Steps } from '../steps.js';
import type { Parsed, TextForm } from '../protocol/request.js';
import { answerText, shortAnswer } from '../text/answer.js';
import type { Incoming } from './verb.js';

/** Above this many bytes a payload is written as it is, not copied into one Buffer with its envelope. */
const COPY_LIMIT = 64 * 1024;

/** A frame and the `id` of the request it answers. */
export interface Outgoing {
  readonly frame: Frame;
  readonly id: Json | null;
  /** How the client wants its answer; nothing where it is not given. */
  readonly options?:
    | (Pick<Request, 'jobId' | 'version'> &
        Partial<Pick<Request, 'notSent' | 'errorCode'>> & { readonly closes?: boolean })
    | null;
  /** It is to be written as the command line prints it; else as a frame. */
  readonly text?: TextForm | null;
  /** Called when the client's socket has taken the frame. */
  readonly onTaken?: (() => void) | null;
}

/** A frame's line, in pieces. */
export interface EncodedFrame {
  /** Long ones are made as they are asked for; null is where others may have their turn. */
  readonly pieces: Iterable<Buffer | null>;
  readonly onTaken: (() => void) | null;
}

/** What reads lines: a table of verbs. */
interface Requests {
  reading(line: Buffer): Steps<Parsed<unknown>>;
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
  constructor(
    private readonly requests: Requests,
    private readonly hooks: ParseHooks | null = null,
  ) {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _transform(line: string, _encoding: BufferEncoding, done: TransformCallback): void {
    // It counts from here: the connection may go in the midst of reading it.
    this.hooks?.onRequest();
    inTurns(this.requests.reading(Buffer.from(line, 'latin1')), (incoming) => {
      this.push(incoming);
      done();
    });
  }

  override _flush(done: TransformCallback): void {
    const error = this.hooks?.failure();
    if (error) {
      this.hooks?.onRequest();
      this.push({ request: null, id: null, error, closes: true } satisfies Incoming);
    }
    done();
  }
}

/** An {@link Outgoing} to its line. Members come in the order `type`, `id`, the rest, `result` last. */
export class Stringify extends Transform {
  constructor() {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _transform(out: Outgoing, _encoding: BufferEncoding, done: TransformCallback): void {
    const frame = { pieces: piecesOf(out), onTaken: out.onTaken ?? null };
    done(null, frame satisfies EncodedFrame);
  }
}

/** As {@link encodeFrame}, but what takes long is made piece by piece. */
function piecesOf(out: Outgoing): EncodedFrame['pieces'] {
  const { frame, text } = out;
  if (text) return text.sized ? sizedText(out, text) : answerText(frame, text);
  const payload = payloadOf(frame);
  if (payload && payload.length > COPY_LIMIT) return largePayload(out, payload);
  const isLong = frame.type === MessageType.ERROR && frame.error.length > QUOTED_AT_ONCE;
  return isLong ? longError(out, frame) : encodeFrame(out);
}

/** What the last member has, of a frame whose last member is named for its type. */
function payloadOf(frame: Frame): Json | null {
  if (frame.type === MessageType.RESULT) return frame.result;
  return frame.type === MessageType.EVENT ? frame.event : null;
}

/** With a payload whose newlines, if it has any, are not to be looked for in one turn. */
function* largePayload(out: Outgoing, payload: Json): Generator<Buffer> {
  yield Buffer.from(`${headOf(out)},"${out.frame.type}":`);
  for (let at = 0; at < payload.length; at += COPY_LIMIT)
    yield onOneLine(payload.subarray(at, at + COPY_LIMIT));
  yield END;
}

/** A long answer, and one that the next daemon is to be asked for, stays a frame. */
function* sizedText(out: Outgoing, form: TextForm): Generator<Buffer | null> {
  const { frame } = out;
  if (frame.type === MessageType.PROGRESS || frame.type === MessageType.EVENT) {
    yield READ;
    return;
  }
  const isFrame = frame.type === MessageType.ERROR && frame.isNotSent;
  const text = isFrame ? null : yield* shortAnswer(frame, form);
  if (text) {
    yield text;
    return;
  }
  if (!isFrame) yield LONG;
  yield* piecesOf({ ...out, text: null });
}

/** With a text so long that to quote it would hold up everybody. */
function* longError(out: Outgoing, frame: ErrorFrame): Generator<Buffer> {
  const line = Buffer.concat(encodeFrame({ ...out, frame: { ...frame, error: '' } }));
  const at = Buffer.byteLength(`${headOf(out)},"error":"`);
  yield line.subarray(0, at);
  for (let from = 0; from < frame.error.length; from += QUOTED_AT_ONCE) {
    const slice = frame.error.slice(from, from + QUOTED_AT_ONCE);
    yield Buffer.from(quote(slice).slice(1, -1));
  }
  yield line.subarray(at);
}

/** Characters. */
const QUOTED_AT_ONCE = 64 * 1024;

/** A frame's line in as few pieces as possible without copying a large payload. */
export function encodeFrame(out: Outgoing): Buffer[] {
  const { frame, options, text } = out;
  if (text) return [...piecesOf(out)].filter((piece) => piece !== null);
  const head = headOf(out);
  switch (frame.type) {
    case MessageType.RESULT:
    case MessageType.EVENT: {
      const payload = payloadOf(frame);
      if (!payload) return [Buffer.from(`${head},"gap":true}\n`)];
      const pieces = [Buffer.from(`${head},"${frame.type}":`), onOneLine(payload), END];
      return payload.length > COPY_LIMIT ? pieces : [Buffer.concat(pieces)];
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
          options?.notSent && frame.cause && asMidcltError(frame.cause).outcomeUnknown
            ? UNKNOWN_OUTCOME
            : EMPTY,
          options?.errorCode && frame.cause
            ? Buffer.from(`,"code":"${asMidcltError(frame.cause).code}"`)
            : EMPTY,
          options?.closes ? CLOSES : EMPTY,
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

/** What all frames begin with. */
function headOf({ frame, id, options }: Outgoing): string {
  const isOther = isFinal(frame.type) && (options?.version ?? VERSION) !== VERSION;
  const version = isOther ? `,"daemon":"${VERSION}"` : '';
  return `{"type":"${frame.type}"${id ? `,"id":${id.toString()}` : ''}${version}`;
}

const EMPTY = Buffer.alloc(0);
/** Before a sized text: the request has been read. */
const READ = Buffer.from('\n');
/** In the place of a sized text that would be long: a frame follows. */
const LONG = Buffer.from('frame\n');
const END = Buffer.from('}\n');
/** For clients of this program, who ask the next daemon. */
const NOT_SENT = Buffer.from(',"not_sent":true');
const CLOSES = Buffer.from(ERROR_ENDS.CLOSES);
const UNKNOWN_OUTCOME = Buffer.from(ERROR_ENDS.UNKNOWN);
const EXTRA = Buffer.from(',"extra":');
const DESCRIPTION = Buffer.from(',"description":');
