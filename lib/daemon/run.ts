/** Runs a daemon in this process, from login to the last file removed. */
import path from 'node:path';
import { compose, type Core } from '../compose.js';
import type { Level } from '../logger.js';
import type { Credential } from '../middleware/login.js';
import { daemonPaths } from '../paths.js';
import type { Target } from '../uri.js';
import { Claim } from './claim.js';
import { ensurePrivateDirectory } from './files.js';
import { Lifecycle } from './lifecycle.js';
import { openLog, type DaemonLog } from './log.js';
import { DaemonServer } from './server.js';

export interface DaemonOptions {
  readonly target: Target;
  /** As the user gave it, for the names of the files; null is the local middleware. */
  readonly uri: string | null;
  readonly username: string | null;
  readonly credential: Credential | null;
  /** Seconds without work until the daemon ends; 0 is never. */
  readonly lifetime: number;
  /** Null is the default file; `-` is stderr. */
  readonly logFile: string | null;
  readonly logLevel: Level;
  readonly concurrency: number;
  readonly linger: number;
  /** Seconds. */
  readonly callTimeout: number;
  readonly stderr: NodeJS.WritableStream;
  /** Called once connections are accepted, with the log file or null for stderr. */
  readonly onReady: (logFile: string | null) => void;
}

/**
 * Resolves when the daemon has ended as it was asked to. Rejects when it could not start
 * (`FILES`, `RUNNING`, `CONNECT`, `LOGIN`) or had to end because the middleware went (`LOST`).
 */
export async function runDaemonProcess(options: DaemonOptions): Promise<void> {
  const paths = daemonPaths(options.uri, options.username);
  ensurePrivateDirectory(paths.directory);
  const claim = new Claim(paths);
  await claim.refuseIfRunning();
  if (options.logFile === null) ensurePrivateDirectory(path.dirname(paths.log));
  const daemonLog = openLog(options.logFile ?? paths.log, options.stderr, options.logLevel);
  const { log } = daemonLog;
  const lifecycle = new Lifecycle(options.lifetime);
  const forgetSignals = lifecycle.takeSignals(process);
  const core = compose({
    target: options.target,
    credential: options.credential,
    concurrency: options.concurrency,
    callTimeout: options.callTimeout,
    log,
    stop: () => {
      lifecycle.drain('stop request');
    },
  });
  const sockets = {
    linger: options.linger,
    onRequest: () => {
      lifecycle.hold();
    },
    onAnswered: () => {
      lifecycle.release();
    },
  };
  const server = new DaemonServer((socket) => core.session(socket, sockets), log);
  try {
    await Promise.race([core.connection.open(), interrupted(lifecycle)]);
    if (lifecycle.phase === 'accepting') {
      await claim.listen(server.listener);
      log('info', 'accepting connections', { socket: paths.socket, lifetime: options.lifetime });
      lifecycle.start();
      options.onReady(daemonLog.file);
      await serve(core, lifecycle, server, claim, daemonLog);
    }
  } catch (error) {
    log('error', 'daemon failed', { error: (error as Error).message });
    throw error;
  } finally {
    server.destroy();
    claim.release();
    core.connection.close();
    lifecycle.stopped();
    forgetSignals();
    log('info', 'stopped');
    await daemonLog.close();
  }
}

/** Serves until asked to go and done, or told to go at once, or the middleware is gone. */
async function serve(
  core: Core,
  lifecycle: Lifecycle,
  server: DaemonServer,
  claim: Claim,
  { log }: DaemonLog,
): Promise<void> {
  const lost = core.connection.ended;
  const reason = await Promise.race([lifecycle.draining, lost]);
  // From here on nobody can reach this daemon, and the next one can start.
  claim.release();
  if (typeof reason === 'string') log('info', 'draining', { reason });
  const drained = server.drain().then(() => null);
  const forced = await Promise.race([drained, lifecycle.aborted]);
  if (forced !== null) log('warning', 'stopped with requests in flight', { reason: forced });
  if (reason !== null && typeof reason !== 'string') throw reason;
}

async function interrupted(lifecycle: Lifecycle): Promise<void> {
  await lifecycle.draining;
}
