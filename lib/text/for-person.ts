/** What a person is told on a terminal beyond what scripts get to read: clearer errors, and commands to type. */
import { shellWord } from '../errors.js';
import type { JsonError } from '../json/scan.js';

/** Scripts compare the whole text with these, so they name no method. */
export const NO_METHOD = 'Method does not exist';
const TIMEOUT = 'Call timeout';
/** What the server answers to all but a ping, as long as nobody is logged in. */
export const NOBODY = '[ENOTAUTHENTICATED] Not authenticated';
/** Said below it, on a line of its own: the error is printed with the server's traceback. */
export const NOBODY_HINT =
  "Nobody is logged in: give a user with -U; 'midclt login NAME' keeps a login";

/** An error's text with the method it is about, and with the time after which it was given up. */
export function errorForPerson(error: string, method: string, seconds: number | null): string {
  if (error === NO_METHOD) return `${NO_METHOD}: ${method}`;
  if (error !== TIMEOUT) return error;
  const within = seconds === null ? '' : ` within ${seconds} s`;
  return `${TIMEOUT}: no answer to ${method}${within}`;
}

/**
 * What to say of an argument that Python's parser does not take as JSON, for which `error` is the reason;
 * null if it does not look as if it was meant to be. `name` is the argument's.
 */
export function slipText(name: string, arg: string, { message, offset }: JsonError): string | null {
  if (!/^\s*[[{"]/.test(arg)) return null;
  const before = Buffer.from(arg).subarray(0, offset).toString();
  const place = Array.from(before).length + 1;
  const reason = message.replace(/ \(byte \d+\)$/, '');
  return `${name} looks like JSON, but is not (character ${place}: ${reason}); it is sent as a string`;
}

/** What a command needs to reach the same middleware in the same way: a command to type can be pasted. */
export interface OwnOptions {
  readonly uri: string | null;
  readonly username: string | null;
  readonly insecure?: boolean;
  readonly caFile?: string | null;
  readonly useDaemon?: boolean;
  /** The one that says all the others; null: they say it themselves. */
  readonly profile?: string | null;
  /** The words that say it where a profile and options beside it do; null: neither does. */
  readonly profileWords?: readonly string[] | null;
}

/** Such a URI is refused where it is used, but what is shown before that must not repeat it. */
const LOGIN_IN_URI = /^([a-z+]+:\/\/)[^/?#]*@/i;

/** The options that reach the same middleware in the same way. Never a secret. */
export function ownWords({
  uri,
  username,
  insecure = false,
  caFile = null,
  useDaemon = false,
  profile = null,
  profileWords = null,
}: OwnOptions): string[] {
  const system = profileWords ?? [
    ...(uri ? ['-u', uri.replace(LOGIN_IN_URI, '$1')] : []),
    ...(username ? ['-U', username] : []),
    ...(insecure ? ['--insecure'] : []),
    ...(caFile ? ['--ca-file', caFile] : []),
  ];
  return [...(profile === null ? system : ['-p', profile]), ...(useDaemon ? ['-d'] : [])];
}

/** `midclt`, the user's own options, and `rest`, to be pasted. Never a secret. */
export function ownCommand(options: OwnOptions, rest: readonly string[]): string {
  return ['midclt', ...ownWords(options), ...rest].map(shellWord).join(' ');
}

/** What starts the daemon of these options. For the local one it is what the original says, to the letter. */
export function startCommand(options: OwnOptions): string {
  const { uri, username, profile = null, profileWords = null } = options;
  if (!uri && !username && profile === null && profileWords === null) return 'midclt daemon';
  return ownCommand({ ...options, useDaemon: false }, ['daemon', '--detach']);
}

/** The host of a URI; of a Unix socket the URI itself. */
export function hostOf(uri: string): string {
  return /^wss?:\/\/([^/?]+)/.exec(uri)?.[1] ?? uri;
}
