/** Files of jobs, from and to Node's streams. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { isMidcltError, MidcltError, systemReason } from '../errors.js';
import { MAX_FILES } from '../protocol/frames.js';
import type { FileToSend } from '../transfer/file-server.js';
import type { Caller, Source as Named } from '../transfer/pipe-jobs.js';
import type { Job } from './job.js';
import { paramsText, type Params } from './request.js';
import { closed, Either, unlessAborted, type Way } from './way.js';

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

export async function download(
  way: Way,
  { method, params }: Source,
  { name = method, buffered = false, signal, timeout }: DownloadOptions,
  follow: (id: number, signal: AbortSignal) => Job<unknown>,
): Promise<Download> {
  const { startDownload } =
    require('../transfer/pipe-jobs.js') as typeof import('../transfer/pipe-jobs.js');
  const { receiveFile } =
    require('../transfer/reception.js') as typeof import('../transfer/reception.js');
  const source = { method, params: paramsText(params), name, buffered };
  signal?.throwIfAborted();
  if (way.closing.aborted) throw closed();
  const leaving = new AbortController();
  const ending = new Either(leaving.signal, signal, way.closing);
  const starting = startDownload(callerOver(way, signal, timeout), source);
  const { jobId, path } = await unlessAborted(starting, ending.signal).catch((error: unknown) => {
    ending.forget();
    throw error;
  });
  const job = follow(jobId, ending.signal);
  const outcome = job.then();
  try {
    if (buffered) await unlessAborted(outcome, ending.signal);
    const served = await receiveFile(way.target, path, { outcome, signal: ending.signal });
    served.body.once('close', () => {
      const forget = () => {
        ending.forget();
      };
      outcome.then(forget, forget);
    });
    served.body.on('error', () => undefined); // it may fail before anybody reads it, who is told then
    return { ...served, job };
  } catch (error) {
    leaving.abort(); // nobody has the job to wait for it
    ending.forget();
    outcome.catch(() => undefined);
    signal?.throwIfAborted();
    throw error;
  }
}

/** Resolves with the job's id, once the server has read the files. */
export async function upload(
  way: Way,
  { method, params, files }: Source & { readonly files: readonly FileToUpload[] },
  { signal, timeout }: TransferOptions,
): Promise<number> {
  const { untilBegun } =
    require('../transfer/pipe-jobs.js') as typeof import('../transfer/pipe-jobs.js');
  const claim = new Claim(files);
  const ending = new Either(signal, way.closing);
  try {
    if (files.length === 0 || files.length > MAX_FILES) {
      throw new MidcltError(
        'REQUEST',
        `One to ${MAX_FILES} files go with a job, not ${files.length}`,
      );
    }
    const source = { method, params: paramsText(params) };
    signal?.throwIfAborted();
    claim.check();
    if (way.closing.aborted) throw closed();
    const caller = callerOver(way, signal, timeout);
    let hasTurn = false;
    const sent = new Promise<number>((resolve, reject) => {
      const work = async () => {
        hasTurn = true;
        const jobId = await send(way, { ...source, files }, caller, ending.signal);
        resolve(jobId);
        await untilBegun(caller, jobId);
      };
      way.uploads.run(work).catch(reject);
    });
    return await unlessAborted(sent, ending.signal).catch((error: unknown) => {
      throw !hasTurn && error === way.closing.reason ? closed() : error;
    });
  } finally {
    ending.forget();
    claim.destroy();
  }
}

