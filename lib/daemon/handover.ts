/**
 * How a daemon is started in the background: another process of this program, in a session of its
 * own, with nothing of the terminal. What it needs goes over a pipe, since others could read its
 * arguments and its environment. Over the same pipe it reports that it is ready, or why not.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import inspector from 'node:inspector';
import net from 'node:net';
import path from 'node:path';
import type { Duplex, Transform } from 'node:stream';
import { MidcltError, asMidcltError, isMidcltError, systemReason } from '../errors.js';
import { daemonPaths } from '../files/paths.js';
import { CERTIFICATE_PATHS, EXTRA_CA_CERTS, OWN_VARIABLES } from '../login/variables.js';
import type { AskOtp } from '../middleware/login/login.js';
import { timeOfCrash } from './crash.js';
import {
  messagesFrom,
  readCode,
  readHandover,
  readReport,
  writeMessage,
  type Handover,
  type Report,
} from './handover-messages.js';

/** The file descriptor of the pipe in the new process. */
export const HANDOVER_FD = 3;

/**
 * Resolves with the log file (null: stderr) when the daemon accepts connections. Rejects with the
 * reason for which it does not.
 */
export async function startDetached(
  handover: Handover,
  askOtp: AskOtp | null,
): Promise<string | null> {
  const lastCrash = timeOfCrash(daemonPaths(handover.uri, handover.username).crash);
  const child = spawnDaemon();
  // If no descriptor was left there is no pipe; the 'error' event tells why.
  const { stdio } = child as { stdio?: ChildProcess['stdio'] };
  const pipe = stdio?.[HANDOVER_FD] as Duplex | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const onError = (error: Error) => {
        reject(new MidcltError('FILES', `Cannot start a daemon: ${systemReason(error)}`));
      };
      child.on('error', onError);
      if (!pipe) return;
      pipe.on('error', () => undefined); // the exit says more
      // When what it has reported is read.
      child.on('close', (code, signal) => {
        const how = signal ?? `exit code ${code ?? 0}`;
        reject(new MidcltError('LOST', `The daemon ended before it was ready (${how})`));
      });
      handOver(pipe, { ...handover, lastCrash }, askOtp).then(resolve, reject);
    });
  } finally {
    pipe?.destroy();
    child.unref();
  }
}

/** The starter's end of the pipe. Settles with the new process's last report; never, where there is none. */
export function handOver(
  pipe: Duplex,
  handover: Handover,
  askOtp: AskOtp | null,
): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const onReport = (report: Report) => {
      switch (report.kind) {
        case 'ready':
          resolve(report.logFile);
          return;
        case 'failed':
          reject(new MidcltError(report.code ?? 'PROTOCOL', report.message));
          return;
        case 'otp':
          Promise.resolve(askOtp?.(report.attempt) ?? null).then((otp) => {
            writeMessage(pipe, { otp });
          }, reject);
      }
    };
    messagesFrom(pipe).on('data', (message: unknown) => {
      try {
        onReport(readReport(message));
      } catch (error) {
        reject(asMidcltError(error));
      }
    });
    writeMessage(pipe, handover);
  });
}

/** A shell sets the limit by which the daemon, which knows a password, leaves no core dump. Then it becomes the daemon. */
const SHELL = '/bin/sh';
const WITHOUT_CORE = 'ulimit -c 0; exec "$@"';

/** This program: beside the bundle that this is part of, or where the package has it. */
function programFile(): string {
  const beside = path.join(__dirname, 'midclt.js');
  return fs.existsSync(beside) ? beside : path.join(__dirname, '../../bin/midclt.js');
}

function spawnDaemon(): ChildProcess {
  const { execPath, allowedNodeEnvironmentFlags } = process;
  const noDebugger = '--disable-sigusr1'; // not every Node has it
  const command = [
    execPath,
    ...(allowedNodeEnvironmentFlags.has(noDebugger) ? [noDebugger] : []),
    programFile(),
    ...['daemon', '--handover-fd', String(HANDOVER_FD)],
  ];
  const shell = fs.existsSync(SHELL) ? [SHELL, '-c', WITHOUT_CORE, 'sh'] : [];
  const [program = execPath, ...args] = [...shell, ...command];
  return spawn(program, args, {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: withoutOwn(process.env),
  });
}

/** The descriptor is opened first: what it is opened with is not closed then. */
function inheritedPipe(): net.Socket {
  const socket = new net.Socket({ fd: HANDOVER_FD, readable: true, writable: true });
  closeInherited();
  return socket;
}

