/**
 * The daemon's socket file: exactly one process owns a path.
 *
 * Node has no flock, and a check followed by an unlink is a race. What holds:
 *  - The socket is bound at a private name and published by `link()`, which fails if the path is
 *    taken. So nobody ever replaces a daemon, and the socket is 0600 from its first instant.
 *  - A stale socket is removed by one starter only (`files.ts`).
 *  - What is removed at the end is removed only if it is still one's own.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { MidcltError, systemReason } from '../errors.js';
import type { Log } from '../logger.js';
import { checkSocketPath, readPid } from '../files/paths.js';
import { SOCKET_PERMISSIONS } from '../protocol/frames.js';
import { takeStep } from './lifecycle.js';
import {
  ATTEMPTS,
  discardFile,
  occupantOf,
  removeFile,
  removeStale,
  retryDelay,
  sweepRemovalLocks,
  writeFileDurably,
  type SocketPaths,
} from './files.js';

/** How often the pid file is looked at after the start, and the milliseconds between. */
const PID_LOOKS = 20;
const PID_INTERVAL = 50;
/** Connections that may wait to be accepted; the system caps it at `somaxconn`. */
export const BACKLOG = 4096;

/** Milliseconds between two looks at whether the socket at the path is still one's own. */
const WATCH_INTERVAL = 3000;

/** The socket that a daemon serves and its pid file: its own {@link SocketFile}, or one that was passed to it. */
export interface DaemonSocket {
  /** Resolves with why, when the socket at the path is no longer this process's: nobody can connect. */
  readonly lost: Promise<MidcltError>;
  /** Why there is no pid file, if it could not be written: a daemon serves without, too. */
  readonly pidFailure: string | null;
  /** Throws a `RUNNING` error if a daemon answers at the path. Removes nothing. */
  refuseIfRunning(): Promise<void>;
  /**
   * Listens, after the pid file is written. Rejects with a `RUNNING` error if another daemon is
   * there, before or meanwhile.
   */
  listen(server: net.Server): Promise<void>;
  /**
   * Removes the socket and the pid file, each only if it is still this process's. What can't be removed
   * stays, and `log` is told.
   */
  release(log: Log): void;
}

export class SocketFile implements DaemonSocket {
  readonly lost: Promise<MidcltError>;
  /** What is published at the path; null before and after. */
  private own: Identity | null = null;
  private guard: NodeJS.Timeout | undefined;
  private whyNoPid: string | null = null;
  private watch: NodeJS.Timeout | undefined;
  private lose!: (error: MidcltError) => void;

  constructor(
    private readonly paths: SocketPaths,
    private readonly watchInterval = WATCH_INTERVAL,
    private readonly stopCommand = 'midclt daemon-stop',
  ) {
    checkSocketPath(paths.socket);
    this.lost = new Promise((resolve) => (this.lose = resolve));
  }

  get pidFailure(): string | null {
    return this.whyNoPid;
  }

  async refuseIfRunning(): Promise<void> {
    if ((await occupantOf(this.paths.socket)) === 'alive') throw this.running();
  }

  async listen(server: net.Server): Promise<void> {
    const { socket } = this.paths;
    const bound = path.join(path.dirname(socket), `.${randomBytes(5).toString('hex')}`);
    await bind(server, bound);
    try {
      const own = identity(bound);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const seen = fs.lstatSync(socket, { throwIfNoEntry: false });
        const occupant = await occupantOf(socket);
        if (occupant === 'alive') throw this.running();
        if (occupant === 'stale') {
          if (!removeStale(this.paths, seen)) await retryDelay();
          continue;
        }
        this.writePid();
        if (!tryLink(bound, socket)) continue;
        this.own = own;
        this.guardPid();
        this.watch = setInterval(() => {
          if (own) this.look(own);
        }, this.watchInterval).unref();
        sweepRemovalLocks(socket);
        return;
      }
      throw new MidcltError('FILES', `The socket ${socket} keeps changing; try again`);
    } catch (error) {
      server.close(); // it listens at its private name
      throw error;
    } finally {
      discardFile(bound);
    }
  }

  release(log: Log): void {
    const { own } = this;
    const { socket, pid } = this.paths;
    clearInterval(this.guard);
    clearInterval(this.watch);
    if (!own) return;
    this.own = null;
    takeStep(log, 'remove the socket', () => {
      if (this.state(own) === 'own') removeFile(socket);
    });
    takeStep(log, 'remove the pid file', () => {
      if (pid !== null && readPid(pid) === process.pid) removeFile(pid);
    });
  }

  /** What is at the path. An inode is not used anew while the socket bound to it is open. */
  private state(own: Identity): 'own' | 'removed' | 'replaced' {
    const found = identity(this.paths.socket);
    if (!found) return 'removed';
    return found.ino === own.ino && found.dev === own.dev ? 'own' : 'replaced';
  }

  /** Is the socket at the path known to be this process's? */
  private isServed(): boolean {
    try {
      return this.own !== null && this.state(this.own) === 'own';
    } catch {
      return false;
    }
  }

  private look(own: Identity): void {
    let state;
    try {
      state = this.state(own);
    } catch {
      return; // it can't be told now
    }
    if (state === 'own') return;
    clearInterval(this.watch);
    const { socket } = this.paths;
    this.lose(new MidcltError('FILES', `The socket ${socket} was ${state}; the daemon ended`));
  }

  private writePid(): void {
    const { pid } = this.paths;
    if (pid === null) return;
    try {
      writeFileDurably(pid, String(process.pid));
      this.whyNoPid = null;
    } catch (error) {
      this.whyNoPid = (error as Error).message;
    }
  }

  /**
   * A starter writes its pid before it knows whether it gets the path. So the file is looked at for a while, and
   * written again if it names another process. Where the socket is another's, so is the file.
   */
  private guardPid(): void {
    const { pid } = this.paths;
    if (pid === null) return;
    let looks = 0;
    this.guard = setInterval(() => {
      if (readPid(pid) !== process.pid && this.isServed()) this.writePid();
      if (++looks === PID_LOOKS) clearInterval(this.guard);
    }, PID_INTERVAL);
    this.guard.unref();
  }

  private running(): MidcltError {
    const pid = this.paths.pid === null ? null : readPid(this.paths.pid);
    const who = pid === null ? '' : ` (pid ${pid})`;
    return new MidcltError(
      'RUNNING',
      `A daemon is already running${who} at ${this.paths.socket}. Stop it with '${this.stopCommand}'`,
    );
  }
}

function bind(server: net.Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const mask = process.umask(0o777 & ~SOCKET_PERMISSIONS);
    server.once('error', (error) => {
      reject(
        new MidcltError('FILES', `Cannot listen in ${path.dirname(name)}: ${systemReason(error)}`),
      );
    });
    server.listen({ path: name, backlog: BACKLOG }, resolve);
    process.umask(mask); // listen() on a path binds before it returns
  });
}

function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new MidcltError('FILES', `Cannot publish the socket ${to}: ${systemReason(error)}`);
  }
}

interface Identity {
  readonly dev: number;
  readonly ino: number;
}

function identity(file: string): Identity | null {
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  return stats ? { dev: stats.dev, ino: stats.ino } : null;
}
