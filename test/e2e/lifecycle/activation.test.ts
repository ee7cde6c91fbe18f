/** systemd's socket activation: the daemon serves a socket that somebody else made and keeps. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { ROOT } from '../../support/root.js';
import { takeListenFd } from '../../../lib/daemon/service-manager.js';
import { MISTAKE } from '../../../lib/errors.js';
import { getDaemonIdentifier } from '../../../lib/files/paths.js';
import { surroundings, type Surroundings } from '../../support/daemon.js';
import { BINARY, environment, midclt, missing, until } from '../../support/midclt.js';
import { call, converse } from '../../support/wire.js';

const STARTER = path.join(ROOT, 'test/support/activate.py');
const CONTRIB = path.join(ROOT, 'contrib/systemd');

interface Started extends Surroundings {
  readonly socket: string;
  readonly pidFile: string;
  readonly text: () => string;
  /** Pids of the daemons that the starter has started. */
  readonly pids: () => number[];
  readonly count: (word: string) => number;
}

async function activate(t: Test, kind: string, args: readonly string[] = []): Promise<Started> {
  const around = await surroundings(t);
  const { home, uri } = around;
  const stem = `${home}/.midclt/daemon-${getDaemonIdentifier(uri, null)}`;
  fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
  const command = [process.execPath, BINARY, '-u', uri, 'daemon', ...args];
  const starter = spawn('python3', [STARTER, kind, `${stem}.sock`, ...command], {
    env: environment(home),
    cwd: home,
  });
  let text = '';
  for (const stream of [starter.stdout, starter.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const matches = (word: RegExp) => [...text.matchAll(word)];
  const pids = () => matches(/^started (\d+)$/gm).map(([, pid]) => Number(pid));
  const count = (word: string) => text.split(word).length - 1;
  t.teardown(() => {
    starter.kill('SIGKILL');
    const running = count('started ') - count('ended ') > 0 ? pids().at(-1) : undefined;
    if (running !== undefined) process.kill(running, 'SIGKILL');
  });
  await until('the socket', () => text.includes('listening'));
  return {
    ...around,
    socket: `${stem}.sock`,
    pidFile: `${stem}.pid`,
    text: () => text,
    pids,
    count,
  };
}

const skip = missing('python3');

t.test(
  'a call starts the daemon, and the next one after it was idle another',
  { skip },
  async (t) => {
    const started = await activate(t, 'unix', ['--lifetime', '3']); // time to look at its files
    const inode = fs.statSync(started.socket).ino;
    const run = () => midclt(['-u', started.uri, '-d', 'call', 'test.echo', '2.0'], started);
    t.same(started.pids(), [], 'nobody has connected');
    for (const round of [1, 2, 3]) {
      t.match(await run(), { code: 0, stdout: '[2.0]\n', stderr: '' });
      t.equal(started.pids().length, round);
      t.equal(fs.readFileSync(started.pidFile, 'utf8'), String(started.pids().at(-1)));
      await until('it to be idle for long enough', () => started.count('ended 0') === round);
      t.notOk(fs.existsSync(started.pidFile), 'its pid file is gone');
      t.equal(fs.statSync(started.socket).ino, inode, "the socket is the starter's and stays");
    }
    t.equal(started.count('Error'), 0);
  },
);

t.test('what was sent before the daemon was there is answered', { skip }, async (t) => {
  const started = await activate(t, 'unix', ['--lifetime', '0']);
  const early = await Promise.all([1, 2, 3].map(() => converse(t, started.socket)));
  early.forEach((each, id) => each.send(call('test.echo', `[${id}]`, undefined, { keep: true })));
  for (const [id, each] of early.entries()) t.match(await each.frame(), { result: [id] });
  const environ = fs.readFileSync(`/proc/${started.pids()[0]!}/environ`, 'utf8');
  t.match(environ, /LISTEN_FDS=1/, 'it was told so');
  const second = await midclt(['-u', started.uri, 'daemon'], started);
  t.match(second, { code: 1, stderr: /already running \(pid \d+\)/ });
  const stop = await midclt(['-u', started.uri, 'daemon-stop'], started);
  t.match(stop, { code: 0 });
  await until('its end', () => started.count('ended 0') === 1);
  t.ok(fs.existsSync(started.socket));
});

t.test('its end leaves alone what replaced the socket', { skip }, async (t) => {
  const started = await activate(t, 'unix', ['--lifetime', '0']);
  t.match(await midclt(['-u', started.uri, '-d', 'ping'], started), { code: 0 });
  fs.unlinkSync(started.socket);
  fs.writeFileSync(started.socket, 'mine');
  process.kill(started.pids()[0]!, 'SIGTERM');
  await until('its end', () => started.count('ended 0') === 1);
  t.equal(fs.readFileSync(started.socket, 'utf8'), 'mine');
});

t.test('the variables are for one process, and are not passed on', (t) => {
  const env = { LISTEN_PID: String(process.pid), LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b', X: '1' };
  t.equal(takeListenFd(env), 3);
  t.same(env, { X: '1' });
  t.equal(takeListenFd(env), null);
  t.equal(takeListenFd({ LISTEN_PID: String(process.pid), LISTEN_FDS: '0' }), null);
  t.equal(takeListenFd({ LISTEN_PID: '1', LISTEN_FDS: '1' }), null);
  t.end();
});

t.test('what is no listening Unix socket is refused', { skip }, async (t) => {
  for (const kind of ['tcp', 'file', 'datagrams']) {
    const started = await activate(t, kind);
    await until('its end', () => started.count('ended') === 1);
    t.match(
      started.text(),
      /\nError: File descriptor 3, .* is no listening Unix socket: .*\n/,
      kind,
    );
    t.match(started.text(), 'ended 1', kind);
    t.notOk(fs.existsSync(started.pidFile), kind);
  }
});

t.test('a socket that is meant for another process is not taken', { skip }, async (t) => {
  const started = await activate(t, 'foreign');
  await until('its end', () => started.count('ended') === 1);
  t.match(started.text(), /already running/, 'it goes by the path, where the starter listens');
});

t.test('the units are sound', { skip: missing('systemd-analyze') }, async (t) => {
  const home = (await surroundings(t)).home;
  for (const name of ['midclt.socket', 'midclt.service']) {
    const unit = fs.readFileSync(`${CONTRIB}/${name}`, 'utf8');
    if (name === 'midclt.service')
      t.match(unit, `\nRestartPreventExitStatus=${MISTAKE}\n`, 'F49: a bug is not repeated');
    fs.writeFileSync(`${home}/${name}`, unit.replace('/usr/local/bin/midclt', process.execPath));
  }
  const units = [`${home}/midclt.socket`, `${home}/midclt.service`];
  const run = spawnSync('systemd-analyze', ['--user', 'verify', ...units], {
    encoding: 'utf8',
    env: environment(home, { XDG_RUNTIME_DIR: home }),
  });
  t.equal(run.stdout + run.stderr, '');
  t.equal(run.status, 0);
});
