/** One line of the Unix socket, as a request; all of it is checked before any of it is sent on. */
import { isUtf8 } from 'node:buffer';
import { OPEN_BRACKET } from '../json/ascii.js';
import { asMidcltError, MidcltError } from '../errors.js';
import { checkingObject, checkValue, JsonError, readingArgument } from '../json/check.js';
import {
  elementsOf,
  EMPTY_LIST,
  integerOf,
  isNull,
  membersOf,
  NULL,
  stringOf,
  type Members,
} from '../json/members.js';
import { characters, checkLength, MAX_MESSAGE, messageLimit, tooLong } from './message-size.js';
import {
  Command,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_LINE,
  PROTOCOL,
  VERSION,
  type Json,
  type Request,
  type Timeout,
} from './frames.js';
import { refuseUnknown } from './request-members.js';
import { atOnce, type Steps } from '../steps.js';

/** What became of one line. */
export type Incoming =
  | { readonly request: Request; readonly id: Json | null }
  | { readonly request: null; readonly id: Json | null; readonly error: MidcltError };

/** Bytes of an `id`: it comes back in every frame. */
const MAX_ID = 64 * 1024;
/** Bytes of a command, a method or a version. */
const MAX_WORD = 1000;
/** No timeout needs more digits. */
const MAX_NUMBER = 100;
/** More arguments are too long a message, whatever they are: each takes a character, a comma and a blank. */
const MAX_ARGS = Math.floor(MAX_MESSAGE / 3);
/** The longest spelling of a character in a string, `\uXXXX`. */
const LONGEST_SPELLING = 6;

/** Throws a `REQUEST` error that says what is wrong with the line. */
export function parseRequest(line: Buffer): Request {
  const incoming = atOnce(readingRequest(line));
  if (incoming.request === null) throw incoming.error;
  return incoming.request;
}

/**
 * The request of a line, in steps. Never throws: what is wrong with the line is in what it returns, with
 * the line's `id`, so that its error frame can carry it; null where it is no valid object.
 */
export function* readingRequest(line: Buffer): Steps<Incoming> {
  let members: Members | null = null;
  try {
    checkLine(line);
    if (line.length > MAX_MESSAGE) {
      // What is too long whatever it says is not read through.
      members = membersOf(line);
      checkSize(members);
      members = null; // they are not checked yet
      yield;
    }
    members = yield* checkedMembers(line);
    if (!isUtf8(line)) throw malformed('Request is not valid UTF-8', 'UnicodeDecodeError');
    if (!members) throw malformed('Request is not a JSON object', 'TypeError');
    const request = yield* requestOf(members);
    return { request, id: request.id };
  } catch (thrown) {
    return { request: null, id: echoOf(members?.get('id')), error: asMidcltError(thrown) };
  }
}

function checkLine(line: Buffer): void {
  if (line.length > MAX_REQUEST_BYTES) {
    throw malformed(`Request line longer than ${MAX_REQUEST_BYTES} bytes`, 'ValueError');
  }
  if (line.length > MAX_REQUEST_LINE && characters(line) > MAX_REQUEST_LINE) {
    throw malformed(`Request line longer than ${MAX_REQUEST_LINE} characters`, 'ValueError');
  }
}

/** Throws what the middleware connection would, were the request read and sent. */
function checkSize(members: Members | null): void {
  const method = wordOf(members?.get('method'), 'method') ?? '';
  const limit = messageLimit(method);
  const params = members?.get('params');
  if (params) checkLength(params, method, limit);
  const args = members?.get('args')?.length ?? 0;
  if (args > LONGEST_SPELLING * limit) throw tooLong(args, method, limit);
}

function* checkedMembers(line: Buffer): Steps<Members | null> {
  try {
    return yield* checkingObject(line);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    if (!isUtf8(line)) throw malformed('Request is not valid UTF-8', 'UnicodeDecodeError');
    throw malformed(`Request is not valid JSON: ${error.message}`, error.name);
  }
}

/** An `id` that can stand in a frame. */
function echoOf(id: Json | undefined): Json | null {
  if (!id || id.length > MAX_ID || !isUtf8(id)) return null;
  try {
    checkValue(id);
    return id;
  } catch {
    return null;
  }
}

