import t from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { finished, midclt, shell, spawnMidclt, until, BINARY } from '../../support/midclt.js';

const ticker = (options: object) => `test.ticker:${JSON.stringify(options)}`;

t.test('prints the params of each notification as the server sent them', async (t) => {
  const { home, uri } = await surroundings(t);
  const event = ticker({ interval: 0.02, count: 3 });
  const run = await midclt(['-u', uri, 'subscribe', event], { home });
  t.match(run, { code: 0, stderr: '' });
  const line = (n: number) =>
    `{"msg": "added", "collection": ${JSON.stringify(event)}, "fields": {"n": ${n}}}\n`;
  t.equal(run.stdout, line(0) + line(1) + line(2));
});

t.test('-n ends it after that many events, at once', async (t) => {
  const { home, uri } = await surroundings(t);
  const event = ticker({ interval: 0.02, count: 1000 });
  const run = await midclt(['-u', uri, 'subscribe', '-n', '2', event, '-t', '60'], { home });
  t.equal(run.code, 0);
  t.equal(run.stdout.trim().split('\n').length, 2);
});

t.test('-t ends it with exit code 1', async (t) => {
  const { home, uri } = await surroundings(t);
  const run = await midclt(['-u', uri, 'subscribe', '-t', '1', 'test.event'], { home });
  t.match(run, { code: 1, stdout: '', stderr: '' });
});

t.test('a source that fails says why, exit code 1', async (t) => {
  const { home, uri } = await surroundings(t);
  const failing = ticker({ interval: 0.02, count: 1, error: 'disk on fire' });
  const run = await midclt(['-u', uri, 'subscribe', failing], { home });
  t.match(run, { code: 1, stderr: '[EIO] disk on fire\n' });
  t.equal(run.stdout.trim().split('\n').length, 1);
  const bad = await midclt(['-u', uri, 'subscribe', ticker({ interval: 'x', zzz: 1 })], { home });
  t.match(bad, {
    code: 1,
    stdout: '',
    stderr:
      '[EINVAL] interval: Input should be a valid number\n[EINVAL] zzz: Extra inputs are not permitted\n',
  });
});

t.test('needs a login where the server wants one, and says so', async (t) => {
  const { home, sandbox } = await surroundings(t, { ws: 0, rateLimit: false });
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const anonymous = await midclt(['-u', uri, 'subscribe', 'test.event'], { home });
  t.match(anonymous, { code: 1, stderr: /^\[ENOTAUTHENTICATED\] Not authenticated\n/ });
  const login = ['-u', uri, '-U', 'admin', '-P', 'admin-pw'];
  const run = await midclt([...login, 'subscribe', '-n', '1', ticker({ count: 1 })], { home });
  t.equal(run.code, 0);
});

t.test('is told when the connection goes', async (t) => {
  const { home, uri, sandbox } = await surroundings(t);
  const event = ticker({ interval: 0.05, count: 100_000 });
  const child = spawnMidclt(['-u', uri, 'subscribe', event], { home });
  let hasOne = false;
  child.stdout.once('data', () => (hasOne = true));
  const run = finished(child);
  await until('an event', () => hasOne);
  sandbox.dropAll();
  t.match(await run, { code: 1, stderr: /^Error: Connection to .* lost .*\n$/ });
});

t.test('F30: a reader that has enough ends it quietly', async (t) => {
  const { home, uri } = await surroundings(t);
  const event = ticker({ interval: 0.005, count: 100_000 });
  const run = await shell(`"$NODE" "$BIN" -u "$U" subscribe "$EVENT" | head -n 1`, {
    home,
    env: { NODE: process.execPath, BIN: BINARY, U: uri, EVENT: event },
  });
  t.match(run, { code: 0, stderr: '' });
  t.equal(run.stdout.trim().split('\n').length, 1);
});

t.test('through the daemon it prints and ends alike', async (t) => {
  const daemon = await startDaemon(t);
  const { home, uri } = daemon;
  const failing = ticker({ interval: 0.02, count: 1, error: 'disk on fire' });
  const commands = [
    [ticker({ interval: 0.02, count: 3 })],
    ['-n', '2', ticker({ interval: 0.02, count: 1000 }), '-t', '60'],
    ['-n', '0', ticker({ interval: 0.02, count: 2 })],
    ['-t', '0.5', 'test.event'],
    ['-t', '0', 'test.event'],
    [failing],
    [ticker({ interval: 'x', zzz: 1 })],
    ['-t', '0.3', ''],
  ];
  for (const args of commands) {
    const direct = await midclt(['-u', uri, 'subscribe', ...args], { home });
    t.strictSame(await daemon.d(['subscribe', ...args]), direct, args.join(' '));
    const env = { MIDCLT_USE_DAEMON: '1' };
    t.strictSame(await midclt(['-u', uri, 'subscribe', ...args], { home, env }), direct);
  }
});

t.test('through the daemon it outlives a lost connection, and says what that means', async (t) => {
  const daemon = await startDaemon(t);
  const { home, uri, sandbox } = daemon;
  const child = spawnMidclt(['-u', uri, '-d', 'subscribe', '-n', '2', 'test.event'], { home });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const run = finished(child);
  const emit = () => daemon.d(['call', 'test.emit', 'ADDED', '{}']);
  await until('the subscription', () => sandbox.countOf('core.subscribe') === 1);
  await emit();
  await until('an event', () => stdout !== '');
  sandbox.dropAll();
  await until('the renewal', () => sandbox.countOf('core.subscribe') === 2);
  await emit();
  t.match(await run, { code: 0, stderr: /^Events were missed here: [^\n]*\n$/ });
});

t.test('F30: a reader that has enough ends it, and the daemon is told', async (t) => {
  const daemon = await startDaemon(t);
  const { home, uri, sandbox } = daemon;
  const event = ticker({ interval: 0.005, count: 100_000 });
  const run = await shell(`"$NODE" "$BIN" -u "$U" -d subscribe "$EVENT" | head -n 1`, {
    home,
    env: { NODE: process.execPath, BIN: BINARY, U: uri, EVENT: event },
  });
  t.match(run, { code: 0, stderr: '' });
  await until('the end of it', () => sandbox.countOf('core.unsubscribe') === 1);
});

t.test('a daemon that ends says so, exit code 1', async (t) => {
  const daemon = await startDaemon(t);
  const { home, uri, sandbox } = daemon;
  const run = finished(spawnMidclt(['-u', uri, '-d', 'subscribe', 'test.event'], { home }));
  await until('the subscription', () => sandbox.countOf('core.subscribe') === 1);
  daemon.child.kill('SIGTERM');
  t.match(await run, { code: 1, stdout: '', stderr: /shutting down/ });
});

t.test(
  '-n ends it at once also when all came before the answer, and -t may be years',
  async (t) => {
    const { home, uri } = await surroundings(t);
    const started = performance.now();
    for (const timeout of ['60', '99999999']) {
      const event = ticker({ interval: 0, count: 5 });
      const args = ['-u', uri, 'subscribe', '-n', '1', '-t', timeout, event];
      t.match(await midclt(args, { home }), { code: 0, stderr: '' });
    }
    t.ok(performance.now() - started < 20_000);
  },
);
