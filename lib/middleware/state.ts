/** What the connection is made of, and what it can be found in. */
import type { MidcltError } from '../errors.js';
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

/** What the one who keeps the connection tells and asks. */
export interface Hooks {
  readonly newId: () => string;
  readonly onNotification: (method: string, params: Json) => void;
  /** The WebSocket is not in use any more, and another is going to be made. */
  readonly onLoss: (error: MidcltError) => void;
  /** Calls can be made again: over a new WebSocket, or after a new login. */
  readonly onRenewal: () => void;
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
