/**
 * A daemon's files: `(uri, username)` → identifier → socket, pid file, log. And what the system tells of the process
 * that a pid file names.
 */
import { lstatSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { sha256 } from '@noble/hashes/sha2.js';
import { MidcltError } from '../errors.js';
import { addressOf } from './address.js';

/** `sun_path` without its final NUL: 108 bytes on Linux, 104 on macOS and the BSDs. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/**
 * `local` without a URI, else the first 12 hexadecimal digits of the SHA-256 of `uri:username`,
 * or of `uri` alone without a username. The Python daemon uses the same names. An address stands for the URI that it means.
 */
export function getDaemonIdentifier(uri: string | null, username: string | null): string {
  if (uri === null || uri === '') return 'local';
  const address = addressOf(uri);
  const name = username === null || username === '' ? address : `${address}:${username}`;
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

/** The file of the profiles. Throws a `FILES` error. */
export function profilesPath(env: NodeJS.ProcessEnv = process.env): string {
  return `${configDirectory(env)}/profiles.toml`;
}

/** The file of the certificates that are trusted, beside it; see `pins.ts`. Throws a `FILES` error. */
export function pinsPath(env: NodeJS.ProcessEnv = process.env): string {
  return `${configDirectory(env)}/trusted`;
}

/**
 * In `$XDG_CONFIG_HOME/midclt`, else `~/.config/midclt`. Of the variable counts what is absolute, as its specification
 * says, and not another user's, as with `$HOME`. Throws a `FILES` error.
 */
function configDirectory(env: NodeJS.ProcessEnv): string {
  const chosen = env.XDG_CONFIG_HOME ?? '';
  const isOurs = chosen.startsWith('/') && isOwn(chosen) !== false;
  const base = isOurs ? chosen : `${homeDirectory(env)}/.config`;
  return `${base.replace(/(?<=.)\/+$/, '')}/midclt`;
}

export interface DaemonPaths {
  readonly identifier: string;
  readonly directory: string;
  readonly socket: string;
  readonly pid: string;
  /** Held by who starts the daemon. As long as the socket's, which is limited. */
  readonly lock: string;
  readonly log: string;
  /** What is told of the last daemon that ended of a bug. */
  readonly crash: string;
  /** What the server has said of its methods; made by commands that ask for it, whether there is a daemon or not. */
  readonly methods: string;
  /** The same of its events; and what is there while both are asked for by a shell that completes a command line. */
  readonly events: string;
  readonly asking: string;
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
    crash: `${stem}.crash`,
    methods: `${stem}.methods`,
    events: `${stem}.events`,
    asking: `${stem}.asking`,
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

/** `$HOME` where the effective user owns it, else what the password database says. Throws a `FILES` error. */
export function homeDirectory(env: NodeJS.ProcessEnv): string {
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

/** Null: it is not there. */
function isOwn(path: string): boolean | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? stats.uid === process.geteuid?.() : null;
}

/** The pid in a pid file, or null. */
export function readPid(file: string): number | null {
  try {
    const text = readFileSync(file, 'latin1').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** The pid of the daemon whose socket this is, from the pid file beside it; null if that tells none. */
export function pidBeside(socketPath: string): number | null {
  return readPid(socketPath.replace(/\.sock$/, '.pid'));
}

/** What the system tells of a process. */
interface ProcessView {
  /** What it runs: Node, as this program does, or Python, as the original; null is something else. */
  readonly runs: 'node' | 'python' | null;
  /** A signal has stopped it (SIGSTOP, Ctrl-Z): it answers nobody. */
  readonly isStopped: boolean;
}

/** Null for a process that has ended, a zombie among them, or of which the system tells nothing. */
export function viewProcess(pid: number): ProcessView | null {
  try {
    const state = stateIn(`/proc/${pid}/stat`);
    if (/[ZX]/.test(state)) return null;
    return { runs: kindOf(readlinkSync(`/proc/${pid}/exe`)), isStopped: /t/i.test(state) };
  } catch {
    return process.platform === 'linux' ? null : viewByPs(pid);
  }
}

/** Whether no thread of the process is left: before that, its files may still be open. A zombie has ended. */
export function hasEnded(pid: number): boolean {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return process.platform === 'linux' || viewByPs(pid) === null;
  }
  return threads.every((id) => {
    try {
      return /^[ZX]/.test(stateIn(`/proc/${pid}/task/${id}/stat`));
    } catch {
      return true; // just now
    }
  });
}

/** The name before it, in parentheses, may hold any character. */
function stateIn(statFile: string): string {
  return readFileSync(statFile, 'latin1')
    .replace(/^.*\) /s, '')
    .slice(0, 1);
}

function viewByPs(pid: number): ProcessView | null {
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const { stdout } = spawnSync('ps', ['-o', 'stat=,comm=', '-p', `${pid}`], { encoding: 'utf8' });
  const [, state, command] = /^\s*(\S+)\s+(.+?)\s*$/.exec(stdout) ?? [];
  if (state === undefined || command === undefined || state.startsWith('Z')) return null;
  return { runs: kindOf(command), isStopped: state.startsWith('T') };
}

function kindOf(executable: string): ProcessView['runs'] {
  const name = basename(executable.replace(/ \(deleted\)$/, '')).toLowerCase();
  if (/^(?:python|pypy)/.test(name)) return 'python';
  // A daemon of this program may carry its own title where only that is shown.
  const isNode = /^(?:node|midclt)/.test(name) || name === basename(process.execPath).toLowerCase();
  return isNode ? 'node' : null;
}
