/** Being a daemon in this process: runDaemon, DaemonServer, and what is left of the dead. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import * as api from '../../../lib/index.js';
import { DaemonServer, runDaemon, sendToDaemon, type Client } from '../../../lib/index.js';
import { connectClient, ownSurroundings, runScript } from '../../support/api.js';
import { exchange, startDaemon, surroundings } from '../../support/daemon.js';
import { midclt, shell, spawnMidclt, until } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

interface Running {
  readonly ended: Promise<void>;
  readonly abort: AbortController;
  readonly logFile: string | null;
}

/** A daemon in this process, accepting connections. */
async function run(
  t: Test,
  client: Client,
  lifetime = 0,
  options: api.RunDaemonOptions = {},
): Promise<Running> {
  const abort = new AbortController();
  let ended!: Promise<void>;
  const logFile = await new Promise<string | null>((onReady, reject) => {
    ended = runDaemon(client, lifetime, { ...options, abort: abort.signal, onReady });
    ended.catch(reject);
  });
  t.teardown(() => abort.abort());
  return { ended, abort, logFile };
}

function leftovers(home: string): string[] {
  return fs.readdirSync(`${home}/.midclt`).filter((name) => name !== 'logs');
}

t.test('runDaemon serves the CLI and the API over its client, and leaves it open', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const { ended, logFile } = await run(t, client);
  const socket = api.getDaemonSocketPath(around.uri);
  t.equal(fs.statSync(socket).mode & 0o777, api.SOCKET_PERMISSIONS);
  t.equal(fs.readFileSync(api.getDaemonPidPath(around.uri), 'utf8'), String(process.pid));
  t.equal(logFile, `${around.home}/.midclt/logs/daemon-${api.getDaemonIdentifier(around.uri)}.log`);
  const cli = await midclt(['-u', around.uri, '-d', 'call', 'test.echo', '2.0'], around);
  t.match(cli, { code: 0, stdout: '[2.0]\n', stderr: '' });
  t.equal((await client.call('system.ready')).text, 'true', 'the client is still usable');
  t.equal(around.sandbox.stats.connections, 1);
  const stop = await midclt(['-u', around.uri, 'daemon-stop'], around);
  t.match(stop, { code: 0, stderr: 'Daemon shutting down\n' });
  await ended;
  t.same(leftovers(around.home), []);
  t.equal(await client.ping(), 'pong', 'and afterwards');
  const log = fs
    .readFileSync(logFile ?? '', 'utf8')
    .trim()
    .split('\n');
  t.same(
    log.map((line) => (JSON.parse(line) as { event: string }).event),
    ['accepting connections', 'stop requested', 'draining', 'stopped'],
  );
});

t.test('it takes signals while it runs, and only if it may', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const count = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  const before = count();
  const quiet = await run(t, client, 0, { signals: false });
  t.equal(count(), before);
  quiet.abort.abort();
  await quiet.ended;
  const loud = await run(t, client);
  t.equal(count(), before + 2);
  const call = sendToDaemon({ command: 'call', method: 'test.sleep', params: [0.3] }, around.uri);
  await until('the call to be in flight', () => around.sandbox.countOf('test.sleep') > 0);
  process.kill(process.pid, 'SIGTERM');
  t.match(await call, { type: 'result', result: { text: '0.3' } }, 'what is in flight is finished');
  await loud.ended;
  t.equal(count(), before);
});

t.test('it ends when idle, or with its client, and outlives a lost connection', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  await (
    await run(t, client, 0.1)
  ).ended;
  const lost = await connectClient(t, around);
  const served = await run(t, lost, 0);
  around.sandbox.dropAll();
  t.match(await sendToDaemon({ command: 'ping' }, around.uri), { type: 'result' });
  await sendToDaemon({ command: 'stop' }, around.uri);
  await served.ended;
  t.same(leftovers(around.home), []);
  await lost.close();
  await t.rejects(runDaemon(lost), { code: 'CLOSED' });
  const closed = await connectClient(t, around);
  const last = await run(t, closed, 0);
  await closed.close();
  await last.ended;
  const stranger = {} as unknown as Client;
  await t.rejects(runDaemon(stranger), { code: 'REQUEST' });
});

