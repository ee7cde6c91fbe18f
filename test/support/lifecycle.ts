/** Daemons that start by themselves: where they may, what is known of their processes, and their end with the test. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Test } from 'tap';
import type { SandboxOptions } from '../../lib/sandbox/index.js';
import { surroundings, type Surroundings } from './daemon.js';
import { BINARY, midclt, shell, until, type Finished, type RunOptions } from './midclt.js';

export interface DaemonFiles {
  readonly socket: string;
  readonly pid: string;
  readonly log: string;
}

type More = Partial<RunOptions>;

export interface Ground extends Surroundings {
  /** The same middleware over TCP, where a login is needed. */
  readonly ws: string;
  /** `midclt …`, which may start daemons. */
  readonly run: (args: readonly string[], more?: More) => Promise<Finished>;
  /** `midclt -u URI -d …`, over the Unix socket. */
  readonly d: (args: readonly string[], more?: More) => Promise<Finished>;
  /** `midclt -u WS -U admin -d …`, with the password in the environment. */
  readonly admin: (args: readonly string[], more?: More) => Promise<Finished>;
  /** A command line in which `midclt` is `midclt -u "$URI"` and `$WS` the other URI. */
  readonly sh: (command: string, more?: More) => Promise<Finished>;
  readonly files: (uri?: string, username?: string) => DaemonFiles;
  /** What the pid file says of the daemon of {@link Surroundings.uri}, or another; null: there is none. */
  readonly pid: (uri?: string, username?: string) => number | null;
  /** Every process with this home, the daemons' among them. */
  readonly processes: () => number[];
  /** Waits until these processes are all that is left. */
  readonly settled: (...pids: (number | null)[]) => Promise<unknown>;
}

/** What the test runner's own environment says is overridden: a daemon starts where one is needed. */
export const AUTOSTART = { MIDCLT_AUTOSTART: '' };
export const PASSWORD = { MIDCLT_PASSWORD: 'admin-pw' };
export const MISSING =
  /^Error: No daemon is running\. Start one with 'midclt (?:.* )?daemon(?: --detach)?'\n$/;

/** A sandbox, and a home in which daemons start by themselves; none of them outlives the test. */
export async function ground(t: Test, options: Partial<SandboxOptions> = {}): Promise<Ground> {
  const around = await surroundings(t, {
    ws: 0,
    rateLimit: false,
    failedLoginDelayMs: 20,
    ...options,
  });
  const { home, uri, sandbox } = around;
  t.teardown(() => endAll(home));
  const ws = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const files = (of = uri, username?: string) => filesOf(home, of, username);
  const run = (args: readonly string[], { env = {}, ...more }: More = {}) =>
    midclt(args, { home, env: { ...AUTOSTART, ...env }, ...more });
  const processes = () => processesOf(home);
  return {
    ...around,
    ws,
    run,
    d: (args, more) => run(['-u', uri, '-d', ...args], more),
    admin: (args, { env = {}, ...more } = {}) =>
      run(['-u', ws, '-U', 'admin', '-d', ...args], { env: { ...PASSWORD, ...env }, ...more }),
    sh: (command, { env = {}, ...more } = {}) =>
      shell(`midclt() { "$NODE" "$BINARY" -u "$URI" "$@"; }; ${command}`, {
        home,
        env: { ...AUTOSTART, NODE: process.execPath, BINARY, URI: uri, WS: ws, ...env },
        ...more,
      }),
    files,
    pid: (of, username) => pidIn(files(of, username).pid),
    processes,
    settled: (...pids) => {
      const wanted = pids.map(String).sort().join();
      return until(
        `no processes but ${wanted}`,
        () => processes().sort().join() === wanted,
        30_000,
      );
    },
  };
}

export function filesOf(home: string, uri: string | null, username?: string): DaemonFiles {
  const name = username === undefined ? `${uri}` : `${uri}:${username}`;
  const id = uri === null ? 'local' : createHash('sha256').update(name).digest('hex').slice(0, 12);
  const stem = `${home}/.midclt/daemon-${id}`;
  return {
    socket: `${stem}.sock`,
    pid: `${stem}.pid`,
    log: `${home}/.midclt/logs/daemon-${id}.log`,
  };
}

export function pidIn(file: string): number | null {
  return fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : null;
}

/** Those that live and were started with this `HOME`; the test runner's own has another. */
export function processesOf(home: string): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => `\0${read(pid, 'environ')}`.includes(`\0HOME=${home}\0`));
}

/** '' if it is gone, or another user's. */
function read(pid: number, file: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

export interface Process {
  readonly cmdline: string;
  readonly environ: string;
  readonly cwd: string;
  /** `T` is stopped. */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** 0: none. */
  readonly terminal: number;
  /** What its first three descriptors are. */
  readonly stdio: string[];
}

/** What the system shows of a process to its own user. */
export function processOf(pid: number): Process {
  // The name before it may hold blanks and parentheses.
  const stat = read(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return {
    cmdline: read(pid, 'cmdline'),
    environ: read(pid, 'environ'),
    cwd: fs.readlinkSync(`/proc/${pid}/cwd`),
    state: stat[0] ?? '',
    parent: Number(stat[1]),
    session: Number(stat[3]),
    terminal: Number(stat[4]),
    stdio: [0, 1, 2].map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`)),
  };
}

/** Has it a thread that is not yet dead? Before that, its sockets are not closed. */
export function isAlive(pid: number): boolean {
  let threads: string[];
  try {
    threads = fs.readdirSync(`/proc/${pid}/task`);
  } catch {
    return false;
  }
  return threads.some((id) => /\) [^ZX] /.test(read(pid, `task/${id}/stat`)));
}

/** As by `kill -9`: whatever it was doing, its files stay behind. */
export async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until('it to be gone', () => !isAlive(pid));
}

/** Stops a process, as Ctrl-Z would, and waits until it stands. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until('it to stand', () => processOf(pid).state === 'T');
}

/** Ends the daemons that have a pid file in this home, and whatever else was started there. */
export async function endAll(home: string): Promise<void> {
  const directory = `${home}/.midclt`;
  const names = fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()
    ? fs.readdirSync(directory)
    : [];
  const mine = new Set(processesOf(home));
  const named = names.filter((name) => name.endsWith('.pid'));
  for (const name of named) end(pidIn(`${directory}/${name}`), mine);
  await until(
    'every process of the test to be gone',
    () => {
      const left = processesOf(home).filter(isAlive);
      for (const pid of left) end(pid, new Set(left));
      return left.length === 0;
    },
    20_000,
  );
}

function end(pid: number | null, mine: ReadonlySet<number>): void {
  if (pid === null || !mine.has(pid)) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just gone
  }
}
