/**
 * A listening socket that systemd made and handed over, as sd_listen_fds(3) describes it. It is
 * systemd's: nothing is bound, published or removed here but the pid file.
 */
import fs from 'node:fs';
import type net from 'node:net';
import { MidcltError, systemReason } from '../errors.js';
import type { Log } from '../logger.js';
import { BACKLOG, type DaemonSocket } from './socket-file.js';
import { takeStep } from './ending.js';
import { removeFile, writeFileDurably } from './files.js';
import { readPid } from '../files/pid.js';

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

export class Activation implements DaemonSocket {
  /** Whoever connects to systemd's socket gets here, or to the next daemon. */
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
