/**
 * `call` and `ping`: a request out, what it answers to stdout and stderr, an exit code. How it
 * reaches the middleware, through a daemon or without one, is the {@link Exchange} it is given.
 */
import { readSync } from 'node:fs';
import { MidcltError, systemReason } from '../../errors.js';
import { textOf } from '../../json/check.js';
import { stringOf } from '../../json/members.js';
import type { Answer, AnswerListener } from '../../protocol/frame-reader.js';
import { Command, type ProgressFrame } from '../../protocol/frames.js';
import {
  errorForPerson,
  NO_METHOD,
  NOBODY,
  NOBODY_HINT,
  slipText,
  type OwnOptions,
} from '../../text/for-person.js';
import { ResultPrinter } from '../../text/print.js';
import { pause, steadyNow } from '../../timer.js';
import type { Arguments } from '../args/arguments.js';
import { isTerminal, printErrorFrame, foreignWriter, sayLine, writeErr } from '../output/output.js';
import type { ProgressView } from '../output/progress.js';
import { Interruption, type Waiting } from './interrupt.js';

/** What the command line asks for, before it is a line or a request. */
export interface Outbound {
  readonly command: typeof Command.CALL | typeof Command.PING | typeof Command.FOLLOW;
  readonly method: string;
  /** The text of a JSON array. */
  readonly params: string;
  /** Seconds; null leaves it to the default. */
  readonly timeout: number | null;
  readonly job: boolean;
  /** Of a job: answer with its id when the server has accepted it. */
  readonly detach?: boolean;
  /** The job to follow. */
  readonly jobId?: number;
  /** An error is to tell whether the call may have been run. */
  readonly asksOutcome?: boolean;
}

/** How an answer is printed, and what is told to be typed. */
type Printing = Pick<Arguments, 'timeout' | 'quiet'> &
  OwnOptions & {
    readonly abortOnInterrupt?: boolean;
    readonly format?: string | null;
    /** How a job's progress is shown; null: not at all. */
    readonly jobPrint: Arguments['jobPrint'] | null;
  };

export type Exchange = (outbound: Outbound, listener: AnswerListener) => Promise<Answer>;

/**
 * Returns the exit code. Throws what the exchange rejects with. `sayNearNames` is called if the method does not
 * exist, and a person is to be told.
 */
export async function runCall(
  args: Arguments,
  exchange: Exchange,
  sayNearNames: (args: Arguments) => void = () => undefined,
): Promise<number> {
  const [method = '', ...rest] = args.method;
  const params = paramsText(rest, (slip) => {
    if (!args.quiet && isTerminal()) sayLine(slip);
  });
  let answer: Answer = null;
  const code = await printCall({ ...args, method, params }, async (outbound, listener) => {
    return (answer = await exchange(outbound, listener));
  });
  const error = (answer as Answer)?.error;
  const isFor = (text: string) => error === text && !args.quiet && isTerminal();
  if (isFor(NO_METHOD)) sayNearNames(args);
  if (isFor(NOBODY)) sayLine(NOBODY_HINT);
  return code;
}

export function printCall(
  call: Printing & Pick<Outbound, 'method' | 'params' | 'job' | 'detach'>,
  exchange: Exchange,
): Promise<number> {
  const { method, params, job, detach = false } = call;
  const timeout = timeoutOf(call);
  const outbound = { command: Command.CALL, method, params, timeout, job, detach };
  return printAnswer(outbound, detach ? { ...call, jobPrint: null } : call, exchange);
}

/** Prints the answer to a request, and of a job that is waited for its progress. Returns the exit code. */
export async function printAnswer(
  outbound: Outbound,
  printing: Printing,
  exchange: Exchange,
): Promise<number> {
  const { job, jobId = null } = outbound;
  const { jobPrint, quiet } = printing;
  const view = job && jobPrint ? progressView(jobPrint) : null;
  const { format = null } = printing;
  const printer = format === null ? new ResultPrinter(foreignWriter()) : full().printerOf(format);
  let viewing = true;
  const finish = (succeeded: boolean) => {
    if (viewing) view?.finish(succeeded);
    viewing = false;
  };
  const waiting: Waiting = {
    options: printing,
    endProgress: () => {
      finish(false);
    },
    abort: (id) => exchange(abortOf(id), { progress: () => undefined, result: () => undefined }),
  };
  const interruption = job ? new Interruption(waiting, jobId) : null;
  const started = steadyNow();
  let answer: Answer;
  try {
    answer = await exchange(outbound, {
      progress(frame) {
        interruption?.hear(frame);
        if (viewing) view?.update(...progressOf(frame));
      },
      result: (piece) => {
        finish(true);
        printer.push(piece);
      },
    });
  } catch (error) {
    throw interruption?.explained(error) ?? error;
  } finally {
    finish(false); // whatever is said next stands on a line of its own
    interruption?.forget();
  }
  if (!answer) printer.end();
  else if (!quiet) {
    const { method } = outbound;
    printErrorFrame(answer, (error) => forPerson(error, { ...printing, method }, started));
  }
  interruption?.leave();
  return answer ? 1 : 0;
}

