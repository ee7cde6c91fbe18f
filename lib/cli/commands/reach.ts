/** For `login`: connects to a system before anything secret is asked for, be it that its certificate is not trusted. */
import type { Core } from '../../compose.js';
import { MidcltError } from '../../errors.js';
import { confirm } from '../../login/questions.js';
import { targetOf } from '../../login/target.js';
import { hostWord, isDistrust } from '../../middleware/unreachable.js';
import type { Target } from '../../middleware/uri.js';
import { stripControls } from '../../text/terminal.js';
import type { Arguments } from '../args/arguments.js';
import { Stopwatch, withCore } from './direct.js';
import { loginCommandOf } from './login-command.js';
import { questionFor, shownBy } from './trust.js';

/** Seconds for a connection and a login. */
const TIMEOUT = 30;

/** What is known once there was a connection. */
export interface Reached {
  readonly target: Target;
  /** With what was asked for in them. */
  readonly args: Arguments;
  /** The server can't check a key that it is not sent. */
  readonly needsPlain: boolean;
}

/** Connects without a login, be it to a server whose certificate is not trusted if that is wanted. */
export async function reach(args: Arguments, name: string): Promise<Reached> {
  try {
    return await look(args);
  } catch (error) {
    if (!isDistrust(error)) throw error;
    return look({ ...args, fingerprint: await acceptedOf(args, name) });
  }
}

/** Sees what there is before a secret is asked for. */
function look(args: Arguments): Promise<Reached> {
  const target = targetOf(args);
  const isLocal = target.scheme === 'ws+unix';
  const nobody = { username: null, password: null, passwordFile: null, apiKey: null };
  return connected({ ...args, ...nobody }, async ({ connection }) => {
    const call = (method: string) => connection.call(method, NOTHING, { timeout: TIMEOUT * 1000 });
    if (isLocal) {
      if (args.username === null) await call('auth.me').catch(notLoggedIn);
      return { target, args, needsPlain: false };
    }
    // Only JSON-RPC knows the method; old servers have it without SCRAM.
    const choices = await call('auth.mechanism_choices').catch(() => null);
    const isKnown = choices === null || choices.includes('"SCRAM"');
    const knowsScram = target.wire === 'jsonrpc' && isKnown;
    return { target, args, needsPlain: !knowsScram && !args.plain };
  });
}

const NOTHING = Buffer.from('[]');

function notLoggedIn(): never {
  throw new MidcltError(
    'LOGIN',
    'The middleware of this machine lets in only root and its own administrators without a login; give a user with -U',
  );
}

/** The fingerprint of the server's certificate, if that is to be trusted. */
async function acceptedOf(args: Arguments, name: string): Promise<string> {
  const target = targetOf(args);
  const { certificate, lines } = await shownBy(target);
  const host = hostWord(target);
  const text = lines.map((line) => stripControls(line)).join('\n');
  if (await confirm(`${text}\n${questionFor(host)}`, false)) return certificate.fingerprint256;
  throw new MidcltError(
    'CONNECT',
    `The certificate of ${host} is not trusted. With its authority's certificate in a file it can be: ` +
      `'${loginCommandOf(args, name, 'FILE')}'`,
  );
}

/** Connects and logs in. Rejects with the reason why that does not work. */
export function connected<T = void>(
  args: Arguments,
  work?: (core: Core) => Promise<T>,
): Promise<T> {
  const clock = new Stopwatch(args.timeout ?? TIMEOUT);
  return withCore(args, work ?? (() => Promise.resolve() as Promise<T>), clock);
}
