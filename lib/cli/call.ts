/**
 * `call` and `ping`: a request out, what it answers to stdout and stderr, an exit code. How it
 * reaches the middleware, through a daemon or without one, is the {@link Exchange} it is given.
 */
import type { Answer, AnswerListener } from '../client.js';
import { stringOf } from '../members.js';
import { Command, type ProgressFrame } from '../protocol.js';
import type { Arguments } from './argv.js';
import { printErrorFrame, sayLine, writeOut } from './output.js';
import { paramsText } from './params.js';
import type { ProgressView } from './progress.js';
import { ResultPrinter } from './result.js';

/** What the command line asks for, before it is a line or a request. */
export interface Outbound {
  readonly command: typeof Command.CALL | typeof Command.PING;
  readonly method: string;
  /** The text of a JSON array. */
  readonly params: string;
  /** Seconds; null leaves it to the default. */
  readonly timeout: number | null;
  readonly job: boolean;
}

export type Exchange = (outbound: Outbound, listener: AnswerListener) => Promise<Answer>;

/** Returns the exit code. Throws what the exchange rejects with. */
export async function runCall(args: Arguments, exchange: Exchange): Promise<number> {
  const [method = '', ...rest] = args.method;
  const view = args.job ? progressView(args.jobPrint) : null;
  const printer = new ResultPrinter(writeOut);
  let begun = false;
  const answer = await exchange(
    {
      command: Command.CALL,
      method,
      params: paramsText(rest),
      timeout: timeoutOf(args),
      job: args.job,
    },
    {
      progress: (frame) => view?.update(...progressOf(frame)),
      result: (piece) => {
        if (!begun) view?.finish(true);
        begun = true;
        printer.push(piece);
      },
    },
  );
  if (answer) {
    view?.finish(false);
    if (!args.quiet) printErrorFrame(answer);
    return 1;
  }
  printer.end();
  return 0;
}

export async function runPing(args: Arguments, exchange: Exchange): Promise<number> {
  const printer = new ResultPrinter(writeOut);
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
    sayLine(`Ping failed: ${answer.error}`);
    return 1;
  }
  printer.end();
  return 0;
}

/** Seconds, from `-t` or this process's `CALL_TIMEOUT`. */
function timeoutOf({ timeout }: Arguments): number | null {
  if (timeout !== null && timeout > 0) return timeout;
  const seconds = Number(process.env.CALL_TIMEOUT ?? '');
  return seconds > 0 && seconds < Infinity ? seconds : null;
}

function progressOf({ percent, description }: ProgressFrame): [number | null, string | null] {
  const number = Number(percent.toString('latin1'));
  return [Number.isFinite(number) ? number : null, stringOf(description)];
}

function progressView(kind: Arguments['jobPrint']): ProgressView {
  const { DescriptionLines, ProgressBar } =
    require('./progress.js') as typeof import('./progress.js');
  const { stderr } = process;
  stderr.on('error', () => undefined); // a closed stderr must not end the call
  const out = {
    isTTY: stderr.isTTY,
    get columns() {
      return stderr.columns;
    },
    write: (text: string) => void stderr.write(text),
  };
  return kind === 'description' ? new DescriptionLines(out) : new ProgressBar(out, process.env);
}
