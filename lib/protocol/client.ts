/** The client's end of the Unix socket: one request out, its frames in. Loads node:net and little else. */
import { connect as connectTo, type Socket } from 'node:net';
import { departureOf } from './departure.js';
import { asMidcltError, isMidcltError, MidcltError, systemReason } from '../errors.js';
import { FrameReader, type Answer, type AnswerListener } from './frame-reader.js';
import { stringOf } from '../json/members.js';
import { DAEMON_CONNECT_TIMEOUT, VERSION, type ErrorFrame, type Json } from './frames.js';
import { insistently, Unread } from './insist.js';
import { hung, watchSilence } from './silence.js';
import { checkSocketPath, type DaemonPaths } from '../files/paths.js';
import { trustDirectory, trustSocket } from '../files/trust.js';

/** Where a daemon is: the socket, and the directory that makes it private. */
export type Address = Pick<DaemonPaths, 'socket' | 'directory'> & {
  /** The command that starts the daemon, for who finds none. */
  readonly startCommand?: string;
};

/** Bytes of a status that are believed. */
const STATUS_BYTES = 1024 * 1024;
/** Milliseconds between two tries at a full backlog. */
const BACKLOG_RETRY = 20;
/** Milliseconds for a daemon to say that it will stop: two seconds in all, unless it may be busy. */
const STOP_PATIENCE = {
  ...{ silence: 900, longest: 60_000, answer: 900 },
  ...{ busy: 300_000, unknownIsBusy: false },
};

/**
 * Sends one request line to the daemon at `address` and resolves when its final frame has come.
 *
 * Rejects with `NO_DAEMON` if none listens there, or if it ended before it took the request; `FILES` if the socket may not be used, `LOST`
 * if the daemon closes the connection before the final frame, `HUNG` if it shows no sign of life,
 * `BUSY` if it takes no more connections, `PROTOCOL` if it sends no frames.
 */
export function sendRequest(
  address: Address,
  line: string,
  listener: AnswerListener,
): Promise<Answer> {
  return insistently(address.socket, () => sendOnce(address, line, listener));
}

async function sendOnce(address: Address, line: string, listener: AnswerListener): Promise<Answer> {
  const socket = await connect(address);
  const answering = exchange(socket, line, listener);
  // Once the request is on its way: what is done now takes no time from it.
  const endWatch = watchSilence(socket, watched(address), () => {
    socket.destroy(hung(address.socket, '; the outcome is unknown'));
  });
  try {
    const answer = await answering;
    // Later: a process that prints the answer and ends need not take the socket apart.
    setImmediate(() => socket.destroy());
    if (answer?.isNotSent) throw new MidcltError('NO_DAEMON', answer.error);
    return answer;
  } catch (error) {
    socket.destroy(); // at once: a listener that failed hears nothing more
    throw error;
  } finally {
    endWatch();
  }
}

/**
 * Resolves with the text of what the daemon at `address` says of itself, or the error frame of one that
 * does not know `status`. Rejects as {@link sendRequest}, all within `patience` milliseconds.
 */
export function askStatus(address: Address, patience: number): Promise<Json | ErrorFrame> {
  const deadline = performance.now() + patience;
  return insistently(address.socket, () => askStatusOnce(address, deadline - performance.now()));
}

async function askStatusOnce(address: Address, patience: number): Promise<Json | ErrorFrame> {
  const socket = await connect(address, patience);
  const timer = setTimeout(() => {
    socket.destroy(hung(address.socket, ''));
  }, patience);
  const text: Buffer[] = [];
  let bytes = 0;
  try {
    const error = await exchange(socket, '{"command":"status","close":true}\n', {
      progress: () => undefined,
      result(piece) {
        bytes += piece.length;
        if (bytes > STATUS_BYTES) throw new MidcltError('PROTOCOL', 'The status is too long');
        text.push(piece);
      },
    });
    return error ?? Buffer.concat(text);
  } finally {
    clearTimeout(timer);
    socket.destroy();
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
  const socket = await connect(address, STOP_PATIENCE.answer);
  const departure = departureOf(address.socket);
  const onHung = () => {
    socket.destroy(hung(address.socket, ''));
  };
  const endWatch = watchSilence(socket, watched(address), onHung, STOP_PATIENCE);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  const wish = ifIdle ? `"if_idle":true,"version":"${VERSION}",` : '';
  const line = `{"command":"stop",${wish}"keep":true}\n`;
  const text: Buffer[] = [];
  try {
    const error = await exchange(socket, line, {
      progress: () => undefined,
      result: (piece) => text.push(piece),
    });
    endWatch();
    if (error) return error;
    await gone;
    await departure();
    return stringOf(Buffer.concat(text)) ?? '';
  } finally {
    endWatch();
    socket.destroy();
  }
}

/** Rejects when the socket ends before the final frame, with the error it was destroyed with. */
function exchange(socket: Socket, line: string, listener: AnswerListener): Promise<Answer> {
  return new Promise((resolve, reject) => {
    socket.write(line);
    const reader = new FrameReader(listener, resolve);
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        reject(asMidcltError(error));
      }
    });
    socket.on('error', (error) => {
      const { code } = error as NodeJS.ErrnoException;
      // Of a Unix socket both mean that what was sent is still unread.
      const isUnread = code === 'EPIPE' || code === 'ECONNRESET';
      if (isUnread) reject(new Unread());
      else reject(isMidcltError(error) ? error : lost(systemReason(error)));
    });
    socket.on('close', () => {
      reject(lost('it closed the connection'));
    });
  });
}

/** A daemon's address as {@link watchSilence} wants it. */
export function watched(address: Address): Parameters<typeof watchSilence>[1] {
  return { path: address.socket, connect: (patience) => connect(address, patience) };
}

/** Does a daemon that may be trusted accept connections at `address`? */
export async function isListening(address: Address): Promise<boolean> {
  try {
    (await connect(address)).destroy();
    return true;
  } catch {
    return false;
  }
}

/**
 * Resolves with a connection to the daemon at `address`. Rejects with `NO_DAEMON`, with `FILES` for
 * one that can't be used, or can't be trusted: others might see what is sent to it; with `HUNG` if it
 * accepts no connection for `patience` milliseconds.
 */
export async function connect(
  { socket: path, directory, startCommand }: Address,
  patience = DAEMON_CONNECT_TIMEOUT * 1000,
): Promise<Socket> {
  checkSocketPath(path);
  if (!trustDirectory(directory) || !trustSocket(path)) throw noDaemon(startCommand);
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await tryConnect(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error; // not the system's
      if (code !== 'EAGAIN') throw connectError(path, error, startCommand);
      if (Date.now() > deadline) throw hung(path, ''); // nobody accepts connections
      await new Promise((resolve) => setTimeout(resolve, BACKLOG_RETRY));
    }
  }
}

function tryConnect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTo(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function connectError(path: string, error: unknown, startCommand?: string): MidcltError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
    return noDaemon(startCommand);
  }
  return new MidcltError(
    'FILES',
    `Cannot connect to the daemon at ${path}: ${systemReason(error)}`,
  );
}

function lost(reason: string): MidcltError {
  return new MidcltError(
    'LOST',
    `The daemon went away before it answered (${reason}); the outcome is unknown`,
  );
}

function noDaemon(startCommand = 'midclt daemon'): MidcltError {
  return new MidcltError('NO_DAEMON', `No daemon is running. Start one with '${startCommand}'`);
}
