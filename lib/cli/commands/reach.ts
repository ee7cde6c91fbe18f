/** For `login`: connects to a system before anything secret is asked for, be it that its certificate is not trusted. */
import type { Core } from '../../compose.js';
import { MidcltError } from '../../errors.js';
import { confirm } from '../../login/questions.js';
import { distrust, parseTarget, type Target } from '../../middleware/uri.js';
import { hostOf } from '../../text/for-person.js';
import { stripControls } from '../../text/terminal.js';
import type { Arguments } from '../args/arguments.js';
import { aligned } from '../output/table.js';
import { Stopwatch, withCore } from './direct.js';

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
    const why = distrust(error);
    if (why === null || args.insecure) throw error;
    await acceptCertificate(args, name, why);
    return look({ ...args, insecure: true });
  }
}

/** Sees what there is before a secret is asked for. */
function look(args: Arguments): Promise<Reached> {
  const { uri, insecure, plain } = args;
  const target = parseTarget(uri ?? '', { insecure });
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
    return { target, args, needsPlain: !knowsScram && !plain };
  });
}

const NOTHING = Buffer.from('[]');

function notLoggedIn(): never {
  throw new MidcltError(
    'LOGIN',
    'The middleware of this machine lets in only root and its own administrators without a login; give a user with -U',
  );
}

async function acceptCertificate({ uri }: Arguments, name: string, why: string): Promise<void> {
  const { peerCertificate } =
    require('../../middleware/channel/certificate.js') as typeof import('../../middleware/channel/certificate.js');
  const target = parseTarget(uri ?? '');
  const { subject, issuer, validUntil, fingerprint } = await peerCertificate(target);
  const rows = [
    ['  subject', subject],
    ['  issuer', issuer],
    ['  valid until', dayOf(validUntil)],
    ['  SHA-256', fingerprint.slice(0, HALF)],
    ['', fingerprint.slice(HALF)],
  ];
  const host = hostOf(target.uri);
  const shown = [`The certificate of ${host} is not trusted: ${why}`, ...aligned(rows)];
  const text = shown.map((line) => stripControls(line)).join('\n');
  const question = 'Connect to it without verifying it, now and from now on?';
  if (await confirm(`${text}\n${question}`, false)) return;
  throw new MidcltError(
    'CONNECT',
    `The certificate of ${host} is not trusted. With its authority's certificate in a file it can be: ` +
      `'NODE_EXTRA_CA_CERTS=FILE midclt login ${name}'`,
  );
}

/** Of a fingerprint, which is too long for a line. */
const HALF = 16 * 'AB:'.length;

/** The server's text where it is no date. */
function dayOf(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : date.toISOString().slice(0, 10);
}

/** Connects and logs in. Rejects with the reason why that does not work. */
export function connected<T = void>(
  args: Arguments,
  work?: (core: Core) => Promise<T>,
): Promise<T> {
  const clock = new Stopwatch(args.timeout ?? TIMEOUT);
  return withCore(args, work ?? (() => Promise.resolve() as Promise<T>), clock);
}
