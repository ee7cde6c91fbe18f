/** The client's end of the Unix socket: one request out, its frames in. Loads node:net and little else. */
import net from 'node:net';
import { asMidcltError, isMidcltError, MidcltError, systemReason } from './errors.js';
import { FrameReader, type Answer, type AnswerListener } from './frame-reader.js';
import { stringOf } from './members.js';
import { DAEMON_CONNECT_TIMEOUT, type ErrorFrame, type Json } from './protocol.js';
import { hung, watchSilence } from './responsive.js';
import { checkSocketPath } from './paths.js';

/** Milliseconds between two tries at a full backlog. */
const BACKLOG_RETRY = 20;
/** Milliseconds for a daemon to say that it will stop: two seconds in all. */
const STOP_PATIENCE = { silence: 900, longest: 60_000, answer: 900 };

/**
 * Sends one request line to the daemon at `path` and resolves when its final frame has come.
 *
 * Rejects with `NO_DAEMON` if none listens there, `FILES` if the socket may not be used, `LOST`
 * if the daemon closes the connection before the final frame, `HUNG` if it shows no sign of life,
 * `PROTOCOL` if it sends no frames.
 */
export async function sendRequest(
  path: string,
  line: string,
  listener: AnswerListener,
): Promise<Answer> {
  const socket = await connect(path);
  const endWatch = watchSilence(socket, again(path), () => {
    socket.destroy(hung(path, '; the outcome is unknown'));
  });
  try {
    return await exchange(socket, line, listener);
  } finally {
    endWatch();
    socket.destroy();
  }
}

/**
 * Resolves with the text of what the daemon at `path` says of itself, or the error frame of one that
 * does not know `status`. Rejects as {@link sendRequest}, all within `patience` milliseconds.
 */
export async function askStatus(path: string, patience: number): Promise<Json | ErrorFrame> {
  const socket = await connect(path, patience);
  const timer = setTimeout(() => {
    socket.destroy(hung(path, ''));
  }, patience);
  const text: Buffer[] = [];
  try {
    const error = await exchange(socket, '{"command":"status","close":true}\n', {
      progress: () => undefined,
      result: (piece) => text.push(piece),
    });
    return error ?? Buffer.concat(text);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/**
 * Asks the daemon at `path` to stop and resolves with the text it answered (or the error frame)
 * once it is gone: it keeps this connection to its last moment, so the end of it is the end of
 * the daemon. Rejects as {@link sendRequest}.
 */
export async function sendStop(
  path: string,
  { ifIdle = false } = {},
): Promise<string | ErrorFrame> {
  const socket = await connect(path, STOP_PATIENCE.answer);
  const onHung = () => {
    socket.destroy(hung(path, ''));
  };
  const endWatch = watchSilence(socket, again(path), onHung, STOP_PATIENCE);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  const line = `{"command":"stop",${ifIdle ? '"if_idle":true,' : ''}"keep":true}\n`;
  const text: Buffer[] = [];
  try {
    const error = await exchange(socket, line, {
      progress: () => undefined,
      result: (piece) => text.push(piece),
    });
    endWatch();
    if (error) return error;
    await gone;
    return stringOf(Buffer.concat(text)) ?? '';
  } finally {
    endWatch();
    socket.destroy();
  }
}

/** Rejects when the socket ends before the final frame, with the error it was destroyed with. */
function exchange(socket: net.Socket, line: string, listener: AnswerListener): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(listener, resolve);
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        reject(asMidcltError(error));
      }
    });
    socket.on('error', (error) => {
      reject(isMidcltError(error) ? error : lost(systemReason(error)));
    });
    socket.on('close', () => {
      reject(lost('it closed the connection'));
    });
    socket.write(line);
  });
}

function again(path: string): (patience: number) => Promise<net.Socket> {
  return (patience) => connect(path, patience);
}

/** Does anything accept connections at `path`? */
export async function isListening(path: string): Promise<boolean> {
  try {
    (await connect(path)).destroy();
    return true;
  } catch {
    return false;
  }
}

/**
 * Resolves with a connection to the daemon at `path`; rejects with `NO_DAEMON` or `FILES`, or with
 * `HUNG` if it accepts none for `patience` milliseconds.
 */
export async function connect(
  path: string,
  patience = DAEMON_CONNECT_TIMEOUT * 1000,
): Promise<net.Socket> {
  checkSocketPath(path);
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await tryConnect(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw connectError(path, error);
      if (Date.now() > deadline) throw hung(path, ''); // nobody accepts connections
      await new Promise((resolve) => setTimeout(resolve, BACKLOG_RETRY));
    }
  }
}

function tryConnect(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function connectError(path: string, error: unknown): MidcltError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
    return new MidcltError('NO_DAEMON', "No daemon is running. Start one with 'midclt daemon'");
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
