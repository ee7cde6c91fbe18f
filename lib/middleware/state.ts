/** What the connection is made of, and what it can be found in. */
import { asMidcltError, type MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import type { Json } from '../protocol/frames.js';
import type { Target } from './uri.js';
import type { Credential } from './login/credential.js';
import type { AskOtp } from './login/login.js';
import type { Pace } from './login/reconnect-policy.js';

export type State = 'connecting' | 'authenticating' | 'ready' | 'waiting' | 'closed';

export interface ConnectionOptions {
  readonly target: Target;
  readonly credential: Credential | null;
  /** For accounts that want a one-time code; none ends their login. */
  readonly askOtp?: AskOtp | null | undefined;
  readonly log: Log;
  readonly pace?: Pace;
}

/** What `status` tells. */
export interface ConnectionFacts {
  readonly state: State;
  /** Milliseconds of the epoch. */
  readonly since: number;
  /** Why the connection was lost, or could not be had again. */
  readonly lastError: string | null;
  readonly logins: number;
  readonly reconnects: number;
  /** False when what it logged in with can't be used once more. */
  readonly canLogInAgain: boolean;
}

export interface ConnectionEvents {
  /** What the server says unasked. `method` and `params` as JSON-RPC has them. */
  readonly notification: [method: string, params: Json];
  /** The WebSocket is not in use any more, and another is going to be made. */
  readonly loss: [error: MidcltError];
  /** Calls can be made again: over a new WebSocket, or after a new login. */
  readonly renewal: [];
}

/** The state that a connection is in, since when, and what went wrong last. */
export class ConnectionState {
  current: State = 'closed';
  /** By the wall clock, for people. */
  since = Date.now();
  lastError: string | null = null;
  /** The same as {@link since} by the steady clock: the other one may be set meanwhile. */
  private entered = performance.now();

  constructor(
    private readonly uri: string,
    private readonly log: Log,
  ) {}

  enter(state: State, fields: Record<string, number | string | null> = {}): void {
    this.current = state;
    this.since = Date.now();
    this.entered = performance.now();
    this.log('info', state, { uri: this.uri, ...fields });
  }

  /** Has it been in this state for so many milliseconds? */
  lasts(milliseconds: number): boolean {
    return performance.now() - this.entered >= milliseconds;
  }

  /** Remembers what went wrong. */
  note(thrown: unknown): MidcltError {
    const error = asMidcltError(thrown);
    this.lastError = error.message;
    return error;
  }
}
