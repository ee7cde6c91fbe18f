/** Pid files, and what the system tells of the processes they name. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** The pid in a pid file, or null. */
export function readPid(file: string): number | null {
  try {
    const text = readFileSync(file, 'latin1').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** Of the daemon whose socket this is, from the pid file beside it; null if that tells none. */
export function pidBeside(socketPath: string): number | null {
  return readPid(socketPath.replace(/\.sock$/, '.pid'));
}

/** What there is to see of a process from outside. */
export interface ProcessView {
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

/** Is no thread of it left? Before that, what it had open may still be. A zombie has ended. */
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
