/** What an entry of the table of verbs is made of, and what the entries share. */
import type { Cancellation } from '../cancellation.js';
import { MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import type { Connection } from '../middleware/connection.js';
import type { Jobs } from '../middleware/jobs/jobs.js';
import type { PlainMethods } from '../middleware/jobs/plain-methods.js';
import type { Subscriptions } from '../middleware/subscriptions.js';
import {
  MessageType,
  PATIENCE,
  type Json,
  type Request,
  type ResultFrame,
  type Timeout,
} from '../protocol/frames.js';
import type { VerbFormat } from '../protocol/request.js';
import type { StatusReport } from '../protocol/status.js';
import type { Metrics } from '../stream/metrics.js';
import type { Patience, Service } from '../stream/verb.js';
import { ownCommand } from '../text/for-person.js';

/** A verb: everything that is to be known of it. `M` are the members that only its requests have. */
export interface Entry<M extends object = object> {
  readonly format: VerbFormat<M>;
  /** Its part of a daemon, or of a process that makes its calls itself. */
  readonly serve: (options: CommandOptions) => Service<M>;
}

/** What verbs are served with. */
export interface CommandOptions {
  readonly connection: Connection;
  readonly jobs: Jobs;
  readonly plainMethods: PlainMethods;
  readonly subscriptions: Subscriptions;
  readonly log: Log;
  /** Calls at the middleware at once; 1 is one lock around everything, jobs included. */
  readonly concurrency: number;
  /** Seconds; null is no timeout. */
  readonly callTimeout: number | null;
  readonly metrics: Metrics;
  /** Is the server's certificate left unverified? Null: there is none. */
  readonly isInsecure: boolean | null;
  /** Does what subscribes end with the connection? A daemon goes on over the next one. */
  readonly endsSubscriptions?: boolean;
  /** The daemon that serves; undefined where there is none. */
  readonly daemon?: DaemonControl;
}

export interface DaemonControl {
  /** Asks it to go; false if it is not to, because others have requests to be answered. */
  stop(ifIdle: boolean): boolean;
  status(): StatusReport;
  /** It has work to do that no client waits for, until what this returns is called. */
  hold(): () => void;
  /** Cancelled when the daemon takes no further request: what has no end of its own is to end. */
  readonly ending: Cancellation;
}

/** Of what is answered without the middleware. */
export const ANSWERED_HERE = {
  slotClass: () => 'none' as const,
  patience: (): Patience => ({ toSend: null, toAnswer: null, isShared: true }),
};

/**
 * A timeout that is given, in seconds, is all of the time that a request may take. Without one waiting and
 * answering have a time each, the latter `fallback`.
 */
export function patienceOf(timeout: Timeout, fallback: number | null): Patience {
  if (timeout === undefined) {
    return { toSend: PATIENCE * 1000, toAnswer: milliseconds(fallback), isShared: false };
  }
  const given = milliseconds(timeout);
  return { toSend: given, toAnswer: given, isShared: true };
}

function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}

/** What was asked for with a verified certificate is not sent without, nor the other way round. */
export function checkVerification(
  { insecure }: Request,
  { isInsecure, daemon }: CommandOptions,
): void {
  if (insecure === null || isInsecure === null || insecure === isInsecure) return;
  const { uri, username } = daemon?.status() ?? { uri: null, username: null };
  const stop = ownCommand({ uri, username }, ['daemon-stop']);
  throw new MidcltError(
    'REQUEST',
    isInsecure
      ? "The daemon does not verify the server's certificate (it was started with --insecure), which this call did not ask for; " +
          `it was not sent. Give --insecure, too, or end that daemon with '${stop}'`
      : "The daemon verifies the server's certificate, and this call asks to do without (--insecure); " +
          `it was not sent. Leave out --insecure, or end that daemon with '${stop}'`,
  );
}

export function result(text: Json): ResultFrame {
  return { type: MessageType.RESULT, result: text };
}
