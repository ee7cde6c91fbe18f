/** F42: a daemon that is to go is gone, whatever step of its end fails. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { exchange, startDaemon, surroundings } from '../../support/daemon.js';
import { filesOf, isAlive, pidIn } from '../../support/lifecycle.js';
import { until } from '../../support/midclt.js';
import { noOtherUser, otherUser } from '../../support/other-user.js';

t.jobs = 4; // they wait, side by side

t.setTimeout(90_000);

/** Another user's daemon in a directory that this user can no longer write to. */
async function inReadOnly(t: Test, args: readonly string[] = []) {
  const { sandbox } = await surroundings(t, { ws: 0 });
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const { home, run } = otherUser(t);
  const command = (...rest: string[]) =>
    run(['-u', uri, '-U', 'admin', ...rest], { MIDCLT_PASSWORD: 'admin-pw' });
  t.match(await command('daemon', '--detach', ...args), { code: 0 });
  const files = filesOf(home, uri, 'admin');
  const pid = pidIn(files.pid)!;
  t.teardown(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  fs.chmodSync(`${home}/.midclt`, 0o500);
  const events = () =>
    fs
      .readFileSync(files.log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { command, files, pid, events, directory: `${home}/.midclt` };
}

t.test(
  'F42: daemon-stop ends a daemon whose directory can no longer be written to',
  { skip: noOtherUser },
  async (t) => {
    const { command, files, pid, events, directory } = await inReadOnly(t);
    t.match(await command('daemon-stop'), { code: 0, stderr: 'Daemon shutting down\n' });
    await until('it to be gone', () => !isAlive(pid));
    const failed = events().filter(({ event }) => event === 'step of the end failed');
    for (const { level, error } of failed) t.match([level, error], ['warning', /EACCES/]);
    t.equal(failed.length, 2, 'the socket and the pid file, each once');
    t.equal(events().at(-1)?.event, 'stopped', 'all other steps were done');
    t.ok(fs.existsSync(files.socket), 'it could not be removed');
    t.match(await command('daemon-stop'), {
      code: 1,
      stderr: 'No daemon is currently running\n',
    });
    fs.chmodSync(directory, 0o700);
    t.match(await command('daemon', '--detach'), { code: 0 }, 'the next one starts');
    t.match(await command('daemon-stop'), { code: 0 });
  },
);

t.test('F42: so do a signal and the idle clock', { skip: noOtherUser }, async (t) => {
  const bySignal = await inReadOnly(t);
  process.kill(bySignal.pid, 'SIGTERM');
  const byClock = await inReadOnly(t, ['--lifetime', '1']);
  for (const { pid, events } of [bySignal, byClock]) {
    await until('it to be gone', () => !isAlive(pid));
    t.equal(events().at(-1)?.event, 'stopped');
  }
});

t.test(
  'F42: so does one whose directory cannot even be looked at',
  { skip: noOtherUser },
  async (t) => {
    const { command, pid, events, directory } = await inReadOnly(t);
    fs.chmodSync(directory, 0o000); // not even to be looked at
    process.kill(pid, 'SIGTERM');
    await until('it to be gone', () => !isAlive(pid));
    fs.chmodSync(directory, 0o700);
    t.equal(events().at(-1)?.event, 'stopped');
    t.match(await command('daemon', '--detach'), { code: 0 });
    t.match(await command('daemon-stop'), { code: 0 });
  },
);

t.test('F42: a daemon whose log nobody reads ends as it is told to', async (t) => {
  const args = ['--log-file', '-', '--log-level', 'debug'];
  for (const how of ['daemon-stop', 'SIGTERM'] as const) {
    const daemon = await startDaemon(t, { args });
    daemon.child.stderr.pause();
    const ping = '{"command":"call","method":"core.ping"}\n';
    const { frames } = await exchange(daemon.socket, ping.repeat(3000), { halfClose: true });
    t.equal(frames.length, 3000);
    if (how === 'SIGTERM') daemon.child.kill('SIGTERM');
    else t.match(await daemon.d(['daemon-stop']), { code: 0 });
    await until(`its end by ${how}`, () => !isAlive(daemon.child.pid!), 30_000);
  }
});
