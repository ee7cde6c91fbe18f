/** One line of the Unix socket, as a request; all of it is checked before any of it is sent on. */
import { isUtf8 } from 'node:buffer';
import { OPEN_BRACKET } from './ascii.js';
import { MidcltError } from './errors.js';
import { checkObject, JsonError } from './json.js';
import { elementsOf, EMPTY_LIST, integerOf, isNull, membersOf, NULL, stringOf } from './members.js';
import {
  Command,
  MAX_REQUEST_LINE,
  PROTOCOL,
  VERSION,
  type Json,
  type Request,
  type Timeout,
} from './protocol.js';
import { argumentText } from './text/argument.js';

/** Throws a `REQUEST` error that says what is wrong with the line. */
export function parseRequest(line: Buffer): Request {
  if (line.length > MAX_REQUEST_LINE) {
    throw malformed(`Request line longer than ${MAX_REQUEST_LINE} bytes`, 'ValueError');
  }
  if (!isUtf8(line)) throw malformed('Request is not valid UTF-8', 'UnicodeDecodeError');
  const members = checked(line);
  const command = stringOf(members.get('command'));
  if (command === null)
    throw malformed("Request has no 'command'; it must be a string", 'KeyError');
  const kwargs = kwargsOf(members.get('kwargs'));
  checkProtocol(members.get('protocol'));
  return {
    command,
    id: members.get('id') ?? null,
    method: methodOf(members.get('method')),
    params: members.has('args') ? argsOf(members.get('args')) : paramsOf(members.get('params')),
    kwargs,
    timeout: timeoutOf(members.get('timeout'), 'timeout'),
    close: flagOf(members.get('close'), 'close'),
    keep: flagOf(members.get('keep'), 'keep'),
    jobId: flagOf(members.get('job_id'), 'job_id'),
    notSent: flagOf(members.get('not_sent'), 'not_sent'),
    version: stringOf(members.get('version')),
    ifIdle: flagOf(members.get('if_idle'), 'if_idle'),
    text: textOf(command, members.get('terminal')),
  };
}

/**
 * The `id` of a line that is no valid request otherwise, so that its error frame can carry it.
 * Null where the line is not even an object.
 */
export function idOfRejected(line: Buffer): Json | null {
  if (line.length > MAX_REQUEST_LINE) return null;
  try {
    return checkObject(line)?.get('id') ?? null;
  } catch {
    return null;
  }
}

function checked(line: Buffer): Map<string, Json> {
  try {
    const members = checkObject(line);
    if (members) return members;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw malformed(`Request is not valid JSON: ${error.message}`, error.name);
  }
  throw malformed('Request is not a JSON object', 'TypeError');
}

function methodOf(text: Json | undefined): string | null {
  if (isNull(text)) return null;
  const method = stringOf(text);
  if (method === null) throw malformed("'method' must be a string", 'TypeError');
  return method;
}

function paramsOf(text: Json | undefined): Json {
  if (!text || text.equals(NULL)) return EMPTY_LIST;
  if (text[0] !== OPEN_BRACKET) throw malformed("'params' must be an array", 'TypeError');
  return text;
}

/** Strings as typed, each of which is JSON or else a string. */
function argsOf(text: Json | undefined): Json {
  const args = elementsOf(text)?.map((each) => stringOf(each));
  const typed = args?.filter((each) => each !== null) ?? [];
  if (!args || typed.length < args.length) {
    throw malformed("'args' must be an array of strings", 'TypeError');
  }
  return Buffer.from(`[${typed.map(argumentText).join(', ')}]`);
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
  const word = text.toString('latin1');
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
  const word = isNull(text) ? 'false' : text?.toString('latin1');
  if (word !== 'true' && word !== 'false')
    throw malformed(`'${name}' must be true or false`, 'TypeError');
  return word === 'true';
}

function malformed(message: string, errorType: string): MidcltError {
  return new MidcltError('REQUEST', message, { errorType });
}
