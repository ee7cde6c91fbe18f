/** Where a daemon's files are, what is left of a dead one's, and the rest of the Python daemon's constants. */
import {
  daemonPaths,
  getDaemonDir as directory,
  getDaemonIdentifier as identifier,
} from '../files/paths.js';

/**
 * The name by which daemons are told apart: `local` without a URI, else the first 12 hexadecimal
 * digits of the SHA-256 of `uri:username`, or of `uri` alone. Source: utils.py of the Python daemon.
 */
export function getDaemonIdentifier(
  uri: string | null = null,
  username: string | null = null,
): string {
  return identifier(uri, username);
}

/**
 * The directory of all daemons, `$MIDCLT_HOME`, else `~/.midclt`; made (0700) where it is missing. `~`
 * is `$HOME` if the effective user owns it, else the home of the password database. Throws a `FILES` error if it
 * can't be made or trusted. Source: `get_daemon_dir`.
 */
export function getDaemonDir(): string {
  const found = directory();
  files().ensurePrivateDirectory(found);
  return found;
}

/** `~/.midclt/daemon-local.sock`, or `daemon-ID.sock` for a URI. Makes nothing. Source: `get_daemon_socket_path`. */
export function getDaemonSocketPath(
  uri: string | null = null,
  username: string | null = null,
): string {
  return daemonPaths(uri, username).socket;
}

/** The file with the daemon's decimal pid, beside its socket. Makes nothing. Source: `get_daemon_pid_path`. */
export function getDaemonPidPath(
  uri: string | null = null,
  username: string | null = null,
): string {
  return daemonPaths(uri, username).pid;
}

/**
 * Removes the socket and the pid file of a daemon that died without doing so. Resolves with
 * whether there were any.
 *
 * Only a refused connection proves that a daemon is dead. Where one answers, where it can't be
 * told (no permission), or where there is no socket, everything is left as it is; so this is safe
 * at any time. A daemon that starts does it by itself. Source: `cleanup_stale_files`.
 */
export async function cleanupStaleFiles(
  uri: string | null = null,
  username: string | null = null,
): Promise<boolean> {
  return files().reclaim(daemonPaths(uri, username));
}

function files(): typeof import('../daemon/files.js') {
  return require('../daemon/files.js') as typeof import('../daemon/files.js');
}

/*
 * Constants of the Python daemon. Those that this program has a use for are where they are used: see
 * `DAEMON_CONNECT_TIMEOUT` and `SOCKET_PERMISSIONS` in protocol/frames.ts.
 */

/**
 * No limit. The Python client gives up a request after 300 s, also in the middle of a longer job;
 * here a request ends by its own timeout, which the daemon keeps.
 */
export const DAEMON_REQUEST_TIMEOUT = null;

/** None. The Python daemon wakes up to look at its idle clock; here accepting and the clock are events. */
export const DAEMON_ACCEPT_TIMEOUT = null;

/** Bytes that Node reads from a socket at once; libuv's, not a setting. */
export const SOCKET_RECV_BUFFER_SIZE = 65_536;

/** What the Python daemon takes; this one takes more (docs/PROTOCOL.md). */
export const Command = { PING: 'ping', CALL: 'call', STOP: 'stop' } as const;
export type Command = (typeof Command)[keyof typeof Command];
