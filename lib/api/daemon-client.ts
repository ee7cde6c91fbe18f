/** Talking to a running daemon over its socket. Loads node:net and little else. */
import { isListening, sendRequest } from '../protocol/client.js';
import { daemonPaths } from '../files/paths.js';
import {
  encodeRequest,
  errorResponse,
  jsonText,
  progressOf,
  type DaemonRequest,
  type DaemonResponse,
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
 * be used), `LOST` (the daemon went; the outcome is unknown), `PROTOCOL`, or `REQUEST` (not sent).
 * There is no limit in time but the request's own timeout. Source: `send_to_daemon`.
 */
export async function sendToDaemon(
  requestData: DaemonRequest,
  uri: string | null = null,
  username: string | null = null,
  progressCallback?: ProgressCallback,
): Promise<DaemonResponse> {
  const { line } = encodeRequest(requestData);
  const pieces: Buffer[] = [];
  const error = await sendRequest(daemonPaths(uri, username), line, {
    progress: (frame) => progressCallback?.(progressOf(frame)),
    result: (piece) => pieces.push(piece),
  });
  if (error) return errorResponse(error);
  return { type: 'result', result: jsonText(Buffer.concat(pieces)) };
}
