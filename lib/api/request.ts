/** A request and what answers it, as values: the shapes that `sendToDaemon` and `Client` share. */
import { REQUESTS } from '../commands/verbs.js';
import { MidcltError } from '../errors.js';
import { JsonText } from '../json/text.js';
import { quote, stringOf } from '../json/members.js';
import type {
  Command,
  ErrorFrame,
  Json,
  MessageType,
  ProgressFrame,
  Request,
} from '../protocol/frames.js';
import { paramsText, valueText, type Params } from './serialize.js';

/** A request of the daemon's socket; docs/PROTOCOL.md has its members. */
export interface DaemonRequest {
  readonly command: Command;
  /** For `call`: the method's name. */
  readonly method?: string | undefined;
  /** For `call`; none is `[]`. */
  readonly params?: Params | undefined;
  /** For `call`. `timeout` is in seconds; null waits for ever, none is the daemon's default. */
  readonly kwargs?:
    | { readonly timeout?: number | null | undefined; readonly job?: boolean | undefined }
    | undefined;
  /** For `ping`: seconds; null waits for ever. */
  readonly timeout?: number | null | undefined;
}

/** How a job gets on. */
export interface Progress {
  /** 0 to 100, as far as the job says; null if it doesn't. */
  readonly percent: number | null;
  readonly description: string | null;
  /** `WAITING`, `RUNNING`, `SUCCESS`, `FAILED` or `ABORTED`. */
  readonly state: string;
  /** The job's number, for `core.job_abort` and the like; null from a daemon that does not tell it. */
  readonly jobId: number | null;
}

export type ProgressCallback = (progress: Progress) => void;

/** The final frame of an answer, with the members it has on the socket. */
export type DaemonResponse =
  | { readonly type: typeof MessageType.RESULT; readonly result: JsonText }
  | {
      readonly type: typeof MessageType.ERROR;
      readonly error: string;
      /** `ClientException` for what the middleware answered; docs/PROTOCOL.md has the others. */
      readonly error_type: string;
      readonly trace: JsonText | null;
      readonly extra: JsonText | null;
    };

/**
 * The line of a request and what the daemon will read in it: everything is checked before anything
 * is sent. Throws a `REQUEST` error.
 */
export function encodeRequest(request: DaemonRequest): { line: string; request: Request } {
  const untyped = request as Partial<DaemonRequest> | null | undefined; // callers without types
  if (typeof untyped?.command !== 'string') {
    throw new MidcltError('REQUEST', "A request is an object with a 'command'");
  }
  const { command, method, params, kwargs, timeout } = request;
  const members = [`"command":${quote(command)}`];
  if (method !== undefined) members.push(`"method":${valueText(method, 'method')}`);
  if (params !== undefined) members.push(`"params":${paramsText(params)}`);
  if (kwargs !== undefined) members.push(`"kwargs":${valueText(given(kwargs), 'kwargs')}`);
  if (timeout !== undefined) members.push(`"timeout":${valueText(timeout, 'timeout')}`);
  const line = `{${members.join(',')},"close":true,"job_id":true}`;
  const parsed = REQUESTS.parse(Buffer.from(line));
  if (!parsed.request) throw parsed.error;
  return { line: `${line}\n`, request: parsed.request };
}

export function progressOf({ percent, description, state, jobId }: ProgressFrame): Progress {
  const word = percent.toString('latin1');
  const number = /^-?\d/.test(word) ? Number(word) : null;
  return { percent: number, description: stringOf(description), state, jobId };
}

export function jsonText(text: Json): JsonText {
  return new JsonText(text.toString());
}

export function errorResponse({ error, errorType, trace, extra }: ErrorFrame): DaemonResponse {
  return {
    type: 'error',
    error,
    error_type: errorType,
    trace: trace && jsonText(trace),
    extra: extra && jsonText(extra),
  };
}

/** Without members that are undefined. */
function given(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
