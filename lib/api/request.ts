/** A request and what answers it, as values, and values as the middleware's JSON: Python's, with `$date` and `$set`. */
import { types } from 'node:util';
import { REQUESTS } from '../commands/verbs.js';
import { MidcltError } from '../errors.js';
import { JsonError, MAX_DEPTH, checkValue } from '../json/check.js';
import { onOneLine, quote, stringOf } from '../json/members.js';
import { JsonText, withoutHalves } from '../json/text.js';
import type {
  Command,
  ErrorFrame,
  Json,
  MessageType,
  ProgressFrame,
  Request,
} from '../protocol/frames.js';

/** A request of the daemon's socket; docs/PROTOCOL.md has its members. */
export interface DaemonRequest {
  readonly command: Command;
  /** For `call`: the method's name. */
  readonly method?: string | undefined;
  /** For `call`; none is `[]`. */
  readonly params?: Params | undefined;
  /** For `call`. `timeout` is in seconds; null waits for ever, none is the daemon's default. */
  readonly kwargs?:
    | {
        readonly timeout?: number | null | undefined;
        readonly job?: boolean | undefined;
        readonly detach?: boolean | undefined;
      }
    | undefined;
  /** For `ping`, `follow` and `subscribe`: seconds; null waits for ever. */
  readonly timeout?: number | null | undefined;
  /** For `follow`: the job's id. */
  readonly job?: number | undefined;
  /** For `subscribe`. */
  readonly event?: string | undefined;
  /** For `subscribe`: end after so many events. */
  readonly number?: number | undefined;
  /** Have the error frame name the error's code. */
  readonly error_code?: boolean | undefined;
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
 * is sent. Throws a `REQUEST` error. `more` are members, each with a comma before it.
 */
export function encodeRequest(
  request: DaemonRequest,
  more = '',
): { line: string; request: Request } {
  const untyped = request as Partial<DaemonRequest> | null | undefined; // callers without types
  if (typeof untyped?.command !== 'string') {
    throw new MidcltError('REQUEST', "A request is an object with a 'command'");
  }
  const { command, method, params, kwargs, timeout, job, event, number, error_code } = request;
  const members = [`"command":${quote(command)}`];
  if (method !== undefined) members.push(`"method":${valueText(method, 'method')}`);
  if (params !== undefined) members.push(`"params":${paramsText(params)}`);
  if (kwargs !== undefined) members.push(`"kwargs":${valueText(given(kwargs), 'kwargs')}`);
  for (const [name, value] of Object.entries({ timeout, job, event, number, error_code })) {
    if (value !== undefined) members.push(`"${name}":${valueText(value, name)}`);
  }
  const line = `{${members.join(',')},"close":true,"job_id":true${more}}`;
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

/**
 * The parameters of a call: an array of JavaScript values, or the text of a JSON array.
 *
 * Values may be null, booleans, strings, numbers (also NaN and infinities, as Python writes them),
 * BigInt (an integer of any size), Date (`{"$date": milliseconds}`), Set (`{"$set": [...]}`),
 * {@link JsonText} (its own text), arrays and plain objects of these. Anything else is refused, and
 * so is undefined: it would be lost without a word.
 */
export type Params = readonly unknown[] | { readonly json: string };

/** On one line. Throws a `REQUEST` error that says where the value is that can't be sent. */
export function paramsText(params: Params): string {
  const given: unknown = params; // JavaScript callers have no types
  if (typeof given !== 'object' || given === null) {
    throw refused("'params' must be an array, or { json: '[…]' }");
  }
  const text = 'json' in params ? checked(params.json, 'params') : valueText(params, 'params', 0);
  if (text.startsWith('[')) return text;
  throw refused("'params' must be an array, or { json: '[…]' }");
}

/** The JSON text of one value; `at` is where it stands, for errors. */
function valueText(value: unknown, at: string, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      return Object.is(value, -0) ? '-0.0' : String(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? 'null' : objectText(value, at, depth);
    default:
      throw refused(`${at} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`);
  }
}

function objectText(value: object, at: string, depth: number): string {
  if (depth > MAX_DEPTH) throw refused(`${at.slice(0, 100)} is nested too deeply, or in itself`);
  if (value instanceof JsonText) return checked(value.text, at);
  if (types.isDate(value)) {
    const milliseconds = value.getTime();
    if (Number.isNaN(milliseconds)) throw refused(`${at} is an invalid Date`);
    return `{"$date": ${milliseconds}}`;
  }
  if (types.isSet(value)) return `{"$set": ${listText([...value], at, depth)}}`;
  if (Array.isArray(value)) return listText(value, at, depth);
  if (!isPlain(value)) {
    const { constructor } = value as { constructor?: { name?: string } };
    throw refused(`${at} is a ${constructor?.name ?? 'strange object'}`);
  }
  const members = Object.entries(value).map(
    ([key, member]) => `${quote(key)}: ${valueText(member, `${at}.${key}`, depth + 1)}`,
  );
  return `{${members.join(', ')}}`;
}

function listText(list: readonly unknown[], at: string, depth: number): string {
  const texts = Array.from(list, (element, i) => valueText(element, `${at}[${i}]`, depth + 1));
  return `[${texts.join(', ')}]`;
}

/** Made by a literal, also in another context (as test runners have them), or without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A text that must be one JSON value by Python's rules; a lone surrogate is escaped. */
function checked(json: string, at: string): string {
  const text = Buffer.from(withoutHalves(json));
  try {
    checkValue(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw refused(`${at} is not valid JSON: ${error.message}`);
  }
  return onOneLine(text).toString().trim();
}

function refused(message: string): MidcltError {
  return new MidcltError('REQUEST', `Cannot send this: ${message}`, { errorType: 'TypeError' });
}
