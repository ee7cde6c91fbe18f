/** Options → which middleware to connect to, and what to log in with there. */
import { MidcltError } from '../errors.js';
import { pinOf } from '../files/pins.js';
import type { ApiKeyCredential, Credential } from '../middleware/login/credential.js';
import type { AskOtp } from '../middleware/login/login.js';
import { DEFAULT_URI, parseTarget, type Target } from '../middleware/uri.js';
import { stripControls } from '../text/terminal.js';

export interface LoginTarget {
  readonly target: Target;
  readonly credential: Credential | null;
  readonly askOtp: AskOtp;
}

/** As the command line and the Node API take them; null is not given. */
export interface LoginOptions {
  readonly uri: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly passwordFile: string | null;
  readonly apiKey: string | null;
  readonly otp: string | null;
  readonly insecure: boolean;
  /** Authorities that are trusted, too. */
  readonly caFile: string | null;
  /** The one certificate that is accepted; null: the one that is pinned, if one is. */
  readonly fingerprint?: string | null;
  readonly plain: boolean;
  readonly noChannelBinding: boolean;
  readonly force: boolean;
  /** It is one of several systems, by this name: nobody is asked for a login. */
  readonly system?: string | null;
}

/** How often a code may be typed. */
const CODES = 3;

/**
 * Reads a key or password file, if one is named; `warn` gets what is not right about it. Asks for the
 * password of a user for whom nothing is given. Rejects with a `REQUEST` error for a URI, key or
 * password that is none, `FILES` for a file that can't be read.
 */
export async function toLoginTarget(
  args: LoginOptions,
  warn: (line: string) => void,
): Promise<LoginTarget> {
  const target = targetOf(args);
  const { apiKey } = args;
  const credential =
    apiKey === null ? await passwordOf(args, target, warn) : apiKeyOf(args, apiKey, target, warn);
  return { target, credential, askOtp: (attempt) => oneTimeCode(args, attempt) };
}

/** With whom to trust there. Throws a `REQUEST` error, or `FILES` for a file of authorities that is none. */
export function targetOf(options: Pick<LoginOptions, 'uri' | Verifying>): Target {
  const { uri, insecure, caFile, fingerprint = null } = options;
  const address = uri ?? DEFAULT_URI;
  if (parseTarget(address).scheme !== 'wss') return parseTarget(address);
  const { readAuthorities } = require('./authorities.js') as typeof import('./authorities.js');
  const ca = caFile && readAuthorities(caFile);
  const ownPin = fingerprint === null ? pinOf : () => fingerprint;
  return parseTarget(address, { insecure, ca, pinOf: ownPin });
}

type Verifying = 'insecure' | 'caFile' | 'fingerprint';

async function passwordOf(
  { username, password, passwordFile, system = null }: LoginOptions,
  target: Target,
  warn: (line: string) => void,
): Promise<Credential | null> {
  if (username === null || username === '') return null;
  if (password !== null && password !== '') return { kind: 'password', username, password };
  const { readPassword } = require('./secrets.js') as typeof import('./secrets.js');
  const read = passwordFile === null ? null : readPassword(passwordFile, warn);
  if (read === null && system !== null) {
    throw new MidcltError(
      'REQUEST',
      `Of several systems nobody is asked for a password. Start this one's daemon first: midclt -p ${system} daemon --detach`,
    );
  }
  const secret = read ?? (await ask(`Password for ${stripControls(nameOf(username, target))}: `));
  if (secret !== null) return { kind: 'password', username, password: secret };
  throw new MidcltError(
    'REQUEST',
    `There is no terminal to ask for ${username}'s password on; give it with -P, --password-file or MIDCLT_PASSWORD`,
  );
}

/** Whose password it is, and where. */
function nameOf(username: string, { scheme, url }: Target): string {
  return scheme === 'ws+unix' ? username : `${username}@${new URL(url).hostname}`;
}

/** Null: there is none, or no other one. */
async function oneTimeCode(
  { otp, system = null }: LoginOptions,
  attempt: number | null,
): Promise<string | null> {
  if (otp !== null && otp !== '') return attempt === 0 || attempt === null ? otp : null;
  if (attempt === null || attempt >= CODES || system !== null) return null;
  return ask(attempt === 0 ? 'One-time code: ' : 'Invalid one-time code, try again: ');
}

function ask(text: string): Promise<string | null> {
  const { promptSecret } = require('./prompt.js') as typeof import('./prompt.js');
  return promptSecret(text);
}

function apiKeyOf(
  args: LoginOptions,
  value: string,
  { wire }: Target,
  warn: (line: string) => void,
): ApiKeyCredential {
  const { readKey } = require('./secrets.js') as typeof import('./secrets.js');
  const { key, username: owner } = readKey(value, warn);
  const username = args.username === null || args.username === '' ? owner : args.username;
  if (username === null && wire === 'jsonrpc') {
    throw new MidcltError(
      'REQUEST',
      "An API key logs in with its user's name: give it with -U, such as '-U truenas_admin', or as username in the key file",
    );
  }
  return {
    kind: 'api-key',
    username: username ?? '', // the legacy wire's keys are nobody's
    key,
    mechanism: args.plain ? 'PLAIN' : 'SCRAM',
    channelBinding: !args.noChannelBinding,
    force: args.force,
  };
}
