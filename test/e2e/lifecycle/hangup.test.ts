/** SIGHUP: a terminal that is closed takes its daemon along, but in good order, and not under nohup. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { getDaemonIdentifier } from '../../../lib/files/paths.js';
import { startDaemon, surroundings, wakeSleeper } from '../../support/daemon.js';
import { BINARY, environment, midclt, missing, until } from '../../support/midclt.js';
import { call, converse } from '../../support/wire.js';

/** Runs a command line, in which `$MIDCLT` is midclt, on a terminal that `close` closes. */
async function daemonOnTerminal(t: Test, command: string) {
  const around = await surroundings(t);
  const { home, uri } = around;
  const stem = `${home}/.midclt/daemon-${getDaemonIdentifier(uri, null)}`;
  const terminal = spawn(
    'script',
    ['-q', '-e', '-c', `unset NODE_OPTIONS; ${command}`, '/dev/null'],
    {
      env: environment(home, {
        URI: uri,
        MIDCLT: `${process.execPath} ${BINARY}`,
        SHELL: '/bin/sh',
      }),
      cwd: home,
    },
  );
  const closed = new Promise((resolve) => terminal.on('close', resolve));
  t.teardown(() => terminal.kill('SIGKILL'));
  await until('the daemon', () => fs.existsSync(`${stem}.sock`));
  const pid = Number(fs.readFileSync(`${stem}.pid`, 'utf8'));
  t.teardown(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  const close = async () => {
    terminal.kill('SIGKILL'); // the terminal is script(1)'s, and goes with it
    await closed;
  };
  return { ...around, pid, close, socket: `${stem}.sock`, logFile: `${home}/.midclt/logs` };
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const skip = missing('script', 'nohup');

t.test('a daemon whose terminal is closed finishes what is in flight', { skip }, async (t) => {
  for (const command of [
    'exec $MIDCLT -u "$URI" daemon',
    '$MIDCLT -u "$URI" daemon >log 2>&1; :',
  ]) {
    const daemon = await daemonOnTerminal(t, command);
    const busy = await converse(t, daemon.socket);
    busy.send(call('test.sleep', '[3600]'));
    await until('the call', () => daemon.sandbox.countOf('test.sleep') === 1);
    await daemon.close();
    process.kill(daemon.pid, 'SIGHUP'); // as a shell tells its jobs, too
    await until('it to drain', () => !fs.existsSync(daemon.socket));
    wakeSleeper(daemon.sandbox);
    t.match(await busy.frame(), { result: 3600 });
    await until('it to be gone', () => !isAlive(daemon.pid));
    t.same(fs.readdirSync(`${daemon.home}/.midclt`), ['logs'], 'its files are removed');
    const [log = ''] = fs.readdirSync(daemon.logFile);
    t.match(fs.readFileSync(`${daemon.logFile}/${log}`, 'utf8'), /"reason":"SIGHUP"/);
  }
});

t.test('one under nohup outlives its terminal', { skip }, async (t) => {
  for (const where of ['', '>out 2>&1', '</dev/null >out 2>&1']) {
    const daemon = await daemonOnTerminal(t, `nohup $MIDCLT -u "$URI" daemon ${where} & wait`);
    await daemon.close();
    process.kill(daemon.pid, 'SIGHUP');
    const ping = () => midclt(['-u', daemon.uri, '-d', 'ping'], daemon);
    t.match(await ping(), { code: 0, stdout: 'pong\n' }, where);
    t.ok(isAlive(daemon.pid));
    t.match(await midclt(['-u', daemon.uri, 'daemon-stop'], daemon), { code: 0 });
    await until('it to be gone', () => !isAlive(daemon.pid));
  }
});

t.test('one without a terminal takes no notice', async (t) => {
  const daemon = await startDaemon(t);
  daemon.child.kill('SIGHUP');
  t.match(await daemon.d(['ping']), { code: 0, stdout: 'pong\n' });
  daemon.child.kill('SIGTERM');
  t.same(await daemon.exited, { code: 0, signal: null });
});
