/** What goes wrong in a soak on the daemon's side: its process, its socket, its files, and who comes to it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { hasEnded } from '../../lib/files/paths.js';
import { descriptors } from './daemon.js';
import { pidIn } from './lifecycle.js';
import { finished, spawnMidclt, until } from './midclt.js';
import { pause } from './soak-clients.js';
import type { Trouble } from './soak-troubles.js';
import type { Stage } from './soak-stage.js';
import type { Frame } from './wire.js';

/** More than a daemon takes. */
const CROWD = 1100;

/** Lines that are no requests, each of which gets one error. */
const GARBAGE: readonly (string | Buffer)[] = [
  '{',
  '[]',
  'null',
  '{"command": 5}',
  '{"command": "call"}',
  '{"command": "dance"}',
  '{"command": "stop", "command": "dance"}',
  '{"command": "call", "method": "test.echo", "params": {}}',
  '{"command": "call", "method": "test.echo", "params": [01]}',
  `{"command": "call", "method": "test.echo", "params": ${'['.repeat(20_000)}}`,
  Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x22]),
  Buffer.alloc(100_000, 0x07),
];

/** Sets a limit of the running daemon, in the words of prlimit. */
function limit({ pid }: Stage, what: string): void {
  spawnSync('prlimit', ['--pid', `${pid}`, what]);
}

function limitsOf({ pid }: Stage): { readonly soft: string; readonly hard: string } {
  const limits = fs.readFileSync(`/proc/${pid}/limits`, 'utf8');
  const [, soft = '', hard = ''] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  return { soft, hard };
}

function connect(stage: Stage): net.Socket {
  const socket = net.connect(stage.daemon.socket);
  return socket.on('error', () => undefined);
}

type Act = (stage: Stage) => Promise<void> | void;

function makes(trouble: Trouble, act: Act): Act {
  return (stage) => stage.ledger.troubles.during([trouble], () => act(stage));
}

/** Signals that mean nothing to a daemon without a terminal. */
const NOTHING_TO_IT = ['SIGUSR1', 'SIGHUP', 'SIGCONT', 'SIGWINCH'] as const;

