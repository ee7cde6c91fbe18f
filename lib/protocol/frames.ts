/**
 * The wire of the Unix socket: one JSON document a line, requests in, frames out. And the limits.
 *
 * Payloads are never parsed whole. Wherever a member carries a value of the middleware's own
 * (`params`, `result`, `trace`, `extra`, a job's `percent` and `description`) its type here is
 * {@link Json}: the bytes of one JSON value as they came.
 */
import { MidcltError, asMidcltError, publicText } from '../errors.js';
import type { Json } from '../json/scan.js';

export type { Json } from '../json/scan.js';

/** This program's version; a test holds it to the package's. */
export const VERSION = '0.1.0';

/** Whether a version is older than another, by the three numbers. A text without them is no version of this program. */
export function isOlder(version: string, than: string): boolean {
  const numbers = (text: string) => (/^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [one, other] = [numbers(version), numbers(than)];
  const first = one.findIndex((number, i) => number !== other[i]);
  return first !== -1 && (one[first] ?? 0) < (other[first] ?? 0);
}

/** Counts the changes of the wire that an older daemon could take for something else. */
export const PROTOCOL = 1;

/** The values of a frame's `type`. */
export const MessageType = {
  PROGRESS: 'progress',
  RESULT: 'result',
  ERROR: 'error',
  EVENT: 'event',
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** Does a frame of this type end the answer to a request? */
export function isFinal(type: MessageType): boolean {
  return type === MessageType.RESULT || type === MessageType.ERROR;
}

/** With what the frame of an error ends where there is more to say of it. Readers look at its last bytes alone. */
export const ERROR_ENDS = {
  /** Nobody knows whether the request was run. For who asks for `not_sent`. */
  UNKNOWN: ',"outcome":"unknown"',
  /** The daemon closes the connection behind it. */
  CLOSES: ',"close":true',
} as const;

/** The values of a request's `command`. */
export const Command = {
  PING: 'ping',
  CALL: 'call',
  STOP: 'stop',
  STATUS: 'status',
  SUBSCRIBE: 'subscribe',
  FOLLOW: 'follow',
  /** As `midclt call` and `midclt ping` would: for shells, which have no JSON. */
  CLI_CALL: 'cli-call',
  CLI_PING: 'cli-ping',
} as const;
export type Command = (typeof Command)[keyof typeof Command];

/** A timeout in seconds; null waits without end, undefined means the default. */
export type Timeout = number | null | undefined;

/**
 * What every request may have, whatever it asks for; the members of its verb stand beside these. `command` may
 * name a verb that does not exist.
 */
export interface Request {
  readonly command: string;
  /** Echoed in every frame of the answer, verbatim. */
  readonly id: Json | null;
  /** End the connection after this request's final frame. */
  readonly close: boolean;
  /** Do not end the connection when requests stop coming. */
  readonly keep: boolean;
  /** Progress frames carry the job's id. */
  readonly jobId: boolean;
  /** The error frame of a daemon that has not sent the request on, because it is going, says so. */
  readonly notSent: boolean;
  /** The error frame names what went wrong by this program's code. */
  readonly errorCode: boolean;
  /** The client's version; the final frame of a daemon of another carries the daemon's. */
  readonly version: string | null;
  /** The client does without a verified certificate, or does not; null: it does not say. */
  readonly insecure: boolean | null;
}

export interface ResultFrame {
  readonly type: typeof MessageType.RESULT;
  readonly result: Json;
}

export interface ErrorFrame {
  readonly type: typeof MessageType.ERROR;
  readonly error: string;
  /** `ClientException` for what the middleware answered, else the class of what went wrong. */
  readonly errorType: string;
  readonly trace: Json | null;
  readonly extra: Json | null;
  /** The daemon is going, and has not sent the request on. */
  readonly isNotSent?: boolean;
  /** As a daemon has told it, to who asked. */
  readonly code?: string | null;
  /** A daemon has told, to who asked, that the call may have been run and nobody knows what came of it. */
  readonly isOutcomeUnknown?: boolean;
  /** What the frame was made of, where that happened in this process; not on the wire. */
  readonly cause?: Error;
}

export interface ProgressFrame {
  readonly type: typeof MessageType.PROGRESS;
  readonly percent: Json;
  readonly description: Json;
  readonly state: string;
  /** The job's id, if it is known. On the wire for who asked for it. */
  readonly jobId: number | null;
  /** Can the job be aborted? Goes with its id, where the server has told. */
  readonly abortable?: boolean | null;
}

/** What a subscriber is told. */
export interface EventFrame {
  readonly type: typeof MessageType.EVENT;
  /** The `params` of a notification; null: events were missed (`"gap":true` on the wire). */
  readonly event: Json | null;
}

/** Exactly one result or error frame ends the answer to a request; progress and event frames may precede it. */
export type FinalFrame = ResultFrame | ErrorFrame;
export type Frame = FinalFrame | ProgressFrame | EventFrame;

/** The longest request line taken, in characters: the middleware's own largest message and room for the envelope. */
export const MAX_REQUEST_LINE = 2 * 1024 * 1024 + 4 * 1024;

/** And in bytes, for the middleware takes no message of 4 MiB, however few characters that are. */
export const MAX_REQUEST_BYTES = 2 * MAX_REQUEST_LINE;

/** Seconds from a line's first byte in which the whole of it must come. */
export const LINE_TIMEOUT = 30;

/** Mebibytes that requests held and results unread may take, of all connections together. */
export const DEFAULT_MEMORY = 512;

/** Connections a daemon serves at once. */
export const DEFAULT_MAX_CONNECTIONS = 1024;

/**
 * Calls sent to the middleware at once. It runs ten a connection and refuses the 21st; two of
 * the ten stay free for pings and look-ups.
 */
export const DEFAULT_CONCURRENCY = 8;
export const RESERVED_CONCURRENCY = 2;

/**
 * Of those, calls that may start a job. While five jobs wait in the server's queue it merges a sixth into
 * the fifth, and never runs it.
 */
export const JOB_CONCURRENCY = 4;

/** Seconds something waits until it can be sent, if its own timeout is not longer; a failover takes up to 110. */
export const PATIENCE = 120;

/** Seconds for a ping, from its turn to its answer, unless it names others. */
export const PING_TIMEOUT = 10;

/** Seconds until an unanswered call is given up, unless it or `CALL_TIMEOUT` says otherwise. */
export const DEFAULT_CALL_TIMEOUT = 60;

/** Seconds a connection without open requests is kept after its last input. */
export const DEFAULT_LINGER = 1;

/** Seconds without work after which the daemon ends; 0 means never. */
export const DEFAULT_LIFETIME = 600;

/** Seconds a full backlog of the daemon's socket is tried again before that is an error. */
export const DAEMON_CONNECT_TIMEOUT = 5;

/** The mode of the daemon's socket, from its first instant. */
export const SOCKET_PERMISSIONS = 0o600;

/** An error as the frame that tells it; `where` as {@link publicText} has it. */
export function errorFrame(thrown: unknown, where?: string): ErrorFrame {
  const cause = asMidcltError(thrown);
  const { errorType, trace, extra } = cause;
  return {
    type: MessageType.ERROR,
    error: publicText(cause, where),
    errorType,
    trace: trace && Buffer.from(trace.text),
    extra: extra && Buffer.from(extra.text),
    isNotSent: cause.code === 'SHUTDOWN',
    cause,
  };
}

/** Characters (Python counts code points) of one message to the middleware, which closes the connection for a longer one. */
export const MAX_MESSAGE = 65_536;
const MAX_UPLOAD = 2_097_152;
const UPLOADS = new Set(['filesystem.file_receive', 'failover.datastore.sql']);

/** Files that the middleware takes with one job. */
export const MAX_FILES = 5;

/** The characters that a call of this method may have, from who is logged in. */
export function messageLimit(method: string): number {
  return UPLOADS.has(method) ? MAX_UPLOAD : MAX_MESSAGE;
}

/** Bytes of one message that it takes, however few characters they are. */
const MAX_BYTES = 4 * 1024 * 1024 - 1;

/** Throws a `REQUEST` error for a text of more than `limit` characters, or more bytes than any may have. `where` goes into it. */
export function checkLength(text: Buffer, method: string, limit: number, where = ''): void {
  if (text.length <= limit) return;
  const size = characters(text);
  if (size > limit) throw tooLong(size, method, limit, where);
  if (text.length > MAX_BYTES) {
    throw new MidcltError(
      'REQUEST',
      `Request of ${text.length} bytes for ${method.slice(0, 100)}; the middleware takes ${MAX_BYTES}`,
    );
  }
}

export function tooLong(size: number, method: string, limit: number, where = ''): MidcltError {
  return new MidcltError(
    'REQUEST',
    `Request of ${size} characters for ${method.slice(0, 100)}${where}; the middleware takes ${limit}`,
  );
}

/** Code points of valid UTF-8: the bytes that are no continuation. */
export function characters(text: Buffer): number {
  let count = 0;
  // Not with an iterator: that takes five times as long.
  for (let at = 0; at < text.length; at++) if (((text[at] ?? 0) & 0xc0) !== 0x80) count++;
  return count;
}
