/**
 * The middleware's file server: HTTP at the address of the WebSocket, over TLS, TCP or the Unix socket. What a job
 * writes is fetched from it, what a job reads is sent to it. A token that the middleware gave admits to either, once.
 */
import { isUtf8 } from 'node:buffer';
import http from 'node:http';
import https from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { parse } from 'content-disposition';
import FormData from 'form-data';
import { asMidcltError, isLost, MidcltError, systemReason } from '../errors.js';
import { connectError, type Target } from '../middleware/uri.js';
import { stripControls } from '../text/terminal.js';
import { Meter } from './meter.js';

/** Milliseconds for a connection, TLS included. */
const CONNECT_TIMEOUT = 15_000;
/** Milliseconds of silence until the system asks whether the other side is there. */
const KEEP_ALIVE = 20_000;
/** Bytes of an answer that is text. */
const TEXT_BYTES = 64 * 1024;
const OK = 200;

const SHORT_FILE = 'the job may have taken what came of the file for all of it';

/** What the server's statuses mean, and what to do. */
const MEANINGS: Readonly<Record<number, string>> = {
  401: 'the server did not take the token: it admits once, for five minutes, and from the address alone that the middleware saw; start it again',
  403: 'the server does not allow this, or its token was too old; start it again',
  404: 'the server does not know this job or does not serve files here',
  410: 'the server has given the file up: it waits a minute for whoever fetches it; start it again',
  413: 'the web server in front of the middleware takes no file of this size',
  502: 'the middleware does not answer the web server in front of it; try again when it is up',
  503: 'the server is not ready; try again later',
  504: 'the middleware does not answer the web server in front of it; try again when it is up',
};

/** A file as the server sends it. */
export interface ServedFile {
  readonly body: Readable;
  /** As the server says, without any folder; null where it says none that can be one. */
  readonly name: string | null;
}

/**
 * Asks for the file at `path`, which the middleware gave with its token. Rejects with `CONNECT`, or `CALL` if the server
 * answers with an error. A body that the connection does not bring to its end fails with `LOST`.
 */
export async function fetchFile(
  target: Target,
  path: string,
  signal: AbortSignal,
): Promise<ServedFile> {
  // It goes to no other host than the WebSocket did, whatever the server says.
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(path)) {
    throw new MidcltError('PROTOCOL', "The server's answer names no file to fetch");
  }
  const request = open(target, { method: 'GET', path, signal });
  const answered = answerTo(request, target);
  request.end();
  const response = await answered;
  if (response.statusCode !== OK) throw await refusal(response);
  return { body: response, name: fileNameOf(response.headers['content-disposition']) };
}

/** A file to send. */
export interface FileToSend {
  readonly name: string;
  readonly stream: Readable;
  /** Bytes; null where that is not known. */
  readonly size: number | null;
}

export interface Upload {
  readonly token: string;
  readonly method: string;
  /** The text of a JSON array. */
  readonly params: string;
  readonly files: readonly FileToSend[];
  /** Told of bytes that were sent. */
  readonly onBytes: (count: number) => void;
}

/**
 * Sends files for a job to read. Resolves with the job's id, once the server has read them. Rejects with `CONNECT`, `LOST` if
 * the connection ends before the answer, `FILES` if a file can't be read to its end, or `CALL` if the server answers
 * with an error.
 */
export async function sendFiles(
  target: Target,
  { token, method, params, files, onBytes }: Upload,
  signal: AbortSignal,
): Promise<number> {
  const form = new FormData();
  form.append('data', `{"method": ${JSON.stringify(method)}, "params": ${params}}`);
  for (const { name, stream, size } of files) {
    // It can't tell a length of zero from none.
    if (size === 0) form.append('file', Buffer.alloc(0), { filename: name });
    else
      form.append('file', stream, { filename: name, ...(size !== null && { knownLength: size }) });
  }
  const isSized = files.every(({ size }) => size !== null);
  const headers = {
    ...form.getHeaders(),
    Authorization: `Token ${token}`,
    ...(isSized && { 'Content-Length': form.getLengthSync() }),
  };
  const request = open(target, { method: 'POST', path: '/_upload', headers, signal });
  const answered = answerTo(request, target);
  const meter = new Meter(onBytes);
  form.on('error', (error: Error) => {
    meter.destroy(error);
  });
  const sent = new Promise<never>((_resolve, reject) => {
    pipeline(meter, request, () => undefined);
    // What the connection says is said by the answer that does not come.
    meter.on('error', (error) => {
      if (error instanceof MidcltError) reject(error);
    });
  });
  form.pipe(meter);
  try {
    const response = await Promise.race([answered, sent]).catch((error: unknown) => {
      // The server takes the end of the line for the end of the file.
      if (!isLost(error)) throw error;
      throw new MidcltError('LOST', `${asMidcltError(error).message}; ${SHORT_FILE}`);
    });
    if (response.statusCode !== OK) throw await refusal(response);
    return jobIdOf(await textOf(response));
  } finally {
    // The server may have answered before it had read all.
    meter.destroy();
    request.destroy();
  }
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly signal: AbortSignal;
}

