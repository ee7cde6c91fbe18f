/** Which middleware the options name, and how to log in there. */
import { MidcltError } from '../errors.js';
import type { ApiKeyCredential, Credential } from '../middleware/credential.js';
import { DEFAULT_URI, parseTarget, type Target } from '../uri.js';
import type { Arguments } from './argv.js';

export interface Upstream {
  readonly target: Target;
  readonly credential: Credential | null;
}

export type UpstreamOptions = Pick<
  Arguments,
  'uri' | 'username' | 'password' | 'apiKey' | 'insecure' | 'plain' | 'noChannelBinding' | 'force'
>;

/**
 * Reads a key file, if one is named; `warn` gets what is not right about it. Throws a `REQUEST` error
 * for a URI or key that is none, `FILES` for a key file that can't be read, `UNSUPPORTED` for what
 * this version can't do.
 */
export function upstreamOf(args: UpstreamOptions, warn: (line: string) => void): Upstream {
  const target = parseTarget(args.uri ?? DEFAULT_URI, { insecure: args.insecure });
  if (target.wire === 'legacy') throw unsupported('The legacy /websocket wire is');
  const { apiKey } = args;
  const credential = apiKey === null ? passwordOf(args) : apiKeyOf(args, apiKey, warn);
  return { target, credential };
}

function passwordOf({ username, password }: UpstreamOptions): Credential | null {
  if (username === null || username === '') return null;
  if (password === null || password === '') throw unsupported('The password prompt is');
  return { kind: 'password', username, password };
}

function apiKeyOf(
  args: UpstreamOptions,
  value: string,
  warn: (line: string) => void,
): ApiKeyCredential {
  const { readKey } = require('./keyfile.js') as typeof import('./keyfile.js');
  const { key, username: owner } = readKey(value, warn);
  const username = args.username === null || args.username === '' ? owner : args.username;
  if (username === null) {
    throw new MidcltError(
      'REQUEST',
      "An API key logs in with its user's name: give it with -U, or as username in the key file",
    );
  }
  return {
    kind: 'api-key',
    username,
    key,
    mechanism: args.plain ? 'PLAIN' : 'SCRAM',
    channelBinding: !args.noChannelBinding,
    force: args.force,
  };
}

function unsupported(what: string): MidcltError {
  return new MidcltError('UNSUPPORTED', `${what} not supported yet`);
}
