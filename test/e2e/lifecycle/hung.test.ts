/** F4, F5, F7: daemons that hang, files of others, pids that name somebody else. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { crashing, type Crashing } from '../../support/crashes.js';
import { freeze, ground, isAlive, kill, processOf } from '../../support/lifecycle.js';
import { until, type Finished } from '../../support/midclt.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
/** Milliseconds: two seconds, and what it takes a loaded machine to start a process. */
const SOON = 10_000;

async function timed<T>(work: Promise<T>): Promise<{ result: T; took: number }> {
  const started = performance.now();
  const result = await work;
  return { result, took: performance.now() - started };
}

/** What such a process start takes here and now, to be left out of what is measured. */
async function startTime(place: { run: (args: string[]) => Promise<unknown> }): Promise<number> {
  return (await timed(place.run(['daemon-list', '--help']))).took;
}

/** Some process that has nothing to do with daemons. */
function bystander(t: Test): number {
  const child = spawn('sleep', ['600']);
  t.teardown(() => child.kill('SIGKILL'));
  return child.pid!;
}

t.test('F4: -d call to a stopped daemon ends with who it is and what to do', async (t) => {
  const place = await ground(t);
  const { d, run, uri, pid } = place;
  t.match(await d(['ping']), PONG);
  const daemon = pid()!;
  await freeze(daemon);
  const attempts = await Promise.all(
    [d(['call', 'core.ping']), d(['ping']), run(['-u', uri, '--no-autostart', '-d', 'ping'])].map(
      timed,
    ),
  );
  attempts.forEach(({ result, took }, i) => {
    t.equal(result.code, 1);
    for (const part of [
      `pid ${daemon}`,
      'does not answer',
      `kill -CONT ${daemon}`,
      `kill -KILL ${daemon}`,
    ])
      t.match(result.stderr, part, `${i}`);
    t.ok(took > 4000 && took < 60_000, `${i} gave up after ${Math.round(took)} ms`);
  });
  t.equal(processOf(daemon).state, 'T', 'nobody woke or ended it');
  t.equal(pid(), daemon, 'nobody took its place');
  await place.settled(daemon);
  process.kill(daemon, 'SIGCONT');
  t.match(await d(['ping']), PONG, 'and it serves when it is let go on');
  t.equal(pid(), daemon);
  t.equal(place.sandbox.stats.connections, 1);
});

t.test(
  'F4: status, stop and list of a stopped daemon take two seconds, and leave it be',
  async (t) => {
    const place = await ground(t);
    const { d, run, uri, pid } = place;
    t.match(await d(['ping']), PONG);
    const daemon = pid()!;
    await freeze(daemon);
    for (const [args, code] of [
      [['-u', uri, 'daemon-status'], 1],
      [['-u', uri, 'daemon-status', '--json'], 1],
      [['-u', uri, 'daemon-stop'], 1],
      [['daemon-list'], 0],
      [['daemon-list', '--json'], 0],
      [['daemon-stop', '--all'], 1],
    ] as const) {
      const usual = await startTime(place);
      const { result, took } = await timed(run(args));
      const what = args.at(-1)!;
      t.equal(result.code, code, what);
      t.match(result.stderr + result.stdout, `${daemon}`, `${what} names it`);
      if (!args.includes('--json' as never)) t.match(result.stderr, `kill -KILL ${daemon}`);
      t.ok(took < SOON + usual, `${what} took ${Math.round(took)} ms`);
      t.equal(processOf(daemon).state, 'T', `${what} leaves it as it is`);
    }
    t.equal(pid(), daemon);
    process.kill(daemon, 'SIGCONT');
    // It reads now that it was told to stop, before it reads this.
    t.match(await d(['ping']), PONG);
    t.equal(pid(), daemon, 'who has asked has given up, and was told so');
    const log = await run(['-u', uri, 'daemon-log']);
    t.match(log.stdout, 'stop not obeyed', 'it says so');
    const stop = await run(['-u', uri, 'daemon-stop']);
    t.match(stop, { code: 0, stderr: 'Daemon shutting down\n' }, 'asked anew it stops');
    await until('it to be gone', () => !isAlive(daemon));
  },
);

