/** Running a daemon in this process. Loads what it needs when it is called. */
import type { DaemonLog } from '../daemon/log/log.js';
import type { Level } from '../logger.js';
import { daemonPaths } from '../files/paths.js';
import {
  DEFAULT_LIFETIME,
  DEFAULT_LINGER,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MEMORY,
} from '../protocol/frames.js';
import { openStateOf } from './client-state.js';
import type { Client } from './client.js';

export interface LoggingOptions {
  /** Null or none is the default file, `-` is stderr. */
  readonly logFile?: string | null | undefined;
  /** For the name of the default file. */
  readonly uri?: string | null | undefined;
  readonly username?: string | null | undefined;
  /** The least level that is written. Default: `info`. */
  readonly logLevel?: Level | undefined;
}

export interface RunDaemonOptions extends LoggingOptions {
  /** For the names of the files. Default: as the client was connected with; null is the local middleware. */
  readonly uri?: string | null | undefined;
  /** Default: as the client was connected with, unless `uri` is given. */
  readonly username?: string | null | undefined;
  /** Seconds without input after which a connection with nothing left to answer is ended. Default: 1. */
  readonly linger?: number | undefined;
  /** Connections served at once; one more is refused with an error frame. Default: 1024. */
  readonly maxConnections?: number | undefined;
  /** Mebibytes that requests that wait and results that nobody has read may take. */
  readonly memory?: number | undefined;
  /** Seconds from a request's first byte in which the whole of it must come. Default: 30. */
  readonly lineTimeout?: number | undefined;
  /**
   * False: SIGTERM, SIGINT and SIGHUP stay whose they are. Default: they end the daemon while it
   * runs; SIGHUP only where one of the first three descriptors is a terminal, else it does nothing.
   */
  readonly signals?: boolean | undefined;
  /** Its abort ends the daemon as SIGTERM does. */
  readonly abort?: AbortSignal | undefined;
  /** Called when connections are accepted, with the log file or null for stderr. */
  readonly onReady?: ((logFile: string | null) => void) | undefined;
}

/**
 * Serves the daemon's socket over `client` until it was idle for `lifetime` seconds (0 is never), is
 * asked to stop, or gets SIGTERM or SIGINT; then what is in flight is finished, the files are
 * removed and the promise resolves. A second signal ends it at once. The client stays open.
 *
 * Rejects with `RUNNING` if such a daemon runs already, `FILES`, `CLOSED` (the client has no
 * connection), or `LOGIN` when the middleware refuses it later. Closing the client ends it, too.
 *
 * Source: `run_daemon(client, lifetime, uri, username, log_file)`.
 */
export async function runDaemon(
  client: Client,
  lifetime: number = DEFAULT_LIFETIME,
  options: RunDaemonOptions = {},
): Promise<void> {
  const { core, logs, ...own } = openStateOf(client);
  const { uri = own.uri, username = options.uri === undefined ? own.username : null } = options;
  const { runDaemonProcess } = require('../daemon/run.js') as typeof import('../daemon/run.js');
  let unhook = (): void => undefined;
  await runDaemonProcess({
    provider: {
      core(log) {
        logs.add(log);
        unhook = () => logs.delete(log);
        return core;
      },
      open: () => Promise.resolve(),
      close() {
        unhook();
      },
    },
    uri,
    username,
    lifetime,
    logFile: options.logFile ?? null,
    logLevel: options.logLevel ?? 'info',
    linger: options.linger ?? DEFAULT_LINGER,
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    memory: options.memory ?? DEFAULT_MEMORY,
    lineTimeout: options.lineTimeout,
    stderr: process.stderr,
    signals: (options.signals ?? true) ? process : null,
    abort: options.abort,
    onReady: options.onReady ?? (() => undefined),
  });
}

/** A daemon's log: NDJSON, one event a line. */
export type DaemonLogger = DaemonLog;

/**
 * Opens the log that a daemon for this URI and user writes: `~/.midclt/logs/daemon-ID.log` (0600),
 * the file given, or stderr. `runDaemon` does it by itself. Resolves with the logger, whose `file`
 * is the path used, or null for stderr; a file that can't be written gives stderr, too, and says
 * so there. Rejects with `FILES` if the default directory can't be made or trusted.
 *
 * Source: `setup_daemon_logging(log_file, uri, username)`.
 */
export async function setupDaemonLogging(options: LoggingOptions = {}): Promise<DaemonLogger> {
  const { logFile = null, uri = null, username = null, logLevel = 'info' } = options;
  const { openDaemonLog } =
    require('../daemon/log/log.js') as typeof import('../daemon/log/log.js');
  return Promise.resolve(
    openDaemonLog(daemonPaths(uri, username), logFile, {
      stderr: process.stderr,
      least: logLevel,
    }),
  );
}
