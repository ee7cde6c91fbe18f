/** Under nohup a command goes on when its terminal is closed; without it SIGHUP ends it, with a terminal or none. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { startDaemon, surroundings, wakeSleeper, type Surroundings } from '../../support/daemon.js';
import { SHELLS } from '../../support/launcher.js';
import { environment, finished, LAUNCHER, midclt, missing, until } from '../../support/midclt.js';

t.jobs = 2;

const skip = missing('nohup');

/** The program under nohup or not, read by this shell. nohup, the shell and Node are one process. */
function started(
  { home, uri }: Surroundings,
  args: readonly string[],
  { shell = 'sh', nohup = true, env = {} } = {},
) {
  const command = [...(nohup ? ['nohup'] : []), ...shell.split(' '), LAUNCHER, '-u', uri, ...args];
  const child = spawn('env', ['-u', 'NODE_OPTIONS', ...command], {
    env: environment(home, env),
    cwd: home,
  });
  return { child, ended: finished(child) };
}

const SLEEP = '["test.sleep", 3600]\n["core.ping"]\n';

for (const way of [['-d'], []] as const) {
  t.test(`${way[0] ?? 'without -d'}: a batch`, { skip }, async (t) => {
    const daemon = await startDaemon(t);
    fs.writeFileSync(`${daemon.home}/in`, SLEEP);
    const { sandbox } = daemon;
    let calls = 0;
    const batch = async (options: { nohup: boolean; shell?: string; env?: NodeJS.ProcessEnv }) => {
      const run = started(daemon, [...way, 'batch', '--parallel', '1', 'in'], options);
      calls++;
      await until('the call', () => sandbox.countOf('test.sleep') === calls);
      run.child.kill('SIGHUP');
      if (options.nohup) wakeSleeper(sandbox);
      return run.ended;
    };
    for (const shell of SHELLS) {
      t.match(
        await batch({ nohup: true, shell }),
        {
          code: 0,
          stdout: '{"type":"result","result":3600}\n{"type":"result","result":"pong"}\n',
          stderr: /^(?:nohup: [^\n]*\n)?$/,
        },
        shell,
      );
    }
    const plain = await batch({ nohup: false, env: { MIDCLT_NOHUP: '1' } });
    t.match(plain, { signal: 'SIGHUP', stderr: /^Interrupted\. Request 1 is answered/ });
  });

  t.test(`${way[0] ?? 'without -d'}: a job that is waited for`, { skip }, async (t) => {
    const daemon = await startDaemon(t);
    const job = async (nohup: boolean, steps: string) => {
      const words = ['call', '-j', '-jp', 'description', 'test.job', steps, '0.1'];
      const run = started(daemon, [...way, ...words], { nohup });
      let seen = '';
      run.child.stderr.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      await until('progress', () => /^\w.*\n/m.test(seen.replace(/^nohup: .*\n/, '')));
      run.child.kill('SIGHUP');
      return run.ended;
    };
    t.match(await job(true, '8'), { code: 0, stdout: 'done\n' });
    t.match(await job(false, '1000'), { signal: 'SIGHUP', stdout: '' });
  });
}

t.test('a call that the launcher makes by itself', { skip }, async (t) => {
  const daemon = await startDaemon(t);
  const { sandbox } = daemon;
  // A trap takes an ignored signal in zsh, and in no other shell; few have that for their sh.
  const shells = SHELLS.filter((shell) => shell !== 'zsh');
  for (const [place, shell] of shells.entries()) {
    const run = started(daemon, ['-d', 'call', 'test.sleep', '3600'], { shell });
    await until('the call', () => sandbox.countOf('test.sleep') === place + 1);
    run.child.kill('SIGHUP');
    wakeSleeper(sandbox);
    t.match(await run.ended, { code: 0, stdout: '3600\n' }, shell);
  }
});

t.test('a download', { skip }, async (t) => {
  const daemon = await startDaemon(t);
  const { home } = daemon;
  const parts = () => fs.readdirSync(home).filter((name) => name.endsWith('.part'));
  for (const [nohup, size] of [
    [true, '200000'],
    [false, '30000000'],
  ] as const) {
    const file = `of-${size}`;
    const method = ['test.download', size, '{"chunk": 10000, "delay": 0.03}'];
    const run = started(daemon, ['download', '-o', file, ...method], { nohup });
    await until('the transfer', () =>
      parts().some((name) => fs.statSync(`${home}/${name}`).size > 20_000),
    );
    run.child.kill('SIGHUP');
    t.match(await run.ended, nohup ? { code: 0 } : { signal: 'SIGHUP' });
    t.equal(fs.existsSync(`${home}/${file}`), nohup);
    t.same(parts(), []);
  }
});

t.test('what it starts is told nothing of it', { skip }, async (t) => {
  const around = await surroundings(t);
  const env = { MIDCLT_AUTOSTART: '1' };
  t.match(await started(around, ['-d', 'batch', '/dev/null'], { env }).ended, { code: 0 });
  t.teardown(() => midclt(['-u', around.uri, 'daemon-stop'], around));
  const status = await midclt(['-u', around.uri, 'daemon-status', '--json'], around);
  const { pid } = JSON.parse(status.stdout) as { pid: number };
  t.notMatch(fs.readFileSync(`/proc/${pid}/environ`, 'latin1'), 'MIDCLT_NOHUP');
});
