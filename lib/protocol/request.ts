/**
 * One line of the Unix socket, as a request; all of it is checked before any of it is sent on. What every
 * request may have, its envelope, is read here; the members of a verb are read by the verb.
 */
import { isUtf8 } from 'node:buffer';
import { asMidcltError, type MidcltError } from '../errors.js';
import { checkingObject, checkValue, JsonError } from '../json/check.js';
import { integerOf, isNull, membersOf, type Members } from '../json/members.js';
import { atOnce, type Steps } from '../steps.js';
import {
  MAX_MESSAGE,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_LINE,
  PROTOCOL,
  VERSION,
  characters,
  type Json,
  type Request,
} from './frames.js';
import { flagOf, malformed, refuseUnknown, wordOf } from './request-members.js';

/** How an answer is written that is no frame, but what the command line prints. */
export interface TextForm {
  /** The client's stderr is a terminal. */
  readonly terminal: boolean;
  /** Its length is said before it, and that the request has been read before that. */
  readonly sized: boolean;
}

/** What the requests and answers of a verb look like on the socket. */
export interface VerbFormat<M extends object = object> {
  /** Of the members that requests of this verb have beside the envelope. */
  readonly names: readonly string[];
  /** Throws for members that are too long whatever they say: they are not read through. */
  checkSize?(members: Members): void;
  /** Throws a `REQUEST` error that says what is wrong. */
  read(members: Members): Steps<M>;
  /** The answer is what the command line prints. Without this it is a frame. */
  text?(request: Request & M): TextForm;
}

/** What became of one line. `verb` is null where the command is not known. */
export type Parsed<V> =
  | { readonly request: Request; readonly verb: V | null; readonly id: Json | null }
  | {
      readonly request: null;
      readonly id: Json | null;
      readonly error: MidcltError;
      /** It is the last of its connection, which the daemon closes. */
      readonly closes?: boolean;
    };

/** Bytes of an `id`: it comes back in every frame. */
const MAX_ID = 64 * 1024;

const ENVELOPE: readonly string[] = [
  ...['command', 'id', 'close', 'keep', 'version', 'protocol', 'job_id', 'not_sent', 'insecure'],
  'error_code',
];

/** The verbs that there are, by the commands that ask for them, and what reads a request of any. */
export class VerbTable<V extends { readonly format: VerbFormat }> {
  private readonly verbs: ReadonlyMap<string, V>;
  private readonly formats: readonly VerbFormat[];
  private readonly known: readonly string[];

  constructor(verbs: Iterable<readonly [string, V]>) {
    this.verbs = new Map(verbs);
    this.formats = [...this.verbs.values()].map(({ format }) => format);
    const names = this.formats.flatMap((format) => format.names);
    const [command = '', ...rest] = ENVELOPE;
    this.known = [...new Set([command, ...names, ...rest])];
  }

  get(command: string): V | null {
    return this.verbs.get(command) ?? null;
  }

  /** All of {@link reading} at once. */
  parse(line: Buffer): Parsed<V> {
    return atOnce(this.reading(line));
  }

  /**
   * The request of a line, in steps. Never throws: what is wrong with the line is in what it returns, with
   * the line's `id`, so that its error frame can carry it; null where it is no valid object.
   */
  *reading(line: Buffer): Steps<Parsed<V>> {
    let members: Members | null = null;
    try {
      checkLine(line);
      if (line.length > MAX_MESSAGE) {
        members = membersOf(line);
        if (members) for (const format of this.formats) format.checkSize?.(members);
        members = null; // they are not checked yet
        yield;
      }
      members = yield* checkedMembers(line);
      if (!isUtf8(line)) throw malformed('Request is not valid UTF-8', 'UnicodeDecodeError');
      if (!members) throw malformed('Request is not a JSON object', 'TypeError');
      return yield* this.readingMembers(members);
    } catch (thrown) {
      return { request: null, id: echoOf(members?.get('id')), error: asMidcltError(thrown) };
    }
  }

  private *readingMembers(members: Members): Steps<Parsed<V>> {
    checkProtocol(members.get('protocol'));
    const version = wordOf(members.get('version'), 'version');
    // A client of another version may send more than is known here, if it can do without.
    if (version === null || version === VERSION) refuseUnknown(members.keys(), this.known);
    const command = wordOf(members.get('command'), 'command');
    if (command === null) {
      throw malformed("Request has no 'command'; it must be a string", 'KeyError');
    }
    const id = idOf(members.get('id'));
    const verb = this.get(command);
    const own = verb ? yield* verb.format.read(members) : null;
    const others = namesBeside(members, verb?.format.names ?? []);
    if (others.length > 0) yield* this.checkingOthers(members, others);
    const request: Request = {
      command,
      id,
      close: flagOf(members.get('close'), 'close'),
      keep: flagOf(members.get('keep'), 'keep'),
      jobId: flagOf(members.get('job_id'), 'job_id'),
      insecure: isNull(members.get('insecure'))
        ? null
        : flagOf(members.get('insecure'), 'insecure'),
      notSent: flagOf(members.get('not_sent'), 'not_sent'),
      errorCode: flagOf(members.get('error_code'), 'error_code'),
      version,
    };
    Object.assign(request, own);
    return { request, verb, id };
  }

  /** Members of other verbs mean nothing to this one, but a wrong value is a mistake of the client's all the same. */
  private *checkingOthers(members: Members, names: readonly string[]): Steps<void> {
    let others = names;
    for (const format of this.formats) {
      const left = others.filter((name) => !format.names.includes(name));
      if (left.length < others.length) yield* format.read(members);
      others = left;
    }
  }
}

/** Of the members that are neither the envelope's nor the verb's `own`. */
function namesBeside(members: Members, own: readonly string[]): string[] {
  const names: string[] = [];
  for (const name of members.keys()) {
    if (!own.includes(name) && !ENVELOPE.includes(name)) names.push(name);
  }
  return names;
}

/** What a line is too long for, whatever it says; null: it may be a request. */
export function excessOf(line: Buffer): string | null {
  if (line.length > MAX_REQUEST_BYTES) return `${MAX_REQUEST_BYTES} bytes`;
  const isLong = line.length > MAX_REQUEST_LINE && characters(line) > MAX_REQUEST_LINE;
  return isLong ? `${MAX_REQUEST_LINE} characters` : null;
}

function checkLine(line: Buffer): void {
  const excess = excessOf(line);
  if (excess !== null) throw malformed(`Request line longer than ${excess}`, 'ValueError');
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

function idOf(text: Json | undefined): Json | null {
  if (text && text.length > MAX_ID) {
    throw malformed(`'id' is longer than ${MAX_ID} bytes`, 'ValueError');
  }
  return text ?? null;
}

/** A newer client says what it can't do without. */
function checkProtocol(text: Json | undefined): void {
  if (!text || (integerOf(text) ?? Infinity) <= PROTOCOL) return;
  throw malformed(
    `This daemon (version ${VERSION}, protocol ${PROTOCOL}) is too old for the request, which needs protocol ${text.toString('latin1', 0, 20)}. Start it again`,
    'ValueError',
  );
}
