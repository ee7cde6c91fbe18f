/** F48: a daemon of an older version is replaced by one with its own settings, or left to who runs it. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { startSandbox } from '../../../lib/sandbox/index.js';
import { issue } from '../../support/certificates.js';
import { KEY } from '../../support/login.js';
import { ROOT } from '../../support/root.js';
import { isOtherManaged } from '../../../lib/daemon/service-manager.js';
import { readStatus, type StatusReport } from '../../../lib/protocol/status.js';
import { AUTOSTART, ground, isAlive, type Ground } from '../../support/lifecycle.js';
import { environment, until } from '../../support/midclt.js';
import { binaryOfVersion, ofVersion, VERSION, versionOf } from '../../support/versions.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

async function statusOf({ run, uri }: Ground): Promise<StatusReport> {
  const { stdout } = await run(['-u', uri, 'daemon-status', '--json']);
  return JSON.parse(stdout) as StatusReport;
}

t.test('F48: the new daemon has all the settings of the old one', async (t) => {
  const place = await ground(t);
  const { d, uri, pid, home } = place;
  const older = ofVersion(t, place, '0.0.9');
  const options = [
    ...['--concurrency', '1', '--lifetime', '0', '--linger', '2.5', '--max-connections', '50'],
    ...['--log-file', 'own.log', '--log-level', 'debug', '--memory', '100'],
  ];
  const start = await older(['-u', uri, 'daemon', '--detach', ...options], { CALL_TIMEOUT: '7' });
  t.match(start, { code: 0, stderr: '' });
  const first = pid();
  const before = await statusOf(place);
  t.match(await d(['ping'], { env: { CALL_TIMEOUT: '99' }, cwd: '/' }), PONG);
  await until('another', async () => (await versionOf(place, '-u', uri)) === VERSION);
  t.not(pid(), first);
  const after = await statusOf(place);
  t.match(after, {
    lifetime: 0,
    settings: {
      concurrency: 1,
      linger: 2.5,
      max_connections: 50,
      memory: 100,
      log_file: `${home}/own.log`,
      log_level: 'debug',
      call_timeout: 7,
      managed: false,
    },
  });
  t.same(after.settings, before.settings);
  t.notOk(fs.existsSync(place.files().log), 'no other log was begun');
  t.match(await d(['call', 'test.echo', '1']), { code: 0 });
  await until('the call in the log, at debug', () => {
    const lines = fs.readFileSync(`${home}/own.log`, 'utf8').split('\n');
    return lines.some((line) => line.includes('test.echo') && line.includes(`${pid()}`));
  });
});

t.test(
  'F48: the default log stays the default, and so does a log on stderr become it',
  async (t) => {
    const place = await ground(t);
    const { d, uri, files } = place;
    const older = ofVersion(t, place, '0.0.9');
    t.match(await older(['-u', uri, '-d', 'ping']), PONG);
    t.match(await d(['ping']), PONG);
    await until('another', async () => (await versionOf(place, '-u', uri)) === VERSION);
    t.match(await statusOf(place), { lifetime: 600, settings: { log_file: files().log } });
  },
);

t.test('F48: the new daemon trusts the authorities that the old one did', async (t) => {
  const place = await ground(t);
  const { home, run } = place;
  const certificate = issue();
  const sandbox = await startSandbox({ host: '127.0.0.1', wss: 0, certificate, rateLimit: false });
  t.teardown(() => sandbox.close());
  fs.writeFileSync(`${home}/ca.pem`, certificate.cert);
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  const whose = ['-u', `localhost:${sandbox.wssPort}`, '-U', 'admin'];
  const login = [...whose, '-K', `${home}/key`];
  const older = ofVersion(t, place, '0.0.9');
  const running = async () => {
    const { stdout } = await run([...whose, 'daemon-status', '--json']);
    return JSON.parse(stdout) as StatusReport;
  };
  const start = await older([...login, '--ca-file', 'ca.pem', 'daemon', '--detach']);
  t.match(start, { code: 0, stderr: '' });
  fs.renameSync(`${home}/ca.pem`, `${home}/away`);
  t.match(await run([...login, '-d', 'ping'], { env: AUTOSTART }), PONG);
  t.match(await running(), { version: '0.0.9' }, 'none that could not start replaces it');
  fs.renameSync(`${home}/away`, `${home}/ca.pem`);
  t.match(await run([...login, '-d', 'ping'], { env: AUTOSTART }), PONG);
  await until('another', async () => (await running()).version === VERSION);
  t.match(await running(), {
    middleware: { state: 'ready', pinned: false },
    settings: { ca_file: `${home}/ca.pem` },
  });
  t.match(await run([...whose, 'daemon-status']), { stdout: `authorities  ${home}/ca.pem\n` });
  t.match(await run([...whose, 'daemon-stop']), { code: 0 });
});

t.test('F48: what an older daemon does tell is kept', async (t) => {
  const place = await ground(t);
  const { d, uri, files, home } = place;
  t.match(await d(['ping']), PONG);
  const { settings, ...report } = await statusOf(place);
  t.ok(settings);
  t.match(await place.run(['-u', uri, 'daemon-stop']), { code: 0 });
  // As a daemon that does not tell its settings answers.
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (chunk: Buffer) => {
      const { command } = JSON.parse(chunk.toString()) as { command: string };
      const told = JSON.stringify({ ...report, version: '0.0.9', lifetime: 77 });
      const result = command === 'status' ? told : '"pong"';
      socket.end(`{"type":"result","daemon":"0.0.9","result":${result}}\n`);
      if (command === 'stop') server.close();
    });
  });
  fs.mkdirSync(`${home}/.midclt`, { mode: 0o700, recursive: true });
  await new Promise<void>((resolve) => server.listen(files().socket, resolve));
  t.teardown(() => server.close());
  t.match(await d(['ping']), PONG);
  await until('another', async () => (await versionOf(place, '-u', uri)) === VERSION);
  t.match(await statusOf(place), { lifetime: 77, settings: { concurrency: 8 } });
});

t.test('F48: a daemon that a one-time code logged in is left alone', async (t) => {
  const place = await ground(t);
  const older = ofVersion(t, place, '0.0.9');
  const login = ['-u', place.ws, '-U', 'otp', '-P', 'otp-pw'];
  const start = await older([...login, '--otp', '123456', 'daemon', '--detach']);
  t.match(start, { code: 0, stderr: '' });
  const first = place.pid(place.ws, 'otp');
  for (let i = 0; i < 2; i++) t.match(await place.run([...login, '-d', 'call', 'core.ping']), PONG);
  t.equal(place.pid(place.ws, 'otp'), first);
  const status = await place.run([...login, 'daemon-status', '--json']);
  t.match(JSON.parse(status.stdout), { version: '0.0.9', middleware: { one_time_code: true } });
  const { stdout } = await place.run([...login, 'doctor']);
  t.match(stdout.replace(/\s+/g, ' '), /it stays until it is stopped, since its login took/);
  await place.settled(first);
});

t.test('F48: a daemon that systemd runs is left to it', async (t) => {
  const place = await ground(t);
  const { d, uri, home, pid } = place;
  const binary = binaryOfVersion(t, place, '0.0.9');
  const line = 'unset NODE_OPTIONS; SYSTEMD_EXEC_PID=$$ exec "$NODE" "$BINARY" -u "$URI" daemon';
  const env = environment(home, { ...AUTOSTART, NODE: process.execPath, BINARY: binary, URI: uri });
  const child = spawn('/bin/sh', ['-c', line], { env, cwd: home });
  t.teardown(() => child.kill('SIGKILL'));
  await until(
    'it to serve',
    async () => (await d(['--no-autostart', 'ping'].reverse())).code === 0,
  );
  for (let i = 0; i < 2; i++) t.match(await d(['call', 'core.ping']), PONG);
  t.equal(pid(), child.pid);
  t.ok(isAlive(child.pid ?? 0), 'it was not told to stop');
  t.match(await statusOf(place), { version: '0.0.9', settings: { managed: true } });
});

t.test('F48: of a daemon that does not tell it, its environment does', async (t) => {
  const home = ROOT;
  const started = (assignment: string) => {
    const child = spawn('/bin/sh', ['-c', `${assignment} exec sleep 600`], { cwd: home });
    t.teardown(() => child.kill('SIGKILL'));
    return child.pid ?? 0;
  };
  const pids = ['LISTEN_PID=$$', 'SYSTEMD_EXEC_PID=$$', 'SYSTEMD_EXEC_PID=1', 'X=1'].map(started);
  for (const pid of pids) {
    const name = `/proc/${pid}/comm`;
    await until('it to run', () => fs.readFileSync(name, 'utf8') === 'sleep\n');
  }
  t.same(pids.map(isOtherManaged), [true, true, false, false]);
  t.equal(isOtherManaged(4194304), false, 'nobody');
});

t.test('a status is believed if it has what every daemon tells', (t) => {
  t.equal(readStatus(Buffer.from('{"pid":1}')), null);
  t.equal(readStatus(Buffer.from('nonsense')), null);
  t.end();
});
