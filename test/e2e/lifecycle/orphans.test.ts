/** F43 and F44: whoever starts a daemon may be killed at any moment, and leaves nothing that is in the way; nor does who has no means to start one. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { filesOf, ground, isAlive, PASSWORD, processesOf } from '../../support/lifecycle.js';
import { environment, spawnMidclt, until } from '../../support/midclt.js';

t.setTimeout(300_000);

/** Between the daemons and the sandbox: a server that accepts, and answers nothing until it is told to. */
async function slowServer(t: Test) {
  const place = await ground(t);
  const held: net.Socket[] = [];
  let answers = false;
  const server = net.createServer((socket) => {
    held.push(socket);
    socket.on('error', () => undefined);
    if (!answers) return;
    const real = net.connect(place.sandbox.wsPort!, '127.0.0.1');
    held.push(real);
    real.on('error', () => undefined);
    socket.pipe(real).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await until('it to listen', () => server.address() !== null);
  t.teardown(() => {
    server.close();
    for (const socket of held) socket.destroy();
  });
  const uri = `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/api/current`;
  const { home } = place;
  const start = (...args: string[]) => {
    const env = environment(home, { ...PASSWORD, MIDCLT_AUTOSTART: '' });
    const child = spawnMidclt(['-u', uri, '-U', 'admin', ...args], { home, env });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const ended = new Promise<string>((resolve) => child.on('close', () => resolve(text)));
    return { child, pid: child.pid!, ended };
  };
  return {
    home,
    start,
    connections: () => held.length,
    answer: () => (answers = true),
    lock: filesOf(home, uri, 'admin').socket.replace(/\.sock$/, '.lock'),
  };
}

const gone = (pids: readonly number[]) => () => pids.every((pid) => !isAlive(pid));

for (const args of [
  ['-d', 'ping'],
  ['daemon', '--detach'],
]) {
  t.test(
    `F43: ${args.join(' ')}, killed while the server is silent, leaves no orphan`,
    async (t) => {
      const place = await slowServer(t);
      const starter = place.start(...args);
      await until('a daemon that connects', () => place.connections() > 0);
      const others = processesOf(place.home).filter((pid) => pid !== starter.pid);
      t.equal(others.length, 1);
      starter.child.kill('SIGKILL');
      await until('the daemon to give up', gone(others));
      t.notOk(fs.existsSync(place.lock), 'nor its lock');
      place.answer();
      t.equal(await place.start('-d', 'ping').ended, 'pong\n', 'the next one starts at once');
    },
  );
}

t.test('F43: who waits for a start whose starter is killed makes it itself', async (t) => {
  const place = await slowServer(t);
  const first = place.start('-d', 'ping');
  await until('a daemon that connects', () => place.connections() > 0);
  const before = processesOf(place.home);
  const second = place.start('-d', 'ping');
  const isWaiting = () => processesOf(place.home).length === before.length + 2;
  await until('another starter and its daemon', isWaiting);
  place.answer(); // to connections that come from now on
  first.child.kill('SIGKILL');
  t.equal(await second.ended, 'pong\n');
  await until('the first to be gone', gone(before));
});

t.test('F43: so does one that is killed while it waits for another', async (t) => {
  const place = await slowServer(t);
  const first = place.start('-d', 'ping');
  await until('a daemon that connects', () => place.connections() > 0);
  const before = processesOf(place.home);
  const second = place.start('-d', 'ping');
  const isNew = (pid: number) => !before.includes(pid) && pid !== second.pid;
  const its = await until('its daemon', () => {
    const found = processesOf(place.home).filter(isNew);
    return found.length > 0 ? found : null;
  });
  second.child.kill('SIGKILL');
  await until('it to give up', gone(its));
  t.ok(before.every(isAlive), 'the first goes on');
  first.child.kill('SIGKILL');
  await until('all to be gone', gone(before));
});

t.test('F43: a daemon that was ready just when its starter was killed serves', async (t) => {
  const place = await slowServer(t);
  place.answer();
  const starter = place.start('daemon', '--detach');
  await until('a socket', () => fs.existsSync(place.lock.replace(/\.lock$/, '.sock')));
  starter.child.kill('SIGKILL');
  t.equal(await place.start('-d', 'ping').ended, 'pong\n');
});

t.test('F44: with few descriptors a start says what it lacks, in a line', async (t) => {
  const place = await ground(t);
  const few = (count: number, command: string) => place.sh(`ulimit -n ${count}; midclt ${command}`);
  let refused = 0;
  for (let count = 16; count < 28; count++) {
    if ((await few(count, '--version')).code !== 0) continue; // Node itself does not start
    const { code, stdout, stderr } = await few(count, 'daemon --detach');
    if (code === 0) break;
    t.match({ stdout, stderr }, { stdout: '', stderr: /^Error: .*\n$/ }, `with ${count}`);
    t.notMatch(stderr, /unexpected|\n.*\n/);
    if (/Cannot start a daemon: too many open files \(EMFILE; see 'ulimit -n'\)/.test(stderr))
      refused++;
  }
  t.ok(refused > 0);
});
