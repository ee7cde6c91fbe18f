/**
 * What dead daemons left behind.
 *
 * A stale socket is one that refuses connections. Who removes it first creates a removal lock, an
 * `O_EXCL` file named for the inode that was looked at before it refused: of many starters one
 * succeeds, sees that it is still that inode, and unlinks.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { MidcltError, systemReason } from '../errors.js';
import { trustSocket } from '../files/trust.js';
import { discardFile, removeFile } from './files.js';

/** Times a starter looks again when the path changes under it. */
export const ATTEMPTS = 150;
const RETRY_DELAY = 20;
/** Milliseconds after which a removal lock counts no more: its holder died with it. */
const LOCK_LAPSES = 2000;

export type Occupant = 'nobody' | 'alive' | 'stale';

export interface SocketPaths {
  readonly socket: string;
  /** Null: no pid file is kept. */
  readonly pid: string | null;
}

/**
 * Removes the socket and the pid file that a daemon left behind. Resolves with whether there were
 * any: where something answers, or it can't be told, all is left as it is.
 */
export async function reclaim(paths: SocketPaths): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = fs.lstatSync(paths.socket, { throwIfNoEntry: false });
    const occupant = await occupantOf(paths.socket).catch(() => 'unknown' as const);
    if (occupant !== 'stale') return false;
    if (removeStale(paths, seen)) {
      sweepRemovalLocks(paths.socket);
      return true;
    }
    await retryDelay();
  }
  return false;
}

/** Only a refused connection proves that nobody is there; anything else leaves the file alone. */
export async function occupantOf(socket: string): Promise<Occupant> {
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
      else if (error.code === 'ECONNRESET') {
        // It was going just then: what is there a moment later can be told.
        retryDelay()
          .then(() => occupantOf(socket))
          .then(resolve, reject);
      } else if (error.code === 'EAGAIN')
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
export function removeStale({ socket, pid }: SocketPaths, stats: fs.Stats | undefined): boolean {
  if (!stats) return true;
  const lock = removalLockName(socket, stats);
  try {
    fs.closeSync(fs.openSync(lock, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      const taken = fs.lstatSync(lock, { throwIfNoEntry: false });
      if (taken && Date.now() - taken.mtimeMs > LOCK_LAPSES) removeFile(lock);
      return false;
    }
    throw new MidcltError(
      'FILES',
      `Cannot remove the stale socket ${socket}: ${systemReason(error)}`,
    );
  }
  const again = fs.lstatSync(socket, { throwIfNoEntry: false });
  if (again && removalLockName(socket, again) === lock) {
    // What can't be removed, a directory, say, says nothing about a daemon either.
    if (pid !== null) discardFile(pid);
    removeFile(socket);
  }
  return true;
}

/** A removal lock is named for one inode at one time. It is never released: its socket is gone. */
function removalLockName(socket: string, stats: fs.Stats): string {
  return `${socket}.${stats.ino}-${Math.trunc(stats.ctimeMs * 1000)}`;
}

/** Removes the removal locks of sockets that no longer exist, once the path is this process's. */
export function sweepRemovalLocks(socket: string): void {
  const directory = path.dirname(socket);
  const prefix = `${path.basename(socket)}.`;
  const stats = fs.lstatSync(socket, { throwIfNoEntry: false });
  const current = stats ? path.basename(removalLockName(socket, stats)) : '';
  for (const name of fs.readdirSync(directory)) {
    if (name.startsWith(prefix) && name !== current) discardFile(path.join(directory, name));
  }
}

/** Before looking again. */
export function retryDelay(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, RETRY_DELAY);
  });
}
