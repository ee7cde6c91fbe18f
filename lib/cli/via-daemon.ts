/** Through a daemon: `-d call`, `-d ping`, `daemon-stop`. All they do is a round trip over its socket. */
import { sendRequest, sendStop } from '../client.js';
import { isMidcltError } from '../errors.js';
import { quote } from '../members.js';
import { daemonPaths } from '../paths.js';
import { Command, type ErrorFrame } from '../protocol.js';
import type { Arguments } from './arguments.js';
import type { Exchange, Outbound } from './call.js';
import { sayLine } from './output.js';

type Address = Pick<Arguments, 'uri' | 'username'>;

export function daemonExchange({ uri, username }: Address): Exchange {
  return (outbound, listener) =>
    sendRequest(daemonPaths(uri, username).socket, requestLine(outbound), listener);
}

/** Returns when the daemon is gone. */
export async function stopDaemon({ uri, username }: Address): Promise<number> {
  let answer: string | ErrorFrame;
  try {
    answer = await sendStop(daemonPaths(uri, username).socket);
  } catch (error) {
    if (!isMidcltError(error) || error.code !== 'NO_DAEMON') throw error;
    sayLine('No daemon is currently running');
    return 1;
  }
  const failed = typeof answer !== 'string';
  sayLine(typeof answer === 'string' ? answer : `Error stopping daemon: ${answer.error}`);
  return failed ? 1 : 0;
}

function requestLine({ command, method, params, timeout, job }: Outbound): string {
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
  return `{"command":"${command}",${members.map((member) => `${member},`).join('')}"close":true}\n`;
}
