/** F47: nobody debugs a daemon, and what it knows does not land in a core dump. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { ground, isAlive } from '../../support/lifecycle.js';
import { missing, spawnMidclt, until } from '../../support/midclt.js';

t.setTimeout(300_000);

const PONG = { code: 0, stdout: 'pong\n' };

/** How many TCP sockets of this process listen, as the kernel has it. */
function listeners(pid: number): number {
  const own = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // closed by now
    }
  });
  const rows = ['tcp', 'tcp6'].flatMap((name) =>
    fs.existsSync(`/proc/net/${name}`)
      ? fs.readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1)
      : [],
  );
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && own.includes(`socket:[${inode}]`))
    .length;
}

t.test('F47: SIGUSR1 opens no port of a daemon, in front or behind', async (t) => {
  const daemon = await startDaemon(t);
  const place = await ground(t);
  t.match(await place.d(['ping']), PONG);
  const both = [
    { pid: daemon.child.pid!, ping: () => daemon.d(['ping']) },
    { pid: place.pid()!, ping: () => place.d(['ping']) },
  ];
  for (const { pid, ping } of both) {
    for (let i = 0; i < 5; i++) {
      process.kill(pid, 'SIGUSR1');
      t.match(await ping(), PONG);
    }
    t.equal(listeners(pid), 0);
    t.ok(isAlive(pid));
  }
  t.equal(daemon.stderr(), '');
});

t.test('F47: a SIGUSR1 while it starts ends it or is nothing to it', async (t) => {
  const around = await surroundings(t);
  let served = 0;
  for (const wait of [0, 4, 8, 15, 25, 40, 60, 90]) {
    const child = spawnMidclt(['-u', around.uri, 'daemon'], { home: around.home });
    t.teardown(() => child.kill('SIGKILL'));
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    await new Promise((resolve) => setTimeout(resolve, wait)); // the moment does not matter
    child.kill('SIGUSR1');
    await until('a daemon or its end', () => stdout.includes('Accepting') || ended());
    if (!ended()) {
      served++;
      t.equal(listeners(child.pid!), 0, `after ${wait} ms`);
      child.kill('SIGTERM');
      await until('its end', ended);
    }
  }
  t.comment(`${served} of 8 serve`);
});

t.test('F47: a daemon in the background does not inherit a debugger', async (t) => {
  const place = await ground(t);
  const NODE_OPTIONS = '--inspect=127.0.0.1:0 --max-old-space-size=300 "--inspect-port=0"';
  const script = `NODE_OPTIONS='${NODE_OPTIONS}' midclt -d ping`;
  t.match(await place.sh(script), PONG);
  const pid = place.pid()!;
  t.equal(listeners(pid), 0);
  const environ = fs.readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  t.ok(environ.includes('NODE_OPTIONS=--max-old-space-size=300'), 'other options are kept');
});

t.test('F47: where something opened a debugger all the same, no daemon starts', async (t) => {
  const place = await ground(t);
  const { home } = place;
  // As a signal in the first milliseconds, or the boot loader of an editor.
  fs.writeFileSync(`${home}/open.js`, "require('node:inspector').open(0, '127.0.0.1');\n");
  const script = `NODE_OPTIONS='--require ${home}/open.js' midclt -d ping`;
  t.match(await place.sh(script), {
    code: 1,
    stdout: '',
    stderr: /\bdebugger\b.*\bNODE_OPTIONS\b/,
  });
  await place.settled();
});

t.test(
  'F47: a daemon in the background leaves no core dump',
  { skip: missing('prlimit') },
  async (t) => {
    const place = await ground(t);
    spawnSync('prlimit', ['--core=unlimited:unlimited', '--pid', String(process.pid)]);
    t.match(await place.d(['ping']), PONG);
    const limits = fs.readFileSync(`/proc/${place.pid()}/limits`, 'utf8');
    t.match(limits, /^Max core file size +0 +0 /m);
    const mine = fs.readFileSync('/proc/self/limits', 'utf8');
    if (!/^Max core file size +unlimited/m.test(mine)) t.comment('the limit was 0 before');
  },
);
