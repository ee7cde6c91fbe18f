/** A connection to the middleware, for programs: values in, values out, promises, signals and iterators. */
import type { Readable } from 'node:stream';
import { NULL, stringOf, membersOf } from '../json/members.js';
import type { JsonText } from '../json/text.js';
import type { EventFrame, Json, ProgressFrame } from '../protocol/frames.js';
import { iterate } from './events.js';
import { Job } from './job.js';
import { jsonText, type DaemonRequest, type Params } from './request.js';
import { Collected } from './result.js';
import { streamOf } from './stream.js';
import {
  download,
  upload,
  type Download,
  type DownloadOptions,
  type FileToUpload,
  type TransferOptions,
} from './transfer.js';
import type {
  AnyServer,
  Asked,
  CallResult,
  DownloadName,
  EventMessage,
  EventName,
  EventOf,
  JobName,
  JobResult,
  MethodName,
  ParamsOf,
  Rest,
  ServerTypes,
  UploadName,
} from './types.js';
import { Either, type Hearing, type Way } from './way.js';

/** What every request may be given. */
export interface RequestOptions {
  /** Gives it up: the promise rejects with the signal's reason. What was sent may be run all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Seconds from sending to the answer, of a job to its start; null is for ever. Default: `callTimeout`. */
  readonly timeout?: number | null | undefined;
}

export interface SubscribeOptions {
  /** Ends the iteration: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How results become values. */
export interface Conversion {
  /** Integers beyond ±(2^53 − 1) as BigInt. */
  readonly bigint: boolean;
  readonly isRaw: boolean;
}

export class Connection<S extends ServerTypes = AnyServer, Raw extends boolean = false> {
  /** The same connection, whose results, and `id` and `fields` of events, are {@link JsonText}: the server's own text. */
  readonly raw: Connection<S, true>;

  readonly #way: Way;
  readonly #conversion: Conversion;

  /** Made by `connect`. */
  constructor(way: Way, conversion: Conversion) {
    this.#way = way;
    this.#conversion = conversion;
    this.raw = conversion.isRaw
      ? (this as unknown as Connection<S, true>)
      : new Connection<S, true>(way, { ...conversion, isRaw: true });
  }

