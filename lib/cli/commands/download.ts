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
import { setTimeout as delay } from 'node:timers/promises';
import { asMidcltError, isMidcltError, MidcltError } from '../../errors.js';
import { elementsOf, integerOf, membersOf, quote, stringOf } from '../../json/members.js';
import { hasOtherArguments } from '../../middleware/jobs/events.js';
import { DEFAULT_URI, parseTarget, type Target } from '../../middleware/uri.js';
import { cut } from '../../transfer/answers.js';
import { fetchFile, type ServedFile } from '../../transfer/file-server.js';
import { Meter } from '../../transfer/meter.js';
import { isDevice, Sink, WholeFile } from '../../transfer/sink.js';
import type { Arguments } from '../args/arguments.js';
import { isTerminal, sayLine, writeOut } from '../output/output.js';
import { TransferView } from '../output/transfer.js';
import { onSignal, paramsText, progressOf, timeoutOf, type Exchange } from './call.js';
import {
  callOf,
  ErrorAnswer,
  followOf,
  lasting,
  reportingErrors,
  resultOf,
  withExchange,
} from './exchange.js';

const STDOUT = 1;
/** What ends a process, and would leave half a file. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Milliseconds of silence of the file server once the job has ended: with success, or without. */
const SILENCE = { running: Infinity, succeeded: 60_000, failed: 5_000 };
/** Milliseconds between two looks whether it is silent. */
const LOOK = 250;

/** How often a download is started anew that the server has merged with another's, with pauses of so many milliseconds at most. */
const STARTS = 20;
const PAUSE = 500;

/** Where the file goes. */
interface Output {
  readonly sink: Sink;
  /** Null: a pipe or a device, which takes what comes. */
  readonly file: WholeFile | null;
  /** In messages. */
  readonly shown: string;
}

export async function downloadCommand(args: Arguments): Promise<number> {
  const [method = '', ...rest] = args.method;
  const params = paramsText(rest, (slip) => {
    if (isTerminal()) sayLine(slip);
  });
  const target = targetOf(args);
  // Before a job is started for nothing.
  const output = await openOutput(args.output ?? '.');
  const view = new TransferView(method, null, args.quiet);
  const [first = ''] = rest;
  const name = output.file?.name ?? ((first.startsWith('/') && path.basename(first)) || method);
  const source = { method, params, name };
  return saving(output, view, () =>
    withExchange(args, async (exchange) => {
      const started = await start(exchange, source, args);
      const job = new FollowedJob(exchange, started.jobId, view);
      if (args.buffered) await job.outcome;
      const name = await receive(target, started.path, { output, view, job });
      view.finish();
      keep(output, name ?? source.name);
      return 0;
    }),
  );
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
      await receive(target, path, { output, view, job: null });
      view.finish();
      keep(output, name);
      return 0;
    }),
  );
}

/** The middleware's address, which is the file server's. */
export function targetOf({ uri, insecure }: Arguments): Target {
  return parseTarget(uri ?? DEFAULT_URI, { insecure });
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
  }, SIGNALS);
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
  if (isDevice(target)) return { sink: await Sink.open(target), file: null, shown: target };
  const file = WholeFile.open(target);
  return { sink: file.sink, file, shown: file.name === null ? 'The file' : target };
}

interface Source {
  readonly method: string;
  readonly params: string;
  /** What the server is asked to call the file: as it will be called here, or as what it is made of. */
  readonly name: string;
}

/** A job that waits for whoever fetches what it writes. */
interface Started {
  readonly jobId: number;
  /** With the token in it: never to be shown. */
  readonly path: string;
}

async function start(exchange: Exchange, source: Source, args: Arguments): Promise<Started> {
  for (let left = STARTS; ; left--) {
    const started = await startOnce(exchange, source, args);
    if (!(await isMerged(exchange, started.jobId, source))) return started;
    if (left === 0) throw merged(started.jobId, 'nothing was fetched');
    await delay(PAUSE * Math.random());
  }
}

/**
 * Is it another's job? The server merges what comes at once into one job, whatever the methods: one of many then would
 * get another's file, or share its bytes. False where it can't be told.
 */
