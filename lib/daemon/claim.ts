/**
 * Exactly one owner of a socket path.
 *
 * Node has no flock, and a check followed by an unlink is a race. What holds:
 *  - The socket is bound at a private name and published by `link()`, which fails if the path is
 *    taken. So nobody ever replaces a daemon, and the socket is 0600 from its first instant.
 *  - A stale socket is one that refuses connections. The right to remove it is an `O_EXCL` file
 *    named for the inode that was looked at before it refused: of many starters one gets it, sees
 *    that it is still that inode, and unlinks.
 *  - What is removed at the end is removed only if it is still one's own.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { MidcltError, systemReason } from '../errors.js';
import { checkSocketPath } from '../paths.js';
import { trustSocket } from '../private.js';
import { SOCKET_PERMISSIONS } from '../protocol.js';
import { readPid, removeFile, writeFileDurably } from './files.js';

/** Times a starter looks again when the path changes under it. */
const ATTEMPTS = 150;
const RETRY_DELAY = 20;
/** Milliseconds after which the right to remove a socket has lapsed: its holder died with it. */
const RIGHT_LAPSES = 2000;
/** Looks at one's own pid file after the start, and the milliseconds between them. */
const PID_LOOKS = 20;
const PID_INTERVAL = 50;
/** Connections that may wait to be accepted; the system caps it at `somaxconn`. */
const BACKLOG = 4096;

type Occupant = 'nobody' | 'alive' | 'stale';

export interface ClaimPaths {
  readonly socket: string;
  /** Null: no pid file is kept. */
  readonly pid: string | null;
}

export class Claim {
  /** What is published at the path; null before and after. */
  private own: { dev: number; ino: number } | null = null;
  private guard: NodeJS.Timeout | undefined;
  private whyNoPid: string | null = null;

  constructor(private readonly paths: ClaimPaths) {
    checkSocketPath(paths.socket);
  }

  /** Why there is no pid file, if it could not be written: a daemon serves without, too. */
  get pidFailure(): string | null {
    return this.whyNoPid;
  }

  /** Throws a `RUNNING` error if a daemon answers at the path. Removes nothing. */
  async refuseIfRunning(): Promise<void> {
    if ((await occupantOf(this.paths.socket)) === 'alive') throw this.running();
  }

  /**
   * Listens at the path, after the pid file is written. Rejects with a `RUNNING` error if
   * another daemon is there, before or meanwhile.
   */
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
          if (!removeStale(this.paths, seen)) await delay(RETRY_DELAY);
          continue;
        }
        this.writePid();
        if (!tryLink(bound, socket)) continue;
        this.own = own;
        this.guardPid();
        sweepRights(socket);
        return;
      }
      throw new MidcltError('FILES', `The socket ${socket} keeps changing; try again`);
    } catch (error) {
      server.close(); // it listens at its private name
      throw error;
    } finally {
      removeFile(bound);
    }
  }

  /** Removes the socket and the pid file, each only if it is still this process's. */
  release(): void {
    const { socket, pid } = this.paths;
    clearInterval(this.guard);
    if (!this.own) return;
    const found = identity(socket);
    if (found?.ino === this.own.ino && found.dev === this.own.dev) removeFile(socket);
    if (pid !== null && readPid(pid) === process.pid) removeFile(pid);
    this.own = null;
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
   * Starters that came to nothing wrote their pid before they knew: for a while the file is
   * looked at again, and written anew if it names another.
   */
  private guardPid(): void {
    const { pid } = this.paths;
    if (pid === null) return;
    let looks = 0;
    this.guard = setInterval(() => {
      if (readPid(pid) !== process.pid) this.writePid();
      if (++looks === PID_LOOKS) clearInterval(this.guard);
    }, PID_INTERVAL);
    this.guard.unref();
  }

  private running(): MidcltError {
    const pid = this.paths.pid === null ? null : readPid(this.paths.pid);
    const who = pid === null ? '' : ` (pid ${pid})`;
    return new MidcltError(
      'RUNNING',
      `A daemon is already running${who} at ${this.paths.socket}. Stop it with 'midclt daemon-stop'`,
    );
  }
}

/**
 * Removes the socket and the pid file that a daemon left behind. Resolves with whether there were
 * any: where something answers, or it can't be told, all is left as it is.
 */
export async function reclaim(paths: ClaimPaths): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = fs.lstatSync(paths.socket, { throwIfNoEntry: false });
    const occupant = await occupantOf(paths.socket).catch(() => 'unknown' as const);
    if (occupant !== 'stale') return false;
    if (removeStale(paths, seen)) {
      sweepRights(paths.socket);
      return true;
    }
    await delay(RETRY_DELAY);
  }
  return false;
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

/** Only a refused connection proves that nobody is there; anything else leaves the file alone. */
async function occupantOf(socket: string): Promise<Occupant> {
  if (!trustSocket(socket)) return 'nobody';
  return new Promise((resolve, reject) => {
    const probe = net.connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve('alive');
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve('stale');
      else if (error.code === 'ENOENT') resolve('nobody');
      else if (error.code === 'EAGAIN')
        resolve('alive'); // its backlog is full
      else
        reject(new MidcltError('FILES', `Cannot tell who owns ${socket}: ${systemReason(error)}`));
    });
  });
}

/**
 * Removes the socket that `stats` were taken of before it was found to refuse connections: what
 * stands there by now may be a daemon's. False if another starter is at it. The pid file goes first: who wants to start waits for the
 * socket to go, so that it is the dead daemon's still.
 */
function removeStale({ socket, pid }: ClaimPaths, stats: fs.Stats | undefined): boolean {
  if (!stats) return true;
  const right = rightName(socket, stats);
  try {
    fs.closeSync(fs.openSync(right, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      const taken = fs.lstatSync(right, { throwIfNoEntry: false });
      if (taken && Date.now() - taken.mtimeMs > RIGHT_LAPSES) removeFile(right);
      return false;
    }
    throw new MidcltError(
      'FILES',
      `Cannot remove the stale socket ${socket}: ${systemReason(error)}`,
    );
  }
  const again = fs.lstatSync(socket, { throwIfNoEntry: false });
  if (again && rightName(socket, again) === right) {
    if (pid !== null) forgetPid(pid);
    removeFile(socket);
  }
  return true;
}

function forgetPid(pid: string): void {
  try {
    removeFile(pid);
  } catch {
    // what can't be removed, a directory, say, says nothing about a daemon either
  }
}

/** Rights are named for one inode at one time and are never given back: their sockets are gone. */
function rightName(socket: string, stats: fs.Stats): string {
  return `${socket}.${stats.ino}-${Math.trunc(stats.ctimeMs * 1000)}`;
}

/** Removes the rights of sockets that no longer exist, once the path is ours. */
function sweepRights(socket: string): void {
  const directory = path.dirname(socket);
  const prefix = `${path.basename(socket)}.`;
  const stats = fs.lstatSync(socket, { throwIfNoEntry: false });
  const current = stats ? path.basename(rightName(socket, stats)) : '';
  for (const name of fs.readdirSync(directory)) {
    if (name.startsWith(prefix) && name !== current) removeFile(path.join(directory, name));
  }
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

function identity(file: string): { dev: number; ino: number } | null {
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  return stats ? { dev: stats.dev, ino: stats.ino } : null;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
