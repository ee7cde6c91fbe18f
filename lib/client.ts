/** The client's end of the Unix socket: one request out, its frames in. Loads node:net and little else. */
import net from 'node:net';
import { LF } from './ascii.js';
import { asMidcltError, MidcltError, systemReason } from './errors.js';
import { integerOf, isNull, membersOf, NULL, stringOf, type Members } from './members.js';
import {
  DAEMON_CONNECT_TIMEOUT,
  MessageType,
  type ErrorFrame,
  type Json,
  type ProgressFrame,
} from './protocol.js';
import { checkSocketPath } from './paths.js';

/** Who hears an answer as it comes. Called before the promise of the exchange settles. */
export interface AnswerListener {
  readonly progress: (frame: ProgressFrame) => void;
  /** The result's text, in one piece or many. What it throws ends the exchange with that error. */
  readonly result: (piece: Buffer) => void;
}

/** How an answer ended: null after a result, which the listener has had whole, or the error frame. */
export type Answer = ErrorFrame | null;

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
export async function sendStop(path: string): Promise<string | ErrorFrame> {
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
    socket.write('{"command":"stop","keep":true}\n');
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

/** What a result frame begins with: `result` is its last member, so that its text can be passed on as it comes. */
const RESULT_HEAD = /^\s*\{\s*"type"\s*:\s*"result"\s*,\s*"result"\s*:\s*(?=\S)/;
/** Bytes in which the head must be found; longer than any head that is written. */
const HEAD_BYTES = 64;
/** Bytes at the end of a result that may be the frame's own: its brace and blanks. */
const TAIL_BYTES = 16;

/**
 * Bytes to the frames of one answer. Holds a progress or error frame until it is whole, and of a
 * result a few bytes only. Looks for a newline in the new chunk alone: a line may have 200 MB.
 */
class FrameReader {
  private held: Buffer[] = [];
  private heldBytes = 0;
  private inResult = false;

  constructor(
    private readonly listener: AnswerListener,
    private readonly onEnd: (answer: Answer) => void,
  ) {}

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(LF, from);
      const end = newline === -1 ? chunk.length : newline;
      this.take(chunk.subarray(from, end));
      if (newline === -1) return;
      this.endLine();
      from = newline + 1;
    }
  }

  private take(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.held.push(bytes);
    this.heldBytes += bytes.length;
    if (!this.inResult && this.heldBytes - bytes.length < HEAD_BYTES) this.lookForResult();
    if (this.inResult) this.passOn(TAIL_BYTES);
  }

  /** Only while the first bytes of the line are new. */
  private lookForResult(): void {
    const text = this.takeHeld();
    const head = RESULT_HEAD.exec(text.toString('latin1', 0, HEAD_BYTES));
    this.inResult = head !== null;
    this.hold(head ? text.subarray(head[0].length) : text);
  }

  /** Gives the listener all but the last `keep` bytes. */
  private passOn(keep: number): void {
    const excess = this.heldBytes - keep;
    if (excess <= 0) return;
    const text = this.takeHeld();
    this.hold(text.subarray(excess));
    this.listener.result(text.subarray(0, excess));
  }

  private endLine(): void {
    const text = this.takeHeld();
    if (this.inResult) {
      const [tail] = /\s*\}\s*$/.exec(text.toString('latin1')) ?? [];
      if (tail === undefined) throw noFrame();
      if (text.length > tail.length) this.listener.result(text.subarray(0, -tail.length));
      this.inResult = false;
      this.onEnd(null);
    } else if (text.length > 0) {
      this.readFrame(text);
    }
  }

  private readFrame(text: Buffer): void {
    const members = membersOf(text);
    const type = stringOf(members?.get('type'));
    if (members && type === MessageType.PROGRESS) this.listener.progress(progressFrame(members));
    else if (members && type === MessageType.ERROR) this.onEnd(errorFrame(members));
    else if (members && type === MessageType.RESULT) {
      this.listener.result(members.get('result') ?? NULL);
      this.onEnd(null);
    } else throw noFrame();
  }

  private takeHeld(): Buffer {
    const [only] = this.held;
    const text = this.held.length === 1 && only ? only : Buffer.concat(this.held);
    this.held = [];
    this.heldBytes = 0;
    return text;
  }

  private hold(bytes: Buffer): void {
    if (bytes.length > 0) this.held.push(bytes);
    this.heldBytes += bytes.length;
  }
}

function progressFrame(members: Members): ProgressFrame {
  return {
    type: MessageType.PROGRESS,
    percent: members.get('percent') ?? NULL,
    description: members.get('description') ?? NULL,
    state: stringOf(members.get('state')) ?? '',
    jobId: integerOf(members.get('job_id')),
  };
}

function errorFrame(members: Members): ErrorFrame {
  const orNull = (text: Json | undefined) => (text === undefined || isNull(text) ? null : text);
  return {
    type: MessageType.ERROR,
    error: stringOf(members.get('error')) ?? 'Unknown error',
    errorType: stringOf(members.get('error_type')) ?? '',
    trace: orNull(members.get('trace')),
    extra: orNull(members.get('extra')),
  };
}

function noFrame(): MidcltError {
  return new MidcltError('PROTOCOL', 'The daemon answered something that is no frame');
}
