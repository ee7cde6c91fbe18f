import { JsonText } from './json/text.js';
import type { Json } from './json/scan.js';

/** What went wrong, for code to match on; the message is for people. */
export type ErrorCode =
  | 'CALL' // the middleware answered with an error
  | 'TIMEOUT' // no answer in time
  | 'LOST' // the connection dropped after the call was sent: its outcome is unknown
  | 'CLOSED' // the connection is gone and the call was not sent
  | 'CONNECT' // no WebSocket to the middleware
  | 'LOGIN' // the middleware refused the credential
  | 'PROTOCOL' // the peer broke its protocol
  | 'REQUEST' // the request itself is wrong
  | 'SHUTDOWN' // the daemon is going
  | 'BUSY' // the daemon has no room for more: connections, or unfinished requests
  | 'NO_DAEMON' // nothing listens on the socket
  | 'HUNG' // a daemon is there, and shows no sign of life
  | 'RUNNING' // another daemon does
  | 'TOO_LONG' // a result that no string can hold
  | 'BROKEN_PIPE' // nobody reads the output any more
  | 'FILES'; // a path that can't be made, read, written or trusted

interface Details {
  /** Class name on the wire; see `ErrorFrame`. */
  errorType?: string;
  trace?: Json | null;
  extra?: Json | null;
  cause?: unknown;
  /** Where it is not what its code says. */
  outcomeUnknown?: boolean;
}

/** After these the call may have been run, and nobody knows what came of it, unless the error says otherwise. */
const UNKNOWN_OUTCOMES: readonly ErrorCode[] = ['LOST', 'TIMEOUT', 'PROTOCOL', 'HUNG'];

/** The class names that go over the wire as `error_type`, where it isn't the middleware's own answer. */
const ERROR_TYPES: Partial<Record<ErrorCode, string>> = {
  CALL: 'ClientException',
  TIMEOUT: 'ClientException',
  LOST: 'ClientException',
  CLOSED: 'ClientException',
  SHUTDOWN: 'ClientException',
  BUSY: 'ClientException',
  CONNECT: 'ClientException',
  LOGIN: 'ClientException',
  PROTOCOL: 'ClientException',
  REQUEST: 'ValueError',
};

/** Every error this program raises on purpose. Match `code`, never the message. */
export class MidcltError extends Error {
  readonly code: ErrorCode;
  /** The class name that goes over the wire; `ClientException` for what the middleware answered. */
  readonly errorType: string;
  /** The server's traceback, `{"class": …, "formatted": …, …}`, if it sent one. */
  readonly trace: JsonText | null;
  /** What the server added to its error, if anything. */
  readonly extra: JsonText | null;
  /** Whether the call may have been run, and nobody knows what came of it: to make it again may do it twice. */
  readonly outcomeUnknown: boolean;

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'MidcltError';
    this.code = code;
    this.errorType = details.errorType ?? ERROR_TYPES[code] ?? 'RuntimeError';
    this.trace = details.trace ? new JsonText(details.trace.toString()) : null;
    this.extra = details.extra ? new JsonText(details.extra.toString()) : null;
    this.outcomeUnknown = details.outcomeUnknown ?? UNKNOWN_OUTCOMES.includes(code);
  }
}

/** True for our own errors, also those made by another copy of this module (the bundles have one each). */
export function isMidcltError(error: unknown): error is MidcltError {
  return error instanceof Error && error.name === 'MidcltError' && 'code' in error;
}

/** The same error, with one more sentence that tells what it means for what was to be done. */
export function followedBy({ code, message, cause }: MidcltError, sentence: string): MidcltError {
  const end = /[.?]$/.test(message) ? '' : '.';
  return new MidcltError(code, `${message}${end} ${sentence}`, { cause });
}

/** Whether the connection to the middleware was lost, before or after what was to be sent, and nothing refused. */
export function isLost(error: unknown): boolean {
  return isMidcltError(error) && (error.code === 'LOST' || error.code === 'CLOSED');
}

/** Anything thrown, as one of ours. A stranger keeps its class name on the wire. */
export function asMidcltError(thrown: unknown): MidcltError {
  if (isMidcltError(thrown)) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new MidcltError('PROTOCOL', error.message, { errorType: error.name, cause: error });
}

