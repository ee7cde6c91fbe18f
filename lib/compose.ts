/** Wires the stream to the middleware. The daemon and calls without one are built from this alike. */
import type { Socket } from 'node:net';
import { createVerbs, type DaemonControl } from './commands/verbs.js';
import { Metrics } from './stream/metrics.js';
import type { CoreReport } from './protocol/status.js';
import type { Log } from './logger.js';
import { Connection } from './middleware/connection.js';
import type { Credential } from './middleware/login/credential.js';
import { Jobs } from './middleware/jobs/jobs.js';
import type { AskOtp } from './middleware/login/login.js';
import { Subscriptions } from './middleware/subscriptions.js';
import { PlainMethods } from './middleware/jobs/plain-methods.js';
import {
  DEFAULT_CALL_TIMEOUT,
  JOB_CONCURRENCY,
  LINE_TIMEOUT,
  RESERVED_CONCURRENCY,
} from './protocol/frames.js';
import type { Gate } from './stream/acquire.js';
import { LocalSession } from './stream/local.js';
import { memoryOf } from './stream/memory.js';
import { Scheduler } from './stream/scheduler.js';
import { Session } from './stream/session.js';
import { describeBug } from './text/bug.js';
import type { Target } from './middleware/uri.js';

export interface CoreOptions {
  readonly target: Target;
  readonly credential: Credential | null;
  /** For accounts that want a one-time code; none ends their login. */
  readonly askOtp?: AskOtp | null;
  readonly concurrency: number;
  /** Seconds for calls that name no timeout. */
  readonly callTimeout: number;
  readonly log: Log;
  /** The connection keeps no process alive. */
  readonly isUnref?: boolean | undefined;
  /** Of a process that makes its calls itself: does what subscribes end with the connection? Default: true. */
  readonly endsSubscriptions?: boolean | undefined;
}

export interface SocketOptions {
  /** What `stop` and `status` are asked of. */
  readonly daemon: DaemonControl;
  /** Seconds without input after which a connection with nothing left to answer is ended. */
  readonly linger: number;
  /** Seconds from a request's first byte in which the whole of it must come. */
  readonly lineTimeout?: number | undefined;
  /** Mebibytes that requests held and results unread may take, of all connections together. */
  readonly memory: number;
  /** A request has come in; one is over or given up. */
  readonly onRequest: () => void;
  readonly onOver: () => void;
}

export interface Core {
  readonly connection: Connection;
  readonly jobs: Jobs;
  /** What there is to tell of the middleware and the calls made. */
  report(): CoreReport;
  /** What makes a session of each connection that a socket accepts; `client` is its number in the log. */
  sessions(options: SocketOptions): (socket: Socket, client: number) => Session;
  /** A session within this process. */
  local(): LocalSession;
}

/** Is one certificate alone accepted there? */
function isPinned({ scheme, verify, pin }: Target): boolean {
  try {
    return scheme === 'wss' && verify && pin() !== null;
  } catch {
    return false; // no connection is made, either, and its error says why
  }
}

export function compose(options: CoreOptions): Core {
  const { target, credential, askOtp, concurrency, callTimeout, log, isUnref } = options;
  const connection = new Connection({ target, credential, askOtp, log, isUnref });
  const jobs = new Jobs(connection, log);
  const metrics = new Metrics();
  const isInsecure = target.scheme === 'wss' ? !target.verify : null;
  const plainMethods = new PlainMethods(connection, () => {
    scheduler.reconsider();
  });
  const subscriptions = new Subscriptions(connection);
  const common = {
    connection,
    jobs,
    subscriptions,
    plainMethods,
    log,
    metrics,
    concurrency,
    callTimeout,
    isInsecure,
  };
  const slots = {
    calls: concurrency,
    jobs: Math.min(concurrency, JOB_CONCURRENCY),
    lookUps: RESERVED_CONCURRENCY,
  };
  const scheduler = new Scheduler(slots, () => {
    connection.startAfresh();
  });
  const gate: Gate = {
    scheduler,
    isReady: () => connection.isReady(),
    ready: (client, patience, waited) => connection.ready(client, patience, waited),
  };
  const onMistake = (thrown: unknown) => {
    const { error, at } = describeBug(thrown);
    log('error', 'a bug failed a request', { error, at: at.join(' < ') });
  };
  const local = createVerbs({ ...common, endsSubscriptions: options.endsSubscriptions ?? true });
  return {
    connection,
    jobs,
    local: () => new LocalSession(local, gate),
    report() {
      const { state, since, lastError, logins, reconnects, ...facts } = connection.facts;
      return {
        middleware: {
          uri: target.uri,
          state,
          since: new Date(since).toISOString(),
          last_error: lastError,
          logins,
          reconnects,
          can_log_in_again: facts.canLogInAgain,
          one_time_code: facts.tookCode,
          insecure: isInsecure ?? false,
          pinned: isPinned(target),
          api_key: credential?.kind === 'api-key' ? credential.key.id : null,
        },
        calls: {
          served: metrics.served,
          failed: metrics.failed,
          in_flight: connection.inFlight,
          queued: scheduler.waiting + connection.waiting,
          latency: metrics.percentiles(),
        },
        jobs: { followed: jobs.followed },
        settings: { concurrency, call_timeout: callTimeout },
      };
    },
    sessions: (options) => {
      const { daemon, linger, lineTimeout = LINE_TIMEOUT, memory } = options;
      const { onRequest, onOver } = options;
      const session = {
        verbs: createVerbs({ ...common, daemon }),
        gate: { ...gate, onMistake },
        linger: linger * 1000,
        lines: { timeout: lineTimeout * 1000 },
        memory: memoryOf(memory * 1024 * 1024),
        onRequest,
        onOver,
      };
      return (socket, client) => new Session(socket, { ...session, client });
    },
  };
}

/** `CALL_TIMEOUT` of the environment in seconds, where it is a positive number. */
export function callTimeoutOf(env: NodeJS.ProcessEnv): number {
  const seconds = Number(env.CALL_TIMEOUT ?? '');
  return seconds > 0 ? seconds : DEFAULT_CALL_TIMEOUT;
}
