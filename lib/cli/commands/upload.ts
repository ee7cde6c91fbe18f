/**
 * `upload`: files for a job to read.
 *
 *     auth.generate_token → POST of the method, its params and the files → the job's id → the job is followed
 */
import { stringOf } from '../../json/members.js';
import { MidcltError } from '../../errors.js';
import { unknownJob } from '../../middleware/jobs/known.js';
import type { Target } from '../../middleware/uri.js';
import { sendFiles, type FileToSend } from '../../transfer/file-server.js';
import { openSource } from '../../transfer/source.js';
import type { Arguments } from '../args/arguments.js';
import { isTerminal, sayLine } from '../output/output.js';
import { TransferView } from '../output/transfer.js';
import { onSignal, paramsText, timeoutOf, type Exchange } from './call.js';
import { isMerged, merged, targetOf } from './download.js';
import { callOf, ErrorAnswer, reportingErrors, resultOf, withExchange } from './exchange.js';
import { followJob } from './jobs.js';

/** Seconds for which a token is good: it is used at once. */
const TOKEN_LIFE = 300;

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
    if (await isMerged(exchange, jobId, { method, params })) {
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
  const token = await generateToken(exchange, target, timeoutOf(args));
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

/** One that admits once, from this address; over the Unix socket there are no addresses. */
async function generateToken(
  exchange: Exchange,
  { socketPath }: Target,
  timeout: number | null,
): Promise<string> {
  const own = `${TOKEN_LIFE}, {}, ${socketPath === null}`;
  const ask = (params: string) =>
    resultOf(exchange, callOf('auth.generate_token', params, timeout));
  const answer = await ask(`[${own}, true]`).catch((error: unknown) => {
    // Before 25.04 there is no choice of admitting once.
    const isOlder = error instanceof ErrorAnswer && /too many arguments/i.test(error.message);
    if (isOlder) return ask(`[${own}]`);
    throw error;
  });
  const token = stringOf(answer);
  if (token !== null && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new MidcltError('PROTOCOL', "The server's answer to auth.generate_token is no token");
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
