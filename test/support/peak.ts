/** The most memory that a process ever had, in MB; Linux only. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BINARY, environment } from './midclt.js';
import { ROOT } from './root.js';

/** For `node -r`: the process writes its status to the file that `MIDCLT_TEST_STATUS` names. */
export const REPORTER = path.join(ROOT, 'test/support/peak.js');

/** In the status of a process, which is its own file or `/proc/PID/status`. */
export function peakIn(status: string): number {
  return Number(/VmHWM:\s*(\d+) kB/.exec(fs.readFileSync(status, 'utf8'))?.[1]) / 1024;
}

/** Of a process that lives. */
export function peakOf(pid: number | undefined): number {
  return peakIn(`/proc/${pid}/status`);
}

/** `midclt` with these arguments, and its peak when it has ended. */
export function spawnMeasured(
  args: readonly string[],
  home: string,
): { child: ChildProcessWithoutNullStreams; peak: () => number } {
  const status = path.join(fs.mkdtempSync(`${home}/peak-`), 'status');
  const command = ['-u', 'NODE_OPTIONS', process.execPath, '-r', REPORTER, BINARY, ...args];
  const env = environment(home, { MIDCLT_TEST_STATUS: status });
  const child = spawn('env', command, { env, cwd: home });
  return { child, peak: () => peakIn(status) };
}