/** The reason of an aborted signal, for streams, which fail with errors only: a reason may be anything. */
export function reasonOf({ reason }: AbortSignal): Error {
  if (reason instanceof Error) return reason;
  const words = typeof reason === 'string' ? `: ${reason}` : '';
  return new Error(`It was given up${words}`, { cause: reason });
}

/** Classes of errors that are mistakes in this program: their texts say nothing to its users. */
export const MISTAKES: readonly string[] = [
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'EvalError',
];

/** The error that this one was made of, where it says the same. */
export function originOf(error: Error): Error {
  const { cause } = error;
  return cause instanceof Error && cause.message === error.message ? cause : error;
}

/** The exit code of a mistake in this program: EX_SOFTWARE of sysexits.h. */
export const MISTAKE = 70;

/** Is it a mistake in this program, whatever it was made into since? */
export function isMistake(thrown: unknown): boolean {
  return thrown instanceof Error && MISTAKES.includes(originOf(thrown).name);
}

/** Says nothing of what it was, since an error's text may quote anything. `where` tells how to see that. */
export function mistakeText({ name }: Error, where = 'MIDCLT_DEBUG=1 shows where'): string {
  return `This is a mistake of midclt itself (${name}). ${where}; please report it`;
}

/** What to say of anything thrown: what it says itself, unless that is a mistake's text or a system error's. */
export function publicText(thrown: unknown, where?: string): string {
  const origin = originOf(thrown instanceof Error ? thrown : new Error(String(thrown)));
  if (isMistake(origin)) return mistakeText(origin, where);
  return isMidcltError(origin) ? origin.message : systemReason(origin);
}

/** What becomes of a request whose client has gone before it was sent. */
export function abandoned(): MidcltError {
  return new MidcltError('CLOSED', 'The client went away; the request was not sent');
}

/** What a request gets that was not sent before the daemon was to go. */
export function shuttingDown(): MidcltError {
  return new MidcltError('SHUTDOWN', 'The daemon is shutting down; the request was not sent');
}

/** Why something takes no more: `FILES`, or `BROKEN_PIPE` where its reader has gone, about which there is nothing to say. */
export function unwritable(what: string, error: unknown): MidcltError {
  const isUnread = (error as NodeJS.ErrnoException).code === 'EPIPE';
  if (isUnread) return new MidcltError('BROKEN_PIPE', 'Nobody reads the output', { cause: error });
  const text = `Cannot write ${what || "''"}: ${systemReason(error)}`;
  return new MidcltError('FILES', text, { cause: error });
}

/** A system error in words: `permission denied (EACCES)`, without the call and path that Node repeats. */
export function systemReason(error: unknown): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (code === undefined && MISTAKES.includes(name)) return `a mistake of midclt itself (${name})`;
  // `EACCES: permission denied, open '/x'`, or `connect ECONNREFUSED 127.0.0.1:1`
  const [, system] = /^[A-Z][A-Z0-9]+: (.*?)(?:, \w+(?: .*)?)?$/.exec(message) ?? [];
  // `80DC…:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../deps/…` and a newline, of OpenSSL
  const [, openSsl] = /\berror:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(message) ?? [];
  const words = openSsl ?? system ?? message;
  if (code === undefined) return words;
  return words.includes(code) ? (WORDS[code] ?? code) : `${words} (${code})`;
}

/** For errors of sockets, whose messages have no words. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused (ECONNREFUSED)',
  ECONNRESET: 'connection reset (ECONNRESET)',
  EPIPE: 'closed by the other side (EPIPE)',
  EACCES: 'permission denied (EACCES)',
  EADDRINUSE: 'already in use (EADDRINUSE)',
  EMFILE: "too many open files (EMFILE; see 'ulimit -n')",
  ENOENT: 'no such file (ENOENT)',
  ENOTFOUND: 'no such host (ENOTFOUND)',
  EAI_AGAIN: 'the host name cannot be looked up now (EAI_AGAIN)',
  ETIMEDOUT: 'no answer (ETIMEDOUT)',
  EHOSTUNREACH: 'no route to the host (EHOSTUNREACH)',
  ENETUNREACH: 'no route to the network (ENETUNREACH)',
};

/**
 * A word as a shell reads it, for commands that are told to be typed. With backslashes: such a command
 * stands between quotes already.
 */
export function shellWord(word: string): string {
  if (word === '' || /\p{Cc}/u.test(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  return word.replace(/[^\p{L}\p{N}\w@%+=:,./-]/gu, (character) => `\\${character}`);
}