export const DAEMON_FAULTS: Readonly<Record<string, Act>> = {
  'client killed (F16)': ({ clients, dice }) => {
    dice.pick(clients).kill();
  },
  'client does not read (F29, F41)': ({ clients, dice }) => {
    void dice.pick(clients).nap(3000);
  },
  'command interrupted (F16)': async (stage) => {
    const { dice, env, globals, home, ledger } = stage;
    const seconds = 1 + dice.random();
    const entry = ledger.note('sleep', 'test.sleep', [seconds]);
    const child = spawnMidclt([...globals, '-d', 'call', 'test.sleep', `${seconds}`], {
      home,
      env,
    });
    const done = finished(child);
    await pause(dice.random() * 600);
    child.kill(dice.pick(['SIGINT', 'SIGTERM', 'SIGKILL'] as const));
    await done;
    ledger.settle(entry, 'abandoned');
  },
  'daemon stopped (F4)': makes('halt', async (stage) => {
    process.kill(stage.pid, 'SIGSTOP');
    await pause(stage.dice.random() * 1200);
    process.kill(stage.pid, 'SIGCONT');
  }),
  'signals that mean nothing (F47)': ({ pid, dice }) => {
    process.kill(pid, dice.pick(NOTHING_TO_IT));
  },
  'second daemon started (F2)': async ({ globals, home, ledger, transport }) => {
    const args = [...globals, ...transport.login, 'daemon'];
    const { code, stderr } = await finished(spawnMidclt(args, { home }));
    if (code !== 1 || !/already running|runs and closes|Cannot connect/.test(stderr))
      ledger.violate(`a second daemon: ${code} ${stderr}`);
  },
  'garbage lines (F28)': async (stage) => {
    const line = stage.dice.pick(GARBAGE);
    const since = { sent: performance.now() };
    const socket = connect(stage);
    const answer: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    socket.end(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
    await new Promise((resolve) => socket.once('close', resolve));
    const lines = Buffer.concat(answer).toString().split('\n').filter(Boolean);
    const [frame] = lines.map((each) => JSON.parse(each) as Frame);
    const isRight = lines.length === 1 && frame?.type === 'error';
    if (!isRight && !stage.ledger.happened(since, 'crowd'))
      stage.ledger.violate(`garbage ${line.toString().slice(0, 60)}: ${lines.join(' ')}`);
  },
  'endless line (F28, F46)': async (stage) => {
    const socket = connect(stage).resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('{"command": "call", "method": "test.echo", "params": ["');
    for (let i = 0; i < 50; i++) socket.write('x'.repeat(100_000));
    await pause(200);
    socket.destroy();
    await closed;
  },
  'half a line, and gone (F28)': async (stage) => {
    const socket = connect(stage);
    socket.write('{"command": "call", "method": "test.echo", "par');
    await pause(50);
    socket.destroy();
  },
  'crowd of connections (F29)': makes('crowd', async (stage) => {
    const crowd = Array.from({ length: CROWD }, (_, i) => {
      const socket = connect(stage).resume();
      if (i % 3 === 0) socket.write('{"command": "ping"}\n');
      if (i % 3 === 1) socket.write('{"command": ');
      return socket;
    });
    await pause(stage.dice.random() * 500);
    for (const socket of crowd) socket.destroy();
  }),
  'descriptors used up (F44)': makes('crowd', async (stage) => {
    const { soft, hard } = limitsOf(stage);
    limit(stage, `--nofile=${descriptors(stage.pid)}:${hard}`);
    const clients = Array.from({ length: 10 }, () => connect(stage).resume());
    await pause(stage.dice.random() * 500);
    for (const client of clients) client.destroy();
    limit(stage, `--nofile=${soft}:${hard}`);
  }),
  'log renamed or removed (F32)': ({ daemon: { logFile }, dice }) => {
    if (!fs.existsSync(logFile)) return;
    if (dice.random() < 0.5) fs.rmSync(logFile);
    else fs.renameSync(logFile, `${logFile}.moved`);
  },
  'log can not be written (F33)': async (stage) => {
    // As on a full disk, a file of the daemon's can't grow.
    limit(stage, '--fsize=0:unlimited');
    await pause(stage.dice.random() * 800);
    limit(stage, '--fsize=unlimited:unlimited');
  },
};

/** So many commands at once find no daemon. */
const STARTERS = 3;

/** Ends the daemon, and lets commands that need one start the next. */
function end(act: Act): Act {
  return (stage) => stage.ledger.troubles.during(['end'], () => replace(stage, act));
}

async function replace(stage: Stage, act: Act): Promise<void> {
  const { daemon, env, globals, home, ledger, pid } = stage;
  await act(stage);
  const starts = Array.from({ length: STARTERS }, () =>
    finished(spawnMidclt([...globals, '-d', 'ping'], { home, env })),
  );
  for (const { code, stdout, stderr } of await Promise.all(starts))
    if (code !== 0 || stdout !== 'pong\n') ledger.violate(`a start: ${code} ${stderr}`);
  await until('the daemon to end', () => hasEnded(pid), 30_000).catch(() => {
    const log = fs.readFileSync(daemon.logFile, 'utf8').split('\n');
    const own = log.filter((line) => line.includes(`"pid":${pid}`)).slice(-10);
    ledger.violate(`the daemon does not end: ${own.join(' ')}`);
    process.kill(pid, 'SIGKILL');
  });
  await until('the next one', () => (pidIn(daemon.pidFile) ?? pid) !== pid);
}

/** What ends a daemon that is not to last. */
export const ENDS: Readonly<Record<string, Act>> = {
  'daemon killed (F1, F3, F24)': end(({ ledger, pid }) =>
    // A moment: whoever asks from now on asks another.
    ledger.troubles.during(['death'], () => {
      process.kill(pid, 'SIGKILL');
    }),
  ),
  'daemon told to go (F5, F31, F41)': end(({ pid }) => {
    process.kill(pid, 'SIGTERM');
  }),
  'daemon stopped by its command (F31)': end(async ({ daemon, ledger }) => {
    const { code, stderr } = await daemon.d(['daemon-stop']);
    if (code !== 0) ledger.violate(`daemon-stop: ${stderr}`);
  }),
  "daemon's socket removed (F6)": end(({ daemon }) => {
    fs.rmSync(daemon.socket);
  }),
};
