/** What is known of the daemons of this user: asked of each, and all asked at once. */
import fs from 'node:fs';
import { askStatus, isListening, type Address } from '../../protocol/client.js';
import { asMidcltError, publicText } from '../../errors.js';
import { getDaemonDir } from '../../files/paths.js';
import { pidBeside } from '../../files/pid.js';
import { mayBeBusy } from '../../protocol/signs-of-life.js';
import { readStatus, type StatusReport } from '../../protocol/status.js';

/** Milliseconds for an answer, so that the commands end within two seconds. */
const PATIENCE = 1500;

export interface Daemon {
  readonly address: Address;
  readonly socket: string;
  /** From the pid file. */
  readonly pid: number | null;
  /** `foreign`: the Python daemon, which does not know `status`, or is too busy to say even that. `gone`: nothing listens. */
  readonly state: 'running' | 'foreign' | 'hung' | 'gone' | 'unusable';
  readonly report: StatusReport | null;
  /** What is wrong, where something is. */
  readonly problem: string | null;
}

/** Never rejects. */
export async function look(address: Address): Promise<Daemon> {
  const { socket } = address;
  const pid = pidBeside(socket);
  const name = pid === null ? `The daemon at ${socket}` : `The daemon (pid ${pid})`;
  const found = (state: Daemon['state'], problem: string | null = null): Daemon => {
    return { address, socket, pid, state, report: null, problem };
  };
  try {
    const answer = await askStatus(address, PATIENCE);
    if (!Buffer.isBuffer(answer)) {
      // An unknown command is a ValueError; what refuses a known one is something else.
      return answer.errorType === 'ValueError' ? found('foreign') : found('unusable', answer.error);
    }
    const report = readStatus(answer);
    if (report) return { ...found('running'), report };
    return found('unusable', `${name} answered 'status' with what is no status`);
  } catch (error) {
    const { code } = asMidcltError(error);
    const message = publicText(error);
    if (code === 'NO_DAEMON') return found('gone');
    if (code === 'LOST') {
      const isGone = !(await isListening(address));
      return isGone
        ? found('gone')
        : found('unusable', `${name} closed the connection without an answer`);
    }
    if (code !== 'HUNG') return found('unusable', message);
    return mayBeBusy(socket, false) ? found('foreign') : found('hung', message);
  }
}

/** All that have a socket in the directory, by name. */
export function lookAround(): Promise<Daemon[]> {
  const directory = getDaemonDir();
  const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  const sockets = names.filter((name) => /^daemon-[^/]+\.sock$/.test(name)).sort();
  return Promise.all(sockets.map((name) => look({ directory, socket: `${directory}/${name}` })));
}
