/** Through a daemon: `-d call`, `-d ping`, `daemon-stop`. All they do is a round trip over its socket. */
import { sendRequest, sendStop, type Address } from '../../protocol/client.js';
import { isMidcltError } from '../../errors.js';
import { quote } from '../../json/members.js';
import { daemonPaths } from '../../files/paths.js';
import { Command, VERSION, type ErrorFrame } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';
import type { Exchange, Outbound } from './call.js';
import { isTerminal, sayLine } from '../output/output.js';
import { hearing, tellAfterSilence } from './silent-second.js';
import { startCommand, type OwnOptions } from '../../text/own-command.js';

/** With the daemon that there is. */
export function daemonExchange(options: OwnOptions): Exchange {
  const address = daemonAddress(options);
  const { uri, insecure } = options;
  const more = insecure === undefined ? '' : verificationMember(uri, insecure);
  return (outbound, listener) =>
    tellAfterSilence(
      (heard) => sendRequest(address, requestLine(outbound, more), hearing(listener, heard)),
      (isOver) => void full().sayWhyDaemonWaits(address, isOver),
    );
}

/** Where the daemon of these options is, and what to tell who finds none there. */
export function daemonAddress(options: OwnOptions): Address {
  const { socket, directory } = daemonPaths(options.uri, options.username);
  return { socket, directory, startCommand: startCommand(options) };
}

/** For a server with a certificate: whether the daemon may do without verifying it, as a member behind others. */
export function verificationMember(uri: string | null, insecure: boolean): string {
  return /^wss:/i.test(uri ?? '') ? `,"insecure":${insecure}` : '';
}

/** With a daemon that is started where there is none, and replaced where it is outdated. */
export function anyDaemonExchange(args: Arguments): Exchange {
  const exchange = daemonExchange(args);
  return async (outbound, listener) => {
    const seen: { other: string | null } = { other: null };
    const otherVersion = (version: string) => (seen.other = version);
    const answer = await withDaemon(args, () => exchange(outbound, { ...listener, otherVersion }));
    if (seen.other !== null && args.autostart) await full().replaceOlder(args, seen.other);
    return answer;
  };
}

/** Times a daemon is looked for: one may end just when it is found. */
const ATTEMPTS = 5;

/** Makes the attempt; if there is no daemon, starts one, where it may, and makes it again. */
export async function withDaemon<T>(args: Arguments, attempt: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      const isMissing = isMidcltError(error) && error.code === 'NO_DAEMON';
      if (!isMissing || !args.autostart || left === 0) throw error;
      await full().startForCall(args, error);
    }
  }
}

/** Opened only when there is no daemon, or one of another version. */
function full(): typeof import('../full.js') {
  return require('../full.js') as typeof import('../full.js');
}

/** Returns when the daemon is gone. */
export async function stopDaemon(options: Pick<Arguments, 'uri' | 'username'>): Promise<number> {
  const { uri, username } = options;
  let answer: string | ErrorFrame;
  try {
    answer = await sendStop(daemonPaths(uri, username));
  } catch (error) {
    if (!isMidcltError(error) || error.code !== 'NO_DAEMON') throw error;
    sayLine('No daemon is currently running');
    if (isTerminal()) await full().sayNearMatches(options);
    return 1;
  }
  const failed = typeof answer !== 'string';
  sayLine(typeof answer === 'string' ? answer : `Error stopping daemon: ${answer.error}`);
  return failed ? 1 : 0;
}

function requestLine({ command, method, params, timeout, job }: Outbound, more: string): string {
  const seconds = timeout === null ? [] : [`"timeout":${timeout}`];
  const members =
    command === Command.PING
      ? seconds
      : [
          `"method":${quote(method)}`,
          `"params":${params}`,
          `"kwargs":{${[...seconds, ...(job ? ['"job":true'] : [])].join(',')}}`,
          ...(job ? ['"job_id":true'] : []),
        ];
  return `{"command":"${command}",${members.map((member) => `${member},`).join('')}"version":"${VERSION}","close":true${more}}\n`;
}
