/** The files of jobs over HTTP: `/_download/ID` sends what a job writes, `/_upload` gives a job what it reads. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { callWithPipes } from '../calls.js';
import { InputPipes, openPipe, type Pipe } from '../files/pipe.js';
import type { Transfer } from '../files/transfers.js';
import type { Job } from '../job.js';
import { Session } from '../session.js';
import type { Middleware, Peer } from '../middleware.js';
import { CallError, EACCES, ENOMETHOD, asPyException } from '../python/exceptions.js';
import { parse } from '../python/json.js';
import { stringOf, type PyDict } from '../python/values.js';
import { rpc } from './dialects.js';
import { authenticate } from './http-login.js';
import type { Part } from './multipart.js';

/** An upload has so many files at most. */
const MAX_FILES = 5;

/** How long a body is read that nobody wants. */
const LINGER_MS = 10_000;

/** In so many turns of the event loop a job that has read its files begins with them. */
const BEGINNING_TURNS = 3;

/** How often it is looked whether all was sent. */
const FLUSH_MS = 5;

/** A request for a file, and what it is served with. */
export interface FileRequest {
  readonly middleware: Middleware;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Null over a Unix socket. */
  readonly peer: Peer | null;
  /** Resolves when the sandbox does not stall. */
  readonly unstalled: () => Promise<void>;
}

/** An answer other than that of a file that was served. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    text = '',
  ) {
    super(text);
  }
}

/** Whether this path is one of files. */
export function isFilePath(path: string): boolean {
  return path.startsWith('/_download') || path.startsWith('/_upload');
}

/** Serves a request for a file to its end. Never rejects: what goes wrong is the answer, or breaks the connection. */
export async function serveFile(file: FileRequest, path: string): Promise<void> {
  const { middleware, request, response } = file;
  const { transfers } = middleware;
  const transfer = transfers.begin(() => request.socket.destroy());
  const isDownload = path.startsWith('/_download');
  try {
    if (transfers.fault.refuse !== undefined) throw new Refusal(transfers.fault.refuse);
    if (isDownload) await download(file, transfer, path);
    else await upload(file, transfer);
    middleware.recorder.stats[isDownload ? 'downloads' : 'uploads'] += 1;
  } catch (error) {
    if (error instanceof Refusal) await answer(file, error.status, error.message);
    else if (response.headersSent || request.destroyed || request.socket.destroyed)
      request.socket.destroy();
    else await answer(file, 500, asPyException(error).message);
  } finally {
    transfers.finish(transfer);
    request.resume(); // what is left of a body is read
  }
}

/** Reads what still comes for a while, as the real server does: the client would lose an answer to a broken line. */
async function answer(
  { request, response }: FileRequest,
  status: number,
  text: string,
): Promise<void> {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.write(text);
  request.resume();
  if (!request.complete && !request.destroyed) {
    const ended = new Promise((resolve) => request.once('end', resolve).once('close', resolve));
    await Promise.race([ended, delay(LINGER_MS, undefined, { ref: false })]);
  }
  response.end();
}

async function download(file: FileRequest, transfer: Transfer, path: string): Promise<void> {
  const { middleware, request, response, peer } = file;
  const [, digits] = /\/(\d+)$/.exec(path) ?? [];
  if (digits === undefined) throw new Refusal(404);
  const jobId = Number(digits);
  const query = new URL(request.url ?? '/', 'http://sandbox').searchParams;
  const offered = middleware.tokens.redeemDownload(
    query.get('auth_token') ?? '',
    peer?.host ?? null,
  );
  if (offered?.jobId !== jobId) throw new Refusal(401);
  if (middleware.jobs.get(jobId) === undefined) throw new Refusal(404);
  const pipe = middleware.transfers.claim(jobId);
  if (pipe === null) throw new Refusal(410);
  response.once('close', () => {
    pipe.close();
  });
  const name = middleware.transfers.fault.filename ?? offered.filename;
  const filename = Buffer.from(name).toString('latin1'); // the bytes as they are
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${filename}"`,
    'transfer-encoding': 'chunked',
  });
  response.write(Buffer.alloc(0)); // sends the headers; flushHeaders would encode the name's bytes again
  await pipeline(outgoing(file, transfer, pipe), response);
}

async function* outgoing(
  { response, unstalled }: FileRequest,
  transfer: Transfer,
  pipe: Pipe,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of pipe.read()) {
      for (let rest = chunk; rest.length > 0;) {
        await unstalled();
        const length = await transfer.allow(rest.length);
        yield rest.subarray(0, length);
        rest = rest.subarray(length);
      }
    }
  } catch (error) {
    // What was allowed before the cut arrives.
    while (response.writableLength > 0 && !response.destroyed) await delay(FLUSH_MS);
    throw error;
  }
}

