/** Without a daemon: `call`, `ping` and `subscribe` over a session in this process, for one command. */
import type { CallMembers } from '../../commands/call.js';
import type { FollowMembers } from '../../commands/follow.js';
import type { PingMembers } from '../../commands/ping.js';
import { callTimeoutOf, compose, type Core } from '../../compose.js';
import { MidcltError } from '../../errors.js';
import { noLog } from '../../logger.js';
import { toLoginTarget } from '../../login/target.js';
import { Command, DEFAULT_CONCURRENCY, MessageType, type Request } from '../../protocol/frames.js';
import { ENVELOPE } from '../../stream/local.js';
import { hostOf } from '../../text/for-person.js';
import { after, steadyNow } from '../../timer.js';
import type { Arguments } from '../args/arguments.js';
import { sayLine, tellAfterSilence } from '../output/output.js';
import { runCall, runPing, type Exchange, type Outbound } from './call.js';

/** One timeout for connection, login and call together. It stands still while a person types. */
export class Stopwatch {
  private spent = 0;
  private running: { readonly since: number; readonly onEnd: () => void } | null = null;
  private timer: NodeJS.Timeout | undefined;

  /** In seconds; null: there is none. */
  constructor(readonly limit: number | null) {}

  /** The seconds that are left, at least a thousandth; null where there is no limit. */
  get left(): number | null {
    return this.limit === null ? null : Math.max(this.limit - this.spent / 1000, 0.001);
  }

  start(onEnd: () => void): void {
    this.running = { since: steadyNow(), onEnd };
    this.timer = after(this.left === null ? null : this.left * 1000, onEnd);
  }

  stop(): void {
    if (this.running) this.spent += steadyNow() - this.running.since;
    this.running = null;
    clearTimeout(this.timer);
  }

  /** Stops, does something, and goes on. */
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

export function callDirectly(
  args: Arguments,
  sayNearNames?: (args: Arguments) => void,
): Promise<number> {
  return withinTimeout(args, (given, exchange) => runCall(given, exchange, sayNearNames));
}

export function pingDirectly(args: Arguments): Promise<number> {
  return withinTimeout(args, runPing);
}

/** A timeout covers the connection, the login and the call. */
export function withinTimeout<T>(
  args: Arguments,
  run: (args: Arguments, exchange: Exchange) => Promise<T>,
): Promise<T> {
  const clock = new Stopwatch(args.timeout !== null && args.timeout > 0 ? args.timeout : null);
  return withCore(args, (core) => run(args, exchangeOver(core, clock)), clock);
}

/** Connects and logs in, does the work, and closes the connection whatever comes of it. */
export async function withCore<T>(
  args: Arguments,
  work: (core: Core) => Promise<T>,
  clock = new Stopwatch(null),
): Promise<T> {
  const login = await toLoginTarget(args, sayLine);
  const core = compose({
    ...login,
    askOtp: (attempt) => clock.without(() => login.askOtp(attempt)),
    concurrency: DEFAULT_CONCURRENCY,
    callTimeout: callTimeoutOf(process.env),
    log: noLog,
  });
  await tellAfterSilence(
    () => open(core, login.target.uri, clock),
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

/** Says that there is no connection yet. Says nothing during a login, which may be asking for a code. */
function sayNotConnected(core: Core): void {
  const { uri, state } = core.report().middleware;
  if (state === 'connecting') sayLine(`Waiting for ${hostOf(uri)}: no connection yet`);
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

/** The call gets the time that connection and login have left. */
function exchangeOver(core: Core, clock: Stopwatch): Exchange {
  return async (outbound, listener) => {
    // A job that exists already has what time it is given, whatever the connection took.
    const isFollowed = outbound.command === Command.FOLLOW;
    const timeout = isFollowed ? outbound.timeout : (clock.left ?? outbound.timeout);
    const request = requestOf({ ...outbound, timeout });
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
  detach = false,
  jobId = 0,
}: Outbound): Request & CallMembers & PingMembers & FollowMembers {
  const seconds = timeout ?? undefined;
  return {
    ...ENVELOPE,
    command,
    method,
    params: Buffer.from(params),
    kwargs: { timeout: seconds, job, detach },
    timeout: seconds,
    job: jobId,
  };
}
