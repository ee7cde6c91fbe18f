/**
 * `download`: what a job writes, as a file; and `job log`.
 *
 *     core.download → [job's id, path] → GET → meter → file;  meanwhile the job is followed
 *
 * The transfer is good only if the body came to its proper end and the job has succeeded: a job that fails in the midst
 * ends the body as well.
 */
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { quote, stringOf } from '../../json/members.js';
import { targetOf } from '../../login/target.js';
import type { Target } from '../../middleware/uri.js';
import { noPath, startDownload } from '../../transfer/pipe-jobs.js';
import { receiveFile } from '../../transfer/reception.js';
import { Sink, WholeFile } from '../../transfer/sink.js';
import type { Arguments } from '../args/arguments.js';
import { isTerminal, piecewise, sayLine, writeForeign } from '../output/output.js';
import { TransferView } from '../output/transfer.js';
import { paramsText, progressOf, timeoutOf } from './call.js';
import {
  callerOver,
  callOf,
  followOf,
  lasting,
  onSignal,
  reportingErrors,
  resultOf,
  withExchange,
} from './exchange.js';
import { endingSignals } from './signals.js';

const STDOUT = 1;
/** Where the file goes. */
interface Output {
  readonly sink: Sink;
  /** Null: a pipe, a device or a descriptor, which takes what comes. */
  readonly file: WholeFile | null;
  /** In messages. */
  readonly shown: string;
}

/** Returns the exit code. */
export async function downloadCommand(args: Arguments): Promise<number> {
  const { output, view, run } = await downloadOf(args, (slip) => {
    if (isTerminal()) sayLine(slip);
  });
  return saving(output, view, async () => {
    print(output, await run());
    return 0;
  });
}

/** For one of several systems: shows nothing. Resolves with the path of the file, rejects where there is none. */
export async function downloadFor(args: Arguments): Promise<string | null> {
  const { output, run } = await downloadOf({ ...args, quiet: true }, () => undefined);
  const discard = () => output.file?.discard();
  const forget = onSignal(discard, endingSignals());
  return run().finally(() => {
    forget();
    discard();
  });
}

interface Download {
  readonly output: Output;
  readonly view: TransferView;
  /** Resolves with the path of the file, null where it is no file. */
  readonly run: () => Promise<string | null>;
}

async function downloadOf(args: Arguments, onSlip: (line: string) => void): Promise<Download> {
  const [method = '', ...rest] = args.method;
  const params = paramsText(rest, onSlip);
  const target = targetOf(args);
  // Before a job is started for nothing.
  const output = await openOutput(args.output ?? '.');
  const view = new TransferView(method, null, args.quiet);
  const [first = ''] = rest;
  const name = output.file?.name ?? ((first.startsWith('/') && path.basename(first)) || method);
  const source = { method, params, name, buffered: args.buffered };
  const run = () =>
    withExchange(args, async (exchange) => {
      const { jobId, path } = await startDownload(callerOver(exchange, timeoutOf(args)), source);
      const outcome = lasting(() =>
        resultOf(exchange, followOf(jobId, null), (frame) => {
          view.onJob(...progressOf(frame));
        }),
      );
      outcome.catch(() => undefined); // it is asked for below
      if (args.buffered) await outcome;
      const name = await receive(target, path, { output, view, outcome });
      view.finish();
      return output.file?.commit(name ?? source.name) ?? null;
    });
  return { output, view, run };
}

/** `job log`: prints what a job has logged. */
export async function jobLog(args: Arguments): Promise<number> {
  const target = targetOf(args);
  const output = await openOutput(args.output ?? '-');
  const name = `job-${args.jobId}.log`;
  const view = new TransferView(name, null, args.output === null);
  return saving(output, view, () =>
    withExchange(args, async (exchange) => {
      const call = callOf(
        'core.job_download_logs',
        `[${args.jobId}, ${quote(name)}]`,
        timeoutOf(args),
      );
      const path = stringOf(await resultOf(exchange, call));
      if (path === null) throw noPath('core.job_download_logs');
      await receive(target, path, { output, view, outcome: null });
      view.finish();
      print(output, output.file?.commit(name) ?? null);
      return 0;
    }),
  );
}

/** Removes what is not whole, whatever ends the work: an error, or a signal. */
async function saving(
  { file, shown }: Output,
  view: TransferView,
  work: () => Promise<number>,
): Promise<number> {
  const forget = onSignal(() => {
    view.finish();
    file?.discard();
    sayLine(file ? `Interrupted. ${shown} was not saved` : 'Interrupted');
  }, endingSignals());
  try {
    return await reportingErrors(
      work().finally(() => {
        view.finish();
        file?.discard();
      }),
    );
  } finally {
    forget();
  }
}

async function openOutput(target: string): Promise<Output> {
  if (target === '-') {
    return { sink: new Sink(STDOUT, 'the output'), file: null, shown: 'The output' };
  }
  const sink = await Sink.open(target);
  if (sink) return { sink, file: null, shown: target };
  const file = WholeFile.open(target);
  return { sink: file.sink, file, shown: file.name === null ? 'The file' : target };
}

interface Incoming {
  readonly output: Output;
  readonly view: TransferView;
  /** Null: nobody writes any more. */
  readonly outcome: Promise<unknown> | null;
}

/** Resolves with the file's name, as the server says, when all of it is where it goes. */
async function receive(
  target: Target,
  path: string,
  { output, view, outcome }: Incoming,
): Promise<string | null> {
  let bytes = 0;
  const onBytes = (count: number) => {
    bytes += count;
    view.add(count);
  };
  const { body, name } = await receiveFile(target, path, { outcome, onBytes });
  try {
    if (name !== null) output.file?.check(name);
    if (output.sink.isTerminal) await pipeline(body, harmlessly, output.sink);
    else await pipeline(body, output.sink);
  } finally {
    body.destroy();
  }
  if (bytes === 0) sayLine('Nothing was written by the job: the file is empty');
  return name;
}

/** Without what a terminal would act on. */
async function* harmlessly(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const change = piecewise();
  for await (const piece of body) yield change(piece);
}

/** Prints the path of the file, unless who asked has given it. */
function print({ file }: Output, path: string | null): void {
  if (path !== null && file?.name === null) writeForeign(Buffer.from(`${path}\n`));
}
