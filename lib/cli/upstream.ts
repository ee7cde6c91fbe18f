/** Which middleware the options name, and how to log in there. */
import { MidcltError } from '../errors.js';
import type { Credential } from '../middleware/login.js';
import { DEFAULT_URI, parseTarget, type Target } from '../uri.js';
import type { Arguments } from './argv.js';

export interface Upstream {
  readonly target: Target;
  readonly credential: Credential | null;
}

type Options = Pick<Arguments, 'uri' | 'username' | 'password' | 'apiKey' | 'insecure'>;

/** Throws a `REQUEST` error for a URI that is none, `UNSUPPORTED` for what this version can't do. */
export function upstreamOf(args: Options): Upstream {
  const target = parseTarget(args.uri ?? DEFAULT_URI, { insecure: args.insecure });
  if (target.wire === 'legacy') throw unsupported('The legacy /websocket wire is');
  if (args.apiKey !== null) throw unsupported('API keys (-K) are');
  return { target, credential: credentialOf(args) };
}

function credentialOf({ username, password }: Options): Credential | null {
  if (username === null || username === '') return null;
  if (password === null || password === '') throw unsupported('The password prompt is');
  return { kind: 'password', username, password };
}

function unsupported(what: string): MidcltError {
  return new MidcltError('UNSUPPORTED', `${what} not supported yet`);
}