t.test('it refuses to start beside another, and can be named as one likes', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const { ended } = await run(t, client);
  await t.rejects(runDaemon(client), { code: 'RUNNING', message: /already running/ });
  const local = await run(t, client, 0, { uri: null, logFile: `${around.home}/my.log` });
  t.equal(local.logFile, `${around.home}/my.log`);
  const named = await run(t, client, 0, { uri: 'ws://nas', username: 'me' });
  t.equal(await api.isDaemonRunning(), true);
  t.equal(await api.isDaemonRunning('ws://nas', 'me'), true);
  t.equal(await api.isDaemonRunning('ws://nas'), false);
  t.match(await sendToDaemon({ command: 'ping' }), { type: 'result' });
  await sendToDaemon({ command: 'stop' });
  await sendToDaemon({ command: 'stop' }, 'ws://nas', 'me');
  await Promise.all([local.ended, named.ended]);
  t.equal(await api.isDaemonRunning(around.uri), true, 'the first is untouched');
  await sendToDaemon({ command: 'stop' }, around.uri);
  await ended;
});

t.test('a daemon in a script of its own ends by SIGTERM, with exit code 0', async (t) => {
  const around = await surroundings(t);
  const script = runScript(
    `import { Client, runDaemon } from 'midclt';
     const client = await Client.connect({ uri: ${JSON.stringify(around.uri)} });
     await runDaemon(client, 0, { onReady: () => process.kill(process.pid, 'SIGTERM') });
     await client.close();
     console.log('ended');`,
    around.home,
  );
  t.match(await script, { code: 0, stdout: 'ended\n' });
  t.same(leftovers(around.home), []);
});

t.test('DaemonServer serves a socket of its own, and removes it', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const events: string[] = [];
  const path = `${api.getDaemonDir()}/mine.sock`;
  const server = new DaemonServer(path, client, 0, { log: (_level, event) => events.push(event) });
  t.equal(server.socketPath, path);
  await server.listen();
  await server.listen();
  t.equal(fs.statSync(path).mode & 0o777, 0o600);
  t.same(leftovers(around.home), ['mine.sock'], 'and nothing else');
  await t.rejects(new DaemonServer(path, client).serveForever(), { code: 'RUNNING' });
  const served = server.serveForever();
  const answer = exchange(path, '{"command":"call","method":"test.sleep","params":[0.3]}\n');
  await until('the call to be in flight', () => around.sandbox.countOf('test.sleep') > 0);
  await server.shutdown();
  t.match((await answer).frames, [{ type: 'result', result: 0.3 }]);
  await served;
  t.same(leftovers(around.home), []);
  t.ok(events.includes('draining'));
});

t.test('DaemonServer ends by a stop request, when idle, and before it began', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const path = `${api.getDaemonDir()}/mine.sock`;
  const stopped = new DaemonServer(path, client, 0, { linger: 0.1 });
  await stopped.listen();
  const served = stopped.serveForever();
  t.match((await exchange(path, '{"command":"stop"}\n')).frames, [
    { result: 'Daemon shutting down' },
  ]);
  await served;
  await new DaemonServer(path, client, 0.1).serveForever();
  const never = new DaemonServer(path, client);
  await never.shutdown();
  t.same(leftovers(around.home), []);
  t.throws(() => new DaemonServer(`/${'x'.repeat(200)}`, client), { code: 'FILES' });
  const late = new DaemonServer(path, client);
  await client.close();
  await t.rejects(late.serveForever(), { code: 'CLOSED' });
  t.throws(() => new DaemonServer(path, client), { code: 'CLOSED' });
});

t.test('F3: cleanupStaleFiles removes what SIGKILL left, once', async (t) => {
  const around = await ownSurroundings(t);
  const daemon = await startDaemon(t, { around });
  t.equal(await api.cleanupStaleFiles(around.uri), false, 'a live one is left alone');
  t.equal(await api.isDaemonRunning(around.uri), true);
  daemon.child.kill('SIGKILL');
  await daemon.exited;
  const all = await Promise.all(Array.from({ length: 8 }, () => api.cleanupStaleFiles(around.uri)));
  t.ok(all.includes(true));
  t.same(leftovers(around.home), []);
  t.equal(await api.cleanupStaleFiles(around.uri), false, 'nothing is there');
});

