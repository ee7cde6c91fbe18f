/** What is known of the daemons of this user: asked of each, and all asked at once. */
import fs from 'node:fs';
import { askStatus, type Address } from '../client.js';
import { asMidcltError } from '../errors.js';
import { getDaemonDir } from '../paths.js';
import { pidBeside } from '../pid.js';
import { mayBeBusy } from '../responsive.js';
import type { StatusReport } from '../status.js';

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
  const found = (state: Daemon['state'], problem: string | null = null): Daemon => {
    return { address, socket, pid, state, report: null, problem };
  };
  try {
    const answer = await askStatus(address, PATIENCE);
    if (!Buffer.isBuffer(answer)) return found('foreign');
    const report = JSON.parse(answer.toString()) as StatusReport;
    return { ...found('running'), report };
  } catch (error) {
    const { code, message } = asMidcltError(error);
    if (code === 'NO_DAEMON' || code === 'LOST') return found('gone');
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
