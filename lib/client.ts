/** The client's end of the Unix socket: one request out, its frames in. Loads node:net and little else. */
import net from 'node:net';
import { LF } from './ascii.js';
import { MidcltError, systemReason } from './errors.js';
import { membersOf, stringOf, type Members } from './members.js';
import { MessageType } from './protocol.js';
import { checkSocketPath } from './paths.js';

/** A frame as it came: `members` are the bytes of each of its members. */
export interface ReceivedFrame {
  readonly type: MessageType;
  readonly members: Members;
}

/** Milliseconds a connection may be refused for a full backlog before that is an error. */
const BACKLOG_PATIENCE = 5000;
const BACKLOG_RETRY = 20;

/**
 * Sends one request line to the daemon at `path` and resolves with its final frame.
 *
 * Rejects with `NO_DAEMON` if none listens there, `FILES` if the socket may not be used, `LOST`
 * if the daemon closes the connection before the final frame, `PROTOCOL` if it sends no frames.
 */
export async function sendRequest(
  path: string,
  line: string,
  onProgress: (frame: ReceivedFrame) => void,
): Promise<ReceivedFrame> {
  const socket = await connect(path);
  try {
    return await new Promise<ReceivedFrame>((resolve, reject) => {
      const lines = new LineReader((text) => {
        const frame = readFrame(text);
        if (!frame) {
          reject(new MidcltError('PROTOCOL', 'The daemon answered something that is no frame'));
        } else if (frame.type === MessageType.PROGRESS) {
          onProgress(frame);
        } else {
          resolve(frame);
        }
      });
      socket.on('data', (chunk) => {
        lines.push(chunk);
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
 * Asks the daemon at `path` to stop and resolves with its answer once it is gone: it keeps this
 * connection to its last moment, so the end of it is the end of the daemon.
 */
export async function sendStop(path: string): Promise<ReceivedFrame> {
  const socket = await connect(path);
  return new Promise<ReceivedFrame>((resolve, reject) => {
    let answer: ReceivedFrame | null = null;
    const lines = new LineReader((text) => {
      answer ??= readFrame(text);
      if (answer?.type === MessageType.ERROR) socket.destroy();
    });
    socket.on('data', (chunk) => {
      lines.push(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (answer) resolve(answer);
      else reject(lost('it closed the connection'));
    });
    socket.write('{"command":"stop","keep":true}\n');
  });
}

async function connect(path: string): Promise<net.Socket> {
  checkSocketPath(path);
  const deadline = Date.now() + BACKLOG_PATIENCE;
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

function readFrame(text: Buffer): ReceivedFrame | null {
  const members = membersOf(text);
  const type = stringOf(members?.get('type'));
  if (!members) return null;
  if (type === MessageType.PROGRESS || type === MessageType.RESULT || type === MessageType.ERROR) {
    return { type, members };
  }
  return null;
}

/** Chunks to lines. Looks for the newline in the new chunk only: a line may be a 200 MB result. */
class LineReader {
  private chunks: Buffer[] = [];

  constructor(private readonly onLine: (line: Buffer) => void) {}

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(LF, from);
      if (newline === -1) break;
      this.chunks.push(chunk.subarray(from, newline));
      const line = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
      this.chunks = [];
      if (line && line.length > 0) this.onLine(line);
      from = newline + 1;
    }
    if (from < chunk.length) this.chunks.push(chunk.subarray(from));
  }
}
