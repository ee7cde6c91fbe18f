/** A sandbox whose files are asked for by bare HTTP: no client of this project's. */
import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { Test } from 'tap';
import { contentAt } from '../../lib/sandbox/files/content.js';
import type { SandboxOptions } from '../../lib/sandbox/index.js';
import { surroundings } from './daemon.js';
import { until } from './midclt.js';
import type { Place } from './sandbox-process.js';
import { talk } from './web-socket.js';

/** What a request got. */
export interface Answer {
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: number;
  readonly sha256: string;
  /** How the body begins. */
  readonly text: string;
  /** Whether the body ended as HTTP says, not by a broken connection. */
  readonly isWhole: boolean;
}

/** By which of its listeners a sandbox is asked. */
export type Listener = 'unix' | 'ws' | 'wss';

export const LISTENERS: readonly Listener[] = ['unix', 'ws', 'wss'];

export interface Asked {
  readonly request: http.ClientRequest;
  readonly answer: Promise<Answer>;
  /** How many bytes of the body came so far. */
  readonly received: () => number;
}

/** A request whose body is still to be written; a GET's is ended. */
export function ask(
  { unixPath, wsPort, wssPort, certificate }: Place,
  listener: Listener,
  path: string,
  options: http.RequestOptions = {},
): Asked {
  const place = {
    unix: { socketPath: unixPath ?? '' },
    ws: { host: '127.0.0.1', port: wsPort },
    wss: { host: '127.0.0.1', port: wssPort, ca: certificate ?? '' },
  }[listener];
  const send = listener === 'wss' ? https.request : http.request;
  const request = send({ ...place, path, agent: false, ...options });
  let bytes = 0;
  const answer = new Promise<Answer>((resolve) => {
    const nothing = { status: null, headers: {}, bytes, sha256: '', text: '', isWhole: false };
    request.on('error', () => {
      resolve(nothing);
    });
    request.on('response', (response) => {
      const hash = createHash('sha256');
      let text = '';
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
        if (text.length < 1000) text += chunk.toString('latin1');
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        const { statusCode: status = null, headers, complete: isWhole } = response;
        resolve({ status, headers, bytes, sha256: hash.digest('hex'), text, isWhole });
      });
    });
  });
  if (request.method === 'GET') request.end();
  return { request, answer, received: () => bytes };
}

/** A part of a form: its name, and a text, or the content of a file. */
export type FormPart = readonly [name: string, content: string | Buffer];

/** Uploads a form and resolves with the answer. */
export async function post(
  sandbox: Place,
  listener: Listener,
  parts: readonly FormPart[],
  authorization?: string,
): Promise<Answer> {
  const form = new FormData();
  for (const [name, content] of parts)
    if (typeof content === 'string') form.append(name, content);
    else form.append(name, new Blob([new Uint8Array(content)]), 'file.bin');
  const encoded = new Response(form);
  const headers = {
    'content-type': encoded.headers.get('content-type') ?? '',
    ...(authorization === undefined ? {} : { authorization }),
  };
  const { request, answer } = ask(sandbox, listener, '/_upload', { method: 'POST', headers });
  request.end(Buffer.from(await encoded.arrayBuffer()));
  return answer;
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

interface Reply {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly data: { readonly reason: string } };
}

export interface JobFields {
  readonly state: string;
  readonly result: unknown;
  readonly error: string | null;
  readonly message_ids: unknown[];
  readonly logs_path: string | null;
  readonly logs_excerpt: string | null;
  readonly credentials: { readonly type: string; readonly data: { readonly username: string } };
}

/** A sandbox, and root's connection to it. */
export async function startFiles(t: Test, options: Partial<SandboxOptions> = {}) {
  const { home, sandbox } = await surroundings(t, {
    ws: 0,
    wss: 0,
    failedLoginDelayMs: 10,
    scram: { iterations: 1000 },
    ...options,
  });
  const client = await connect(t, sandbox);
  const { call, result } = client;
  /** The id and the path of a new download. */
  const download = async (method: string, params: unknown[], ...more: unknown[]) =>
    (await result('core.download', [method, params, 'f.bin', ...more])) as [number, string];
  const ended = (id: number) =>
    until(`the end of job ${id}`, async () => {
      const job = (await result('core.get_jobs', [[['id', '=', id]], { get: true }])) as JobFields;
      return ['WAITING', 'RUNNING'].includes(job.state) ? null : job;
    });
  const token = async () => {
    const text = await result('auth.generate_token', [300, {}, false, true]);
    return `Token ${text as string}`;
  };
  const upload = async (parts: readonly FormPart[], authorization?: string) =>
    post(sandbox, 'ws', parts, authorization ?? (await token()));
  return { home, sandbox, call, result, download, ended, token, upload };
}

/** A JSON-RPC client: of root's over the Unix socket, else of the user who logs in. */
export async function connect(t: Test, sandbox: Place, user?: string) {
  const client = await talk(
    t,
    user === undefined
      ? `ws+unix:${sandbox.unixPath}:/api/current`
      : `ws://127.0.0.1:${sandbox.wsPort}/api/current`,
  );
  const call = (method: string, params: unknown[] = []) =>
    client.ask({ jsonrpc: '2.0', method, params, id: `id of ${method}` }) as Promise<Reply>;
  const result = async (method: string, params: unknown[] = []) => {
    const reply = await call(method, params);
    if (reply.error !== undefined) throw new Error(JSON.stringify(reply.error));
    return reply.result;
  };
  if (user !== undefined) await result('auth.login', [user, `${user}-pw`]);
  return { call, result };
}

export function data(method: string, params: unknown[] = []): FormPart {
  return ['data', JSON.stringify({ method, params })];
}

export function file(size: number): FormPart {
  return ['file', contentAt(0, size)];
}
