import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { exchange, startDaemon, surroundings, wakeSleeper } from '../../support/daemon.js';
import { makeHome, midclt, until } from '../../support/midclt.js';
import { call } from '../../support/wire.js';

function leftovers(home: string): string[] {
  return fs.readdirSync(`${home}/.midclt`).filter((name) => name !== 'logs');
}

t.test('its files are private, in the right place and gone afterwards', async (t) => {
  const daemon = await startDaemon(t);
  const mode = (file: string) => fs.statSync(file).mode & 0o777;
  t.equal(mode(`${daemon.home}/.midclt`), 0o700);
  t.equal(mode(daemon.socket), 0o600);
  t.equal(mode(daemon.pidFile), 0o600);
  t.equal(mode(daemon.logFile), 0o600);
  t.equal(fs.readFileSync(daemon.pidFile, 'utf8'), String(daemon.child.pid));
  t.equal(daemon.stdout(), `Accepting connections. Log file: ${daemon.logFile}\n`);
  t.equal(leftovers(daemon.home).length, 2, 'nothing but socket and pid file');
  daemon.child.kill('SIGTERM');
  t.same(await daemon.exited, { code: 0, signal: null });
  t.same(leftovers(daemon.home), []);
  t.equal(daemon.stderr(), '');
});

t.test('F9: the socket is 0600 and the directory 0700 from their first instant', async (t) => {
  const around = await surroundings(t);
  const seen = new Set<string>();
  const directory = `${around.home}/.midclt`;
  const watch = () => {
    for (const name of fs.existsSync(directory) ? fs.readdirSync(directory) : []) {
      const stats = fs.lstatSync(`${directory}/${name}`, { throwIfNoEntry: false });
      if (stats?.isSocket()) seen.add(`socket ${(stats.mode & 0o777).toString(8)}`);
    }
    const stats = fs.statSync(directory, { throwIfNoEntry: false });
    if (stats) seen.add(`directory ${(stats.mode & 0o777).toString(8)}`);
  };
  const busy = setInterval(watch, 0);
  t.teardown(() => clearInterval(busy));
  await startDaemon(t, { around, env: { PATH: process.env.PATH } });
  watch();
  t.same([...seen].sort(), ['directory 700', 'socket 600']);
});

t.test('F10: a directory with a loose mode is tightened, a symbolic link refused', async (t) => {
  const around = await surroundings(t);
  fs.mkdirSync(`${around.home}/.midclt`, { mode: 0o755 });
  const daemon = await startDaemon(t, { around });
  t.equal(fs.statSync(`${daemon.home}/.midclt`).mode & 0o777, 0o700);
  const other = makeHome(t);
  fs.symlinkSync(`${daemon.home}/.midclt`, `${other}/.midclt`);
  const refused = await midclt(['-u', daemon.uri, 'daemon'], { home: other });
  t.match(refused, { code: 1, stdout: '', stderr: /^Error: .*is a symbolic link.*\n$/ });
});

t.test('SIGTERM and SIGINT finish what is in flight', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const daemon = await startDaemon(t);
    const call = daemon.d(['call', 'test.sleep', '1']);
    const job = daemon.d(['call', '-j', 'test.job', '2', '0.4']);
    await until('both to be in flight', () => daemon.sandbox.countOf('test.sleep') > 0);
    await until('the job to run', () => daemon.sandbox.countOf('test.job') > 0);
    daemon.child.kill(signal);
    await until('the socket to go', () => !fs.existsSync(daemon.socket));
    t.match(await daemon.d(['ping']), { code: 1, stderr: /No daemon is running/ });
    t.match(await call, { code: 0, stdout: '1.0\n' }, signal);
    t.match(await job, { code: 0, stdout: 'done\n' }, signal);
    t.same(await daemon.exited, { code: 0, signal: null });
    t.same(leftovers(daemon.home), []);
  }
});

t.test('a second signal ends it at once, and its files are gone too', async (t) => {
  const daemon = await startDaemon(t);
  const call = daemon.d(['call', 'test.sleep', '60']);
  await until('the call to be in flight', () => daemon.sandbox.countOf('test.sleep') > 0);
  daemon.child.kill('SIGTERM');
  await until('it to drain', () => !fs.existsSync(daemon.socket));
  daemon.child.kill('SIGTERM');
  t.match(await daemon.exited, { code: 0 });
  t.match(await call, { code: 1, stderr: /outcome is unknown/ });
  t.same(leftovers(daemon.home), []);
});

t.test('requests not yet sent are refused while it drains', async (t) => {
  const daemon = await startDaemon(t);
  const call = '{"command":"call","method":"test.sleep","params":[3600]}\n';
  const answers = exchange(daemon.socket, call + call + call, { halfClose: true });
  await until('the first to be in flight', () => daemon.sandbox.countOf('test.sleep') > 0);
  daemon.child.kill('SIGTERM');
  await until('it to drain', () => !fs.existsSync(daemon.socket));
  wakeSleeper(daemon.sandbox);
  const { frames } = await answers;
  t.match(frames, [
    { type: 'result', result: 3600 },
    { type: 'error', error: /shutting down; the request was not sent/ },
    { type: 'error', error: /shutting down; the request was not sent/ },
  ]);
  t.equal(daemon.sandbox.countOf('test.sleep'), 1);
  t.same(await daemon.exited, { code: 0, signal: null });
});

