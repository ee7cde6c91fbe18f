/** What is asked of a daemon over its socket: a request, its status, that it stop. Loads node:net and little else. */
import type { Socket } from 'node:net';
import { isMidcltError, MidcltError } from '../errors.js';
import { pidBeside, socketIdentity } from '../files/paths.js';
import { stringOf } from '../json/members.js';
import { DaemonConnection, Unread, type Address, type AskOptions } from './daemon-connection.js';
import { FrameReader, HEAD_BYTES, type Answer, type AnswerListener } from './frame-reader.js';
import { VERSION, type ErrorFrame, type Json } from './frames.js';
import { departureOf } from './signs-of-life.js';

export { isListening, type Address } from './daemon-connection.js';

/** Bytes of a status that are believed. */
const STATUS_BYTES = 1024 * 1024;
/**
 * With a daemon that is to say how it is, or that it will stop: two seconds in all if it is stopped or it can't be told
 * what it is, ten if it runs and only shows no sign of life.
 */
const PATIENCE = { silence: 900, longest: 60_000, answer: 900, running: 10_000 };
/** The Python daemon is busy while it makes a call; that is all there is to say of it. */
const STATUS_PATIENCE = { ...PATIENCE, busy: 0, unknownIsBusy: false };
const STOP_PATIENCE = { ...PATIENCE, busy: 300_000, unknownIsBusy: false };

/**
 * Sends one request line to the daemon at `address` and resolves when its final frame has come. `signal` gives it up:
 * the connection ends, and the promise rejects with `CLOSED`, or with `LOST` once the line was sent.
 *
 * Rejects with `NO_DAEMON` if none listens there, or if it ended before it took the request; `FILES` if the socket may not be used, `LOST`
 * if the daemon closes the connection before the final frame, `HUNG` if it shows no sign of life,
 * `BUSY` if it takes no more connections, `PROTOCOL` if it sends no frames.
 */
export function sendRequest(
  address: Address,
  line: string,
  listener: AnswerListener,
  signal?: AbortSignal,
): Promise<Answer> {
  return insistently(address.socket, () => sendOnce(address, line, listener, signal));
}

/** How often a daemon is started and asked again: one may end just when it is found. */
const ATTEMPTS = 5;

/** Makes the attempt, and makes it again after `start` where there is no daemon; that rejects where none may be started. */
export async function startingDaemon<T>(
  attempt: () => Promise<T>,
  start: (missing: MidcltError) => Promise<void>,
): Promise<T> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      const isMissing = isMidcltError(error) && error.code === 'NO_DAEMON';
      if (!isMissing || left === 0) throw error;
      await start(error);
    }
  }
}

async function sendOnce(
  address: Address,
  line: string,
  listener: AnswerListener,
  signal?: AbortSignal,
): Promise<Answer> {
  const isGivenUp = () => signal?.aborted === true;
  if (isGivenUp()) throw neverSent();
  const connection = await DaemonConnection.open(address);
  if (isGivenUp()) {
    connection.close();
    throw neverSent();
  }
  const giveUp = () => {
    connection.giveUp(new MidcltError('LOST', 'The request was given up; the outcome is unknown'));
  };
  signal?.addEventListener('abort', giveUp, { once: true });
  const asked = answerTo(connection, line, listener);
  const answer = await asked.finally(() => signal?.removeEventListener('abort', giveUp));
  // Later: a process that prints the answer and ends need not take the socket apart.
  setImmediate(() => {
    connection.close();
  });
  if (answer?.isNotSent) throw new MidcltError('NO_DAEMON', answer.error);
  return answer;
}

function neverSent(): MidcltError {
  return new MidcltError('CLOSED', 'The request was given up; it was not sent');
}

/**
 * The rest of the answer to a request that another program has sent to the daemon at `address`, as it comes over
 * `socket`. Rejects with `LOST`, `HUNG` or `PROTOCOL` as {@link sendRequest} does.
 */
export function readAnswer(
  address: Address,
  socket: Socket,
  listener: AnswerListener,
): Promise<Answer> {
  return answerTo(new DaemonConnection(socket, address), '', listener);
}

