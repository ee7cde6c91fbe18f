/** The verbs of the Unix socket: what each waits for and what it does. */
import { asMidcltError, isMidcltError, MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import { EMPTY_LIST, quote } from '../json/members.js';
import type { Connection } from '../middleware/connection.js';
import type { Jobs } from '../middleware/jobs/jobs.js';
import type { PlainMethods } from '../middleware/jobs/plain-methods.js';
import {
  Command,
  MessageType,
  PATIENCE,
  PING_TIMEOUT,
  VERSION,
  type FinalFrame,
  type Json,
  type Request,
  type ResultFrame,
  type Timeout,
} from '../protocol/frames.js';
import type { Metrics } from '../stream/metrics.js';
import { errorForPerson } from '../text/for-person.js';
import type { StatusReport } from '../protocol/status.js';
import { ownCommand } from '../text/own-command.js';
import { isOlder } from '../protocol/version.js';
import type { Context, Patience, Verb, Verbs } from '../stream/forward.js';

export interface CommandOptions {
  readonly connection: Connection;
  readonly jobs: Jobs;
  readonly plainMethods: PlainMethods;
  readonly log: Log;
  /** Calls at the middleware at once; 1 is one lock around everything, jobs included. */
  readonly concurrency: number;
  /** Seconds; null is no timeout. */
  readonly callTimeout: number | null;
  readonly metrics: Metrics;
  /** Is the server's certificate left unverified? Null: there is none. */
  readonly isInsecure: boolean | null;
  /** The daemon that serves; undefined where there is none. */
  readonly daemon?: DaemonControl;
}

export interface DaemonControl {
  /** Asks it to go; false if it is not to, because others have requests to be answered. */
  stop(ifIdle: boolean): boolean;
  status(): StatusReport;
}

export function createVerbs(options: CommandOptions): Verbs {
  const { concurrency, callTimeout, plainMethods } = options;
  const calling: Verb = {
    check: (request) => {
      checkVerification(request, options);
    },
    slotClass: ({ method, kwargs }) =>
      kwargs.job || plainMethods.mayStartJob(method ?? '') ? 'job' : 'call',
    onShortOfJobs: ({ method }) => {
      plainMethods.lookUp(method ?? '');
    },
    patience: ({ kwargs }) => patienceOf(kwargs.timeout, callTimeout),
    run: (request, context) => call(request, context, options),
  };
  const pinging: Verb = {
    check: (request) => {
      checkVerification(request, options);
    },
    slotClass: () => (concurrency === 1 ? 'call' : 'look-up'),
    patience: ({ timeout }) => patienceOf(timeout === undefined ? PING_TIMEOUT : timeout, null),
    run: (request, context) => ping(request, context, options),
  };
  const answeredHere = {
    slotClass: () => 'none' as const,
    patience: () => ({ toSend: null, toAnswer: null, isShared: true }),
  };
  return new Map<string, Verb>([
    [Command.CALL, calling],
    [Command.CLI_CALL, calling],
    [Command.PING, pinging],
    [
      Command.CLI_PING,
      { ...pinging, run: (request, context) => cliPing(request, context, options) },
    ],
    [Command.STOP, { ...answeredHere, run: (request, context) => stop(request, context, options) }],
    [Command.STATUS, { ...answeredHere, run: () => status(options) }],
  ]);
}

/**
 * A timeout that is given, in seconds, is all of the time that a request may take. Without one waiting and
 * answering have a time each, the latter `fallback`.
 */
function patienceOf(timeout: Timeout, fallback: number | null): Patience {
  if (timeout === undefined) {
    return { toSend: PATIENCE * 1000, toAnswer: milliseconds(fallback), isShared: false };
  }
  const given = milliseconds(timeout);
  return { toSend: given, toAnswer: given, isShared: true };
}

async function call(
  request: Request,
  { lease, timeout, deadline, cancellation, progress, client }: Context,
  { connection, jobs, plainMethods, log, metrics, concurrency, callTimeout }: CommandOptions,
): Promise<FinalFrame> {
  const { method, params, kwargs } = request;
  if (method === null || method === '') {
    lease.release();
    throw new MidcltError('REQUEST', "'method' is missing", { errorType: 'KeyError' });
  }
  const endCall = kwargs.job ? null : plainMethods.calling(method, lease.isNoJob);
  const started = performance.now();
  const report = (outcome: string) => {
    const duration = performance.now() - started;
    metrics.count(duration, outcome === 'result');
    const ms = Math.round(duration);
    log('debug', 'call', { client, method: method.slice(0, 100), job: kwargs.job, ms, outcome });
  };
  try {
    const answer = kwargs.job
      ? jobs.call(method, params, {
          timeout,
          deadline,
          onProgress: progress,
          lease,
          cancellation,
          // One lock around everything holds until the job ends, whoever still listens.
          isHeld: concurrency === 1,
        })
      : connection.call(method, params, { timeout, lease, cancellation });
    const text = await answer;
    if (!kwargs.job) plainMethods.answered(method, text);
    report('result');
    return result(text);
  } catch (error) {
    report(error instanceof MidcltError ? error.code : 'error');
    throw forPerson(error, request, callTimeout);
  } finally {
    endCall?.();
    lease.release();
  }
}

/** What was asked for with a verified certificate is not sent without, nor the other way round. */
function checkVerification({ insecure }: Request, { isInsecure, daemon }: CommandOptions): void {
  if (insecure === null || isInsecure === null || insecure === isInsecure) return;
  const { uri, username } = daemon?.status() ?? { uri: null, username: null };
  const stop = ownCommand({ uri, username }, ['daemon-stop']);
  throw new MidcltError(
    'REQUEST',
    isInsecure
      ? "The daemon does not verify the server's certificate (it was started with --insecure), which this call did not ask for; " +
          `it was not sent. Give --insecure, too, or end that daemon with '${stop}'`
      : "The daemon verifies the server's certificate, and this call asks to do without (--insecure); " +
          `it was not sent. Leave out --insecure, or end that daemon with '${stop}'`,
  );
}

/** For a shell on a terminal the error says what the program would say there. */
function forPerson(
  thrown: unknown,
  { text, method, timeout, kwargs }: Request,
  callTimeout: number | null,
): unknown {
  if (text !== 'terminal' || !isMidcltError(thrown) || thrown.trace || thrown.extra) return thrown;
  const own = method === null ? timeout : kwargs.timeout;
  const seconds = own === undefined ? callTimeout : own;
  const message = errorForPerson(thrown.message, method ?? 'core.ping', seconds);
  return message === thrown.message ? thrown : new MidcltError(thrown.code, message);
}

async function ping(
  _request: Request,
  { lease, timeout, cancellation }: Context,
  { connection }: CommandOptions,
): Promise<FinalFrame> {
  const pong = connection.call('core.ping', EMPTY_LIST, {
    timeout,
    lease,
    cancellation,
  });
  try {
    return result(await pong);
  } finally {
    lease.release();
  }
}

/** What the command line says of a ping that failed. */
async function cliPing(
  request: Request,
  context: Context,
  options: CommandOptions,
): Promise<FinalFrame> {
  try {
    return await ping(request, context, options);
  } catch (error) {
    const { code, message } = asMidcltError(forPerson(error, request, options.callTimeout));
    throw new MidcltError(code, `Ping failed: ${message}`);
  }
}

function stop(
  { ifIdle, version }: Request,
  { client }: Context,
  { daemon, log }: CommandOptions,
): Promise<FinalFrame> {
  if (!daemon) throw new MidcltError('REQUEST', 'There is no daemon to stop');
  if (ifIdle && version !== null && !isOlder(VERSION, version)) {
    throw new MidcltError('REQUEST', `The daemon is of version ${VERSION} by now`);
  }
  if (!daemon.stop(ifIdle)) throw new MidcltError('REQUEST', 'The daemon is busy');
  log('info', 'stop requested', { client });
  return Promise.resolve(result(Buffer.from(quote('Daemon shutting down'))));
}

function status({ daemon }: CommandOptions): Promise<FinalFrame> {
  if (!daemon) throw new MidcltError('REQUEST', 'There is no daemon to tell its status');
  return Promise.resolve(result(Buffer.from(JSON.stringify(daemon.status()))));
}

function result(text: Json): ResultFrame {
  return { type: MessageType.RESULT, result: text };
}

function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}
