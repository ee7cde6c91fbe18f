/** `daemon --detach`, and what is said of a daemon that cannot start. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { AUTOSTART, ground, processOf, type Ground } from '../../support/lifecycle.js';
import { KEY, WRONG } from '../../support/login.js';
import { missing, until, type Finished } from '../../support/midclt.js';
import { onTerminal } from '../../support/terminal.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
const skip = missing('script', 'stty', 'setsid');

t.test('it prints the ready line, exits 0 and leaves a daemon in the background', async (t) => {
  const place = await ground(t);
  const { run, uri, files, pid } = place;
  // By hand, it does not matter what is said about starting by itself.
  for (const env of [{}, { MIDCLT_AUTOSTART: '0' }]) {
    const started = await run(['-u', uri, 'daemon', '--detach'], { env });
    const stdout = `Accepting connections. Log file: ${files().log}\n`;
    t.strictSame(started, { code: 0, signal: null, stdout, stderr: '' });
    const { cwd, session, terminal } = processOf(pid()!);
    t.match({ cwd, session, terminal }, { cwd: '/', session: pid(), terminal: 0 });
    t.match(await run(['-u', uri, '--no-autostart', '-d', 'call', 'core.ping']), PONG);
    const again = await run(['-u', uri, 'daemon', '--detach'], { env });
    t.match(again, { code: 0, stderr: '' });
    t.match(again.stdout, new RegExp(`^A daemon is already running \\(pid ${pid()}\\)[^\\n]*\\n$`));
    t.match(await run(['-u', uri, 'daemon-stop']), { code: 0 });
    await place.settled();
  }
});

t.test('the options of daemon hold in the background', async (t) => {
  const place = await ground(t);
  const { run, uri, home } = place;
  const options = ['--lifetime', '77', '--log-file', 'own.log', '--concurrency', '2'];
  const started = await run(['-u', uri, 'daemon', '--detach', ...options]);
  t.match(started, { code: 0, stderr: '' });
  t.match(started.stdout, `${home}/own.log`);
  t.ok(fs.existsSync(`${home}/own.log`), 'relative to the cwd of who asked');
  const status = await run(['-u', uri, 'daemon-status', '--json']);
  t.match(JSON.parse(status.stdout), { lifetime: 77 });
  await Promise.all(Array.from({ length: 6 }, () => place.d(['call', 'test.sleep', '0.1'])));
  t.ok(place.sandbox.stats.maxOutstanding <= 2);
});

t.test(
  'CALL_TIMEOUT of who starts it by hand is its own; a call that starts one has its own',
  async (t) => {
    const place = await ground(t);
    const env = { CALL_TIMEOUT: '1' };
    const slow = ['call', 'test.sleep', '1.7'];
    t.match(await place.run(['-u', place.uri, 'daemon', '--detach'], { env }), { code: 0 });
    const line = '{"command":"call","method":"test.sleep","params":[1.7]}\n';
    t.match(await place.d(['batch'], { input: line }), { code: 1, stdout: /Call timeout/ });
    t.match(await place.run(['-u', place.uri, 'daemon-stop']), { code: 0 });
    t.match(await place.d(['ping'], { env }), PONG);
    t.match(await place.d(slow), { code: 0, stdout: '1.7\n', stderr: '' }, 'others have theirs');
  },
);

/** At once, on stderr, and nothing is left of it. */
async function told(t: Test, place: Ground, attempt: Promise<Finished>, why: RegExp, what: string) {
  const started = performance.now();
  const { code, stdout, stderr } = await attempt;
  t.match({ code, stdout }, { code: 1, stdout: '' }, what);
  t.match(stderr, /^Error: [^\n]*\n$/, what);
  t.match(stderr, why, what);
  t.notMatch(stderr, /wrong-pw|ExampleApiKey/, what);
  t.ok(performance.now() - started < 30_000, `${what}: at once`);
  await place.settled();
}

t.test('F13: why it cannot start is said at once, by -d call as by daemon --detach', async (t) => {
  const place = await ground(t, { wss: 0, scram: { iterations: 50_000 } });
  const { home, ws, sandbox, run } = place;
  const wss = `wss://127.0.0.1:${sandbox.wssPort}/api/current`;
  const free = net.createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const notHttp = net.createServer((socket) =>
    socket.on('error', () => undefined).end('hello\r\n'),
  );
  await new Promise<void>((resolve) => notHttp.listen(0, '127.0.0.1', resolve));
  t.teardown(() => notHttp.close());
  const password = ['-U', 'admin', '-P', 'admin-pw'];
  const garbled = (notHttp.address() as net.AddressInfo).port;
  for (const [what, globals, why] of [
    ['bad password', ['-u', ws, '-U', 'admin', '-P', 'wrong-pw'], /Invalid username or password/],
    ['bad key', ['-u', ws, '-U', 'admin', '-K', WRONG], /Failed to login/],
    ['no such key file', ['-u', ws, '-U', 'admin', '-K', '/nowhere/key'], /\/nowhere\/key/],
    ['refused', ['-u', `ws://127.0.0.1:${port}/api/current`, ...password], /ECONNREFUSED|refused/],
    ['no such socket', ['-u', `ws+unix://${home}/none.sock`], /ENOENT|no such file/i],
    ['unknown certificate', ['-u', wss, ...password], /certificate/],
    ['no TLS', ['-u', wss.replace(/:\d+/, `:${sandbox.wsPort}`), ...password], /TLS|SSL|EPROTO/i],
    ['no HTTP', ['-u', `ws://127.0.0.1:${garbled}/api/current`, ...password], /./],
    ['no host', ['-u', 'ws://nowhere.invalid/api/current', ...password], /nowhere\.invalid/],
  ] as const) {
    await told(t, place, run([...globals, '-d', 'call', 'core.ping']), why, `${what}, call`);
    await told(t, place, run([...globals, 'daemon', '--detach']), why, `${what}, daemon`);
  }
  t.match(await run(['-u', ws, '-U', 'admin', '-K', KEY, '-d', 'ping']), PONG, 'the key is good');
});

