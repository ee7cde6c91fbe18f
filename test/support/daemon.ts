/** A sandbox and a daemon on it: the surroundings of most end-to-end tests. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import type { Test } from 'tap';
import type { StatusReport } from '../../lib/protocol/status.js';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../lib/sandbox/index.js';
import { makeHome, midclt, spawnMidclt, until, type Finished, type RunOptions } from './midclt.js';

export interface Surroundings {
  readonly home: string;
  readonly uri: string;
  readonly sandbox: Sandbox;
}

export interface RunningDaemon extends Surroundings {
  readonly child: ChildProcessWithoutNullStreams;
  readonly socket: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when the daemon's process is gone, and what it has said is read. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** `midclt -u URI -d …` with these arguments. */
  readonly d: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Finished>;
}

/** A sandbox on a Unix socket in a home of its own. */
export async function surroundings(
  t: Test,
  options: Partial<SandboxOptions> = {},
): Promise<Surroundings> {
  const home = makeHome(t);
  const sandbox = await startSandbox({ unix: `${home}/mw.sock`, ...options });
  t.teardown(() => sandbox.close());
  return { home, sandbox, uri: `ws+unix://${home}/mw.sock` };
}

/** A daemon on that sandbox (or a new one), accepting connections. */
export async function startDaemon(
  t: Test,
  options: {
    around?: Surroundings;
    /** Global options, before the subcommand. */
    globals?: readonly string[];
    args?: readonly string[];
    env?: NodeJS.ProcessEnv;
    uri?: string;
    username?: string;
    /** On its stdin, which ends behind it. */
    input?: string;
  } = {},
): Promise<RunningDaemon> {
  const around = options.around ?? (await surroundings(t));
  const { home } = around;
  const uri = options.uri ?? around.uri;
  const child = spawnMidclt(
    ['-u', uri, ...(options.globals ?? []), 'daemon', ...(options.args ?? [])],
    { home, ...(options.env ? { env: options.env } : {}) },
  );
  if (options.input !== undefined) child.stdin.end(options.input);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal });
    });
  });
  t.teardown(() => child.kill('SIGKILL'));
  await until('the daemon to accept connections', () => {
    if (child.exitCode !== null) throw new Error(`the daemon ended: ${stderr}`);
    return stdout.includes('Accepting connections');
  });
  const name = options.username === undefined ? uri : `${uri}:${options.username}`;
  const identifier = createHash('sha256').update(name).digest('hex').slice(0, 12);
  const stem = `${home}/.midclt/daemon-${identifier}`;
  const user = options.username === undefined ? [] : ['-U', options.username];
  return {
    ...around,
    uri,
    child,
    socket: `${stem}.sock`,
    pidFile: `${stem}.pid`,
    logFile: `${home}/.midclt/logs/daemon-${identifier}.log`,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    d: (args, more = {}) => midclt(['-u', uri, ...user, '-d', ...args], { home, ...more }),
  };
}

export interface Exchange {
  readonly lines: string[];
  /** Each line as JSON.parse reads it. */
  readonly frames: Record<string, unknown>[];
  /** Milliseconds until the daemon closed the connection. */
  readonly took: number;
}

/**
 * Connects to a daemon's socket, writes `text`, and reads until the daemon closes; ends its own
 * side after writing if `halfClose` says so.
 */
export function exchange(
  socket: string,
  text: string | Buffer,
  { halfClose = false }: { halfClose?: boolean } = {},
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const connection = net.connect({ path: socket, allowHalfOpen: true });
    const chunks: Buffer[] = [];
    connection.on('error', reject);
    connection.on('data', (chunk) => chunks.push(chunk));
    connection.on('end', () => {
      connection.end();
      const lines = Buffer.concat(chunks).toString().split('\n').filter(Boolean);
      const frames = lines.map((line) => parseLoosely(line));
      resolve({ lines, frames, took: performance.now() - started });
    });
    connection.write(text);
    if (halfClose) connection.end();
  });
}

/** What the daemon says of itself. Asked over its socket: a poll has no processes to wait for. */
export async function statusOf(socket: string): Promise<StatusReport> {
  const { frames } = await exchange(socket, '{"command":"status"}\n', { halfClose: true });
  return frames[0]?.result as StatusReport;
}

function parseLoosely(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { unparsed: line };
  }
}

/**
 * Ends a call to test.sleep for an hour, at a time of the test's choosing: a race has no winner then.
 * The last, or one by its place among them.
 */
export function wakeSleeper(sandbox: Sandbox, place = -1): void {
  const isSleeper = (text: string) => text.includes('"test.sleep", "params": [3600]');
  const call = sandbox.received.filter(isSleeper).at(place);
  const { id } = JSON.parse(call ?? '') as { id: unknown };
  sandbox.sendRaw(JSON.stringify({ jsonrpc: '2.0', id, result: 3600 }));
}

/** The descriptors a process has open; Linux only. */
export function descriptors(pid: number): number {
  return fs.readdirSync(`/proc/${pid}/fd`).length;
}

/** The sockets among them: of files a process may have one open for a moment. */
export function socketsOf(pid: number): number {
  return openFiles(pid).filter((name) => name.startsWith('socket:')).length;
}

/** What a process's descriptors are, files by their paths; Linux only. */
export function openFiles(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return fs.readdirSync(directory).flatMap((fd) => {
    try {
      return [fs.readlinkSync(`${directory}/${fd}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}
