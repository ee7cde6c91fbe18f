/** The client's end of the Unix socket: one request out, its frames in. Loads node:net and little else. */
import net from 'node:net';
import { asMidcltError, MidcltError, systemReason } from './errors.js';
import { FrameReader, type Answer, type AnswerListener } from './frame-reader.js';
import { stringOf } from './members.js';
import { DAEMON_CONNECT_TIMEOUT, type ErrorFrame } from './protocol.js';
import { checkSocketPath } from './paths.js';

/** Milliseconds between two tries at a full backlog. */
const BACKLOG_RETRY = 20;

/**
 * Sends one request line to the daemon at `path` and resolves when its final frame has come.
 *
 * Rejects with `NO_DAEMON` if none listens there, `FILES` if the socket may not be used, `LOST`
 * if the daemon closes the connection before the final frame, `PROTOCOL` if it sends no frames.
 */
export async function sendRequest(
  path: string,
  line: string,
  listener: AnswerListener,
): Promise<Answer> {
  const socket = await connect(path);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const reader = new FrameReader(listener, resolve);
      socket.on('data', (chunk) => {
        try {
          reader.push(chunk);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
      socket.on('error', (error) => {
        reject(lost(systemReason(error)));
      });
      socket.on('close', () => {
        reject(lost('it closed the connection'));
      });
      socket.write(line);
    });
  } finally {
    socket.destroy();
  }
}

/**
 * Asks the daemon at `path` to stop and resolves with the text it answered (or the error frame)
 * once it is gone: it keeps this connection to its last moment, so the end of it is the end of
 * the daemon.
 */
export async function sendStop(
  path: string,
  { ifIdle = false } = {},
): Promise<string | ErrorFrame> {
  const socket = await connect(path);
  return new Promise<string | ErrorFrame>((resolve, reject) => {
    const text: Buffer[] = [];
    let answer: string | ErrorFrame | null = null;
    const reader = new FrameReader(
      { progress: () => undefined, result: (piece) => text.push(piece) },
      (end) => {
        answer = end ?? stringOf(Buffer.concat(text)) ?? '';
        if (end) socket.destroy();
      },
    );
    socket.on('data', (chunk) => {
      if (answer !== null) return;
      try {
        reader.push(chunk);
      } catch (error) {
        reject(asMidcltError(error));
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (answer === null) reject(lost('it closed the connection'));
      else resolve(answer);
    });
    socket.write(`{"command":"stop",${ifIdle ? '"if_idle":true,' : ''}"keep":true}\n`);
  });
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

/** Resolves with a connection to the daemon at `path`; rejects with `NO_DAEMON` or `FILES`. */
export async function connect(path: string): Promise<net.Socket> {
  checkSocketPath(path);
  const deadline = Date.now() + DAEMON_CONNECT_TIMEOUT * 1000;
  for (;;) {
    try {
      return await tryConnect(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || Date.now() > deadline) {
        throw connectError(path, error);
      }
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