function* requestOf(members: Members): Steps<Request> {
  checkProtocol(members.get('protocol'));
  const version = wordOf(members.get('version'), 'version');
  // A client of another version may send more than is known here, if it can do without.
  if (version === null || version === VERSION) refuseUnknown(members.keys());
  const command = wordOf(members.get('command'), 'command');
  if (command === null)
    throw malformed("Request has no 'command'; it must be a string", 'KeyError');
  const method = methodOf(members.get('method'));
  return {
    command,
    id: idOf(members.get('id')),
    method,
    params: members.has('args')
      ? yield* readingArgs(members.get('args'), method ?? '')
      : paramsOf(members.get('params')),
    kwargs: kwargsOf(members.get('kwargs')),
    timeout: timeoutOf(members.get('timeout'), 'timeout'),
    close: flagOf(members.get('close'), 'close'),
    keep: flagOf(members.get('keep'), 'keep'),
    jobId: flagOf(members.get('job_id'), 'job_id'),
    insecure: isNull(members.get('insecure')) ? null : flagOf(members.get('insecure'), 'insecure'),
    notSent: flagOf(members.get('not_sent'), 'not_sent'),
    version,
    ifIdle: flagOf(members.get('if_idle'), 'if_idle'),
    text: textOf(command, members.get('terminal')),
  };
}

function wordOf(text: Json | undefined, name: string): string | null {
  if (text && text.length > MAX_WORD) {
    throw malformed(`'${name}' is longer than ${MAX_WORD} bytes`, 'ValueError');
  }
  return stringOf(text);
}

function idOf(text: Json | undefined): Json | null {
  if (text && text.length > MAX_ID) {
    throw malformed(`'id' is longer than ${MAX_ID} bytes`, 'ValueError');
  }
  return text ?? null;
}

function methodOf(text: Json | undefined): string | null {
  if (isNull(text)) return null;
  const method = wordOf(text, 'method');
  if (method === null) throw malformed("'method' must be a string", 'TypeError');
  return method;
}

function paramsOf(text: Json | undefined): Json {
  if (!text || text.equals(NULL)) return EMPTY_LIST;
  if (text[0] !== OPEN_BRACKET) throw malformed("'params' must be an array", 'TypeError');
  return text;
}

/** Strings as typed, each of which is JSON or else a string. */
function* readingArgs(text: Json | undefined, method: string): Steps<Json> {
  if (text?.[0] !== OPEN_BRACKET) throw noArgs();
  const args = elementsOf(text, MAX_ARGS);
  if (!args) throw malformed(`More than ${MAX_ARGS} arguments`, 'ValueError');
  const limit = messageLimit(method);
  const params: string[] = [];
  let size = 0;
  for (const each of args) {
    const arg = stringOf(each);
    if (arg === null) throw noArgs();
    yield;
    const param = yield* readingArgument(arg);
    params.push(param);
    size += param.length;
    // A character may be two of JavaScript's.
    if (size > 2 * limit) throw tooLong(size, method, limit);
    yield;
  }
  return Buffer.from(`[${params.join(', ')}]`);
}

function noArgs(): MidcltError {
  return malformed("'args' must be an array of strings", 'TypeError');
}

function textOf(command: string, terminal: Json | undefined): Request['text'] {
  const isTerminal = flagOf(terminal, 'terminal');
  if (command !== Command.CLI_CALL && command !== Command.CLI_PING) return null;
  return isTerminal ? 'terminal' : 'plain';
}

function kwargsOf(text: Json | undefined): Request['kwargs'] {
  if (!text || text.equals(NULL)) return { timeout: undefined, job: false };
  const members = membersOf(text);
  if (!members) throw malformed("'kwargs' must be an object", 'TypeError');
  for (const key of members.keys()) {
    if (key !== 'timeout' && key !== 'job') {
      throw malformed(
        `Unknown member of 'kwargs': '${key.slice(0, 50)}' (known: timeout, job)`,
        'TypeError',
      );
    }
  }
  return {
    timeout: timeoutOf(members.get('timeout'), 'kwargs.timeout'),
    job: flagOf(members.get('job'), 'kwargs.job'),
  };
}

function timeoutOf(text: Json | undefined, name: string): Timeout {
  if (!text) return undefined;
  if (text.equals(NULL)) return null;
  const word = text.toString('latin1', 0, MAX_NUMBER);
  const seconds = /^[-0-9]/.test(word) ? Number(word) : word === 'Infinity' ? Infinity : NaN;
  if (!(seconds > 0)) {
    throw malformed(
      `'${name}' must be a positive number of seconds, or null for none`,
      'TypeError',
    );
  }
  return seconds === Infinity ? null : seconds;
}

/** A newer client says what it can't do without. */
function checkProtocol(text: Json | undefined): void {
  if (!text || (integerOf(text) ?? Infinity) <= PROTOCOL) return;
  throw malformed(
    `This daemon (version ${VERSION}, protocol ${PROTOCOL}) is too old for the request, which needs protocol ${text.toString('latin1', 0, 20)}. Start it again`,
    'ValueError',
  );
}

function flagOf(text: Json | undefined, name: string): boolean {
  const word = isNull(text) ? 'false' : text?.toString('latin1', 0, 'false'.length + 1);
  if (word !== 'true' && word !== 'false')
    throw malformed(`'${name}' must be true or false`, 'TypeError');
  return word === 'true';
}

function malformed(message: string, errorType: string): MidcltError {
  return new MidcltError('REQUEST', message, { errorType });
}
