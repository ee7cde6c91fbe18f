/**
 * `upload`: files for a job to read.
 *
 *     auth.generate_token → POST of the method, its params and the files → the job's id → the job is followed
 */
import { MidcltError } from '../../errors.js';
import { targetOf } from '../../login/target.js';
import { unknownJob } from '../../middleware/jobs/known.js';
import type { Target } from '../../middleware/uri.js';
import { sendFiles, type FileToSend } from '../../transfer/file-server.js';
import { generateToken, isMerged, merged } from '../../transfer/pipe-jobs.js';
import { openSource } from '../../transfer/source.js';
import type { Arguments } from '../args/arguments.js';
import { isTerminal, sayLine } from '../output/output.js';
import { TransferView } from '../output/transfer.js';
import { paramsText, timeoutOf, type Exchange } from './call.js';
import { callerOver, onSignal, reportingErrors, withExchange } from './exchange.js';
import { followJob } from './jobs.js';

export async function uploadCommand(args: Arguments): Promise<number> {
  const [method = '', ...rest] = args.method;
  const params = paramsText(rest, (slip) => {
    if (isTerminal()) sayLine(slip);
  });
  const target = targetOf(args);
  if (args.file.includes('-')) refuseTerminal();
  const files = await Promise.all(args.file.map(openSource));
  const work = withExchange(args, async (exchange) => {
    const jobId = await send(exchange, target, { method, params, files }, args);
    if (await isMerged(callerOver(exchange, timeoutOf(args)), jobId, { method, params })) {
      throw merged(jobId, 'the files were not taken');
    }
    // On a terminal alone, as the transfer before it: cron mails what a command says.
    const jobPrint = args.quiet || !isTerminal() ? null : args.jobPrint;
    const waiting = { ...args, jobId, jobPrint, quiet: false };
    return followJob(waiting, tellingOfHidden(exchange, jobId));
  });
  return reportingErrors(work);
}

interface Sent {
  readonly method: string;
  readonly params: string;
  readonly files: readonly FileToSend[];
}

/** Resolves with the id of the job that the files were given to. */
async function send(
  exchange: Exchange,
  target: Target,
  { method, params, files }: Sent,
  args: Arguments,
): Promise<number> {
  const token = await generateToken(callerOver(exchange, timeoutOf(args)), target);
  const sizes = files.map(({ size }) => size ?? NaN);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const view = new TransferView(method, Number.isNaN(total) ? null : total, args.quiet);
  const onBytes = (count: number) => {
    view.add(count);
  };
  const forget = onSignal(() => {
    view.finish();
    sayLine('Interrupted. The job may have taken what was sent for all of the file');
  });
  try {
    const upload = { token, method, params, files, onBytes };
    return await sendFiles(target, upload, new AbortController().signal);
  } finally {
    forget();
    view.finish();
  }
}

/** An exchange that says what it means that the server knows no job of this id: it has just started it. */
function tellingOfHidden(exchange: Exchange, jobId: number): Exchange {
  return async (outbound, listener) => {
    const answer = await exchange(outbound, listener);
    return answer?.error === unknownJob(jobId) ? { ...answer, error: hiddenJob(jobId) } : answer;
  };
}

/** The job is started with a token, and the server shows it to administrators alone. */
function hiddenJob(jobId: number): string {
  return (
    `The server has taken the files for job ${jobId}, and does not show that to this user: whether it succeeded ` +
    'is unknown. An administrator can see it'
  );
}

function refuseTerminal(): void {
  const { isatty } = require('node:tty') as typeof import('node:tty');
  if (!isatty(0)) return;
  throw new MidcltError(
    'FILES',
    'Cannot read from stdin when connected to a terminal. Pipe the file',
  );
}
