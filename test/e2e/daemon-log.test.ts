/** Where the daemon's log goes, and what becomes of it when it can't. */
import fs from 'node:fs';
import t from 'tap';
import { exchange, startDaemon, surroundings } from '../support/daemon.js';

const PING = '{"command":"ping","close":true}\n';

t.test('logs NDJSON to the file it is given, relative to where it was started', async (t) => {
  const around = await surroundings(t);
  const daemon = await startDaemon(t, { around, args: ['--log-file', 'here.log'] });
  t.equal(daemon.stdout(), `Accepting connections. Log file: ${around.home}/here.log\n`);
  await exchange(daemon.socket, PING);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const lines = fs.readFileSync(`${around.home}/here.log`, 'utf8').trim().split('\n');
  for (const line of lines) {
    t.match(JSON.parse(line), {
      time: String,
      level: String,
      event: String,
      pid: daemon.child.pid,
    });
  }
  t.ok(lines.length >= 4);
  t.equal(fs.statSync(`${around.home}/here.log`).mode & 0o777, 0o600);
});

t.test('F33: logs to stderr when it is told to, or when the file cannot be written', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around, args: ['--log-file', '-'] });
  t.equal(first.stdout(), 'Accepting connections. Logging to stderr.\n');
  first.child.kill('SIGTERM');
  await first.exited;
  t.match(first.stderr(), /"event":"stopped"/);
  const second = await startDaemon(t, { around, args: ['--log-file', '/proc/nowhere/x.log'] });
  t.match(second.stderr(), /^Cannot write the log file \/proc\/nowhere\/x.log: .*ENOENT/);
  t.equal(second.stdout(), 'Accepting connections. Logging to stderr.\n');
});

t.test(
  'F33: a log that fails is said once and takes neither the daemon nor its exit code',
  async (t) => {
    const daemon = await startDaemon(t, { args: ['--log-file', '/dev/full'] });
    t.match(await daemon.d(['call', 'core.ping']), { code: 0, stdout: 'pong\n' });
    await daemon.d(['daemon-stop']);
    t.match(await daemon.exited, { code: 0 });
    t.match(daemon.stderr(), /^Cannot write the log file .*ENOSPC.*\n$/);
  },
);
