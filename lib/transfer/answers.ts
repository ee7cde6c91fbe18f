/** What the file server's answers say: that it refuses, the id of a job, or that a body can't be told to be whole. */
import http from 'node:http';
import { MidcltError, systemReason } from '../errors.js';
import { stripControls } from '../text/terminal.js';

/** Bytes of an answer that is text. */
const TEXT_BYTES = 64 * 1024;
/** Milliseconds for such an answer, which comes with its head. */
const TEXT_TIMEOUT = 10_000;
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

/** What ended a transfer before it was over. */
export function cut(when: string, error: unknown): MidcltError {
  const { code } = error as NodeJS.ErrnoException;
  const reason = code === 'ERR_STREAM_PREMATURE_CLOSE' ? 'connection closed' : systemReason(error);
  const text = `The connection for the transfer ended ${when} (${reason})`;
  return new MidcltError('LOST', text, { cause: error });
}

/** Why nobody could tell whether the body came whole, or it is not the file itself; null if neither is so. */
export function notWhole({ headers }: http.IncomingMessage): string | null {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    return `it is encoded, and nobody asked for that (${shown(encoding)})`;
  const hasEnd = headers['content-length'] !== undefined || 'transfer-encoding' in headers;
  return hasEnd ? null : 'the answer does not say where it ends';
}

/** `secrets` are in the request: a server may repeat them in what it says. */
export async function refusal(
  response: http.IncomingMessage,
  secrets: readonly string[],
): Promise<MidcltError> {
  const { statusCode: status = 0, headers } = response;
  const text = await textOf(response).catch(() => '');
  const meaning = MEANINGS[status];
  if (headers.location !== undefined && status >= 300 && status < 400) {
    const where = originOf(headers.location);
    return refused(`the server redirects to ${where}; give the URI of that host`, status);
  }
  // A web server's own page says less than its status. The texts are one line of the server's own.
  const own = /^\s*</.test(text) ? '' : shown(without(text, secrets));
  const words = [meaning, own].filter(Boolean);
  return refused(words.join(': ') || http.STATUS_CODES[status], status);
}

/** Where a redirection leads, without its path: that has the token in it. */
function originOf(location: string): string {
  const own = 'http://own.invalid';
  const url = URL.canParse(location, own) ? new URL(location, own) : null;
  return url === null || url.origin === own ? 'another path' : `${url.protocol}//${url.host}`;
}

function without(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
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
export async function textOf(response: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let left = TEXT_BYTES;
  const timer = setTimeout(() => {
    response.destroy(new Error(`not whole within ${TEXT_TIMEOUT / 1000} s`));
  }, TEXT_TIMEOUT);
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      pieces.push(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) break;
    }
  } catch (error) {
    throw cut('in the answer of the server', error);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(pieces).toString();
}

export function jobIdOf(text: string): number {
  let id: unknown;
  try {
    ({ job_id: id } = JSON.parse(text) as { job_id?: unknown });
  } catch {
    // it is no answer of the middleware's
  }
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw new MidcltError('PROTOCOL', 'The server has taken the files, and its answer names no job');
}
