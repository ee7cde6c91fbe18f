/** The calls by which jobs that read or write files are started, and what becomes of them when the server merges jobs. */
import { setTimeout as delay } from 'node:timers/promises';
import { MidcltError } from '../errors.js';
import { elementsOf, integerOf, membersOf, quote, stringOf } from '../json/members.js';
import { hasOtherArguments } from '../middleware/jobs/events.js';
import type { Target } from '../middleware/uri.js';

/** How calls are made for a transfer. */
export interface Caller {
  /** `params` is the text of a JSON array. Resolves with the result's text. */
  call(method: string, params: string): Promise<Buffer>;
  /** The text of an error that the server has answered with; null for any other. */
  answerOf(error: unknown): string | null;
}

export interface Source {
  readonly method: string;
  /** The text of a JSON array. */
  readonly params: string;
}

/** A job that waits for whoever fetches what it writes. */
export interface Started {
  readonly jobId: number;
  /** With the token in it: never to be shown. */
  readonly path: string;
}

/** How often a download is started anew that the server has merged with another's, with pauses of so many milliseconds at most. */
const STARTS = 20;
const PAUSE = 500;

export interface DownloadSource extends Source {
  /** What the server is asked to call the file. */
  readonly name: string;
  /** It keeps what the job writes until that has ended. */
  readonly buffered: boolean;
}

/** Rejects as the calls do, or with `CALL` if the server merges each job that is started. */
export async function startDownload(caller: Caller, source: DownloadSource): Promise<Started> {
  for (let left = STARTS; ; left--) {
    const started = await startOnce(caller, source);
    if (!(await isMerged(caller, started.jobId, source))) return started;
    if (left === 0) throw merged(started.jobId, 'nothing was fetched');
    await delay(PAUSE * Math.random());
  }
}

async function startOnce(
  caller: Caller,
  { method, params, name, buffered }: DownloadSource,
): Promise<Started> {
  const all = `[${quote(method)}, ${params}, ${quote(name)}, ${buffered}]`;
  const [id, url] = elementsOf(await caller.call('core.download', all)) ?? [];
  const [jobId, path] = [integerOf(id), stringOf(url)];
  if (jobId === null || path === null) throw noPath('core.download');
  return { jobId, path };
}

export function noPath(method: string): MidcltError {
  return new MidcltError('PROTOCOL', `The server's answer to ${method} names no file to fetch`);
}

/**
 * Is it another's job? The server merges what comes at once into one job, whatever the methods: one of many then would
 * get another's file, or share its bytes. False where it can't be told.
 */
export async function isMerged(
  caller: Caller,
  jobId: number,
  { method, params }: Source,
): Promise<boolean> {
  const filter = `[[["id", "=", ${jobId}]], {"select": ["method", "arguments", "message_ids"]}]`;
  const answer = await caller.call('core.get_jobs', filter).catch((error: unknown) => {
    if (caller.answerOf(error) === null) throw error;
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

/** Looks whether a job still waits, and milliseconds between them: one that waits for longer does so for a lock. */
const LOOKS = 20;
const LOOK_PAUSE = 25;

/** Resolves when the job has begun, or waits for others: while it only waits for its turn, those that come may be merged with it. */
export async function untilBegun(caller: Caller, jobId: number): Promise<void> {
  const filter = `[[["id", "=", ${jobId}]], {"select": ["state"]}]`;
  for (let left = LOOKS; left > 0; left--) {
    const answer = await caller.call('core.get_jobs', filter);
    const state = membersOf(elementsOf(answer)?.[0])?.get('state');
    if (stringOf(state) !== 'WAITING') return;
    await delay(LOOK_PAUSE);
  }
}

export function merged(jobId: number, outcome: string): MidcltError {
  const text = `The server has merged this with job ${jobId} of another, because many came at once: ${outcome}; start it again`;
  return new MidcltError('CALL', text);
}

/** Seconds for which a token is good: it is used at once. */
const TOKEN_LIFE = 300;

/** A token for an upload. It admits once, from this address; over the Unix socket there are no addresses. */
export async function generateToken(caller: Caller, { socketPath }: Target): Promise<string> {
  const own = `${TOKEN_LIFE}, {}, ${socketPath === null}`;
  const ask = (params: string) => caller.call('auth.generate_token', params);
  const answer = await ask(`[${own}, true]`).catch((error: unknown) => {
    // Before 25.04 there is no choice of admitting once.
    if (/too many arguments/i.test(caller.answerOf(error) ?? '')) return ask(`[${own}]`);
    throw error;
  });
  const token = stringOf(answer);
  if (token !== null && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new MidcltError('PROTOCOL', "The server's answer to auth.generate_token is no token");
}
