/** What commands of several requests share: the way to the middleware, through a daemon or not, and answers as values. */
import { isLost } from '../../errors.js';
import { Command, type ErrorFrame, type ProgressFrame } from '../../protocol/frames.js';
import type { Caller } from '../../transfer/pipe-jobs.js';
import type { Arguments } from '../args/arguments.js';
import { printErrorFrame } from '../output/output.js';
import type { Exchange, Outbound } from './call.js';
import { withinTimeout } from './direct.js';
import { anyDaemonExchange } from './via-daemon.js';

/**
 * Does the work with an exchange over a daemon (`-d`), or else over one connection of this process. What is still asked
 * when the work has ended, or failed, is given up: nobody waits for its answer.
 */
export async function withExchange<T>(
  args: Arguments,
  work: (exchange: Exchange) => Promise<T>,
): Promise<T> {
  if (!args.useDaemon) return withinTimeout(args, (_args, exchange) => work(exchange));
  const over = new AbortController();
  try {
    return await work(anyDaemonExchange(args, over.signal));
  } finally {
    over.abort();
  }
}

/** The error frame that ended a request, thrown. */
export class ErrorAnswer extends Error {
  constructor(readonly frame: ErrorFrame) {
    super(frame.error);
  }
}

/** Resolves with the result's text. Rejects with an {@link ErrorAnswer}, or as the exchange does. */
export async function resultOf(
  exchange: Exchange,
  outbound: Outbound,
  onProgress: (frame: ProgressFrame) => void = () => undefined,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const result = (piece: Buffer) => pieces.push(piece);
  const error = await exchange(outbound, { progress: onProgress, result });
  if (error) throw new ErrorAnswer(error);
  return Buffer.concat(pieces);
}

/** A call whose result comes at once. `params` is the text of a JSON array. */
export function callOf(method: string, params: string, timeout: number | null): Outbound {
  return { command: Command.CALL, method, params, timeout, job: false };
}

/** What makes the calls of a transfer. What they ask about a job is asked of the next daemon where one has gone. */
export function callerOver(exchange: Exchange, timeout: number | null): Caller {
  return {
    call(method, params) {
      const ask = () => resultOf(exchange, callOf(method, params, timeout));
      return method === 'core.get_jobs' ? lasting(ask) : ask();
    },
    answerOf: (error) => (error instanceof ErrorAnswer ? error.message : null),
  };
}

/** What waits for a job that exists, and tells of its progress. */
export function followOf(jobId: number, timeout: number | null): Outbound {
  return { command: Command.FOLLOW, method: '', params: '[]', timeout, job: true, jobId };
}

/**
 * Milliseconds until a job is looked for again when the daemon that followed it is gone. One that was killed may go on
 * taking connections for a moment, until the system has taken it apart, and answers none of them.
 */
const PAUSES = [20, 200, 1000];

/** Does what asks about a job; once more when the daemon has gone meanwhile, for a job goes on without it. */
export async function lasting<T>(ask: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await ask();
    } catch (error) {
      if (!isLost(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return ask();
}

/** Prints the error that the server has answered with, as `call` does. Returns the exit code. */
export async function reportingErrors(work: Promise<number>): Promise<number> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ErrorAnswer)) throw error;
    printErrorFrame(error.frame);
    return 1;
  }
}

/**
 * Calls `say`, and waits for a promise that it returns, before a signal ends this process as it does by default; a second one ends it at
 * once. Returns what undoes this.
 */
export function onSignal(
  say: () => unknown,
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): () => void {
  const onOne = (signal: NodeJS.Signals) => {
    forget();
    const end = () => process.kill(process.pid, signal);
    const saying = say();
    if (saying instanceof Promise) void saying.finally(end);
    else end();
  };
  const forget = () => {
    for (const signal of signals) process.off(signal, onOne);
  };
  for (const signal of signals) process.on(signal, onOne);
  return forget;
}
