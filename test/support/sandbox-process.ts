/** A sandbox in a process of its own, which can be killed and started again in the same place. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Test } from 'tap';
import { makeCertificate } from '../../lib/sandbox/wire/certificate.js';
import type { Sandbox, SandboxOptions } from '../../lib/sandbox/index.js';
import { until } from './midclt.js';
import { ROOT } from './root.js';

const CHILD = path.join(ROOT, 'test/support/sandbox-child.js');

/** Where a sandbox listens. */
export type Place = Pick<Sandbox, 'unixPath' | 'wsPort' | 'wssPort' | 'certificate'>;

/** How the process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SandboxProcess extends Place {
  /** Of the process now running, or the last that ran. */
  readonly pid: number;
  readonly isRunning: boolean;
  /** Resolves when the process is gone. SIGKILL leaves the socket file behind. */
  kill(signal?: NodeJS.Signals): Promise<Ending>;
  /** Kills it if it runs, and starts it in the same place, with the same certificate. */
  restart(): Promise<void>;
  /** Reads a member of its `Sandbox`, or calls it: `ask('setRefusing', 502)`, `ask('stats')`. */
  ask<K extends keyof Sandbox>(
    member: K,
    ...args: ArgumentsOf<Sandbox[K]>
  ): Promise<ResultOf<Sandbox[K]>>;
}

type ArgumentsOf<M> = M extends (...args: infer A) => unknown ? A : [];
type ResultOf<M> = M extends (...args: never) => infer R ? Awaited<R> : M;

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Starts it and waits until it listens; rejects when it can't. The test's end, or the parent's, ends it. */
export async function startSandboxProcess(
  t: Pick<Test, 'teardown'>,
  options: SandboxOptions,
): Promise<SandboxProcess> {
  const certificate = options.certificate ?? makeCertificate();
  let place: Place = { unixPath: null, wsPort: null, wssPort: null, certificate: null };
  let child: ChildProcess;
  let ended: Promise<Ending>;
  let asked = 0;
  const waiting = new Map<number, (reply: Reply) => void>();

  const start = async (): Promise<void> => {
    const fixed = {
      ...options,
      ...(options.wss === undefined ? {} : { certificate, wss: place.wssPort ?? options.wss }),
      ...(options.ws === undefined ? {} : { ws: place.wsPort ?? options.ws }),
    };
    // tap puts its own hooks into every Node child by NODE_OPTIONS.
    const command = ['-u', 'NODE_OPTIONS', process.execPath, CHILD, JSON.stringify(fixed)];
    const started = spawn('env', command, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    child = started;
    let stdout = '';
    let stderr = '';
    let isOver = false;
    started.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    started.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    started.on('message', (reply: Reply) => waiting.get(reply.id)?.(reply));
    ended = new Promise((resolve) => {
      started.once('close', (code, signal) => {
        isOver = true;
        for (const [id, settle] of waiting) settle({ id, error: 'the sandbox is gone' });
        resolve({ code, signal });
      });
    });
    await until('the sandbox to listen', () => {
      if (isOver) throw new Error(`the sandbox ended: ${stderr}`);
      return stdout.includes('\n');
    });
    place = JSON.parse(stdout) as Place;
  };
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    if (isRunning()) child.kill(signal);
    return ended;
  };
  t.teardown(() => kill());
  await start();

  return {
    ...place,
    get pid() {
      return child.pid!;
    },
    get isRunning() {
      return isRunning();
    },
    kill,
    restart: async () => {
      await kill();
      await start();
    },
    ask: async (member, ...args) => {
      if (!isRunning()) throw new Error('the sandbox is gone');
      const id = (asked += 1);
      const answer = new Promise<Reply>((resolve) => waiting.set(id, resolve));
      child.send({ id, member, args });
      const { result, error } = await answer;
      waiting.delete(id);
      if (error !== undefined) throw new Error(error);
      return result as never;
    },
  };
}
