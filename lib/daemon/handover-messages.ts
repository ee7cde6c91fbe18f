/** What goes over the pipe between a daemon and its starter: a line of JSON each, and nothing else is taken for one. */
import type { Duplex, Transform } from 'node:stream';
import split2 from 'split2';
import { MidcltError, type ErrorCode } from '../errors.js';
import type { Level } from '../logger.js';
import type { Credential } from '../middleware/login/credential.js';

/** The daemon's settings and its login, secrets included: they are never written to a file. */
export interface Handover {
  readonly uri: string | null;
  readonly username: string | null;
  /** For its log: the profiles of this URI and user. */
  readonly profiles?: readonly string[];
  readonly insecure: boolean;
  /** Authorities that are trusted, too: PEM. */
  readonly ca: string | null;
  /** Where they come from; absolute. */
  readonly caFile: string | null;
  readonly credential: Credential | null;
  /** Seconds for calls that name no timeout. */
  readonly callTimeout: number;
  readonly lifetime: number;
  /** Absolute, `-`, or null for the default. */
  readonly logFile: string | null;
  readonly logLevel: Level;
  readonly concurrency: number;
  readonly linger: number;
  readonly maxConnections: number;
  /** Mebibytes. */
  readonly memory: number;
  /** The time of the last crash of such a daemon that its starter could know of. */
  readonly lastCrash?: string | null;
}

/** From the new process. */
export type Report =
  | { readonly kind: 'ready'; readonly logFile: string | null }
  | { readonly kind: 'failed'; readonly code: ErrorCode | null; readonly message: string }
  | { readonly kind: 'otp'; readonly attempt: number | null };

/** To the new process, after the {@link Handover}. */
export interface Code {
  readonly otp: string | null;
}

export function writeMessage(pipe: Duplex, message: Handover | Report | Code): void {
  pipe.write(`${JSON.stringify(message)}\n`);
}

type Members = Readonly<Record<string, unknown>>;
const NOTHING: Members = {};

/** The pipe's lines as objects; a line that is none is an empty one. Never fails: an error would quote the line. */
export function messagesFrom(pipe: Duplex): Transform {
  return pipe.pipe(split2(membersOf));
}

function membersOf(line: string): Members {
  try {
    return objectOf(JSON.parse(line)) ?? NOTHING;
  } catch {
    return NOTHING;
  }
}

function objectOf(value: unknown): Members | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : null;
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const number: Check = (value) => typeof value === 'number';
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string);
const each =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const object =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    const members = objectOf(value);
    return members !== null && Object.entries(checks).every(([name, ok]) => ok(members[name]));
  };

/** As JSON has a Buffer. */
const bytes = object({ type: oneOf('Buffer'), data: each((value) => Number.isInteger(value)) });

const key: Check = (value) =>
  object({ kind: oneOf('raw'), id: text, secret: text })(value) ||
  object({
    ...{ kind: oneOf('derived'), id: text },
    ...{ clientKey: bytes, storedKey: bytes, serverKey: bytes },
  })(value);

const credential: Check = (value) =>
  object({ kind: oneOf('password'), username: text, password: text })(value) ||
  object({
    ...{ kind: oneOf('api-key'), username: text, key, mechanism: oneOf('SCRAM', 'PLAIN') },
    ...{ channelBinding: flag, force: flag },
  })(value);

const handover = object({
  ...{ uri: orNull(text), username: orNull(text), insecure: flag, ca: orNull(text) },
  caFile: orNull(text),
  profiles: (value) => value === undefined || each(text)(value),
  lastCrash: (value) => value === undefined || orNull(text)(value),
  credential: orNull(credential),
  callTimeout: orNull(number), // JSON has no Infinity
  ...{ lifetime: number, logFile: orNull(text), concurrency: number, linger: number },
  logLevel: oneOf('debug', 'info', 'warning', 'error'),
  ...{ maxConnections: number, memory: number },
});

const code = object({ otp: orNull(text) });

const report: Check = (value) =>
  object({ kind: oneOf('ready'), logFile: orNull(text) })(value) ||
  object({ kind: oneOf('failed'), code: orNull(text), message: text })(value) ||
  object({ kind: oneOf('otp'), attempt: orNull(number) })(value);

/** Throw a `PROTOCOL` error for any other message, which it does not show: it may have a secret in it. */
export const readHandover = (message: unknown) =>
  checked(message, handover, "are no settings of a daemon's") as Handover;
export const readCode = (message: unknown) =>
  checked(message, code, 'have no one-time code') as Code;
export const readReport = (message: unknown) =>
  checked(message, report, 'do not say what became of the daemon') as Report;

function checked(message: unknown, check: Check, what: string): unknown {
  if (check(message)) return message;
  const both = 'The pipe between the daemon and its starter had words on it that';
  throw new MidcltError('PROTOCOL', `${both} ${what}`);
}

/** A key's parts are Buffers, which JSON writes as lists of numbers. */
export function withBuffers(given: Credential | null): Credential | null {
  if (given?.kind !== 'api-key' || given.key.kind !== 'derived') return given;
  const { key: derived } = given;
  const { clientKey, storedKey, serverKey } = derived;
  return {
    ...given,
    key: {
      ...derived,
      clientKey: Buffer.from(clientKey),
      storedKey: Buffer.from(storedKey),
      serverKey: Buffer.from(serverKey),
    },
  };
}
