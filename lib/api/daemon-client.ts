/** Talking to a running daemon over its socket, by requests or as the CLI does. Loads node:net and little else. */
import type { Exchange } from '../cli/commands/call.js';
import { daemonPaths } from '../files/paths.js';
import { isListening, sendRequest } from '../protocol/client.js';
import { Collected } from './result.js';
import {
  encodeRequest,
  errorResponse,
  paramsText,
  progressOf,
  type DaemonRequest,
  type DaemonResponse,
  type Params,
  type ProgressCallback,
} from './request.js';

/**
 * Does a daemon accept connections for this URI and user? One that is busy or stopped (SIGSTOP)
 * does; send a ping to learn whether it and the middleware answer. Source: `is_daemon_running`.
 */
export async function isDaemonRunning(
  uri: string | null = null,
  username: string | null = null,
): Promise<boolean> {
  return isListening(daemonPaths(uri, username));
}

/**
 * Sends a request to the daemon and resolves with the final frame of its answer, a `result` or an
 * `error`: an error of the middleware rejects nothing. `progressCallback` hears of a job's progress
 * before that; what it throws rejects the promise, while the job goes on.
 *
 * Rejects with a `MidcltError` if there is no final frame: `NO_DAEMON`, `FILES` (the socket can't
 * be used), `BUSY` (it takes no more connections; not sent), `LOST` (the daemon went) or `HUNG` (no sign of life), both of unknown
 * outcome, `PROTOCOL`, `TOO_LONG` for a result that no string can hold, or `REQUEST` (not sent).
 * There is no limit in time but the request's own timeout. Source: `send_to_daemon`.
 */
export async function sendToDaemon(
  requestData: DaemonRequest,
  uri: string | null = null,
  username: string | null = null,
  progressCallback?: ProgressCallback,
): Promise<DaemonResponse> {
  const { line } = encodeRequest(requestData);
  const collected = new Collected();
  const error = await sendRequest(daemonPaths(uri, username), line, {
    progress: (frame) => progressCallback?.(progressOf(frame)),
    result: (piece) => {
      collected.take(piece);
    },
  });
  if (error) return errorResponse(error);
  return { type: 'result', result: collected.text(requestData.method) };
}

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
    const call = { method, params: paramsText(params), timeout, quiet, job, jobPrint };
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