async function* incoming(
  { request, unstalled }: FileRequest,
  transfer: Transfer,
): AsyncGenerator<Buffer> {
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const piece = chunk as Buffer;
    for (let rest = piece; rest.length > 0;) {
      await unstalled();
      try {
        const length = await transfer.allow(rest.length);
        yield rest.subarray(0, length);
        rest = rest.subarray(length);
      } catch (error) {
        request.socket.destroy();
        throw error;
      }
    }
  }
}

async function upload(file: FileRequest, transfer: Transfer): Promise<void> {
  const { request, response } = file;
  const parts = multipart().partsOf(request, incoming(file, transfer));
  try {
    const jobId = await receive(file, parts);
    if (!request.complete) throw new Error('the body of the upload is not whole');
    if (request.socket.destroyed) throw new Error('the job of the upload has broken it');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"job_id": ${jobId}}`);
  } finally {
    void discard(parts);
  }
}

/** Starts the upload's job and gives it the files. Returns the job's id when all was read. */
async function receive(
  { middleware, request, peer }: FileRequest,
  parts: AsyncIterator<Part, undefined>,
): Promise<number> {
  const call = await callIn(await next(parts));
  const credentials = await authenticate(middleware, request, peer);
  if (credentials === null) throw new Refusal(401);
  if (typeof credentials === 'string') throw new Refusal(403, credentials);
  const silent = (): void => undefined;
  const terminate = (): void => {
    request.socket.destroy();
  };
  const transport = { send: silent, close: silent, terminate, cut: silent };
  const session = new Session(0, transport, middleware.originOf(peer), rpc.dialect);
  session.credentials = credentials;
  const first = await next(parts);
  if (first?.name !== 'file') throw new Refusal(405, '"file" not found as second part on payload');
  const inputs = new InputPipes();
  const pipe = addPipe(inputs);
  try {
    const params = call.get('params') ?? [];
    const invocation = {
      name: stringOf(call.get('method')),
      params: Array.isArray(params) ? params : [],
    };
    const caller = { middleware, session, args: [], signal: session.signal, messageId: null };
    middleware.recorder.call(invocation.name).answered();
    const job = await callWithPipes(caller, invocation, { inputs, output: null });
    if (job.pipes.inputs !== inputs) inputs.close(); // it joined another's job, which reads its own files
    await copy(first.content, pipe);
    for (let count = 1; ; count += 1) {
      const part = await next(parts);
      if (part === null) {
        inputs.end();
        if (job.spec.options.holdsUpload === true) await beginning(job, inputs);
        return job.id;
      }
      if (count === MAX_FILES) throw new Refusal(405, 'Too many uploaded files');
      if (part.name !== 'file') throw new Refusal(405, `Unknown payload part '${part.name}'`);
      await copy(part.content, addPipe(inputs));
    }
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (error.errno === EACCES && error.reason === 'Not authorized') throw new Refusal(403);
    throw new Refusal(error.errno === ENOMETHOD ? 422 : 412, error.message);
  } finally {
    inputs.end();
  }
}

/** Resolves when a job has begun with its files, all of them, or has ended. */
async function beginning(job: Job, inputs: InputPipes): Promise<void> {
  if (job.pipes.inputs === inputs) await Promise.race([inputs.settled, job.finished]);
  for (let passed = 0; passed < BEGINNING_TURNS; passed += 1) await turn();
}

function addPipe(inputs: InputPipes): Pipe {
  const pipe = openPipe(false);
  inputs.add(pipe);
  return pipe;
}

async function next(parts: AsyncIterator<Part, undefined>): Promise<Part | null> {
  const result = await parts.next();
  return result.done === true ? null : result.value;
}

/** What the upload's first part says: a method, and its parameters. */
async function callIn(part: Part | null): Promise<PyDict> {
  if (part === null) throw new Refusal(405, 'No part found on payload');
  if (part.name !== 'data') {
    part.content.resume();
    throw new Refusal(405, '"data" part must be the first on payload');
  }
  const chunks: Buffer[] = [];
  for await (const chunk of part.content) chunks.push(chunk as Buffer);
  let call;
  try {
    call = parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw new Refusal(400, asPyException(error).message);
  }
  if (!(call instanceof Map) || !call.has('method')) throw new Refusal(422);
  return call;
}

/**
 * Gives a job one file. What comes after the job stopped reading is thrown away. A file that breaks off ends for
 * the job as a whole one does, as on the real server.
 */
async function copy(content: Readable, pipe: Pipe): Promise<void> {
  try {
    for await (const chunk of content.iterator({ destroyOnReturn: false }))
      await pipe.write(chunk as Buffer);
  } catch {
    content.resume();
  } finally {
    pipe.end();
  }
}

async function discard(parts: AsyncIterator<Part, undefined>): Promise<void> {
  for (let part = await next(parts); part !== null; part = await next(parts)) part.content.resume();
}

/** Loaded for the first upload. */
function multipart(): typeof import('./multipart.js') {
  return require('./multipart.js') as typeof import('./multipart.js');
}
