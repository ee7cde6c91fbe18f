/** `job …`: the jobs of the middleware, over a daemon or without one. */
import { isatty } from 'node:tty';
import { MidcltError, asMidcltError, isLost } from '../../errors.js';
import {
  booleanOf,
  elementsOf,
  membersOf,
  quote,
  stringOf,
  type Members,
} from '../../json/members.js';
import { unknownJob } from '../../middleware/jobs/known.js';
import type { Json } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';
import { LISTED, hasEnded, jobDetails, jobTable, wordOf } from '../output/job-text.js';
import { printErrorFrame, sayLine, writeForeign } from '../output/output.js';
import { printLines } from '../output/table.js';
import { printAnswer, timeoutOf, type Exchange } from './call.js';
import { jobLog } from './download.js';
import {
  callOf,
  ErrorAnswer,
  followOf,
  lasting,
  reportingErrors,
  resultOf,
  withExchange,
} from './exchange.js';
import { goingOn } from './interrupt.js';

/** Returns the exit code. */
export function jobCommand(args: Arguments): Promise<number> {
  const { name } = args;
  if (name === 'job log') return jobLog(args);
  return reportingErrors(
    withExchange(args, (exchange) => {
      switch (name) {
        case 'job show':
          return show(args, exchange);
        case 'job wait':
          return followJob({ ...args, jobPrint: null }, exchange);
        case 'job follow':
          return followJob(args, exchange);
        case 'job abort':
          return abort(args, exchange);
        default:
          return list(args, exchange);
      }
    }),
  );
}

/** The server's list of the jobs that the arguments ask for, the newest first. */
export async function listedJobs(args: Arguments, exchange: Exchange): Promise<Json> {
  const filters = [
    ...(args.state === null ? [] : [`["state", "=", ${quote(args.state)}]`]),
    ...(args.mine
      ? [`["credentials.data.username", "=", ${quote(await whoAmI(args, exchange))}]`]
      : []),
  ];
  return jobs(args, exchange, filters, [LISTED, BRIEF]);
}

/** One job as the server has it; null: there is none. */
export async function jobRecord(args: Arguments, exchange: Exchange): Promise<Json | null> {
  const answer = await jobs(args, exchange, [isJob(args)], [null, WITHOUT_DATA, BRIEF]);
  return elementsOf(answer)?.[0] ?? null;
}

async function list(args: Arguments, exchange: Exchange): Promise<number> {
  const answer = await listedJobs(args, exchange);
  if (args.json) {
    writeForeign(Buffer.concat([answer, NEWLINE]));
    return 0;
  }
  const isTerminal = isatty(STDOUT);
  const width = isTerminal ? process.stdout.columns || 80 : Infinity;
  printLines(jobTable(recordsOf(answer), new Date(), width), '\t');
  return 0;
}

async function show(args: Arguments, exchange: Exchange): Promise<number> {
  const record = await jobRecord(args, exchange);
  const job = record && membersOf(record);
  if (!record || !job) return unknown(args);
  if (args.json) writeForeign(Buffer.concat([record, NEWLINE]));
  else printLines(jobDetails(job, new Date()), '\t');
  return 0;
}

/**
 * A job that exists, to its end: prints its result, and returns the exit code. When the daemon is gone meanwhile, the
 * next one is asked.
 */
export async function followJob(
  args: Omit<Arguments, 'jobPrint'> & { jobPrint: Arguments['jobPrint'] | null },
  exchange: Exchange,
): Promise<number> {
  const { jobId } = args;
  const lost: MidcltError[] = [];
  const asking: Exchange = (outbound, listener) =>
    lasting(async () => {
      try {
        return await exchange(outbound, listener);
      } catch (error) {
        if (isLost(error)) lost.push(asMidcltError(error));
        throw error;
      }
    });
  try {
    return await printAnswer(followOf(jobId, limitOf(args)), args, asking);
  } catch (error) {
    const [loss] = lost;
    throw loss ? goingOn(loss, args, jobId) : error;
  }
}

