/**
 * The daemon's directory, which is made private and trusted only if it is; files that are there whole or not at all;
 * and the removal of what dead daemons left behind.
 *
 * A stale socket is one that refuses connections. Who removes it first creates a removal lock, an `O_EXCL` file named
 * for the inode that was looked at before it refused: of many starters one succeeds, sees that it is still that
 * inode, and unlinks.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { MidcltError, systemReason } from '../errors.js';
import { trustAncestors, trustDirectory, trustSocket } from '../files/trust.js';

/**
 * Makes `directory` (0700), or sees that it is one's own and nobody else can enter it. Throws a
 * `FILES` error.
 */
export function ensurePrivateDirectory(directory: string): void {
  if (trustDirectory(directory)) return;
  refuseForeignParent(directory);
  trustAncestors(directory);
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MidcltError(
      'FILES',
      `Cannot create the directory ${directory}: ${systemReason(error)}. Is the home directory writable?`,
    );
  }
  trustDirectory(directory); // another user may have been faster
}

/** Throws where root would make a directory in another user's, who could not remove it. */
function refuseForeignParent(directory: string): void {
  let parent = path.dirname(directory);
  while (!fs.existsSync(parent) && parent !== '/') parent = path.dirname(parent);
  const { uid } = fs.statSync(parent);
  if (uid === 0 || uid === process.geteuid?.()) return;
  throw new MidcltError(
    'FILES',
    `${directory} is not there, and ${parent} belongs to user ${uid}, not to you ` +
      `(${process.geteuid?.()}); set MIDCLT_HOME to a directory of your own`,
  );
}

/** Writes a file so that it is there whole or not at all, also after a power loss. Throws `FILES`. */
export function writeFileDurably(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  try {
    const descriptor = fs.openSync(temporary, 'w', 0o600);
    try {
      fs.writeSync(descriptor, text);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    discardFile(temporary);
    throw new MidcltError('FILES', `Cannot write ${file}: ${systemReason(error)}`);
  }
}

/** Removes a file if it can. One that stays does no harm. */
export function discardFile(file: string): void {
  try {
    removeFile(file);
  } catch {
    // it stays
  }
}

/** Removes a file if it is there. */
export function removeFile(file: string): void {
  fs.rmSync(file, { force: true });
}

/** Times a starter looks again when the path changes under it. */
export const ATTEMPTS = 150;
const RETRY_DELAY = 20;
/** Milliseconds after which a removal lock counts no more: its holder has died. */
const LOCK_LAPSES = 2000;

type Occupant = 'nobody' | 'alive' | 'stale';

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

/** Only a refused connection proves that nobody is there. */
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
        // The daemon was ending just then. What is there can be told a moment later.
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
 * Removes the stale socket that `stats` were taken of, and no other: by now a daemon's may stand there. Returns false
 * if another starter is removing it. Removes the pid file first: nobody starts while the socket stands, so it is still
 * the dead daemon's.
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
    // A pid file that can't be removed (a directory, say) names no daemon.
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

/** Resolves when it is time to look again. */
export function retryDelay(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, RETRY_DELAY);
  });
}