/** The new process's end of the pipe: receives the settings, and reports what becomes of the daemon. */
export class HandoverReceiver {
  private readonly messages: Transform;
  private readonly leaving = new AbortController();
  private isReady = false;

  constructor(private readonly socket: Duplex = inheritedPipe()) {
    this.messages = messagesFrom(socket);
    // A daemon that serves does not need its starter. One that does not serve yet ends with it.
    this.socket.once('close', () => {
      if (!this.isReady) this.leaving.abort();
    });
    this.socket.on('error', () => undefined);
  }

  /** Aborts when the starter goes before the daemon is ready. */
  get gone(): AbortSignal {
    return this.leaving.signal;
  }

  /** Rejects when the starter goes before it has said what to do, or says something else, which it is told. */
  async receive(): Promise<Handover> {
    const message = await this.next();
    try {
      return readHandover(message);
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  readonly askOtp: AskOtp = async (attempt) => {
    writeMessage(this.socket, { kind: 'otp', attempt });
    return readCode(await this.next()).otp;
  };

  ready(logFile: string | null): void {
    this.isReady = true;
    writeMessage(this.socket, { kind: 'ready', logFile });
    this.socket.end();
    if (this.socket instanceof net.Socket) this.socket.unref();
  }

  failed(error: unknown): void {
    const code = isMidcltError(error) ? error.code : null;
    const message = error instanceof Error ? error.message : String(error);
    writeMessage(this.socket, { kind: 'failed', code, message });
    this.socket.end();
  }

  private next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.messages.once('data', (value: unknown) => {
        resolve(value);
      });
      const onGone = () => {
        reject(new MidcltError('PROTOCOL', 'Who started this daemon has gone'));
      };
      if (this.gone.aborted) onGone();
      this.gone.addEventListener('abort', onGone, { once: true });
    });
  }
}

function withoutOwn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [EXTRA_CA_CERTS]: certificates, ...rest } = env;
  const all = certificates ? { NODE_EXTRA_CA_CERTS: certificates, ...rest } : rest;
  const kept = Object.entries(all).filter(([name]) => !OWN_VARIABLES.includes(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, value && inherited(name, value)]));
}

/** Paths are made absolute, since the daemon runs in `/`. */
function inherited(name: string, value: string): string {
  if (name === 'NODE_OPTIONS') return unexposed(value);
  return CERTIFICATE_PATHS.includes(name) ? path.resolve(value) : value;
}

/**
 * Closes the descriptors that this process has inherited: a lock that the caller holds on one would be held for as
 * long as the daemon runs. Those that Node has opened itself are told by a flag: they are closed on exec.
 */
function closeInherited(): void {
  const CLOSE_ON_EXEC = 0o2000000;
  const names = fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc/self/fd') : [];
  for (const name of names) {
    const descriptor = Number(name);
    if (descriptor <= HANDOVER_FD) continue;
    try {
      const info = fs.readFileSync(`/proc/self/fdinfo/${name}`, 'latin1');
      const flags = parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '', 8);
      if ((flags & CLOSE_ON_EXEC) === 0) fs.closeSync(descriptor);
    } catch {
      // it was open only to read this list
    }
  }
}

/*
 * Any user of the machine may connect to a debugger's port and run code in the process. `bin/midclt.ts` takes SIGUSR1,
 * by which Node opens the port. Options can still open it, and so can the signal before it is taken.
 */

/** Options of Node that open a debugger's port, or write what is in memory to a file. */
const EXPOSING = /^"?--(?:inspect|debug-port|heapsnapshot-|abort-on-uncaught-exception)/;
const ASKED = /--inspect/;

/** Throws if a debugger could connect to this process, unless its user asked for that. */
export function refuseDebugger({ isAllowed }: { readonly isAllowed: boolean }): void {
  if (inspector.url() === undefined) return;
  const { execArgv, env } = process;
  if (isAllowed && [...execArgv, env.NODE_OPTIONS ?? ''].some((each) => ASKED.test(each))) return;
  throw new MidcltError(
    'FILES',
    'A debugger could connect to the daemon and read its login, so it was not started. ' +
      'Something in NODE_OPTIONS, or the signal SIGUSR1, has opened the port; try again without',
  );
}

/** The value of NODE_OPTIONS without what would expose a daemon. A quoted option may have blanks. */
function unexposed(options: string): string {
  const each = options.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return each.filter((option) => !EXPOSING.test(option)).join(' ');
}