/**
 * The server aborts what says that it can't be aborted, too, and answers at once; of a job that has ended it says
 * nothing. So the job's record tells what became of it.
 */
async function abort(args: Arguments, exchange: Exchange): Promise<number> {
  const { jobId } = args;
  const job = await find(args, exchange);
  if (!job) return unknown(args);
  if (hasEnded(job)) {
    sayLine(`Job ${jobId} has ended already (${wordOf(job, 'state')})`);
    return 1;
  }
  if (booleanOf(job.get('abortable')) === false) {
    sayLine(
      `Job ${jobId} says that it can't be aborted: what it has begun may go on at the server`,
    );
  }
  await resultOf(exchange, callOf('core.job_abort', `[${jobId}]`, timeoutOf(args)));
  let error: ErrorAnswer | null = null;
  try {
    await resultOf(exchange, followOf(jobId, limitOf(args)));
  } catch (reason) {
    if (!(reason instanceof ErrorAnswer)) throw reason;
    error = reason;
  }
  const after = await find(args, exchange);
  // Of some jobs the server keeps nothing when they have ended.
  if (!after || stringOf(after.get('state')) === 'ABORTED') return 0;
  if (hasEnded(after)) {
    sayLine(`Job ${jobId} ended before it could be aborted (${wordOf(after, 'state')})`);
  } else if (error) {
    printErrorFrame(error.frame);
  }
  return 1;
}

const STDOUT = 1;
const NEWLINE = Buffer.from('\n');

/** What can't be put into JSON spoils an answer as a whole: then these are asked for. */
const BRIEF = ['id', 'method', 'error', 'state', 'time_started', 'time_finished'];
const WITHOUT_DATA = [...LISTED, 'logs_excerpt', 'result'];

/** The server's list of those that the filters let through, the newest first, with the first selection that it can tell. */
async function jobs(
  args: Arguments,
  exchange: Exchange,
  filters: readonly string[],
  [columns, ...fewer]: readonly (readonly string[] | null)[],
): Promise<Json> {
  const select = columns ? `, "select": [${columns.map(quote).join(', ')}]` : '';
  const params = `[[${filters.join(', ')}], {"order_by": ["-id"]${select}}]`;
  try {
    return await resultOf(exchange, callOf('core.get_jobs', params, timeoutOf(args)));
  } catch (error) {
    const isUntold = error instanceof ErrorAnswer && /serializ/i.test(error.frame.error);
    if (!isUntold || fewer.length === 0) throw error;
    return jobs(args, exchange, filters, fewer);
  }
}

async function find(args: Arguments, exchange: Exchange): Promise<Members | null> {
  const columns = ['id', 'method', 'abortable', 'state'];
  const [job] = recordsOf(await jobs(args, exchange, [isJob(args)], [columns]));
  return job ?? null;
}

function isJob({ jobId }: Arguments): string {
  return `["id", "=", ${jobId}]`;
}

function recordsOf(answer: Json): Members[] {
  const records = elementsOf(answer, 100_000)?.map(membersOf);
  if (!records) throw new MidcltError('PROTOCOL', 'The server answered with no list of jobs');
  return records.flatMap((record) => record ?? []);
}

async function whoAmI(args: Arguments, exchange: Exchange): Promise<string> {
  const me = membersOf(await resultOf(exchange, callOf('auth.me', '[]', timeoutOf(args))));
  const name = stringOf(me?.get('pw_name'));
  if (name === null) throw new MidcltError('CALL', 'The server does not say who is logged in');
  return name;
}

function unknown({ jobId }: Arguments): number {
  sayLine(unknownJob(jobId));
  return 1;
}

/** Seconds until a job must have ended; null is for ever. */
export function limitOf({ timeout }: Pick<Arguments, 'timeout'>): number | null {
  return timeout !== null && timeout > 0 ? timeout : null;
}
