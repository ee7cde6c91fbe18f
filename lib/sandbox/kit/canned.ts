/** Methods, jobs and files whose answers a test has given. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Job, JobBody, JobOptions } from '../job.js';
import { inputsOf, outputOf } from '../methods/files.js';
import type { Call, Method, MethodTable } from '../middleware.js';
import type { PyValue } from '../python/values.js';
import { asServerError } from './errors.js';
import { fromServer, toServer, type Value } from './values.js';

/** Who made a call. */
export interface Caller {
  /** `root` over a Unix socket without a login. */
  readonly username: string;
  readonly isAdmin: boolean;
  /** Connections count from 1 on; 0 is an upload. */
  readonly connection: number;
}

/** What a canned method knows of its call, beside the parameters. */
export interface CallContext {
  readonly method: string;
  readonly session: Caller;
  /** Aborted when nobody waits for the answer any more: the connection is gone, or the job was aborted. */
  readonly signal: AbortSignal;
  /** Breaks the connection that the call came over: its client gets no answer. */
  readonly drop: () => void;
}

/** What a canned job knows. */
export interface JobContext extends CallContext {
  readonly id: number;
  /** Tells those who follow the job, `percent` from 0 to 100. */
  readonly progress: (percent: number, description?: string, extra?: Value) => void;
}

/** What a canned upload knows. */
export interface UploadContext extends JobContext {
  /** What was sent, all of it. */
  readonly files: readonly Buffer[];
}

/**
 * A function of the parameters as JavaScript values. Its parameters may be declared as what the test knows them to be,
 * `([name]: [string]) => …`, which only a method's types allow.
 */
type Answering<C, R> = {
  answer(params: readonly unknown[], context: C): R | Promise<R>;
}['answer'];

export type CannedMethod = Value | Answering<CallContext, unknown>;

/** What a job's generator yields: percent, or more. */
export type JobStep =
  number | { readonly percent: number; readonly description?: string; readonly extra?: Value };

/** What the job results in, or a function of it, or a generator, which yields {@link JobStep}s. */
export type CannedJob = Value | Answering<JobContext, unknown>;

type Bytes = string | Uint8Array;

/** A file's content, whole or in pieces. */
export type CannedDownload =
  Bytes | Answering<JobContext, Bytes | Iterable<Bytes> | AsyncIterable<Bytes>>;

/** What the job that has read the files results in. */
export type CannedUpload = Value | Answering<UploadContext, unknown>;

/** The methods of a sandbox, by their names. */
export interface CannedMethods {
  /** Each answers with this value, or with what the function returns or throws. */
  readonly methods?: Readonly<Record<string, CannedMethod>> | undefined;
  /** Each starts a job. */
  readonly jobs?: Readonly<Record<string, CannedJob>> | undefined;
  /** Each starts a job that writes a file. */
  readonly downloads?: Readonly<Record<string, CannedDownload>> | undefined;
  /** Each starts a job that reads files. */
  readonly uploads?: Readonly<Record<string, CannedUpload>> | undefined;
}

/** Notes a call. */
type Note = (method: string, params: readonly unknown[]) => void;