function open(target: Target, asked: Asked): http.ClientRequest {
  const options = { ...asked, agent: false as const };
  if (target.socketPath !== null) {
    return http.request({ ...options, socketPath: target.socketPath, host: 'localhost' });
  }
  const { hostname, port } = new URL(target.url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (target.scheme === 'ws') return http.request({ ...options, host, port: port || 80 });
  return https.request({
    ...options,
    host,
    port: port || 443,
    rejectUnauthorized: target.verify,
  });
}

/** Resolves with the answer's head. Rejects with `CONNECT`, or with `LOST` once there was a connection. */
function answerTo(request: http.ClientRequest, target: Target): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const timer = setTimeout(() => {
      const seconds = CONNECT_TIMEOUT / 1000;
      request.destroy(new Error(`no connection within ${seconds} s`));
    }, CONNECT_TIMEOUT);
    const onConnect = () => {
      isConnected = true;
      clearTimeout(timer);
    };
    request.on('socket', (socket) => {
      socket.setKeepAlive(true, KEEP_ALIVE);
      socket.once(target.scheme === 'wss' ? 'secureConnect' : 'connect', onConnect);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (!isConnected) reject(connectError(target, error));
      else reject(cut('before the server answered', error));
    });
    request.on('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
  });
}

/** What ended a transfer before it was over. */
export function cut(when: string, error: unknown): MidcltError {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === 'ERR_STREAM_PREMATURE_CLOSE' ? 'connection closed' : systemReason(error);
  const text = `The connection for the transfer ended ${when} (${reason})`;
  return new MidcltError('LOST', text, { cause: error });
}

async function refusal(response: http.IncomingMessage): Promise<MidcltError> {
  const { statusCode: status = 0, headers } = response;
  const text = await textOf(response).catch(() => '');
  const meaning = MEANINGS[status];
  if (headers.location !== undefined && status >= 300 && status < 400) {
    const where = shown(headers.location);
    return refused(`the server redirects to ${where}; give the URI of that host`, status);
  }
  // A web server's own page says less than its status. The texts are one line of the server's own.
  const own = /^\s*</.test(text) ? '' : shown(text);
  const words = [meaning, own].filter(Boolean);
  return refused(words.join(': ') || http.STATUS_CODES[status], status);
}

function refused(why: string | undefined, status: number): MidcltError {
  return new MidcltError(
    'CALL',
    `The transfer was refused: ${why ?? 'unknown status'} (HTTP ${status})`,
  );
}

/** A line of the server's, to be printed. */
function shown(text: string): string {
  return stripControls(text.trim().replace(/\s+/g, ' ')).slice(0, 1000);
}

/** All of the text, or its beginning. */
async function textOf(response: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let left = TEXT_BYTES;
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      pieces.push(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) break;
    }
  } catch (error) {
    throw cut('in the answer of the server', error);
  }
  return Buffer.concat(pieces).toString();
}

function jobIdOf(text: string): number {
  let id: unknown;
  try {
    ({ job_id: id } = JSON.parse(text) as { job_id?: unknown });
  } catch {
    // it is no answer of the middleware's
  }
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw new MidcltError('PROTOCOL', 'The server has taken the files, and its answer names no job');
}

/** The longest name that file systems take, in bytes. */
const LONGEST_NAME = 255;

/** The name that the server gives a file, reduced to what can be one in a folder of ours. */
export function fileNameOf(header: string | undefined): string | null {
  if (header === undefined) return null;
  let given: string;
  try {
    given = parse(header).parameters.filename ?? '';
  } catch {
    return null;
  }
  // Without dots at its beginning: shells read files whose names are so, and `..` is none.
  const name = stripControls(asUtf8(given).replace(/^.*[/\\]/s, ''))
    .replace(/^[\s.]+/, '')
    .trim();
  return name !== '' && Buffer.byteLength(name) <= LONGEST_NAME ? name : null;
}

/** Node reads headers as Latin-1, and the server writes UTF-8. */
function asUtf8(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.toString('latin1') !== text) return text; // it was encoded otherwise
  return isUtf8(bytes) ? bytes.toString() : text;
}
