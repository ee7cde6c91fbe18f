/** The Python daemon takes its lock before it reads: its silence is no sign of death. */
import fs from 'node:fs';
import t from 'tap';
import { freeze, isAlive } from '../support/lifecycle.js';
import { makeHome, missing, until } from '../support/midclt.js';
import { startPythonDaemon } from '../support/python-daemon.js';

t.jobs = 4; // they wait, side by side

t.setTimeout(600_000);

const skip = missing('python3');
const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
/** Seconds: longer than a daemon of this program may say nothing. */
const BUSY = '14';

t.test('F4: a busy Python daemon is waited for, and each call made once', { skip }, async (t) => {
  for (const options of [[], ['--no-pid-file']]) {
    const { run, read, pid } = await startPythonDaemon(t, makeHome(t), options);
    const long = run(['-d', 'call', 'test.sleep', BUSY]);
    await until('it to be busy', () => read().length === 1);
    const line = '{"command": "call", "method": "test.echo", "params": [2]}\n';
    const [ping, echo, batch, status] = await Promise.all([
      run(['-d', 'ping']),
      run(['-d', 'call', 'test.echo', '1']),
      run(['-d', 'batch'], line),
      run(['daemon-status']),
    ]);
    t.match(ping, PONG);
    t.match(echo, { code: 0, stdout: '[1]\n', stderr: '' });
    t.match(batch, { code: 0, stdout: '{"type": "result", "result": [2]}\n', stderr: '' });
    t.match(await long, { code: 0, stdout: `${BUSY}\n`, stderr: '' });
    t.equal(read().filter((line) => line === 'call test.echo').length, 2, 'each once');
    if (options.length === 0) t.match(status, { code: 1, stderr: `running (pid ${pid})` });
  }
});

t.test('F4: a stopped Python daemon is told from a busy one', { skip }, async (t) => {
  const { run, pid } = await startPythonDaemon(t, makeHome(t));
  await freeze(pid);
  const [call, stop] = await Promise.all([run(['-d', 'ping']), run(['daemon-stop'])]);
  for (const { code, stderr } of [call, stop]) {
    t.equal(code, 1);
    t.match(stderr, `The daemon (pid ${pid}) does not answer`);
    t.match(stderr, `kill -CONT ${pid}`);
  }
});

t.test('F31: daemon-stop of a busy Python daemon waits for it to stop', { skip }, async (t) => {
  const { run, read, pid, socket } = await startPythonDaemon(t, makeHome(t));
  const long = run(['-d', 'call', 'test.sleep', '5']);
  await until('it to be busy', () => read().length === 1);
  t.match(await run(['daemon-stop']), { code: 0, stdout: '', stderr: 'Daemon shutting down\n' });
  t.match(await long, { code: 0, stdout: '5\n' });
  t.notOk(fs.existsSync(socket));
  t.notOk(isAlive(pid));
});

t.test('F31: daemon-stop of a Python daemon returns when it is gone', { skip }, async (t) => {
  for (const args of [['daemon-stop'], ['daemon-stop', '--all']])
    for (const options of [[], ['--no-pid-file']]) {
      const { run, pid, socket } = await startPythonDaemon(t, makeHome(t), [
        ...['--slow-end', '2'],
        ...options,
      ]);
      t.match(await run(args), { code: 0, stdout: '', stderr: /^Daemon shutting down/ });
      t.notOk(fs.existsSync(socket), 'its socket is gone');
      if (options.length === 0) t.notOk(isAlive(pid), 'and so is its process');
      t.match(await run(args), { code: 1, stderr: 'No daemon is currently running\n' });
    }
});