t.test('F4: status, list and stop wait for a daemon that only gets no processor', async (t) => {
  const late = async (ask: (place: Crashing) => Promise<Finished[]>) => {
    const place = await crashing(t);
    const daemon = await place.started();
    await place.starve();
    const answers = ask(place);
    // Longer than they have patience with one that is stopped.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    t.not(processOf(daemon).state, 'T');
    place.bug(null);
    return { daemon, answers: await answers };
  };
  const [told, stopped] = await Promise.all([
    late(({ run, uri }) => Promise.all([run(['-u', uri, 'daemon-status']), run(['daemon-list'])])),
    late(({ run, uri }) => Promise.all([run(['-u', uri, 'daemon-stop'])])),
  ]);
  const running = { code: 0, stdout: new RegExp(`\\b${told.daemon}\\b`), stderr: '' };
  t.match(told.answers, [running, running]);
  t.match(stopped.answers, [{ code: 0, stderr: 'Daemon shutting down\n' }]);
});

t.test('F2, F4: nobody starts beside a stopped daemon', async (t) => {
  const place = await ground(t);
  const { d, run, uri, pid, files } = place;
  t.match(await d(['ping']), PONG);
  const daemon = pid()!;
  const { ino } = fs.statSync(files().socket);
  await freeze(daemon);
  for (const args of [['daemon'], ['daemon', '--detach']]) {
    const refused = await run(['-u', uri, ...args]);
    t.match(refused, { code: 1, stdout: '' });
    t.match(refused.stderr, new RegExp(`^Error: .*running \\(pid ${daemon}\\)`), args.join(' '));
  }
  t.equal(fs.statSync(files().socket).ino, ino);
  await place.settled(daemon);
});

t.test('F2: daemon --detach beside a running one names it, and costs no login', async (t) => {
  const place = await ground(t);
  const { admin, run, ws, pid } = place;
  t.match(await admin(['ping']), PONG);
  const daemon = pid(ws, 'admin')!;
  const text = `A daemon is already running (pid ${daemon})`;
  const start = (...args: string[]) => run(['-u', ws, '-U', 'admin', '-P', 'admin-pw', ...args]);
  t.match(await start('daemon'), { code: 1, stdout: '', stderr: `Error: ${text}` });
  t.match(await start('daemon', '--detach'), { code: 0, stdout: text, stderr: '' });
  t.equal(place.sandbox.stats.logins, 1);
  t.match(await admin(['ping']), PONG);
  t.equal(pid(ws, 'admin'), daemon);
});

t.test('F5: a daemon that ends late leaves its successor what is its own', async (t) => {
  const place = await ground(t);
  const { d, pid, files } = place;
  const call = d(['call', 'test.sleep', '2']);
  await until('it to be in flight', () => place.sandbox.countOf('test.sleep') > 0);
  const first = pid()!;
  process.kill(first, 'SIGTERM');
  await until('the socket to go', () => !fs.existsSync(files().socket));
  t.match(await d(['ping']), PONG, 'a successor starts while it finishes');
  const second = pid()!;
  t.not(second, first);
  const { ino } = fs.statSync(files().socket);
  t.match(await call, { code: 0, stdout: '2.0\n', stderr: '' }, 'and it does finish');
  await until('it to be gone', () => !isAlive(first));
  t.equal(fs.statSync(files().socket).ino, ino);
  t.equal(pid(), second);
  t.match(await d(['ping']), PONG);
  t.equal(pid(), second);
});

t.test('F7: a pid file that names somebody else harms nobody', async (t) => {
  const place = await ground(t);
  const { d, run, uri, pid, files } = place;
  const other = bystander(t);
  t.match(await d(['ping']), PONG);
  const first = pid()!;
  await kill(first);
  for (const impostor of [other, 1, process.pid]) {
    fs.writeFileSync(files().pid, `${impostor}`);
    t.match(await run(['-u', uri, 'daemon-stop']), { code: 1, stderr: /No daemon is currently/ });
    t.match(await run(['-u', uri, 'daemon-status']), { code: 1, stderr: /No daemon is currently/ });
    t.match(await run(['daemon-stop', '--all']), { code: 1, stderr: /No daemon is currently/ });
    t.match(await d(['ping']), PONG, 'nor is it taken for a daemon');
    const daemon = pid()!;
    t.ok(isAlive(daemon) && daemon !== impostor);
    fs.writeFileSync(files().pid, `${impostor}`);
    t.match(await run(['-u', uri, 'daemon-stop']), { code: 0, stderr: 'Daemon shutting down\n' });
    await until('the daemon to be gone', () => !isAlive(daemon));
    fs.writeFileSync(files().pid, `${impostor}`);
    t.match(await d(['ping']), PONG, 'nor without a socket');
    await kill(pid()!);
    await place.settled();
  }
  t.ok(isAlive(other));
});
