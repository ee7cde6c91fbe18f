/** What a `Client` holds, for the rooms of this API alone: its types are not the users'. */
import type { Core } from '../compose.js';
import { MidcltError } from '../errors.js';
import type { Log } from '../logger.js';

export interface ClientState {
  readonly core: Core;
  readonly uri: string | null;
  readonly username: string | null;
  /** Who hears what the connection logs. */
  readonly logs: Set<Log>;
}

const states = new WeakMap<object, ClientState>();

export function keepState(client: object, state: ClientState): void {
  states.set(client, state);
}

/** Throws a `REQUEST` error for what `Client.connect` has not made. */
export function stateOf(client: object): ClientState {
  const state = states.get(client);
  if (!state) throw new MidcltError('REQUEST', 'This is no client that Client.connect has made');
  return state;
}

/** Throws a `CLOSED` error unless calls can be made. */
export function openStateOf(client: object): ClientState {
  const state = stateOf(client);
  if (state.core.connection.state === 'ready') return state;
  throw new MidcltError('CLOSED', 'The client has no connection to the middleware');
}