/** Opened only for a form that the original does not have. */
function full(): typeof import('../full.js') {
  return require('../full.js') as typeof import('../full.js');
}

/** Asks the server to abort a job. */
function abortOf(jobId: number): Outbound {
  const params = `[${jobId}]`;
  return {
    ...{ command: Command.CALL, method: 'core.job_abort', params },
    ...{ timeout: ABORT_TIMEOUT, job: false },
  };
}

/** Seconds for the server to take note. */
const ABORT_TIMEOUT = 30;

export async function runPing(
  args: Pick<Arguments, 'timeout'>,
  exchange: Exchange,
): Promise<number> {
  const printer = new ResultPrinter(foreignWriter());
  const started = steadyNow();
  const answer = await exchange(
    {
      command: Command.PING,
      method: 'core.ping',
      params: '[]',
      timeout: timeoutOf(args),
      job: false,
    },
    {
      progress: () => undefined,
      result: (piece) => {
        printer.push(piece);
      },
    },
  );
  if (answer) {
    const call = { ...args, method: 'core.ping' };
    sayLine(`Ping failed: ${isTerminal() ? forPerson(answer.error, call, started) : answer.error}`);
    return 1;
  }
  printer.end();
  return 0;
}

/** An error's text for a terminal. A call without `-t` had the daemon's timeout: the time it took stands for that. */
function forPerson(
  error: string,
  { method, timeout }: Pick<Arguments, 'timeout'> & Pick<Outbound, 'method'>,
  started: number,
): string {
  const passed = Math.max(1, Math.round((steadyNow() - started) / 1000));
  return errorForPerson(error, method, timeoutOf({ timeout }) ?? passed);
}

/** Seconds, from `-t` or this process's `CALL_TIMEOUT`. */
export function timeoutOf({ timeout }: Pick<Arguments, 'timeout'>): number | null {
  if (timeout !== null && timeout > 0) return timeout;
  const seconds = Number(process.env.CALL_TIMEOUT ?? '');
  return seconds > 0 && seconds < Infinity ? seconds : null;
}

/** A job's percentage, and what it says of itself; null where it says none. */
export function progressOf({
  percent,
  description,
}: ProgressFrame): [number | null, string | null] {
  const number = Number(percent.toString('latin1'));
  return [Number.isFinite(number) ? number : null, stringOf(description)];
}

export function progressView(kind: Arguments['jobPrint']): ProgressView {
  const { DescriptionLines, ProgressBar } =
    require('../output/progress.js') as typeof import('../output/progress.js');
  const isTTY = isTerminal();
  const out = {
    isTTY,
    // On a pipe process.stderr is left alone: Node would make it non-blocking for all who share it.
    get columns() {
      return isTTY ? process.stderr.columns : undefined;
    },
    write: writeErr,
  };
  return kind === 'description' ? new DescriptionLines(out) : new ProgressBar(out, process.env);
}

const STDIN = 0;
const CHUNK = 64 * 1024;

/**
 * Each argument that Python's parser takes as JSON is sent as it is spelled, any other as a
 * string. `-` is all of stdin, which is read for that alone, and once. `onSlip` gets a line about each
 * argument that looks like JSON and is not.
 */
export function paramsText(args: readonly string[], onSlip: (line: string) => void): string {
  let stdin: string | null = null;
  const texts = args.map((arg, index) => {
    if (arg === '-') stdin ??= readStdin();
    const text = arg === '-' ? (stdin ?? '') : arg;
    return textOf(text, (why) => {
      const name = `Argument ${index + 1}${arg === '-' ? ' (standard input)' : ''}`;
      const slip = slipText(name, text, why);
      if (slip !== null) onSlip(slip);
    });
  });
  return `[${texts.join(', ')}]`;
}

function readStdin(): string {
  const { isatty } = require('node:tty') as typeof import('node:tty');
  if (isatty(STDIN)) {
    throw new MidcltError(
      'FILES',
      'Cannot read from stdin when connected to a terminal. Pipe the input or give the argument itself',
    );
  }
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    try {
      const read = readSync(STDIN, chunk);
      if (read === 0) return Buffer.concat(chunks).toString();
      chunks.push(chunk.subarray(0, read));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') {
        throw new MidcltError('FILES', `Cannot read from stdin: ${systemReason(error)}`);
      }
      pause(); // somebody made the pipe non-blocking, and it is empty
    }
  }
}