async function send(
  way: Way,
  { files, ...source }: Named & { readonly files: readonly FileToUpload[] },
  caller: Caller,
  signal: AbortSignal,
): Promise<number> {
  const { generateToken, isMerged, merged } =
    require('../transfer/pipe-jobs.js') as typeof import('../transfer/pipe-jobs.js');
  const { sendFiles } =
    require('../transfer/file-server.js') as typeof import('../transfer/file-server.js');
  const opened: FileToSend[] = [];
  try {
    for (const [index, file] of files.entries()) {
      signal.throwIfAborted(); // it waited for its turn, or for the file before
      opened.push(await fileOf(file, index));
    }
    // The server takes the beginning of a stream that fails at once for a file.
    await Promise.all(opened.map(({ stream }) => readable(stream, signal)));
    const token = await generateToken(caller, way.target);
    signal.throwIfAborted();
    for (const { stream } of opened) if (stream.errored) throw stream.errored;
    const sent = { ...source, token, files: opened, onBytes: () => undefined };
    const jobId = await sendFiles(way.target, sent, signal);
    if (await isMerged(caller, jobId, source)) throw merged(jobId, 'the files were not taken');
    return jobId;
  } finally {
    for (const { stream } of opened) stream.destroy();
  }
}

async function fileOf(file: FileToUpload, index: number): Promise<FileToSend> {
  if (typeof file === 'string') {
    const { openSource } =
      require('../transfer/source.js') as typeof import('../transfer/source.js');
    return openSource(file === '-' ? './-' : file); // a name here, and not stdin
  }
  const { name, data } = namedOf(file, index);
  if (data instanceof Readable) {
    return { name, stream: Readable.from(bytesOf(data, name), { objectMode: false }), size: null };
  }
  if (!(data instanceof Uint8Array)) {
    throw new MidcltError('REQUEST', 'A file to send is a path, a Uint8Array or a stream');
  }
  // Of no bytes the size is not told: the form takes zero for none.
  const pieces = data.length === 0 ? [] : [Buffer.from(data.buffer, data.byteOffset, data.length)];
  const stream = Readable.from(pieces, { objectMode: false });
  return { name, stream, size: data.length === 0 ? null : data.length };
}

/** Resolves when something of a stream, or its end, is there to be read. Rejects as the stream fails. */
async function readable(stream: Readable, signal: AbortSignal): Promise<void> {
  stream.on('error', () => undefined); // also later, before anybody reads it
  await once(stream, 'readable', { signal });
}

/** JavaScript callers may give null. */
function namedOf(file: FileToUpload | null, index: number): { name: string; data: unknown } {
  const usual = `file${index + 1}`;
  const isBare = file instanceof Readable || file instanceof Uint8Array;
  if (isBare || typeof file === 'string') return { name: usual, data: file };
  return file ?? { name: usual, data: null };
}

/** Streams that are being sent. */
const inUse = new WeakSet<Readable>();

/** The streams among files, which an upload takes for itself when it begins, whatever becomes of it. */
class Claim {
  private readonly streams: Readable[] = [];
  /** Of the first that is being read, or was: it is left as it is. */
  private refused: string | null = null;

  constructor(files: readonly FileToUpload[]) {
    for (const [index, file] of files.entries()) {
      const { name, data } = namedOf(file, index);
      if (!(data instanceof Readable)) continue;
      const isBusy = data.destroyed ? !data.errored : data.readableDidRead || inUse.has(data);
      if (isBusy) this.refused ??= name;
      else {
        inUse.add(data);
        data.on('error', () => undefined); // it may fail before it is read; whoever reads it is told
        this.streams.push(data);
      }
    }
  }

  check(): void {
    if (this.refused === null) return;
    const text = `Cannot send ${this.refused}: the stream is being read, or was`;
    throw new MidcltError('REQUEST', text);
  }

  destroy(): void {
    for (const stream of this.streams) stream.destroy();
  }
}

/** The bytes of a caller's stream. */
async function* bytesOf(given: Readable, name: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of given as AsyncIterable<unknown>) {
      if (typeof piece === 'string') yield Buffer.from(piece);
      else if (piece instanceof Uint8Array) yield piece;
      else throw new TypeError(`it gives a ${typeof piece} in place of bytes`);
    }
  } catch (error) {
    const text = error instanceof TypeError ? error.message : systemReason(error);
    throw new MidcltError('FILES', `Cannot send ${name}: ${text}`, { cause: error });
  }
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
