/** The CLI's commands as functions: they print as `midclt` does and resolve with its exit code. */
import type { Exchange } from '../cli/commands/call.js';
import type { Params } from './serialize.js';

export interface PingOptions {
  /** As the daemon was started with; none is the local middleware. */
  readonly uri?: string | null | undefined;
  readonly username?: string | null | undefined;
  /** Seconds. Default: `CALL_TIMEOUT` of the environment, else the daemon's. */
  readonly timeout?: number | null | undefined;
}

export interface CallViaDaemonOptions extends PingOptions {
  readonly method: string;
  /** The CLI's ARGs as values. */
  readonly params?: Params | undefined;
  /** `-j`: wait for the job and show its progress on stderr. */
  readonly job?: boolean | undefined;
  /** `-jp`. Default: `progressbar`. */
  readonly jobPrint?: 'progressbar' | 'description' | undefined;
  /** `-q`: no word about the middleware's errors. */
  readonly quiet?: boolean | undefined;
}

/**
 * `midclt -d call`: prints the result on stdout; errors and a job's progress on stderr. Resolves
 * with the exit code, 0 or 1; never rejects. Source: `call_via_daemon`, whose `from_json` has no
 * counterpart: parameters are values here.
 */
export async function callViaDaemon(options: CallViaDaemonOptions): Promise<number> {
  const { method, params = [], timeout = null, quiet = false } = options;
  const { uri = null, username = null } = options;
  const { job = false, jobPrint = 'progressbar' } = options;
  return withExchange(options, async (exchange) => {
    const { printCall } =
      require('../cli/commands/call.js') as typeof import('../cli/commands/call.js');
    const { paramsText } = require('./serialize.js') as typeof import('./serialize.js');
    const text = paramsText(params);
    const call = { method, params: text, timeout, quiet, job, jobPrint };
    return printCall({ ...call, uri, username, useDaemon: true }, exchange);
  });
}

/**
 * `midclt -d ping`: asks the middleware through the daemon and prints `pong`, or on stderr what
 * went wrong. Resolves with the exit code, 0 or 1; never rejects. Source: `ping_via_daemon`.
 */
export async function pingViaDaemon(options: PingOptions = {}): Promise<number> {
  const { timeout = null } = options;
  return withExchange(options, async (exchange) => {
    const { runPing } =
      require('../cli/commands/call.js') as typeof import('../cli/commands/call.js');
    return runPing({ timeout }, exchange);
  });
}

/**
 * `midclt daemon-stop`: asks the daemon to finish what it has and go, and resolves when it is gone:
 * true, or false if there is none or it could not be asked. Prints the daemon's answer, `No daemon
 * is currently running`, or what went wrong on stderr; never rejects. Source: `stop_daemon`.
 */
export async function stopDaemon(
  uri: string | null = null,
  username: string | null = null,
): Promise<boolean> {
  const { stopDaemon: stop } =
    require('../cli/commands/via-daemon.js') as typeof import('../cli/commands/via-daemon.js');
  return (await exitCode(() => stop({ uri, username }))) === 0;
}

function withExchange(
  { uri = null, username = null }: PingOptions,
  work: (exchange: Exchange) => Promise<number>,
): Promise<number> {
  const { daemonExchange } =
    require('../cli/commands/via-daemon.js') as typeof import('../cli/commands/via-daemon.js');
  return exitCode(() => work(daemonExchange({ uri, username })));
}

async function exitCode(work: () => Promise<number>): Promise<number> {
  const { failureCode } =
    require('../cli/output/output.js') as typeof import('../cli/output/output.js');
  try {
    return await work();
  } catch (error) {
    return failureCode(error);
  }
}