t.test('F5: cleanupStaleFiles never removes a daemon that starts meanwhile', async (t) => {
  const around = await ownSurroundings(t);
  const { uri, home } = around;
  const dead = await startDaemon(t, { around });
  dead.child.kill('SIGKILL');
  await dead.exited;
  const starter = spawnMidclt(['-u', uri, 'daemon'], { home });
  t.teardown(() => starter.kill('SIGKILL'));
  const said: Buffer[] = [];
  starter.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  while (said.length === 0) {
    await api.cleanupStaleFiles(uri);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 0; i < 20; i++) t.equal(await api.cleanupStaleFiles(uri), false);
  t.equal(await api.isDaemonRunning(uri), true);
  t.equal(fs.readFileSync(api.getDaemonPidPath(uri), 'utf8'), String(starter.pid));
});

t.test('cleanupStaleFiles leaves alone what it cannot tell', async (t) => {
  const { home } = await ownSurroundings(t);
  api.getDaemonDir();
  fs.writeFileSync(api.getDaemonSocketPath(), 'mine');
  fs.writeFileSync(api.getDaemonPidPath(), '1');
  t.equal(await api.cleanupStaleFiles(), false);
  t.same(leftovers(home), ['daemon-local.pid', 'daemon-local.sock']);
  fs.unlinkSync(api.getDaemonSocketPath());
  t.equal(await api.cleanupStaleFiles(), false);
  t.same(leftovers(home), ['daemon-local.pid'], 'a pid file alone may be a starting one’s');
});

t.test('setupDaemonLogging opens the file that a daemon writes', async (t) => {
  const { home } = await ownSurroundings(t);
  const logger = await api.setupDaemonLogging();
  t.equal(logger.file, `${home}/.midclt/logs/daemon-local.log`);
  logger.log('info', 'hello', { n: 1 });
  logger.log('debug', 'not this');
  await logger.close();
  const line = JSON.parse(fs.readFileSync(logger.file ?? '', 'utf8')) as object;
  t.match(line, { level: 'info', event: 'hello', n: 1, pid: process.pid });
  t.equal(fs.statSync(logger.file ?? '').mode & 0o777, 0o600);
  const remote = await api.setupDaemonLogging({ uri: 'ws://nas', logLevel: 'debug' });
  t.equal(remote.file, `${home}/.midclt/logs/daemon-${api.getDaemonIdentifier('ws://nas')}.log`);
  await remote.close();
  const own = await api.setupDaemonLogging({ logFile: `${home}/own.log` });
  t.equal(own.file, `${home}/own.log`);
  await own.close();
  const before = process.stderr.listenerCount('error');
  const stderr = await api.setupDaemonLogging({ logFile: '-' });
  t.equal(stderr.file, null);
  await stderr.close();
  t.equal(process.stderr.listenerCount('error'), before);
});

t.test('the directory is made private, and refused where it is not to be trusted', async (t) => {
  const { home } = await ownSurroundings(t);
  t.equal(api.getDaemonSocketPath(), `${home}/.midclt/daemon-local.sock`);
  t.notOk(fs.existsSync(`${home}/.midclt`), 'naming makes nothing');
  t.equal(api.getDaemonDir(), `${home}/.midclt`);
  t.equal(fs.statSync(`${home}/.midclt`).mode & 0o777, 0o700);
  fs.rmdirSync(`${home}/.midclt`);
  fs.symlinkSync('/tmp', `${home}/.midclt`);
  t.throws(() => api.getDaemonDir(), { code: 'FILES', message: /symbolic link/ });
  await t.rejects(api.setupDaemonLogging(), { code: 'FILES' });
});

t.test('importing does nothing and loads nothing heavy', async (t) => {
  const { home } = await surroundings(t);
  const script = `
    const before = [process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')];
    require(${JSON.stringify(ROOT)});
    const heavy = /^NativeModule (http|https|tls|crypto|zlib|child_process|readline)$/;
    console.log(JSON.stringify(process.moduleLoadList.filter((name) => heavy.test(name))), process.listenerCount('SIGTERM') - before[0]);
    console.log(process._getActiveHandles().filter((each) => !each.fd).length);`;
  const ran = await runScript(script, home, 'import.cjs');
  t.equal(ran.stdout, '[] 0\n0\n');
  t.notOk(fs.existsSync(`${home}/.midclt`));
  const { stdout } = await shell(
    `"${process.execPath}" -p 'require("${ROOT}/package.json").main'`,
    { home },
  );
  t.equal(stdout, 'dist/api/index.js\n');
});