/**
 * Resolves with the text of what the daemon at `address` says of itself, or the error frame of one that
 * does not know `status`. Rejects as {@link sendRequest}, but sooner with `HUNG`, also if the daemon is a busy Python one.
 */
export function askStatus(address: Address): Promise<Json | ErrorFrame> {
  return insistently(address.socket, () => askStatusOnce(address));
}

async function askStatusOnce(address: Address): Promise<Json | ErrorFrame> {
  const connection = await DaemonConnection.open(address, STATUS_PATIENCE.answer);
  const text: Buffer[] = [];
  let bytes = 0;
  const listener: AnswerListener = {
    progress: () => undefined,
    result(piece) {
      bytes += piece.length;
      if (bytes > STATUS_BYTES) throw new MidcltError('PROTOCOL', 'The status is too long');
      text.push(piece);
    },
  };
  try {
    const line = '{"command":"status","close":true}\n';
    const silence = STATUS_PATIENCE;
    const error = await answerTo(connection, line, listener, { silence, consequence: '' });
    return error ?? Buffer.concat(text);
  } finally {
    connection.close();
  }
}

/**
 * Asks the daemon at `address` to stop and resolves with the text it answered (or the error frame)
 * once it is gone: it keeps this connection to its last moment, so the end of it is the end of
 * the daemon, unless that is the Python one. Rejects as {@link sendRequest}.
 */
export function sendStop(address: Address, { ifIdle = false } = {}): Promise<string | ErrorFrame> {
  return insistently(address.socket, () => sendStopOnce(address, ifIdle));
}

async function sendStopOnce(address: Address, ifIdle: boolean): Promise<string | ErrorFrame> {
  const connection = await DaemonConnection.open(address, STOP_PATIENCE.answer);
  const departure = departureOf(address.socket);
  const wish = ifIdle ? `"if_idle":true,"version":"${VERSION}",` : '';
  const text: Buffer[] = [];
  const listener: AnswerListener = {
    progress: () => undefined,
    result: (piece) => text.push(piece),
  };
  try {
    const line = `{"command":"stop",${wish}"keep":true}\n`;
    const error = await answerTo(connection, line, listener, {
      silence: STOP_PATIENCE,
      consequence: '',
    });
    if (error) return error;
    await connection.closed;
    await departure();
    return stringOf(Buffer.concat(text)) ?? '';
  } finally {
    connection.close();
  }
}

async function answerTo(
  connection: DaemonConnection,
  line: string,
  listener: AnswerListener,
  options: Pick<AskOptions, 'silence' | 'consequence'> = {},
): Promise<Answer> {
  const reader = new FrameReader(listener);
  const onPiece: AskOptions['onPiece'] = (piece) => reader.take(piece);
  await connection.ask(line, { ...options, onPiece, whole: HEAD_BYTES });
  return reader.answer;
}

/** Times, and milliseconds between them, that a daemon is asked which closes connections unread. */
const UNREAD_TRIES = 5;
const UNREAD_PAUSE = 100;

/**
 * Makes the attempt again while the same socket closes connections unread. Rejects with `BUSY` if it goes on
 * doing so. A daemon that ends has removed its socket, unless that is systemd's, and then the next one reads.
 */
async function insistently<T>(socket: string, attempt: () => Promise<T>): Promise<T> {
  for (let left = UNREAD_TRIES; ; left--) {
    const before = socketIdentity(socket);
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Unread) || socketIdentity(socket) !== before) throw error;
      if (left === 0) throw closing(socket);
      await new Promise((resolve) => setTimeout(resolve, UNREAD_PAUSE));
    }
  }
}

function closing(socketPath: string): MidcltError {
  const pid = pidBeside(socketPath);
  const who = pid === null ? `The daemon at ${socketPath}` : `The daemon (pid ${pid})`;
  return new MidcltError(
    'BUSY',
    `${who} runs and closes every connection unread, as one does that can open no more files ('ulimit -n'). ` +
      'Nothing was sent; try again when it has fewer clients',
  );
}
