/** The authenticated connection to a middleware. Loads ws and the streams when one is made. */
import { MidcltError } from '../errors.js';
import type { JsonText } from '../json/text.js';
import type { Log } from '../logger.js';
import { MessageType } from '../protocol/frames.js';
import { coreOf } from './core.js';
import { checkIsOptions, type ClientOptions } from './login.js';
import { keepState, stateOf } from './client-state.js';
import { Collected } from './result.js';
import {
  encodeRequest,
  progressOf,
  type DaemonRequest,
  type Params,
  type ProgressCallback,
} from './request.js';

export interface CallOptions {
  /** Seconds from sending to the answer, for a job to its start; null waits for ever. */
  readonly timeout?: number | null | undefined;
  /** Wait for the job that the method starts, and resolve with the job's result. */
  readonly job?: boolean | undefined;
  /** Hears of the job's progress. What it throws rejects the call; the job goes on. */
  readonly callback?: ProgressCallback | undefined;
}

/**
 * One WebSocket to the middleware, logged in, that any number of calls share. It keeps the process
 * alive until it is closed.
 *
 * Source: `Client` of the Python package, which its daemon is given.
 */
export class Client {
  private constructor() {
    // made by connect
  }

  /**
   * Resolves with a client that is connected and logged in. Rejects with `REQUEST` for a wrong
   * URI or key or a user without a password, `FILES` for a key file that can't be read, `CONNECT`,
   * or `LOGIN`; `LOST` or `TIMEOUT` if the login had no answer.
   */
  static async connect(options: ClientOptions = {}): Promise<Client> {
    checkIsOptions(options);
    const { uri = null, username = null } = options;
    const logs = new Set<Log>();
    const { core } = await coreOf(options, {
      log: (...line) => {
        for (const log of logs) log(...line);
      },
    });
    await core.connection.open();
    const client = new Client();
    keepState(client, { core, uri, username, logs });
    return client;
  }

  /**
   * Calls a method and resolves with its result's exact text.
   *
   * Rejects with a {@link MidcltError}: `CALL` is the middleware's own answer (with `trace` and
   * `extra`), `TIMEOUT`, `LOST` (sent, its outcome unknown), `CLOSED` or `REQUEST` (not sent);
   * `TOO_LONG` for a result that no string can hold.
   */
  async call(method: string, params: Params = [], options: CallOptions = {}): Promise<JsonText> {
    const { timeout, job = false, callback } = options;
    return this.#ask({ command: 'call', method, params, kwargs: { timeout, job } }, callback);
  }

  /** Resolves with `pong` when the middleware answers. `timeout` in seconds. Rejects as `call`. */
  async ping(timeout?: number | null): Promise<string> {
    const pong = await this.#ask({ command: 'ping', timeout });
    return String(pong.value());
  }

  /** Resolves when the connection is gone. What is in flight rejects with `LOST`. Once is enough. */
  async close(): Promise<void> {
    const { connection } = stateOf(this).core;
    connection.close();
    await connection.ended;
  }

  async #ask(what: DaemonRequest, callback?: ProgressCallback): Promise<JsonText> {
    const { core } = stateOf(this);
    const { request } = encodeRequest(what);
    const session = core.local();
    try {
      return await new Promise((resolve, reject) => {
        const asked = session.ask(request, (frame) => {
          try {
            callback?.(progressOf(frame));
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
        const settle = async () => {
          const frame = await asked;
          if (frame.type === MessageType.ERROR) {
            throw frame.cause ?? new MidcltError('CALL', frame.error);
          }
          const collected = new Collected();
          collected.take(frame.result);
          resolve(collected.text(what.method));
        };
        settle().catch(reject);
      });
    } finally {
      session.close();
    }
  }
}
