/** Runs the built binary as a user would, in a home of its own. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { ROOT } from './root.js';

export const BINARY = path.join(ROOT, 'dist/bin/midclt.js');
/** What npm installs. */
export const LAUNCHER = path.join(ROOT, 'dist/bin/midclt');

/** `MIDCLT_TEST_LAUNCHER=SHELL` has the tests go through the launcher, read by that shell (`busybox sh`), where they use {@link spawnMidclt}. */
const LAUNCHER_SHELL = process.env.MIDCLT_TEST_LAUNCHER;
const PROGRAM = LAUNCHER_SHELL
  ? [...LAUNCHER_SHELL.split(' '), LAUNCHER]
  : [process.execPath, BINARY];

/**
 * For `skip`: why a test that needs these programs cannot run here, or false. In CI they are
 * there or the test fails.
 */
export function missing(...tools: readonly string[]): string | false {
  if (process.env.CI) return false;
  const found = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;
  const lacking = tools.filter((tool) => !found(tool));
  return lacking.length > 0 && `${lacking.join(', ')} not installed`;
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly home: string;
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** It leads a group of processes, as what is typed in a terminal does. */
  readonly detached?: boolean;
}

/** A short path: a Unix socket's must fit into 107 bytes. Removed when the test ends. */
export function makeHome(t: Test): string {
  const home = fs.mkdtempSync('/tmp/m-');
  t.teardown(() => {
    // What the program does in the background, such as asking for names to complete, may still write there.
    fs.rmSync(home, { recursive: true, force: true, maxRetries: 10 });
  });
  return home;
}

/**
 * The environment of a child: nothing of the test runner's own, which slows Node's start. No daemon is
 * started unasked, which would outlive its test.
 */
export function environment(home: string, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', MIDCLT_AUTOSTART: '0', ...extra };
}

export function spawnMidclt(
  args: readonly string[],
  options: RunOptions,
): ChildProcessWithoutNullStreams {
  // tap puts its own hooks into every Node child by NODE_OPTIONS; a user's has none.
  return spawn('env', ['-u', 'NODE_OPTIONS', ...PROGRAM, ...args], {
    env: environment(options.home, options.env),
    cwd: options.cwd ?? options.home,
    detached: options.detached ?? false,
  });
}

export function midclt(args: readonly string[], options: RunOptions): Promise<Finished> {
  return finished(spawnMidclt(args, options), options.input);
}

/** Runs a shell command line with `$SOCK`-like variables in `env`. */
export function shell(command: string, options: RunOptions): Promise<Finished> {
  const child = spawn('/bin/sh', ['-c', `unset NODE_OPTIONS; ${command}`], {
    env: environment(options.home, options.env),
    cwd: options.cwd ?? options.home,
  });
  return finished(child, options.input);
}

export function finished(
  child: ChildProcessWithoutNullStreams,
  input: string | Buffer = '',
): Promise<Finished> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({
        code,
        signal,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

/** Of what a daemon says of itself. */
export interface Status {
  readonly clients: number;
  readonly calls: { readonly in_flight: number; readonly served: number };
  readonly jobs: { readonly followed: number };
}

/** What `daemon-status --json` has printed; null if it has failed, as it may on a busy machine, and is to be asked again. */
export function statusIn({ code, stdout }: Finished): Status | null {
  return code === 0 ? (JSON.parse(stdout) as Status) : null;
}

/**
 * Polls until `check` gives something other than undefined, null or false. The patience is for a machine
 * that is busy otherwise: it costs nothing where a test passes.
 */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  patience = 60_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== null && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
