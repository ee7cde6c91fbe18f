/** The Python stand-in for the original's daemon, as a process; see python-daemon.py. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { filesOf } from './lifecycle.js';
import { environment, midclt, until, type Finished } from './midclt.js';
import { ROOT } from './root.js';

const PROGRAM = path.join(ROOT, 'test/support/python-daemon.py');

export interface PythonDaemon {
  readonly pid: number;
  readonly socket: string;
  /** The commands that it has read, each with its method. */
  readonly read: () => string[];
  readonly run: (args: readonly string[], input?: string) => Promise<Finished>;
}

/** The local middleware's, in this home. */
export async function startPythonDaemon(
  t: Test,
  home: string,
  options: readonly string[] = [],
  socket = filesOf(home, null).socket,
): Promise<PythonDaemon> {
  fs.mkdirSync(path.dirname(socket), { mode: 0o700, recursive: true });
  const child = spawn('python3', [PROGRAM, socket, ...options], { env: environment(home) });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await until('it to listen', () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${errors}`);
    return text.includes('listening');
  });
  const read = () =>
    text
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim());
  return {
    pid: child.pid ?? 0,
    socket,
    read,
    run: (args, input = '') => midclt(args, { home, input }),
  };
}