  /**
   * Calls a method. Rejects with a `MidcltError`: `CALL` is the server's own answer, with `trace` and `extra`;
   * `TIMEOUT`, `LOST` (sent, the outcome is unknown), `CLOSED` or `REQUEST` (not sent); `TOO_LONG` for a result that
   * no string can hold (see {@link stream}).
   */
  async call<
    M extends MethodName<S>,
    Get extends boolean = false,
    Count extends boolean = false,
    Text extends string = never,
  >(
    method: M,
    ...[params, options]: Rest<S, M, RequestOptions, Asked<Get, Count, Text>>
  ): Promise<CallResult<S, M, Raw, Asked<Get, Count, Text>>> {
    const request = callOf(method, params, options);
    return (await this.#resultOf(request, options)) as CallResult<
      S,
      M,
      Raw,
      Asked<Get, Count, Text>
    >;
  }

  /** Calls a method that starts a job, and follows that. A method that starts none gives its own result. */
  job<M extends JobName<S>>(
    method: M,
    ...[params, options]: Rest<S, M, RequestOptions>
  ): Job<JobResult<S, M, Raw>> {
    const request = callOf(method, params, options, { job: true });
    return this.#follow(request, options) as Job<JobResult<S, M, Raw>>;
  }

  /** Follows a job that exists, whoever has started it. `timeout` is for its end. */
  follow(id: number, options: RequestOptions = {}): Job<Raw extends true ? JsonText : unknown> {
    const { timeout } = options;
    const request: DaemonRequest = { command: 'follow', job: id, timeout };
    return this.#follow(request, options, id) as Job<Raw extends true ? JsonText : unknown>;
  }

  /**
   * Iterates over the notifications of an event (`pool.query`), or an event source with its arguments
   * (`reporting.realtime:{"interval": 5}`), until the loop is left or the server ends it. Subscribes when the loop begins. A connection that is lost
   * is a gap, not an end.
   */
  subscribe<E extends EventName<S>>(
    event: E,
    { signal }: SubscribeOptions = {},
  ): AsyncGenerator<EventOf<S, E, Raw>, void, undefined> {
    const run = async (onEvent: (frame: EventFrame) => Promise<void>, left: AbortSignal) => {
      const ending = new Either(left, signal);
      try {
        await this.#way.ask({ command: 'subscribe', event }, { event: onEvent }, ending.signal);
      } finally {
        ending.forget();
      }
    };
    const messageOf = (frame: EventFrame) => this.#messageOf(frame);
    return iterate(run, messageOf) as AsyncGenerator<EventOf<S, E, Raw>, void, undefined>;
  }

  /** The text of a call's result as it comes, of any length: UTF-8, the server's own JSON. Errors are the stream's. */
  stream<M extends MethodName<S>>(
    method: M,
    ...[params, options]: Rest<S, M, RequestOptions>
  ): Readable {
    return streamOf(this.#way, callOf(method, params, options), options?.signal);
  }

  /**
   * Starts a job that writes a file, and resolves when the file begins. Its `body` is to be read to the end: it fails if
   * the transfer breaks off, or with the job's failure.
   */
  download<M extends DownloadName<S>>(
    method: M,
    ...[params, options]: Rest<S, M, DownloadOptions>
  ): Promise<Download> {
    const follow = (id: number, signal: AbortSignal) => this.follow(id, { signal }) as Job<unknown>;
    return download(this.#way, { method, params: params ?? [] }, options ?? {}, follow);
  }

  /** Starts a job that reads files, sends them (paths, bytes or streams, five at most), and follows it. */
  upload<M extends UploadName<S>>(
    method: M,
    params: ParamsOf<S, M>,
    files: FileToUpload | readonly FileToUpload[],
    options: TransferOptions = {},
  ): Job<JobResult<S, M, Raw>> {
    const list = Array.isArray(files) ? (files as FileToUpload[]) : [files as FileToUpload];
    const { signal } = options;
    return new Job({
      run: async (onProgress, onId) => {
        const id = await upload(this.#way, { method, params, files: list }, options);
        onId(id);
        const request: DaemonRequest = { command: 'follow', job: id };
        return (await this.#resultOf(request, { signal }, onProgress)) as JobResult<S, M, Raw>;
      },
      abort: (id) => this.#abort(id),
    });
  }

  /** Resolves when the middleware answers. */
  async ping(options: RequestOptions = {}): Promise<void> {
    const { signal, timeout } = options;
    await this.#way.ask({ command: 'ping', timeout }, {}, signal);
  }

  /** Ends the connection, at once: what is under way rejects with `LOST` or `CLOSED`. A daemon goes on. */
  close(): Promise<void> {
    return this.#way.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #follow(request: DaemonRequest, { signal }: RequestOptions = {}, id?: number): Job<unknown> {
    return new Job<unknown>({
      run: (onProgress) => this.#resultOf(request, { signal }, onProgress),
      abort: (job) => this.#abort(job),
      ...(id !== undefined && { id }),
    });
  }

  async #abort(id: number): Promise<void> {
    await this.#way.ask(callOf('core.job_abort', [id]), {});
  }

  async #resultOf(
    request: DaemonRequest,
    { signal }: RequestOptions = {},
    progress?: (frame: ProgressFrame) => void,
  ): Promise<unknown> {
    const collected = new Collected();
    const result = (piece: Buffer) => {
      collected.take(piece);
    };
    const hearing: Hearing = { result, ...(progress && { progress }) };
    await this.#way.ask(request, hearing, signal);
    return this.#converted(collected.text(request.method));
  }

  #valueOf(json: Json): unknown {
    return this.#converted(jsonText(json));
  }

  #converted(text: JsonText): unknown {
    const { isRaw, bigint } = this.#conversion;
    return isRaw ? text : text.value({ bigint });
  }

  #messageOf({ event }: EventFrame): EventMessage {
    if (!event) return { gap: true };
    const members = membersOf(event);
    const value = (name: string) => this.#valueOf(members?.get(name) ?? NULL);
    const word = (name: string) => stringOf(members?.get(name)) ?? '';
    const [msg, collection] = [word('msg'), word('collection')];
    const id = members?.has('id') ? value('id') : null;
    return { gap: false, msg, collection, id, fields: value('fields') };
  }
}

function callOf(
  method: string,
  params: Params | undefined,
  options: RequestOptions = {},
  more: { readonly job?: boolean } = {},
): DaemonRequest {
  const { timeout } = options;
  return { command: 'call', method, params: params ?? [], kwargs: { timeout, ...more } };
}
