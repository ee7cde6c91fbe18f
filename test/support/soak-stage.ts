/** A transport of a soak: a server, what stands before it, a daemon, and those who use that. */
import fs from 'node:fs';
import type { Test } from 'tap';
import { hasEnded } from '../../lib/files/paths.js';
import { API_KEYS, type SandboxOptions } from '../../lib/sandbox/index.js';
import { descriptors, startDaemon, type RunningDaemon } from './daemon.js';
import type { Dice } from './garbage.js';
import { AUTOSTART, pidIn } from './lifecycle.js';
import { makeHome } from './midclt.js';
import { startSandboxProcess, type SandboxProcess } from './sandbox-process.js';
import { HABITS, SoakClient } from './soak-clients.js';
import { ServerJournal } from './soak-journal.js';
import { Ledger } from './soak-ledger.js';
import { NOTHING_DONE, type Done } from './soak-processes.js';
import { startSoakProxy, type SoakProxy } from './soak-proxy.js';
import { EventSubscriber } from './soak-subscribers.js';
import { logSince } from './soak-troubles.js';
import { residentMegabytes } from './wire.js';

export interface Transport {
  readonly name: string;
  /** Where the server listens; a Unix socket's connections are root's. */
  readonly over: 'unix' | 'ws' | 'wss';
  readonly path: '/api/current' | '/websocket';
  /** How it logs in: arguments that only the daemon has. */
  readonly login: readonly string[];
  /** Login messages a minute that the faults of this transport may cost, and of one login. */
  readonly budget: number;
  readonly cost: number;
  /** Milliseconds between two faults. */
  readonly every: number;
  /** Characters of a request, at most: an expired session takes 8 kB. */
  readonly size: number;
  /** Its daemon is killed, stopped and replaced, too. */
  readonly isMortal?: boolean;
}

const [key] = API_KEYS;

export const TRANSPORTS: readonly Transport[] = [
  {
    ...{ name: 'ws+unix', over: 'unix', path: '/api/current', login: [] },
    ...{ budget: Infinity, cost: 0, every: 1000, size: Infinity },
  },
  {
    ...{ name: 'ws, password', over: 'ws', path: '/api/current', login: ['-P', 'admin-pw'] },
    ...{ budget: 8, cost: 1, every: 3000, size: 2000 },
  },
  {
    name: 'wss, API key',
    ...{ over: 'wss', path: '/api/current', login: ['-K', `${key!.id}-${key!.key}`] },
    ...{ budget: 8, cost: 2, every: 3000, size: 2000 },
  },
  {
    ...{ name: 'legacy wire', over: 'unix', path: '/websocket', login: [] },
    ...{ budget: Infinity, cost: 0, every: 3000, size: Infinity },
  },
  {
    ...{ name: 'new daemons', over: 'unix', path: '/api/current', login: [] },
    ...{ budget: Infinity, cost: 0, every: 3000, size: Infinity, isMortal: true },
  },
];

export interface Stage {
  readonly transport: Transport;
  readonly home: string;
  readonly sandbox: SandboxProcess;
  readonly proxy: SoakProxy;
  readonly daemon: RunningDaemon;
  /** The daemon's process. */
  readonly pid: number;
  /** Of every command: whether it starts a daemon where there is none. */
  readonly env: NodeJS.ProcessEnv;
  /** What every command has before its name. */
  readonly globals: readonly string[];
  readonly ledger: Ledger;
  readonly journal: ServerJournal;
  readonly clients: readonly SoakClient[];
  readonly listeners: readonly EventSubscriber[];
  readonly dice: Dice;
  /** When faults have cost a login lately. */
  readonly spent: number[];
}

export interface Size {
  readonly clients: number;
  /** Milliseconds. */
  readonly thinks: number;
}

export async function startStage(
  t: Test,
  transport: Transport,
  dice: Dice,
  { clients, thinks }: Size,
  isEnding: () => boolean,
): Promise<Stage> {
  const home = makeHome(t);
  const { over, path, login, size } = transport;
  const journal = `${home}/journal`;
  const place: SandboxOptions = over === 'unix' ? { unix: `${home}/mw.sock` } : { [over]: 0 };
  const sandbox = await startSandboxProcess(t, {
    ...place,
    journal,
    scram: { iterations: 50_000 },
  });
  const isUnix = over === 'unix';
  const proxy = isUnix
    ? await startSoakProxy(t, `${home}/proxy.sock`, `${home}/mw.sock`)
    : await startSoakProxy(t, 0, (over === 'ws' ? sandbox.wsPort : sandbox.wssPort)!);
  const uri = isUnix
    ? `ws+unix://${home}/proxy.sock${path === '/websocket' ? `:${path}` : ''}`
    : `${over}://127.0.0.1:${proxy.port}${path}`;
  if (over === 'wss') fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate!);
  const trusted = over === 'wss' ? ['--ca-file', `${home}/ca.pem`] : [];
  const user = isUnix ? [] : ['-U', 'admin'];
  const daemon = await startDaemon(t, {
    around: { home, uri, sandbox: undefined as never },
    globals: [...user, ...login, ...trusted],
    args: ['--lifetime', '0', '--log-level', 'debug'],
    uri,
    ...(isUnix ? {} : { username: 'admin' }),
  });
  const ledger = new Ledger(dice, (since) => logSince(daemon.logFile, since));
  t.teardown(() => {
    // Those that followed the first are no children of this process.
    const last = transport.isMortal === true ? pidIn(daemon.pidFile) : null;
    if (last !== null && !hasEnded(last)) process.kill(last, 'SIGKILL');
  });
  void daemon.exited.then((ending) => {
    const said = JSON.stringify({ ...ending, stderr: daemon.stderr() });
    const log = fs.existsSync(daemon.logFile) ? fs.readFileSync(daemon.logFile, 'utf8') : '';
    if (!isEnding() && transport.isMortal !== true)
      ledger.violate(`the daemon ended: ${said} ${log.slice(-3000)}`);
  });
  return {
    ...{ transport, home, sandbox, proxy, daemon, ledger, dice },
    get pid() {
      const pid = transport.isMortal === true ? pidIn(daemon.pidFile) : daemon.child.pid;
      if (pid == null) throw new Error(`${transport.name}: there is no daemon`);
      return pid;
    },
    env: transport.isMortal === true ? AUTOSTART : {},
    globals: ['-u', uri, ...user, ...trusted],
    journal: new ServerJournal(journal, ledger),
    clients: Array.from({ length: clients }, (_, i) => {
      const habit = { ...HABITS[i % HABITS.length]!, thinks };
      const own = { ...habit, size: Math.min(habit.size, size) };
      return new SoakClient(daemon.socket, own, ledger, dice);
    }),
    listeners: [0, 1].map(() => new EventSubscriber(daemon.socket, ledger)),
    spent: [],
  };
}

/** What a stage has done so far beside what its ledger has. */
export interface Tally {
  readonly done: Done;
  /** Events of sources. */
  ticks: number;
  /** The daemon's, from before the first fault to behind the last. */
  readonly samples: Measure[];
}

export function newTally(): Tally {
  return { done: { ...NOTHING_DONE }, ticks: 0, samples: [] };
}

export interface Measure {
  readonly descriptors: number;
  readonly megabytes: number;
}

/** Null of a daemon that has just gone. */
export function measure(stage: Stage): Measure | null {
  if (stage.transport.isMortal === true && pidIn(stage.daemon.pidFile) === null) return null;
  const { pid } = stage;
  if (hasEnded(pid)) return null;
  return { descriptors: descriptors(pid), megabytes: Math.round(residentMegabytes(pid)) };
}
