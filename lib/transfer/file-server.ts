/**
 * The middleware's file server: HTTP at the address of the WebSocket, over TLS, TCP or the Unix socket. What a job
 * writes is fetched from it, what a job reads is sent to it. A token that the middleware gave admits to either, once.
 */
import { isUtf8 } from 'node:buffer';
import http from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { pipeline, Transform, type Readable } from 'node:stream';
import { parse } from 'content-disposition';
import FormData from 'form-data';
import { isLost, isMidcltError, MidcltError, reasonOf } from '../errors.js';
import { openSecure } from '../middleware/channel/secure.js';
import { connectError } from '../middleware/unreachable.js';
import type { Target } from '../middleware/uri.js';
import { stripControls } from '../text/terminal.js';
import { cut, jobIdOf, notWhole, refusal, textOf } from './answers.js';

/** Milliseconds for a connection, TLS included. */
const CONNECT_TIMEOUT = 15_000;
/** Milliseconds of silence until the system asks whether the other side is there. */
const KEEP_ALIVE = 20_000;
const OK = 200;

const SHORT_FILE = 'the job may have taken what came of the file for all of it';

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
  // Unasked, a web server in between may compress.
  const headers = { 'Accept-Encoding': 'identity' };
  const opened = open(target, { method: 'GET', path, headers, signal });
  const { request } = opened;
  const answered = answerTo(opened, target);
  request.end();
  const response = await answered;
  if (response.statusCode !== OK) throw await refusal(response, secretsOf(path));
  const why = notWhole(response);
  if (why !== null) {
    response.destroy();
    throw new MidcltError('PROTOCOL', `The server's file can't be taken: ${why}`);
  }
  return { body: response, name: fileNameOf(response.headers['content-disposition']) };
}

/** The parts of a path that are not to be shown. */
function secretsOf(path: string): string[] {
  const { searchParams } = new URL(path, 'http://localhost');
  return [...path.split(/[?&=]/).slice(1), ...searchParams.values()].filter(
    (word) => word.length > 7,
  );
}

/** A file to send. */
export interface FileToSend {
  readonly name: string;
  readonly stream: Readable;
  /** Bytes, at least one; null where that is not known. */
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
    // No type of content: form-data does not escape it.
    form.append('file', stream, { filename: name, ...(size !== null && { knownLength: size }) });
  }
  const isSized = files.every(({ size }) => size !== null);
  const headers = {
    ...form.getHeaders(),
    Authorization: `Token ${token}`,
    ...(isSized && { 'Content-Length': form.getLengthSync() }),
  };
  const opened = open(target, { method: 'POST', path: '/_upload', headers, signal });
  const { request } = opened;
  const answered = answerTo(opened, target);
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
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
      throw hasBegun(request) ? asShortFile(error) : error;
    });
    if (response.statusCode !== OK) throw await refusal(response, [token]);
    return jobIdOf(await textOf(response));
  } finally {
    // The server may have answered before it had read all.
    meter.destroy();
    request.destroy();
  }
}

/** Has anything of it gone out? */
function hasBegun({ socket, headersSent }: http.ClientRequest): boolean {
  return socket?.connecting === false && headersSent;
}

/** The server takes the end of the connection for the end of the file, whichever side ends it. */
function asShortFile(error: unknown): unknown {
  if (!isMidcltError(error) || !(isLost(error) || error.code === 'FILES')) return error;
  const { code, message, cause } = error;
  const details = { outcomeUnknown: true, cause };
  return new MidcltError(code, `${message}; ${SHORT_FILE}`, details);
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly signal: AbortSignal;
}

interface Opened {
  readonly request: http.ClientRequest;
  /** Gives up the attempt to connect. */
  readonly giveUp: (why: Error) => void;
}

function open(target: Target, asked: Asked): Opened {
  if (target.scheme === 'wss') return openSecurely(target, asked);
  const { socketPath } = target;
  const where = socketPath === null ? placeOf(target, 80) : { socketPath, host: 'localhost' };
  const request = http.request({ ...asked, agent: false, ...where });
  return { request, giveUp: (why) => request.destroy(why) };
}

function placeOf({ url }: Target, usual: number): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) || usual };
}

/** The request gets its connection when the server's certificate has been accepted. */
function openSecurely(target: Target, asked: Asked): Opened {
  let socket: TLSSocket | null = null;
  const request = https.request({
    ...asked,
    ...placeOf(target, 443),
    createConnection: (_options, done) => {
      socket = openSecure(target, {}, done as Parameters<typeof openSecure>[2]);
      return null;
    },
  });
  const giveUp = (why: Error) => (socket ?? request).destroy(why);
  asked.signal.addEventListener(
    'abort',
    () => {
      giveUp(reasonOf(asked.signal));
    },
    { once: true },
  );
  return { request, giveUp };
}

/** Resolves with the answer's head. Rejects with `CONNECT`, or with `LOST` once there was a connection. */
function answerTo({ request, giveUp }: Opened, target: Target): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const timer = setTimeout(() => {
      const seconds = CONNECT_TIMEOUT / 1000;
      giveUp(new Error(`no connection within ${seconds} s`));
    }, CONNECT_TIMEOUT);
    const onConnect = () => {
      isConnected = true;
      clearTimeout(timer);
    };
    request.on('socket', (socket) => {
      socket.setKeepAlive(true, KEEP_ALIVE);
      if (target.scheme === 'wss') onConnect();
      else socket.once('connect', onConnect);
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
    // It has none where the server talks another protocol from here on.
    request.on('close', () => {
      clearTimeout(timer);
      reject(cut('before the server answered', new Error('it gave no answer')));
    });
  });
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
  // Without dots at its beginning: shells read files whose names are so, and `..` is none. Without dashes: a name in
  // the place of an option is one.
  const name = stripControls(asUtf8(given).replace(/^.*[/\\]/s, ''))
    .replace(/^[\s.-]+/, '')
    .trim();
  return name !== '' && Buffer.byteLength(name) <= LONGEST_NAME ? name : null;
}

/** Node reads headers as Latin-1, and the server writes UTF-8. */
function asUtf8(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.toString('latin1') !== text) return text; // it was encoded otherwise
  return isUtf8(bytes) ? bytes.toString() : text;
}