/** Throws a TypeError for a value that can't be sent, and for a method that is there twice. */
export function tableOf(canned: CannedMethods, note: Note): MethodTable {
  const table = new Map<string, Method>();
  const add = <C>(
    kind: keyof CannedMethods,
    make: (name: string, given: C) => Method,
    entries: Readonly<Record<string, C>> = {},
  ): void => {
    for (const [name, given] of Object.entries(entries)) {
      if (table.has(name)) throw new TypeError(`${kind}: there is a ${name} already`);
      table.set(name, make(name, given));
    }
  };
  add('methods', methodOf, canned.methods);
  add('jobs', jobOf, canned.jobs);
  add('downloads', downloadOf, canned.downloads);
  add('uploads', uploadOf, canned.uploads);
  return Object.fromEntries(table);

  function methodOf(name: string, given: CannedMethod): Method {
    const answer = answering(name, given);
    return {
      params: null,
      run: async (call) => {
        const { params, context } = called(name, call);
        return translated(name, () => answer(params, context));
      },
    };
  }

  function jobOf(name: string, given: CannedJob): Method {
    const answer = answering(name, given);
    return pipeJob(name, {}, async (job, params, context) => {
      const outcome = await answer(params, context);
      return isGenerator(outcome) ? run(job, outcome, context) : outcome;
    });
  }

  function downloadOf(name: string, given: CannedDownload): Method {
    const answer = typeof given === 'function' ? given : () => given;
    return pipeJob(name, { downloadable: true }, async (job, params, context) => {
      const content = await answer(params, context);
      const isWhole = typeof content === 'string' || content instanceof Uint8Array;
      for await (const piece of isWhole ? [content] : content)
        await outputOf(job).write(Buffer.from(piece));
      return null;
    });
  }

  function uploadOf(name: string, given: CannedUpload): Method {
    const answer = answering(name, given);
    return pipeJob(name, { uploadable: true, holdsUpload: true }, async (job, params, context) => {
      const files: Buffer[] = [];
      for await (const pipe of inputsOf(job)) {
        const pieces: Buffer[] = [];
        for await (const piece of pipe.read()) pieces.push(piece);
        files.push(Buffer.concat(pieces));
      }
      return answer(params, { ...context, files });
    });
  }

  function pipeJob(
    name: string,
    pipes: Pick<JobOptions, 'downloadable' | 'uploadable' | 'holdsUpload'>,
    work: (job: Job, params: readonly unknown[], context: JobContext) => Promise<unknown>,
  ): Method {
    const body = (call: Call): JobBody => {
      const { params, context } = called(name, call);
      return (job) => translated(name, () => work(job, params, ofJob(context, job)));
    };
    return { params: null, job: { ...pipes, abortable: true }, body };
  }

  function called(name: string, { middleware, args, session, signal }: Call) {
    const params = args.map(fromServer);
    note(name, params);
    const context: CallContext = {
      method: name,
      session: {
        username: session.credentials?.account.name ?? '',
        isAdmin: session.isAdmin,
        connection: session.number,
      },
      signal,
      drop: () => {
        middleware.drop(session);
      },
    };
    return { params, context };
  }
}

/** Of a value that is the answer itself, the check is made now. */
function answering<C>(name: string, given: Value | Answering<C, unknown>): Answering<C, unknown> {
  if (typeof given === 'function') return given as Answering<C, unknown>;
  toServer(given, name);
  return () => given;
}

/** What came of a canned answer, as the server's. A function that returns nothing answers None. */
async function translated(name: string, answer: () => unknown): Promise<PyValue> {
  try {
    return toServer((await answer()) ?? null, `the answer of ${name}`);
  } catch (error) {
    throw asServerError(error);
  }
}

function ofJob(context: CallContext, job: Job): JobContext {
  const progress: JobContext['progress'] = (percent, description, extra = null) => {
    job.setProgress(toServer(percent, 'percent'), description, toServer(extra, 'extra'));
  };
  return { ...context, id: job.id, signal: job.signal, progress };
}

type Steps = Generator<JobStep, unknown> | AsyncGenerator<JobStep, unknown>;

function isGenerator(outcome: unknown): outcome is Steps {
  const given = (outcome ?? {}) as Partial<Steps>;
  return typeof given.next === 'function' && typeof given.return === 'function';
}

/** Runs a generator to its end, or until the job is aborted. */
async function run(job: Job, steps: Steps, { progress }: JobContext): Promise<unknown> {
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
    const { value } = step;
    if (typeof value === 'number') progress(value);
    else progress(value.percent, value.description, value.extra);
    await turn(); // so that a generator that waits for nothing can be aborted
    if (job.signal.aborted) {
      await steps.return(undefined);
      return null;
    }
  }
}