t.test('F2: refuses to start beside a running one and leaves it alone', async (t) => {
  const daemon = await startDaemon(t);
  const before = fs.statSync(daemon.socket).ino;
  const logins = daemon.sandbox.stats.connections;
  const second = await midclt(['-u', daemon.uri, 'daemon'], { home: daemon.home });
  t.equal(second.code, 1);
  t.match(
    second.stderr,
    new RegExp(`^Error: .*already running \\(pid ${daemon.child.pid}\\).*\n$`),
  );
  t.equal(daemon.sandbox.stats.connections, logins, 'it did not even connect');
  t.equal(fs.statSync(daemon.socket).ino, before);
  t.match(await daemon.d(['ping']), { code: 0, stdout: 'pong\n' });
});

t.test('F3: a socket left by SIGKILL is reclaimed', async (t) => {
  const first = await startDaemon(t);
  first.child.kill('SIGKILL');
  await first.exited;
  t.ok(fs.existsSync(first.socket), 'it left its socket');
  t.match(await first.d(['ping']), { code: 1, stderr: /^Error: No daemon is running/ });
  const second = await startDaemon(t, { around: first });
  t.match(await second.d(['ping']), { code: 0, stdout: 'pong\n' });
  t.equal(leftovers(first.home).length, 2, 'and nothing of the claim is left');
});

t.test('F3: what is no socket is never removed', async (t) => {
  const daemon = await startDaemon(t);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  fs.writeFileSync(daemon.socket, 'mine');
  const refused = await midclt(['-u', daemon.uri, 'daemon'], { home: daemon.home });
  t.match(refused, { code: 1, stderr: /^Error: .* is no socket; remove it.*\n$/ });
  t.equal(fs.readFileSync(daemon.socket, 'utf8'), 'mine');
});

t.test('F5: it removes its own files only', async (t) => {
  const daemon = await startDaemon(t);
  const place = `${daemon.home}/successor`;
  const successor = net.createServer().listen(place);
  t.teardown(() => successor.close());
  await until('the successor to listen', () => fs.existsSync(place));
  // At once: it looks for its socket now and then.
  fs.writeFileSync(daemon.pidFile, '1');
  fs.renameSync(place, daemon.socket);
  daemon.child.kill('SIGTERM');
  t.same(await daemon.exited, { code: 0, signal: null });
  t.ok(fs.existsSync(daemon.socket), "the successor's socket stands");
  t.equal(fs.readFileSync(daemon.pidFile, 'utf8'), '1');
});

t.test("F5: nor does it write its pid over its successor's", async (t) => {
  const daemon = await startDaemon(t);
  fs.unlinkSync(daemon.socket);
  const successor = net.createServer().listen(daemon.socket);
  t.teardown(() => successor.close());
  fs.writeFileSync(daemon.pidFile, '1');
  await daemon.exited; // it has seen that the socket is not its own
  t.equal(fs.readFileSync(daemon.pidFile, 'utf8'), '1');
});

t.test('F18: ends when idle, not while anything is in flight or a job followed', async (t) => {
  // Both must have begun within the lifetime, also on a busy machine: they have no process to wait for.
  const daemon = await startDaemon(t, { args: ['--lifetime', '5'] });
  const started = performance.now();
  const ask = (line: string) => exchange(daemon.socket, line, { halfClose: true });
  const job = ask(call('test.job', '[4, 2]', { job: true }));
  const sleep = ask(call('test.sleep', '[7.2]'));
  t.match((await job).frames.at(-1), { type: 'result', result: 'done' });
  t.match((await sleep).frames, [{ type: 'result', result: 7.2 }]);
  t.same(await daemon.exited, { code: 0, signal: null });
  t.ok(performance.now() - started > 13_000, 'the clock began anew after the last answer');
  t.same(leftovers(daemon.home), []);
  t.match(fs.readFileSync(daemon.logFile, 'utf8'), /"reason":"idle for 5 s"/);
});

t.test('an open connection without requests does not keep it alive', async (t) => {
  const daemon = await startDaemon(t, { args: ['--lifetime', '1'] });
  const connection = net.connect(daemon.socket);
  connection.on('error', () => undefined);
  t.teardown(() => connection.destroy());
  t.same(await daemon.exited, { code: 0, signal: null });
});

t.test('F31: after daemon-stop a new daemon starts at once', async (t) => {
  const daemon = await startDaemon(t);
  for (let i = 0; i < 3; i++) {
    const next = i === 0 ? daemon : await startDaemon(t, { around: daemon });
    const stop = await midclt(['-u', daemon.uri, 'daemon-stop'], { home: daemon.home });
    t.match(stop, { code: 0, stdout: '', stderr: 'Daemon shutting down\n' });
    t.ok(next.child.exitCode !== null || (await next.exited).code === 0, 'it is gone');
  }
});