export async function isMerged(
  exchange: Exchange,
  jobId: number,
  { method, params }: Pick<Source, 'method' | 'params'>,
): Promise<boolean> {
  const filter = `[[["id", "=", ${jobId}]], {"select": ["method", "arguments", "message_ids"]}]`;
  const asked = lasting(() => resultOf(exchange, callOf('core.get_jobs', filter, null)));
  const answer = await asked.catch((error: unknown) => {
    if (!(error instanceof ErrorAnswer)) throw error;
    return null; // it is not shown to this user
  });
  const fields = membersOf(elementsOf(answer)?.[0]);
  if (!fields?.has('method')) return false;
  if (stringOf(fields.get('method')) !== method) return true;
  const callers = elementsOf(fields.get('message_ids'))?.length ?? 0;
  // Over the legacy wire, and of uploads, no caller is named.
  return (
    callers > 1 || (callers === 0 && hasOtherArguments({ params: Buffer.from(params) }, fields))
  );
}

export function merged(jobId: number, outcome: string): MidcltError {
  const text = `The server has merged this with job ${jobId} of another, because many came at once: ${outcome}; start it again`;
  return new MidcltError('CALL', text);
}

async function startOnce(
  exchange: Exchange,
  { method, params, name }: Source,
  args: Arguments,
): Promise<Started> {
  const all = `[${quote(method)}, ${params}, ${quote(name)}, ${args.buffered}]`;
  const answer = await resultOf(exchange, callOf('core.download', all, timeoutOf(args)));
  const [id, url] = elementsOf(answer) ?? [];
  const [jobId, path] = [integerOf(id), stringOf(url)];
  if (jobId === null || path === null) throw noPath('core.download');
  return { jobId, path };
}

function noPath(method: string): MidcltError {
  return new MidcltError('PROTOCOL', `The server's answer to ${method} names no file to fetch`);
}

/** The job that writes the file, while that is fetched. */
class FollowedJob {
  /** Rejects with the job's failure. */
  readonly outcome: Promise<Buffer>;
  state: 'running' | 'succeeded' | 'failed' = 'running';

  constructor(exchange: Exchange, jobId: number, view: TransferView) {
    this.outcome = lasting(() =>
      resultOf(exchange, followOf(jobId, null), (frame) => {
        view.onJob(...progressOf(frame));
      }),
    );
    const end = (state: 'succeeded' | 'failed') => () => {
      this.state = state;
    };
    this.outcome.then(end('succeeded'), end('failed'));
  }
}

interface Reception {
  readonly output: Output;
  readonly view: TransferView;
  /** Null: nobody writes any more. */
  readonly job: FollowedJob | null;
}

/** Resolves with the file's name, as the server says, when its body has come to its end and the job has succeeded. */
async function receive(
  target: Target,
  path: string,
  { output, view, job }: Reception,
): Promise<string | null> {
  const stop = new AbortController();
  let silence = 0;
  let bytes = 0;
  const meter = new Meter((count) => {
    silence = 0;
    bytes += count;
    view.add(count);
  });
  const timer = setInterval(() => {
    // By looks and not by a clock: this process may have been stopped. A slow reader of the output is no silent server.
    const isAwaited = output.sink.writableLength === 0 && job?.state !== 'running';
    silence = isAwaited ? silence + LOOK : 0;
    if (silence >= SILENCE[job?.state ?? 'succeeded']) stop.abort();
  }, LOOK);
  let served: ServedFile | null = null;
  try {
    served = await fetchFile(target, path, stop.signal);
    if (served.name !== null) output.file?.check(served.name);
    await pipeline(served.body, meter, output.sink);
    await job?.outcome;
    if (bytes === 0) sayLine('Nothing was written by the job: the file is empty');
    return served.name;
  } catch (error) {
    // What the job itself says, says more than what followed from it.
    if (job?.state === 'failed' && !isOurs(error)) await job.outcome;
    if (stop.signal.aborted) {
      const why = job ? 'the job has ended, and no more came' : 'no more came';
      throw cut(`after ${bytes} bytes`, new Error(why));
    }
    if (isMidcltError(error)) throw error;
    throw cut(`after ${bytes} bytes`, error);
  } finally {
    clearInterval(timer);
    served?.body.destroy();
  }
}

/** Is it an error of where the file goes? */
function isOurs(error: unknown): boolean {
  const { code } = asMidcltError(error);
  return code === 'FILES' || code === 'BROKEN_PIPE';
}

/** Gives the file its name, and prints that where it was not given by who asked. */
function keep({ file }: Output, name: string): void {
  const final = file?.commit(name);
  if (final !== undefined && file?.name === null) writeOut(Buffer.from(`${final}\n`));
}
