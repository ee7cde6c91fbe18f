/** Through a daemon: `-d call`, `-d ping`, `daemon-stop`. All they do is a round trip over its socket. */
import { sendRequest, sendStop, startingDaemon, type Address } from '../../protocol/client.js';
import { isMidcltError } from '../../errors.js';
import { quote } from '../../json/members.js';
import { daemonPaths } from '../../files/paths.js';
import { Command, VERSION, type ErrorFrame } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';
import type { Exchange, Outbound } from './call.js';
import { hearing, isTerminal, sayLine, tellAfterSilence } from '../output/output.js';
import { startCommand, type OwnOptions } from '../../text/for-person.js';

/** Asks the daemon that runs, and starts none. `signal` gives up what is asked, as {@link sendRequest} does. */
export function daemonExchange(options: OwnOptions, signal?: AbortSignal): Exchange {
  const address = daemonAddress(options);
  const { uri, insecure } = options;
  const more = insecure === undefined ? '' : verificationMember(uri, insecure);
  return (outbound, listener) =>
    tellAfterSilence(
      (heard) =>
        sendRequest(address, requestLine(outbound, more), hearing(listener, heard), signal),
      (isOver) => void full().sayWhyDaemonWaits(address, isOver),
    );
}

/** The daemon's socket, and the command that starts it, for the error that there is none. */
export function daemonAddress(options: OwnOptions): Address {
  const { socket, directory } = daemonPaths(options.uri, options.username);
  return { socket, directory, startCommand: startCommand(options) };
}

/** A member that says whether the daemon may leave the server's certificate unverified; nothing unless it has one. */
export function verificationMember(uri: string | null, insecure: boolean): string {
  return /^wss:/i.test(uri ?? '') ? `,"insecure":${insecure}` : '';
}

/** Asks the daemon. Starts one if there is none, and replaces one of an older version. `signal` as for {@link daemonExchange}. */
export function anyDaemonExchange(args: Arguments, signal?: AbortSignal): Exchange {
  const exchange = daemonExchange(args, signal);
  return async (outbound, listener) => {
    const seen: { other: string | null } = { other: null };
    const otherVersion = (version: string) => (seen.other = version);
    const answer = await withDaemon(args, () => exchange(outbound, { ...listener, otherVersion }));
    if (seen.other !== null && args.autostart) await full().replaceOlder(args, seen.other);
    return answer;
  };
}

/** Makes the attempt. If there is no daemon, starts one, unless it may not, and makes the attempt again. */
export function withDaemon<T>(args: Arguments, attempt: () => Promise<T>): Promise<T> {
  return startingDaemon(attempt, async (missing) => {
    if (!args.autostart) throw missing;
    await full().startForCall(args, missing);
  }).catch((error: unknown) => {
    throw isMidcltError(error) && error.code === 'LOST' ? full().afterCrash(args, error) : error;
  });
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

function requestLine(outbound: Outbound, member: string): string {
  const more = outbound.asksOutcome ? `${member},"not_sent":true` : member;
  const { command, method, params, timeout, job, detach, jobId } = outbound;
  const seconds = timeout === null ? [] : [`"timeout":${timeout}`];
  if (command === Command.PING) return lineOf(command, seconds, more);
  if (command === Command.FOLLOW) {
    return lineOf(command, [`"job":${jobId ?? 0}`, ...seconds, '"job_id":true'], more);
  }
  const flags = [...(job ? ['"job":true'] : []), ...(detach ? ['"detach":true'] : [])];
  const members = [
    `"method":${quote(method)}`,
    `"params":${params}`,
    `"kwargs":{${[...seconds, ...flags].join(',')}}`,
    ...(job ? ['"job_id":true'] : []),
  ];
  return lineOf(command, members, more);
}

/** A request that is the only one of its connection; `more` is as {@link verificationMember} gives it. */
export function lineOf(command: Command, members: readonly string[], more: string): string {
  return `{"command":"${command}",${members.map((member) => `${member},`).join('')}"version":"${VERSION}","close":true${more}}\n`;
}
