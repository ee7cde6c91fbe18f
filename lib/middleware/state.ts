/** The parts of a connection: its options, its events, its state, and the queue of those who wait until it is ready. */
import type { Cancellation } from '../cancellation.js';
import { abandoned, asMidcltError, type MidcltError } from '../errors.js';
import type { Log } from '../logger.js';
import type { Json } from '../protocol/frames.js';
import { after, steadyNow } from '../timer.js';
import type { Credential } from './login/credential.js';
import type { AskOtp } from './login/login.js';
import type { ReconnectPolicy } from './login/reconnect-policy.js';
import { waitedInVain } from './unsent.js';
import type { Target } from './uri.js';

export type State = 'connecting' | 'authenticating' | 'ready' | 'waiting' | 'closed';

export interface ConnectionOptions {
  readonly target: Target;
  readonly credential: Credential | null;
  /** For accounts that want a one-time code; none ends their login. */
  readonly askOtp?: AskOtp | null | undefined;
  readonly log: Log;
  readonly policy?: ReconnectPolicy;
  /** It keeps no process alive. */
  readonly isUnref?: boolean | undefined;
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
  /** Did a one-time code go with the login? */
  readonly tookCode: boolean;
}

export interface ConnectionEvents {
  /** What the server says unasked. `method` and `params` as JSON-RPC has them. */
  readonly notification: [method: string, params: Json];
  /** The WebSocket is not in use any more, and another is going to be made. */
  readonly loss: [error: MidcltError];
  /** The WebSocket is still there, and its session has expired: the server tells it nothing until it is logged in. */
  readonly lapse: [];
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
  private entered = steadyNow();

  constructor(
    private readonly uri: string,
    private readonly log: Log,
  ) {}

  enter(state: State, fields: Record<string, number | string | null> = {}): void {
    this.current = state;
    this.since = Date.now();
    this.entered = steadyNow();
    this.log('info', state, { uri: this.uri, ...fields });
  }

  /** Has it been in this state for so many milliseconds? */
  lasts(milliseconds: number): boolean {
    return steadyNow() - this.entered >= milliseconds;
  }

  /** Remembers what went wrong. */
  note(thrown: unknown): MidcltError {
    const error = asMidcltError(thrown);
    this.lastError = error.message;
    return error;
  }
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: MidcltError) => void;
}

/** Who waits until calls can be made. */
export class ReadyQueue {
  private readonly waiters = new Set<Waiter>();
  /** Why nobody waits, the last one for who asks; empty while they may. */
  private readonly stops: { readonly error: MidcltError }[] = [];

  /** `why` tells what they wait for, for the error to one that has waited too long. */
  constructor(private readonly why: () => string) {}

  get size(): number {
    return this.waiters.size;
  }

  /**
   * Resolves when calls can be made. Rejects when the client has gone; with a `TIMEOUT` after `patience` milliseconds
   * (null: never), whose text adds those that were `waited` before; or with the error of {@link stop}.
   */
  add(client: Cancellation | null, patience: number | null, waited = 0): Promise<void> {
    const stop = this.stops.at(-1);
    if (stop) return Promise.reject(stop.error);
    if (client?.isCancelled) return Promise.reject(abandoned());
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        client?.off(onCancel);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve() {
          leave();
          resolve();
        },
        reject(error) {
          leave();
          reject(error);
        },
      };
      const onCancel = () => {
        waiter.reject(abandoned());
      };
      const timer = after(patience, () => {
        waiter.reject(waitedInVain(waited + (patience ?? 0), this.why()));
      });
      client?.on(onCancel);
      this.waiters.add(waiter);
    });
  }

  release(): void {
    for (const waiter of [...this.waiters]) waiter.resolve();
  }

  /** Nobody waits any more, now or later. Returns what undoes that for those who come later. */
  stop(error: MidcltError): () => void {
    const stop = { error };
    this.stops.push(stop);
    for (const waiter of [...this.waiters]) waiter.reject(error);
    return () => {
      const place = this.stops.indexOf(stop);
      if (place !== -1) this.stops.splice(place, 1);
    };
  }
}
