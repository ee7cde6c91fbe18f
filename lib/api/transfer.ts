/** Files of jobs, from and to Node's streams. */
import { Readable } from 'node:stream';
import { isMidcltError, MidcltError } from '../errors.js';
import type { FileToSend } from '../transfer/file-server.js';
import type { Caller } from '../transfer/pipe-jobs.js';
import type { Job } from './job.js';
import { paramsText, type Params } from './request.js';
import type { Way } from './way.js';

export interface TransferOptions {
  /** Gives the transfer up. The server ends what it can of the job. */
  readonly signal?: AbortSignal | undefined;
  /** Seconds for each call that the transfer needs; not for the transfer. */
  readonly timeout?: number | null | undefined;
}

export interface DownloadOptions extends TransferOptions {
  /** What the server is asked to call the file. Default: the method's name. */
  readonly name?: string | undefined;
  /** Let the server keep what the job writes until it has ended: for a job that writes nothing for minutes. */
  readonly buffered?: boolean | undefined;
}

/** A file that a job writes. */
export interface Download {
  /** As the server says, never a path; null where it says none that can be a name. */
  readonly name: string | null;
  /** To be read to its end: it fails if the transfer breaks off, or with the job's failure. */
  readonly body: Readable;
  /** The job that writes it. */
  readonly job: Job<unknown>;
}

/** A file to send: the path of one, or its bytes. */
export type FileToUpload =
  string | Uint8Array | Readable | { readonly name: string; readonly data: Uint8Array | Readable };

interface Source {
  readonly method: string;
  readonly params: Params;
}

/** The server takes no more with one job. */
const MOST_FILES = 5;

export async function download(
  way: Way,
  { method, params }: Source,
  { name = method, buffered = false, signal, timeout }: DownloadOptions,
  follow: (id: number) => Job<unknown>,
): Promise<Download> {
  const { startDownload } =
    require('../transfer/pipe-jobs.js') as typeof import('../transfer/pipe-jobs.js');
  const { receiveFile } =
    require('../transfer/reception.js') as typeof import('../transfer/reception.js');
  const source = { method, params: paramsText(params), name, buffered };
  const { jobId, path } = await startDownload(callerOver(way, signal, timeout), source);
  const job = follow(jobId);
  const outcome = job.then();
  if (buffered) await outcome;
  const served = await receiveFile(way.target, path, { outcome, signal });
  return { ...served, job };
}

/** Resolves with the job's id, once the server has read the files. */
export async function upload(
  way: Way,
  { method, params, files }: Source & { readonly files: readonly FileToUpload[] },
  { signal, timeout }: TransferOptions,
): Promise<number> {
  const { generateToken, isMerged, merged } =
    require('../transfer/pipe-jobs.js') as typeof import('../transfer/pipe-jobs.js');
  const { sendFiles } =
    require('../transfer/file-server.js') as typeof import('../transfer/file-server.js');
  if (files.length === 0 || files.length > MOST_FILES) {
    throw new MidcltError(
      'REQUEST',
      `One to ${MOST_FILES} files go with a job, not ${files.length}`,
    );
  }
  const source = { method, params: paramsText(params) };
  const opened = await Promise.all(files.map(fileOf));
  const caller = callerOver(way, signal, timeout);
  const token = await generateToken(caller, way.target);
  const sent = { ...source, token, files: opened, onBytes: () => undefined };
  const jobId = await sendFiles(way.target, sent, signal ?? new AbortController().signal);
  if (await isMerged(caller, jobId, source)) throw merged(jobId, 'the files were not taken');
  return jobId;
}

async function fileOf(file: FileToUpload, index: number): Promise<FileToSend> {
  if (typeof file === 'string') {
    const { openSource } =
      require('../transfer/source.js') as typeof import('../transfer/source.js');
    return openSource(file === '-' ? './-' : file); // a name here, and not stdin
  }
  const { name, data } =
    file instanceof Readable || file instanceof Uint8Array
      ? { name: `file${index + 1}`, data: file }
      : file;
  if (data instanceof Readable) return { name, stream: data, size: null };
  // Of no bytes the size is not told: the form takes zero for none.
  const pieces = data.length === 0 ? [] : [Buffer.from(data.buffer, data.byteOffset, data.length)];
  const stream = Readable.from(pieces, { objectMode: false });
  return { name, stream, size: data.length === 0 ? null : data.length };
}

function callerOver(
  way: Way,
  signal: AbortSignal | undefined,
  timeout: number | null | undefined,
): Caller {
  return {
    async call(method, json) {
      const pieces: Buffer[] = [];
      const result = (piece: Buffer) => pieces.push(piece);
      const request = { command: 'call' as const, method, params: { json }, kwargs: { timeout } };
      await way.ask(request, { result }, signal);
      return Buffer.concat(pieces);
    },
    answerOf: (error) => (isMidcltError(error) && error.code === 'CALL' ? error.message : null),
  };
}
