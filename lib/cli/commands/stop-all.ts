/** `daemon-stop --all`: every daemon of this user. */
import { sendStop } from '../../protocol/client.js';
import { asMidcltError } from '../../errors.js';
import { lookAround, type Daemon } from './daemons.js';
import { sayError, sayLine } from '../output/output.js';

/** 0 if all there were have gone; 1 if there were none, or one did not go. */
export async function stopAll(): Promise<number> {
  const daemons = (await lookAround()).filter(({ state }) => state !== 'gone');
  if (daemons.length === 0) {
    sayLine('No daemon is currently running');
    return 1;
  }
  const stopped = await Promise.all(daemons.map(stop));
  return stopped.every(Boolean) ? 0 : 1;
}

async function stop({ address, socket, pid, problem }: Daemon): Promise<boolean> {
  if (problem !== null) {
    sayLine(`Error: ${problem}`);
    return false;
  }
  const who = pid === null ? socket : `pid ${pid}`;
  try {
    const answer = await sendStop(address);
    const isStopped = typeof answer === 'string';
    sayLine(`${isStopped ? answer : `Error stopping daemon: ${answer.error}`} (${who})`);
    return isStopped;
  } catch (error) {
    if (asMidcltError(error).code === 'NO_DAEMON') return true; // it has just gone
    sayError(error);
    return false;
  }
}
