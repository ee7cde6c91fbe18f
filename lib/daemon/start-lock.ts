/**
 * The lock under which the daemon of a path is started: one starter at a time connects and logs in,
 * since the middleware counts logins. It is a socket that carries no requests: the lock is held as long
 * as somebody accepts connections there, and free when its holder releases it or dies.
 */
import net from 'node:net';
import { isMidcltError, MidcltError, type ErrorCode } from '../errors.js';
import { noLog } from '../logger.js';
import { SocketFile } from './socket-file.js';

/** Milliseconds for another starter to come to an end; a login over a slow line takes its time. */
const PATIENCE = 150_000;

export class StartLock {
  private server: net.Server | null = null;
  private socketFile: SocketFile | null = null;
  private readonly waiting = new Set<net.Socket>();
  /** Its abort ends the wait for another starter. */
  private readonly gone = new AbortController();

  constructor(private readonly path: string) {}

  /**
   * Resolves when the lock is held. Rejects with what `refuse` rejects with, asked again after
   * each other starter; or with the reason for which another one has just failed. Where the lock
   * is released meanwhile, it resolves without it.
   */
  async acquire(refuse: () => Promise<void>): Promise<void> {
    while (!this.isReleased()) {
      await refuse();
      if (this.isReleased()) return;
      const server = net.createServer((socket) => {
        this.waiting.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => this.waiting.delete(socket));
      });
      const socketFile = new SocketFile({ socket: this.path, pid: null });
      try {
        await socketFile.listen(server);
        this.server = server;
        this.socketFile = socketFile;
      } catch (error) {
        if (!isMidcltError(error) || error.code !== 'RUNNING') throw error;
        await endOfOther(this.path, this.gone.signal);
        continue;
      }
      if (this.isReleased()) {
        this.release(null); // the release before found nothing to release yet
        return;
      }
      // The holder before may have released it because its daemon runs.
      await refuse().catch((error: unknown) => {
        this.release(null);
        throw error;
      });
      return;
    }
  }

  private isReleased(): boolean {
    return this.gone.signal.aborted;
  }

  /** Those that wait for the lock are told the failure, if there was one. To call it again does nothing. */
  release(failure: unknown, log = noLog): void {
    const text = isMidcltError(failure) ? JSON.stringify(failureOf(failure)) : '';
    this.gone.abort();
    this.socketFile?.release(log);
    this.server?.close();
    for (const socket of this.waiting) socket.end(text);
    this.socketFile = null;
    this.server = null;
  }
}

function failureOf({ code, message }: MidcltError): { code: ErrorCode; message: string } {
  return { code, message };
}

/** Resolves when the other starter is done or gone; rejects with its reason if it has failed. */
function endOfOther(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path, signal });
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new MidcltError('RUNNING', `Another process is starting this daemon and gets nowhere`),
      );
    }, PATIENCE);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined); // the lock was released, or its holder died
    socket.on('close', () => {
      clearTimeout(timer);
      const failure = parse(text);
      if (failure) reject(failure);
      else resolve();
    });
  });
}

function parse(text: string): MidcltError | null {
  try {
    const { code, message } = JSON.parse(text) as { code: ErrorCode; message: string };
    return new MidcltError(code, message);
  } catch {
    return null; // nothing was said
  }
}
