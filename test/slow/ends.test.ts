/** What a daemon in the background owes its callers: answers, an end, descriptors, paths. */
import fs from 'node:fs';
import t from 'tap';
import { exchange } from '../support/daemon.js';
import { freeze, ground, isAlive, PASSWORD } from '../support/lifecycle.js';
import { missing, until } from '../support/midclt.js';
import { ofVersion, VERSION, versionOf } from '../support/versions.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

t.test('F15: many newer clients at once replace a daemon once, and all are answered', async (t) => {
  for (let round = 0; round < 5; round++) {
    const place = await ground(t);
    const { admin, ws, pid, sandbox } = place;
    const older = ofVersion(t, place, '0.0.9');
    const login = ['-u', ws, '-U', 'admin'];
    t.match(await older([...login, '-d', 'ping'], PASSWORD), PONG);
    const runs = await Promise.all(
      Array.from({ length: 20 }, (_, i) => admin(['call', 'test.echo', `${i}`])),
    );
    runs.forEach((run, i) => t.match(run, { code: 0, stdout: `[${i}]\n`, stderr: '' }));
    t.equal(await versionOf(place, ...login), VERSION);
    await place.settled(pid(ws, 'admin'));
    t.equal(sandbox.stats.logins, 2);
  }
});

t.test('F31: calls that meet the end of a daemon are answered by the next one', async (t) => {
  const place = await ground(t);
  for (let round = 1; round <= 8; round++) {
    t.match(await place.d(['ping']), PONG);
    const { socket } = place.files();
    const runs = Array.from({ length: 20 }, (_, i) => place.d(['call', 'test.echo', `${i}`]));
    const count = place.sandbox.countOf('test.echo');
    await until('some to have come', () => place.sandbox.countOf('test.echo') > count + 2);
    await exchange(socket, '{"command":"stop"}\n').catch(() => undefined);
    const wrong = (await Promise.all(runs)).filter(({ code }) => code !== 0);
    t.same(wrong, [], `round ${round}`);
    t.equal(place.sandbox.countOf('test.echo') - count, 20 - wrong.length, 'each was run once');
  }
});

t.test('F4: -d batch to a stopped daemon ends as well, and says who it is', async (t) => {
  const place = await ground(t);
  t.match(await place.d(['ping']), PONG);
  const daemon = place.pid()!;
  await freeze(daemon);
  const input = '{"command":"ping"}\n';
  const run = await Promise.race([
    place.d(['batch'], { input }),
    new Promise<null>((resolve) => {
      setTimeout(resolve, 120_000, null).unref();
    }),
  ]);
  t.match(run, { code: 1 }, 'it ends');
  t.match(`${run?.stdout}${run?.stderr}`, `kill -KILL ${daemon}`);
});

// Node closes those below the first that is free, so that low numbers show nothing.
t.test(
  'F14: nor does it keep a lock of its caller',
  { skip: missing('bash', 'flock') },
  async (t) => {
    const place = await ground(t);
    const { home } = place;
    const locked = `bash -c 'exec 200>lock; flock -n 200 && ${process.execPath} "$BINARY" -u "$URI" -d ping'`;
    t.match(await place.sh(locked), PONG);
    t.match(await place.sh(locked), PONG, 'the next one gets the lock');
    const open = fs.readdirSync(`/proc/${place.pid()}/fd`);
    const links = open.map((fd) => fs.readlinkSync(`/proc/${place.pid()}/fd/${fd}`));
    t.notOk(links.includes(`${home}/lock`));
  },
);

t.test('F31: the process is gone when daemon-stop returns', async (t) => {
  const place = await ground(t);
  const late: number[] = [];
  for (let i = 0; i < 10; i++) {
    t.match(await place.d(['ping']), PONG);
    const pid = place.pid()!;
    await place.run(['-u', place.uri, 'daemon-stop']);
    if (isAlive(pid)) late.push(i);
  }
  t.same(late, []);
});

t.test('NODE_EXTRA_CA_CERTS may be a relative path, though the daemon runs in /', async (t) => {
  const place = await ground(t, { wss: 0 });
  const { home, sandbox, run } = place;
  fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate ?? '');
  const wss = `wss://127.0.0.1:${sandbox.wssPort}/api/current`;
  const login = ['-u', wss, '-U', 'admin', '-P', 'admin-pw'];
  for (const file of [`${home}/ca.pem`, 'ca.pem', './ca.pem']) {
    const env = { NODE_EXTRA_CA_CERTS: file };
    t.match(
      await run([...login, 'call', 'core.ping'], { env }),
      PONG,
      `${file.replace(home, 'HOME')}, without a daemon`,
    );
    t.match(
      await run([...login, '-d', 'call', 'core.ping'], { env }),
      PONG,
      `${file.replace(home, 'HOME')}, with one`,
    );
    t.match(await run([...login, 'daemon-stop'], { env }), { code: 0 });
  }
});
