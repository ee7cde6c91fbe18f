/** Where the daemon's log goes, and what becomes of it when it can't. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { exchange, startDaemon, surroundings } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';

const PING = '{"command":"ping","close":true}\n';

t.test('logs NDJSON to the file it is given, relative to where it was started', async (t) => {
  const around = await surroundings(t);
  const daemon = await startDaemon(t, { around, args: ['--log-file', 'here.log'] });
  t.equal(daemon.stdout(), `Accepting connections. Log file: ${around.home}/here.log\n`);
  await exchange(daemon.socket, PING);
  daemon.child.kill('SIGTERM');
  await daemon.exited;
  const lines = fs.readFileSync(`${around.home}/here.log`, 'utf8').trim().split('\n');
  for (const line of lines) {
    t.match(JSON.parse(line), {
      time: String,
      level: String,
      event: String,
      pid: daemon.child.pid,
    });
  }
  t.ok(lines.length >= 4);
  t.equal(fs.statSync(`${around.home}/here.log`).mode & 0o777, 0o600);
});

t.test('F33: logs to stderr when it is told to, or when the file cannot be written', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around, args: ['--log-file', '-'] });
  t.equal(first.stdout(), 'Accepting connections. Logging to stderr.\n');
  first.child.kill('SIGTERM');
  await first.exited;
  t.match(first.stderr(), /"event":"stopped"/);
  const second = await startDaemon(t, { around, args: ['--log-file', '/proc/nowhere/x.log'] });
  t.match(second.stderr(), /^Cannot write the log file \/proc\/nowhere\/x.log: .*ENOENT/);
  t.equal(second.stdout(), 'Accepting connections. Logging to stderr.\n');
});

t.test(
  'F33: a log that fails is said once and takes neither the daemon nor its exit code',
  async (t) => {
    const daemon = await startDaemon(t, { args: ['--log-file', '/dev/full'] });
    t.match(await daemon.d(['call', 'core.ping']), { code: 0, stdout: 'pong\n' });
    await daemon.d(['daemon-stop']);
    t.match(await daemon.exited, { code: 0 });
    t.match(daemon.stderr(), /^Cannot write the log file .*ENOSPC.*\n$/);
  },
);

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

function linesOf(...files: string[]): Line[] {
  return files
    .flatMap((file) => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as Line);
}

t.test('F32: at debug every call is a line, at no level with its parameters', async (t) => {
  const around = await surroundings(t, { ws: 0 });
  const daemon = await startDaemon(t, {
    around,
    uri: `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`,
    username: 'admin',
    globals: ['-U', 'admin', '-P', 'admin-pw'],
    args: ['--log-level', 'debug'],
  });
  await daemon.d(['call', 'test.echo', 'hush-1', '{"password": "hush-2"}']);
  await daemon.d(['call', 'test.fail', '2', 'hush-3']);
  await daemon.d(['call', '-j', 'test.job', '2', '0.1']);
  await daemon.d(['daemon-stop']);
  await daemon.exited;
  t.notMatch(fs.readFileSync(daemon.logFile, 'utf8'), /hush|admin-pw/);
  const lines = linesOf(daemon.logFile);
  const calls = lines.filter(({ event }) => event === 'call');
  t.match(calls, [
    { level: 'debug', method: 'test.echo', job: false, outcome: 'result', ms: Number },
    { method: 'test.fail', job: false, outcome: 'CALL', ms: Number },
    { method: 'test.job', job: true, outcome: 'result' },
  ]);
  t.ok(Number(calls[2]?.ms) >= 190, 'a job takes as long as it runs');
  t.same(
    calls.map(({ client }) => client),
    [1, 2, 3],
    'each connection has a number',
  );
  t.match(
    lines.find(({ event }) => event === 'stop requested'),
    { client: 4 },
  );
});

t.test('--log-level is the least that is written', async (t) => {
  const daemon = await startDaemon(t, { args: ['--log-level', 'warning'] });
  daemon.sandbox.dropAll();
  await until('a warning', () => fs.readFileSync(daemon.logFile, 'utf8'));
  await daemon.d(['daemon-stop']);
  await daemon.exited;
  t.same(
    linesOf(daemon.logFile).map(({ event }) => event),
    ['connection lost'],
  );
  const wrong = await daemon.d(['daemon', '--log-level', 'loud']);
  t.match(wrong, { code: 2, stderr: /--log-level: invalid choice: 'loud' \(choose from 'debug'/ });
});

t.test('F32: a log that is full is renamed while calls are made', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  await first.d(['daemon-stop']);
  const line = `${JSON.stringify({ level: 'info', event: 'x'.repeat(1000) })}\n`;
  fs.writeFileSync(first.logFile, line.repeat(Math.floor((10 * 1024 * 1024 - 2000) / line.length)));
  fs.chmodSync(first.logFile, 0o644);
  const daemon = await startDaemon(t, { around, args: ['--log-level', 'debug'] });
  t.equal(fs.statSync(daemon.logFile).mode & 0o777, 0o600, 'a loose mode is tightened');
  const requests = Array.from({ length: 100 }, (_, n) =>
    JSON.stringify({ command: 'call', method: `test.n${n}` }),
  );
  await exchange(daemon.socket, `${requests.join('\n')}\n`, { halfClose: true });
  await daemon.d(['daemon-stop']);
  await daemon.exited;
  t.ok(fs.statSync(`${daemon.logFile}.1`).size > 10 * 1024 * 1024 - 2000);
  t.equal(fs.statSync(`${daemon.logFile}.1`).mode & 0o777, 0o600);
  t.equal(fs.statSync(daemon.logFile).mode & 0o777, 0o600);
  const methods = linesOf(`${daemon.logFile}.1`, daemon.logFile)
    .filter(({ event }) => event === 'call')
    .map(({ method }) => method);
  t.same(
    methods,
    requests.map((_, n) => `test.n${n}`),
    'no call is missing',
  );
  t.ok(linesOf(daemon.logFile).length > 10);
  t.equal(daemon.stderr(), '');
});

t.test('F32: a daemon goes on in a new file when logrotate takes its log', async (t) => {
  const daemon = await startDaemon(t, { args: ['--log-level', 'debug'] });
  fs.renameSync(daemon.logFile, `${daemon.logFile}.old`);
  await until('a new file', async () => {
    await daemon.d(['call', 'core.ping']);
    return fs.existsSync(daemon.logFile) && linesOf(daemon.logFile).length > 0;
  });
  t.equal(fs.statSync(daemon.logFile).mode & 0o777, 0o600);
});

t.test('F32: a directory of logs that is removed is made again', async (t) => {
  const daemon = await startDaemon(t, { args: ['--log-level', 'debug'] });
  const directory = `${daemon.home}/.midclt/logs`;
  fs.rmSync(directory, { recursive: true });
  const missing = await daemon.d(['daemon-log']);
  t.match(missing, { code: 1, stderr: /no such file .* it was removed/ });
  await until('a new file', async () => {
    await daemon.d(['call', 'core.ping']);
    return fs.existsSync(daemon.logFile) && linesOf(daemon.logFile).length > 0;
  });
  t.equal(fs.statSync(directory).mode & 0o777, 0o700);
  t.equal(fs.statSync(daemon.logFile).mode & 0o777, 0o600);
  t.match(await daemon.d(['daemon-log']), { code: 0, stderr: '' });
  t.equal(daemon.stderr(), '');
});

t.test('F32: what is removed with the directory above it stays so', async (t) => {
  const daemon = await startDaemon(t);
  fs.rmSync(`${daemon.home}/.midclt`, { recursive: true });
  await daemon.exited;
  t.notOk(fs.existsSync(`${daemon.home}/.midclt`));
});

t.test('F32: a default log that is a link or no file is refused, the daemon serves', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  await first.d(['daemon-stop']);
  fs.writeFileSync(`${around.home}/precious`, 'mine\n', { mode: 0o644 });
  const spoil: [RegExp, () => void][] = [
    [/symbolic link/, () => fs.symlinkSync(`${around.home}/precious`, first.logFile)],
    [/no regular file/, () => fs.mkdirSync(first.logFile)],
    [/no regular file/, () => spawnSync('mkfifo', [first.logFile])],
  ];
  for (const [why, make] of spoil) {
    fs.rmSync(first.logFile, { recursive: true });
    make();
    const daemon = await startDaemon(t, { around });
    t.match(await daemon.d(['call', 'core.ping']), { code: 0 });
    await daemon.d(['daemon-stop']);
    const [said = '', warning = '{}'] = daemon.stderr().split('\n');
    t.match(said, /^Cannot write the log file .*\.log: it is .*; remove it\. Logging to stderr\.$/);
    t.match(said, why);
    t.match(JSON.parse(warning), { level: 'warning', event: 'log file not writable', error: why });
  }
  t.equal(fs.readFileSync(`${around.home}/precious`, 'utf8'), 'mine\n');
  t.equal(fs.statSync(`${around.home}/precious`).mode & 0o777, 0o644);
});

t.test('F33: serves without the directory of logs and without a pid file', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  first.child.kill('SIGKILL');
  await first.exited;
  fs.rmSync(`${around.home}/.midclt/logs`, { recursive: true });
  fs.writeFileSync(`${around.home}/.midclt/logs`, '');
  fs.unlinkSync(first.pidFile);
  fs.mkdirSync(first.pidFile);
  const daemon = await startDaemon(t, { around });
  t.match(await daemon.d(['call', 'core.ping']), { code: 0, stdout: 'pong\n' });
  t.match(await daemon.d(['daemon-stop']), { code: 0 });
  t.match(await daemon.exited, { code: 0 });
  t.match(
    daemon.stderr(),
    /^Cannot write the log file .*logs is no directory; remove it\. Logging/,
  );
  const said = /^Warning: Cannot write .*\.pid: .*\(EISDIR\)\. Serving without a pid file\.$/m;
  t.match(daemon.stderr(), said);
  t.match(daemon.stderr(), /"level":"warning","event":"pid file not written",.*EISDIR/);
  t.ok(fs.statSync(first.pidFile).isDirectory());
  t.notOk(fs.existsSync(daemon.socket));
});
