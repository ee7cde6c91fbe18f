/** Where a daemon's files are: `(uri, username)` → identifier → socket, pid file, log. */
import { lstatSync, statSync } from 'node:fs';
// In place of node:crypto, which takes 2 ms to load; the bundler leaves out all but SHA-256.
import { sha256 } from '@noble/hashes/sha2.js';
import { MidcltError } from '../errors.js';

/** `sun_path` without its final NUL: 108 bytes on Linux, 104 on macOS and the BSDs. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/**
 * `local` without a URI, else the first 12 hexadecimal digits of the SHA-256 of `uri:username`,
 * or of `uri` alone without a username. The Python daemon uses the same names.
 */
export function getDaemonIdentifier(uri: string | null, username: string | null): string {
  if (uri === null || uri === '') return 'local';
  const name = username === null || username === '' ? uri : `${uri}:${username}`;
  return Buffer.from(sha256(Buffer.from(name)))
    .toString('hex')
    .slice(0, 12);
}

/**
 * `$MIDCLT_HOME`, else `~/.midclt`. `$HOME` counts only where the effective user owns it: under
 * `sudo` it may be another user's, who would then find root's files in it. `$MIDCLT_HOME` says what
 * is wanted, so another user's is refused when it is used (`trust.ts`). Throws a `FILES` error.
 */
export function getDaemonDir(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env.MIDCLT_HOME ?? '';
  if (chosen === '') return `${homeDirectory(env)}/.midclt`;
  if (chosen.startsWith('/')) return chosen.replace(/(?<=.)\/+$/, '');
  throw new MidcltError('FILES', `MIDCLT_HOME must be an absolute path: ${chosen}`);
}

export interface DaemonPaths {
  readonly identifier: string;
  readonly directory: string;
  readonly socket: string;
  readonly pid: string;
  /** Held by who starts the daemon. As long as the socket's, which is limited. */
  readonly lock: string;
  readonly log: string;
}

export function daemonPaths(uri: string | null, username: string | null): DaemonPaths {
  const directory = getDaemonDir();
  const identifier = getDaemonIdentifier(uri, username);
  const stem = `${directory}/daemon-${identifier}`;
  return {
    identifier,
    directory,
    socket: `${stem}.sock`,
    pid: `${stem}.pid`,
    lock: `${stem}.lock`,
    log: `${directory}/logs/daemon-${identifier}.log`,
  };
}

/** Throws a `FILES` error for a path that would be cut silently when it is bound or connected to. */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= MAX_SOCKET_PATH) return;
  throw new MidcltError(
    'FILES',
    `The socket path ${path} has ${length} bytes; the system takes ${MAX_SOCKET_PATH}. Set MIDCLT_HOME to a directory with a shorter path`,
  );
}

/** What tells the socket at a path from one that takes its place; null if there is none, or it can't be told. */
export function socketIdentity(file: string): string | null {
  try {
    const { dev, ino, ctimeMs } = lstatSync(file);
    return `${dev} ${ino} ${ctimeMs}`;
  } catch {
    return null;
  }
}

function homeDirectory(env: NodeJS.ProcessEnv): string {
  const home = env.HOME;
  if (home?.startsWith('/') && isOwn(home)) return home.replace(/\/+$/, '');
  const { userInfo } = require('node:os') as typeof import('node:os');
  try {
    return userInfo().homedir;
  } catch {
    throw new MidcltError(
      'FILES',
      `No home directory: HOME is ${home ?? 'not set'} and the user is not in the password database`,
    );
  }
}

function isOwn(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.uid === process.geteuid?.();
}
