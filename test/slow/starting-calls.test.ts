/** Many calls at once that each need a daemon. MIDCLT_TEST_ROUNDS rounds each, 5 unless set; MIDCLT_TEST_LONG=1: 200. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { ground, isAlive, kill, processOf, type Ground } from '../support/lifecycle.js';
import { until, type Finished } from '../support/midclt.js';

const LONG = process.env.MIDCLT_TEST_LONG === '1';
const ROUNDS = Number(process.env.MIDCLT_TEST_ROUNDS ?? (LONG ? 200 : 5));
const STARTERS = 30;
t.setTimeout((ROUNDS * 2 + 4) * 60_000);

const RIGHT = { code: 0, signal: null, stderr: '' };

/** All of them at once, each with its own number; the answer has to be that one. */
function rush({ admin }: Ground, round: number): Promise<Finished[]> {
  return Promise.all(
    Array.from({ length: STARTERS }, (_, i) => admin(['call', 'test.echo', `${round * 100 + i}`])),
  );
}

/** Every one was answered, by one daemon, which logged in once; it is all that is left of them. */
async function check(t: Test, place: Ground, round: number, runs: Finished[], logins: number) {
  const { sandbox, ws, pid, files } = place;
  const wrong = runs
    .map((run, i) => ({ ...run, expected: `[${round * 100 + i}]\n` }))
    .filter(({ code, stdout, stderr, expected }) => code || stderr || stdout !== expected);
  t.same(wrong, [], `round ${round}: every answer is right`);
  t.equal(sandbox.stats.logins - logins, 1, `round ${round}: one login`);
  await until('the pid file', () => pid(ws, 'admin') !== null);
  await place.settled(pid(ws, 'admin'));
  t.equal(sandbox.stats.failedLogins, 0);
  const again = await place.admin(['call', 'test.echo', 'again']);
  t.match(again, { ...RIGHT, stdout: '["again"]\n' }, 'and it goes on serving');
  t.equal(sandbox.stats.logins - logins, 1);
  return { daemon: pid(ws, 'admin')!, files: files(ws, 'admin') };
}

t.test(
  'F1: of 30 starters over nothing one starts the daemon, all get their answers',
  async (t) => {
    t.setTimeout((ROUNDS + 2) * 60_000);
    const place = await ground(t);
    for (let round = 0; round < ROUNDS; round++) {
      const { logins } = place.sandbox.stats;
      const runs = await rush(place, round);
      const { daemon, files } = await check(t, place, round, runs, logins);
      t.match(await place.admin(['daemon-stop']), { code: 0 });
      await until('it to be gone', () => !isAlive(daemon));
      t.same(
        fs.readdirSync(`${place.home}/.midclt`).filter((name) => name !== 'logs'),
        [],
        'nothing is left but logs',
      );
      fs.rmSync(files.log, { force: true });
    }
  },
);

t.test('F1, F3: the same over the socket of a daemon that was killed', async (t) => {
  t.setTimeout((ROUNDS + 2) * 60_000);
  const place = await ground(t);
  t.match(await place.admin(['ping']), { ...RIGHT, stdout: 'pong\n' });
  let killed = place.pid(place.ws, 'admin')!;
  for (let round = 0; round < ROUNDS; round++) {
    await kill(killed);
    t.ok(fs.existsSync(place.files(place.ws, 'admin').socket), 'its socket is left');
    const { logins } = place.sandbox.stats;
    const runs = await rush(place, round);
    const { daemon } = await check(t, place, round, runs, logins);
    t.not(daemon, killed);
    killed = daemon;
  }
  const names = fs.readdirSync(`${place.home}/.midclt`).filter((name) => name !== 'logs');
  t.equal(names.length, 2, `nothing but the last daemon's files: ${names.join(', ')}`);
});

t.test('F1: 30 starters that cannot log in all hear why, and none stays', async (t) => {
  const place = await ground(t);
  const runs = await Promise.all(
    Array.from({ length: STARTERS }, () =>
      place.admin(['ping'], { env: { MIDCLT_PASSWORD: 'wrong' } }),
    ),
  );
  for (const run of runs)
    t.match(run, { code: 1, stdout: '', stderr: /^Error: .*Invalid username or password\n$/ });
  t.comment(`${place.sandbox.stats.failedLogins} logins were tried`);
  await place.settled();
});

t.test('F1: starters by call, by ping, by batch and by hand share one daemon', async (t) => {
  const place = await ground(t);
  const { uri, d, run, pid } = place;
  const lines = '{"command": "call", "method": "test.echo", "params": [1]}\n{"command": "ping"}\n';
  const starters = [
    ...Array.from({ length: 4 }, () => d(['call', 'core.ping'])),
    ...Array.from({ length: 4 }, () => d(['ping'])),
    ...Array.from({ length: 4 }, () => d(['batch'], { input: lines })),
  ];
  const byHand = Array.from({ length: 4 }, () => run(['-u', uri, 'daemon', '--detach']));
  for (const finished of await Promise.all(starters)) t.match(finished, RIGHT);
  for (const { code, stdout, stderr } of await Promise.all(byHand)) {
    if (code === 0)
      t.match(stdout, /^(?:Accepting connections\. Log file: |A daemon is already running)/);
    else t.match(stderr, /^Error: A daemon is already running \(pid \d+\)/);
  }
  await place.settled(pid());
  t.equal(place.sandbox.stats.connections, 1);
  t.equal(processOf(pid()!).cwd, '/');
});
