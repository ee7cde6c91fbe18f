/**
 * systemd, or another service manager: the listening socket that it passes, as sd_listen_fds(3) describes it, and
 * whether it is what starts and ends a daemon.
 */
import fs from 'node:fs';
import type net from 'node:net';
import { MidcltError, systemReason } from '../errors.js';
import type { Log } from '../logger.js';
import { BACKLOG, type DaemonSocket } from './socket-file.js';
import { takeStep } from './lifecycle.js';
import { removeFile, writeFileDurably } from './files.js';
import { readPid } from '../files/paths.js';

/** The first descriptor that is handed over. */
const FIRST = 3;
const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'];

/**
 * The descriptor of the socket that was handed to this process, or null. Takes the variables that
 * say so out of `env`: they are not meant for its children.
 */
export function takeListenFd(env: NodeJS.ProcessEnv): number | null {
  const isOurs = env.LISTEN_PID === String(process.pid) && Number(env.LISTEN_FDS) >= 1;
  for (const name of VARIABLES) Reflect.deleteProperty(env, name);
  return isOurs ? FIRST : null;
}

/** systemd's socket: nothing is bound, published or removed but the pid file. */
export class PassedSocket implements DaemonSocket {
  /** Never: systemd keeps the socket open, for this daemon and the next. */
  readonly lost = new Promise<never>(() => undefined);
  pidFailure: string | null = null;
  private hasPid = false;

  constructor(
    private readonly descriptor: number,
    private readonly pidFile: string,
  ) {}

  refuseIfRunning(): Promise<void> {
    return Promise.resolve();
  }

  /** Rejects with a `FILES` error if what was handed over is no Unix socket that listens. */
  async listen(server: net.Server): Promise<void> {
    const { descriptor } = this;
    await new Promise<void>((resolve, reject) => {
      const refuse = (reason: string) => {
        const what = `File descriptor ${descriptor}, passed by LISTEN_FDS`;
        reject(new MidcltError('FILES', `${what}, is no listening Unix socket: ${reason}`));
      };
      if (!isSocket(descriptor)) {
        refuse('it is no socket');
        return;
      }
      server.once('error', (error) => {
        refuse(systemReason(error));
      });
      server.listen({ fd: descriptor, backlog: BACKLOG }, resolve);
      // Known before the first connection is accepted. An internet socket's users would be anybody.
      if (typeof server.address() !== 'object' || server.address() === null) return;
      server.close();
      refuse('it has an internet address');
    });
    try {
      writeFileDurably(this.pidFile, String(process.pid));
      this.hasPid = true;
    } catch (error) {
      this.pidFailure = (error as Error).message;
    }
  }

  release(log: Log): void {
    const { hasPid, pidFile } = this;
    this.hasPid = false;
    takeStep(log, 'remove the pid file', () => {
      if (hasPid && readPid(pidFile) === process.pid) removeFile(pidFile);
    });
  }
}

function isSocket(descriptor: number): boolean {
  try {
    return fs.fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}

/** Whether process `pid` is run by systemd, or is process 1 of a container. `env`: its environment at its start. */
export function isManaged(pid: number, env: NodeJS.ProcessEnv): boolean {
  const own = String(pid);
  if (pid === 1 || env.LISTEN_PID === own || env.SYSTEMD_EXEC_PID === own) return true;
  // Before systemd 248; what a service's processes start in turn has the variable, too.
  return Boolean(env.INVOCATION_ID) && nameOfParent(pid) === 'systemd';
}

/** The same of another process of this user; false where the system does not show its environment. */
export function isOtherManaged(pid: number): boolean {
  try {
    const entries = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    const pairs = entries.map((entry) => /^([^=]*)=(.*)$/s.exec(entry)?.slice(1) ?? [entry, '']);
    return isManaged(pid, Object.fromEntries(pairs) as NodeJS.ProcessEnv);
  } catch {
    return false;
  }
}

function nameOfParent(pid: number): string | null {
  try {
    // The name before it, in parentheses, may hold any character.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '');
    return fs.readFileSync(`/proc/${stat.split(' ')[1] ?? ''}/comm`, 'latin1').trim();
  } catch {
    return null;
  }
}