t.test('F13: files that cannot be made are the reason, too', async (t) => {
  const place = await ground(t);
  fs.writeFileSync(`${place.home}/.midclt`, '');
  for (const args of [
    ['-d', 'ping'],
    ['daemon', '--detach'],
  ])
    await told(t, place, place.run(['-u', place.uri, ...args]), /\.midclt/, args.join(' '));
});

t.test(
  '-U without a password is asked for on the terminal, and then works without one',
  { skip },
  async (t) => {
    const place = await ground(t);
    const env = { ...AUTOSTART, WS: place.ws };
    const start = `midclt -u "$WS" -U admin daemon --detach && midclt -u "$WS" -U admin -d ping`;
    const terminal = onTerminal(t, start, { home: place.home, env, columns: 200 });
    await until('the prompt', () => terminal.written().includes('Password for admin@127.0.0.1: '));
    t.same(
      place.processes().filter((pid) => processOf(pid).session === pid).length,
      1,
      'no daemon yet',
    );
    terminal.type('admin-pw\r');
    t.equal(await terminal.finished, 0);
    const { log } = place.files(place.ws, 'admin');
    t.same(terminal.screen.lines, [
      'Password for admin@127.0.0.1:',
      `Accepting connections. Log file: ${log}`,
      'pong',
    ]);
    t.equal(place.sandbox.stats.logins, 1);
    await place.settled(place.pid(place.ws, 'admin'));
  },
);

t.test(
  'daemon --detach beside a running one asks for no password, and a call starts one with it',
  { skip },
  async (t) => {
    const place = await ground(t);
    const env = { ...AUTOSTART, WS: place.ws };
    const on = (command: string) =>
      onTerminal(t, `midclt -u "$WS" -U admin ${command}`, { home: place.home, env, columns: 200 });
    const prompt = 'Password for admin@127.0.0.1: ';
    const wrong = on('-d call core.ping');
    await until('the prompt', () => wrong.written().includes(prompt));
    wrong.type('nonsense\r');
    t.equal(await wrong.finished, 1);
    t.match(wrong.screen.lines.at(-1), /none could be started: .*Invalid username or password/);
    const call = on('-d call core.ping');
    await until('the prompt', () => call.written().includes(prompt));
    call.type('admin-pw\r');
    t.equal(await call.finished, 0);
    t.same(call.screen.lines, [prompt.trim(), 'pong']);
    const pid = place.pid(place.ws, 'admin');
    const beside = on('daemon --detach');
    t.equal(await beside.finished, 0);
    t.match(beside.screen.lines.join('\n'), `A daemon is already running (pid ${pid})`);
    t.notMatch(beside.written(), 'Password');
    const without = on('--no-autostart -d ping; midclt -u "$WS" -U root --no-autostart -d ping');
    t.equal(await without.finished, 1);
    t.match(without.screen.lines, ['pong', /^Error: No daemon is running/]);
    t.notMatch(without.written(), 'Password');
    t.match(await place.run(['-u', place.ws, '-U', 'root', '-d', 'ping']), {
      code: 1,
      stderr: /^Error: No daemon is running\. Start one/,
    });
    await place.settled(pid);
  },
);

t.test('without a terminal -U without a password is an error at once', async (t) => {
  const place = await ground(t);
  const run = await place.run(['-u', place.ws, '-U', 'admin', 'daemon', '--detach']);
  t.match(run, {
    code: 1,
    stdout: '',
    stderr: /^Error: There is no terminal to ask for admin's password/,
  });
  t.equal(place.sandbox.stats.connections, 0);
});

t.test('one-time codes are asked for in the foreground, by a call as well', { skip }, async (t) => {
  for (const [command, last] of [
    ['midclt -u "$WS" -U otp -P otp-pw daemon --detach', /^Accepting connections/],
    ['midclt -u "$WS" -U otp -P otp-pw -d call core.ping', /^pong$/],
  ] as const) {
    const place = await ground(t);
    const env = { ...AUTOSTART, WS: place.ws };
    const terminal = onTerminal(t, command, { home: place.home, env, columns: 200 });
    await until('the prompt', () => terminal.written().includes('One-time code: '));
    terminal.type('999999\r');
    await until('the next', () =>
      terminal.written().includes('Invalid one-time code, try again: '),
    );
    terminal.type('123456\r');
    t.equal(await terminal.finished, 0);
    t.match(terminal.screen.lines.at(-1), last);
    t.match(await place.run(['-u', place.ws, '-U', 'otp', '-d', 'ping']), PONG);
    await place.settled(place.pid(place.ws, 'otp'));
    t.notMatch(fs.readFileSync(place.files(place.ws, 'otp').log, 'utf8'), /123456|999999/);
  }
});

t.test(
  'a one-time code that is given is used; without a terminal one that is missing is the reason',
  async (t) => {
    const place = await ground(t);
    const login = ['-u', place.ws, '-U', 'otp', '-P', 'otp-pw'];
    await told(t, place, place.run([...login, '-d', 'ping']), /one-time/i, 'call');
    await told(t, place, place.run([...login, 'daemon', '--detach']), /one-time/i, 'daemon');
    t.match(await place.run([...login, '--otp', '123456', '-d', 'ping']), PONG);
    t.equal(place.sandbox.stats.logins, 1);
  },
);
