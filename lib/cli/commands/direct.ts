/** Without a daemon: the same session in this process, for one command. */
import { callTimeoutOf, compose, type Core } from '../../compose.js';
import type { CallMembers } from '../../commands/call.js';
import type { PingMembers } from '../../commands/ping.js';
import { MidcltError } from '../../errors.js';
import { noLog } from '../../logger.js';
import { DEFAULT_CONCURRENCY, MessageType, type Request } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';
import { runCall, runPing, type Exchange, type Outbound } from './call.js';
import { sayLine } from '../output/output.js';
import { tellAfterSilence } from './silent-second.js';
import { sayNotConnected } from './notices.js';
import { after } from '../../timer.js';
import { toLoginTarget } from '../../login/target.js';

/** A timeout that several things share, one after the other; what a person takes to type is not counted. */
class Stopwatch {
  private spent = 0;
  private running: { readonly since: number; readonly onEnd: () => void } | null = null;
  private timer: NodeJS.Timeout | undefined;

  /** In seconds; null: there is none. */
  constructor(readonly limit: number | null) {}

  /** Seconds, a moment at least; null where there is no limit. */
  get left(): number | null {
    return this.limit === null ? null : Math.max(this.limit - this.spent / 1000, 0.001);
  }

  start(onEnd: () => void): void {
    this.running = { since: performance.now(), onEnd };
    this.timer = after(this.left === null ? null : this.left * 1000, onEnd);
  }

  stop(): void {
    if (this.running) this.spent += performance.now() - this.running.since;
    this.running = null;
    clearTimeout(this.timer);
  }

  /** Does something while it stands. */
  async without<T>(action: () => Promise<T>): Promise<T> {
    const onEnd = this.running?.onEnd;
    this.stop();
    try {
      return await action();
    } finally {
      if (onEnd) this.start(onEnd);
    }
  }
}

export function callDirectly(args: Arguments): Promise<number> {
  return withinTimeout(args, runCall);
}

export function pingDirectly(args: Arguments): Promise<number> {
  return withinTimeout(args, runPing);
}

/** Whoever gives a timeout means all of it: the connection, the login and the call. */
function withinTimeout(
  args: Arguments,
  run: (args: Arguments, exchange: Exchange) => Promise<number>,
): Promise<number> {
  const clock = new Stopwatch(args.timeout !== null && args.timeout > 0 ? args.timeout : null);
  return withCore(args, (core) => run(args, exchangeOver(core, clock)), clock);
}

/** Connects and logs in, does the work, and closes the connection whatever comes of it. */
export async function withCore<T>(
  args: Arguments,
  work: (core: Core) => Promise<T>,
  clock = new Stopwatch(null),
): Promise<T> {
  const upstream = await toLoginTarget(args, sayLine);
  const core = compose({
    ...upstream,
    askOtp: (attempt) => clock.without(() => upstream.askOtp(attempt)),
    concurrency: DEFAULT_CONCURRENCY,
    callTimeout: callTimeoutOf(process.env),
    log: noLog,
  });
  await tellAfterSilence(
    () => open(core, upstream.target.uri, clock),
    () => {
      sayNotConnected(core);
    },
  );
  try {
    return await work(core);
  } finally {
    core.connection.close();
  }
}

/** Rejects as {@link Connection.open}, or with a `TIMEOUT` that says what was waited for. */
async function open({ connection }: Core, uri: string, clock: Stopwatch): Promise<void> {
  const late: { error?: MidcltError } = {};
  clock.start(() => {
    const what = connection.state === 'authenticating' ? 'login at' : 'connection to';
    const text = `Call timeout: waited ${clock.limit ?? 0} s for the ${what} ${uri}; the call was not sent`;
    late.error = new MidcltError('TIMEOUT', text);
    connection.close();
  });
  try {
    await connection.open();
  } catch (error) {
    throw late.error ?? error;
  } finally {
    clock.stop();
  }
}

/** A call has what the connection has left of the time; a message names all of it, as it was given. */
function exchangeOver(core: Core, clock: Stopwatch): Exchange {
  return async (outbound, listener) => {
    const request = requestOf({ ...outbound, timeout: clock.left ?? outbound.timeout });
    const frame = await core.local().ask(request, listener.progress);
    if (frame.type === MessageType.ERROR) return frame;
    listener.result(frame.result);
    return null;
  };
}

function requestOf({
  command,
  method,
  params,
  timeout,
  job,
}: Outbound): Request & CallMembers & PingMembers {
  const seconds = timeout ?? undefined;
  return {
    command,
    id: null,
    method,
    params: Buffer.from(params),
    kwargs: { timeout: seconds, job },
    timeout: seconds,
    close: false,
    keep: false,
    jobId: true,
    notSent: false,
    version: null,
    insecure: null,
  };
}
