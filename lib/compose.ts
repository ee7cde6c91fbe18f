/** Wires the stream to the middleware. The daemon and calls without one are built from this alike. */
import type { Socket } from 'node:net';
import type { Cancellation } from './cancellation.js';
import { createVerbs, type DaemonControl } from './commands.js';
import { Metrics } from './metrics.js';
import type { CoreReport } from './status.js';
import type { Log } from './logger.js';
import { Connection } from './middleware/connection.js';
import type { Credential } from './middleware/credential.js';
import { Jobs } from './middleware/jobs.js';
import type { AskOtp } from './middleware/login.js';
import { Subscriptions } from './middleware/subscriptions.js';
import {
  Command,
  DEFAULT_CALL_TIMEOUT,
  LINE_BUDGET,
  LINE_TIMEOUT,
  PATIENCE,
  RESERVED_CONCURRENCY,
} from './protocol.js';
import type { Incoming } from './stream/codec.js';
import { LineBudget } from './stream/lines.js';
import { LocalSession } from './stream/local.js';
import { Scheduler } from './stream/scheduler.js';
import { Session } from './stream/session.js';
import type { Target } from './uri.js';

export interface CoreOptions {
  readonly target: Target;
  readonly credential: Credential | null;
  /** For accounts that want a one-time code; none ends their login. */
  readonly askOtp?: AskOtp | null;
  readonly concurrency: number;
  /** Seconds for calls that name no timeout. */
  readonly callTimeout: number;
  readonly log: Log;
}

export interface SocketOptions {
  /** What `stop` and `status` are asked of. */
  readonly daemon: DaemonControl;
  /** Seconds without input after which a connection with nothing left to answer is ended. */
  readonly linger: number;
  /** Seconds from a request's first byte in which the whole of it must come. */
  readonly lineTimeout?: number | undefined;
  /** A request has come in; one has been answered or given up. */
  readonly onRequest: () => void;
  readonly onAnswered: () => void;
}

export interface Core {
  readonly connection: Connection;
  readonly jobs: Jobs;
  readonly subscriptions: Subscriptions;
  /** What there is to tell of the middleware and the calls made. */
  report(): CoreReport;
  /** What makes a session of each connection that a socket accepts; `client` is its number in the log. */
  sessions(options: SocketOptions): (socket: Socket, client: number) => Session;
  /** A session within this process. */
  local(): LocalSession;
}

export function compose(options: CoreOptions): Core {
  const { target, credential, askOtp, concurrency, callTimeout, log } = options;
  const connection = new Connection({ target, credential, askOtp, log });
  const jobs = new Jobs(connection, log);
  const metrics = new Metrics();
  const common = { connection, jobs, log, metrics, concurrency, callTimeout };
  const lanes = {
    call: new Scheduler(concurrency),
    reserved: new Scheduler(RESERVED_CONCURRENCY),
    patience: (incoming: Incoming) => patienceOf(incoming, callTimeout),
    isReady: () => connection.isReady(),
    ready: (client: Cancellation, patience: number | null) => connection.ready(client, patience),
  };
  const local = createVerbs(common);
  return {
    connection,
    jobs,
    subscriptions: new Subscriptions(connection),
    local: () => new LocalSession(local, lanes),
    report() {
      const { state, since, lastError, logins, reconnects, canLogInAgain } = connection.facts;
      return {
        middleware: {
          uri: target.uri,
          state,
          since: new Date(since).toISOString(),
          last_error: lastError,
          logins,
          reconnects,
          can_log_in_again: canLogInAgain,
        },
        calls: {
          served: metrics.served,
          failed: metrics.failed,
          in_flight: connection.inFlight,
          queued: lanes.call.waiting + lanes.reserved.waiting + connection.waiting,
          latency: metrics.percentiles(),
        },
        jobs: { followed: jobs.followed },
      };
    },
    sessions: ({ daemon, linger, lineTimeout = LINE_TIMEOUT, onRequest, onAnswered }) => {
      const verbs = createVerbs({ ...common, daemon });
      const lines = { timeout: lineTimeout * 1000, budget: new LineBudget(LINE_BUDGET) };
      const session = { verbs, lanes, linger: linger * 1000, lines, onRequest, onAnswered };
      return (socket, client) => new Session(socket, { ...session, client });
    },
  };
}

function isPing(command: string): boolean {
  return command === Command.PING || command === Command.CLI_PING;
}

/** Milliseconds a request may wait to be sent: the larger of its timeout and two minutes. */
function patienceOf({ request }: Incoming, callTimeout: number): number | null {
  if (!request) return null;
  const timeout = isPing(request.command) ? request.timeout : request.kwargs.timeout;
  if (timeout === null) return null;
  return Math.max(timeout ?? callTimeout, PATIENCE) * 1000;
}

/** `CALL_TIMEOUT` of the environment in seconds, where it is a positive number. */
export function callTimeoutOf(env: NodeJS.ProcessEnv): number {
  const seconds = Number(env.CALL_TIMEOUT ?? '');
  return seconds > 0 ? seconds : DEFAULT_CALL_TIMEOUT;
}
