/** Which calls start a daemon, which do not, and what the daemon takes with it. */
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { ground, MISSING, PASSWORD, processOf } from '../../support/lifecycle.js';
import { KEY } from '../../support/login.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
const NONE = { code: 1, stdout: '', stderr: MISSING };

t.test('call, ping and batch start one where no login is needed', async (t) => {
  for (const [args, input, stdout] of [
    [['call', 'core.ping'], '', 'pong\n'],
    [['ping'], '', 'pong\n'],
    [['batch'], '{"command":"ping"}\n', '{"type":"result","result":"pong"}\n'],
  ] as const) {
    const place = await ground(t);
    t.match(await place.d(args, { input }), { code: 0, stdout, stderr: '' });
    const pid = place.pid();
    await place.settled(pid);
    t.match(await place.d(args, { input }), { code: 0, stdout, stderr: '' });
    t.equal(place.pid(), pid, 'and the next one uses it');
    t.equal(place.sandbox.stats.connections, 1);
  }
});

t.test('any login that is given starts one, in whichever way it is given', async (t) => {
  const place = await ground(t);
  const { run, ws, home, pid } = place;
  fs.writeFileSync(`${home}/password`, 'admin-pw\n', { mode: 0o600 });
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  for (const [what, options, env] of [
    ['-P', ['-P', 'admin-pw'], {}],
    ['--password-file', ['--password-file', 'password'], {}],
    ['MIDCLT_PASSWORD', [], PASSWORD],
    ['-K', ['-K', KEY], {}],
    ['-K with a file', ['-K', `${home}/key`], {}],
    ['MIDCLT_API_KEY', [], { MIDCLT_API_KEY: KEY }],
  ] as const) {
    const call = ['-u', ws, '-U', 'admin', ...options, '-d', 'call', 'core.ping'];
    t.match(await run(call, { env }), PONG, what);
    t.match(await run(['-u', ws, '-U', 'admin', '-d', 'ping']), PONG, `${what}: later, without`);
    t.match(await run(['-u', ws, '-U', 'admin', 'daemon-stop']), { code: 0 });
    t.equal(pid(ws, 'admin'), null);
  }
  t.equal(place.sandbox.stats.logins, 6);
  await place.settled();
});

t.test('none is started where a login is needed and none is given', async (t) => {
  const place = await ground(t);
  const { run, ws, uri, home } = place;
  const input = '{"command":"ping"}\n';
  for (const globals of [
    ['-u', ws],
    ['-u', ws, '-U', 'admin'],
    ['-u', uri, '-U', 'admin'],
    ['-u', ws, '-P', 'admin-pw'],
    ['-u', ws.replace('/api/current', '/websocket'), '-U', 'admin'],
  ])
    for (const command of [['call', 'core.ping'], ['ping'], ['batch']])
      t.match(
        await run([...globals, '-d', ...command], { input }),
        NONE,
        `${globals.join(' ').replace(/:\d+/, '')} ${command[0]}`,
      );
  t.equal(place.sandbox.stats.connections, 0);
  await place.settled();
  t.notOk(fs.existsSync(`${home}/.midclt`), 'and nothing was written');
});

t.test('none is started by those who forbid it, by the option or the variable', async (t) => {
  const place = await ground(t);
  const { run, uri, ws, home } = place;
  const input = '{"command":"ping"}\n';
  for (const command of [['call', 'core.ping'], ['ping'], ['batch']]) {
    t.match(await run(['-u', uri, '--no-autostart', '-d', ...command], { input }), NONE);
    const env = { MIDCLT_AUTOSTART: '0' };
    t.match(await run(['-u', uri, '-d', ...command], { env, input }), NONE);
    const login = ['-u', ws, '-U', 'admin', '-P', 'admin-pw', '-d'];
    t.match(await run([...login, ...command], { env, input }), NONE);
    const byVariable = { ...env, MIDCLT_USE_DAEMON: '1', MIDCLT_URI: uri };
    t.match(await run(command, { env: byVariable, input }), NONE);
  }
  t.match(await run(['-u', uri, 'daemon-stop']), {
    code: 1,
    stdout: '',
    stderr: 'No daemon is currently running\n',
  });
  t.match(await run(['-u', uri, 'daemon-status']), {
    code: 1,
    stdout: '',
    stderr: 'No daemon is currently running\n',
  });
  t.match(await run(['-u', uri, 'daemon-list']), { code: 0, stdout: '', stderr: '' });
  await place.settled();
  t.notOk(fs.existsSync(`${home}/.midclt`));
});

t.test('MIDCLT_USE_DAEMON=1 makes every call, ping and batch one with -d', async (t) => {
  const place = await ground(t);
  const env = { MIDCLT_USE_DAEMON: '1', MIDCLT_URI: place.uri };
  const input = '{"command":"ping"}\n';
  t.match(await place.run(['call', 'core.ping'], { env }), PONG);
  t.match(await place.run(['ping'], { env }), PONG);
  t.match(await place.run(['batch'], { env, input }), { code: 0, stderr: '' });
  t.equal(place.sandbox.stats.connections, 1, 'one daemon did it all');
  for (const off of ['', '0'])
    t.match(await place.run(['ping'], { env: { ...env, MIDCLT_USE_DAEMON: off } }), PONG);
  t.equal(place.sandbox.stats.connections, 3, 'these two went there themselves');
});

t.test(
  'F14: it has a session of its own, no terminal, no descriptor and / for its cwd',
  async (t) => {
    const place = await ground(t);
    t.match(await place.d(['ping']), PONG);
    const pid = place.pid()!;
    const { cwd, session, terminal, stdio } = processOf(pid);
    t.match({ cwd, session, terminal }, { cwd: '/', session: pid, terminal: 0 });
    t.same(stdio, ['/dev/null', '/dev/null', '/dev/null']);
  },
);

t.test('F14: it keeps none of the descriptors its caller had open', async (t) => {
  for (const descriptor of [3, 4, 9]) {
    const place = await ground(t);
    t.match(await place.sh(`midclt -d ping ${descriptor}>held`), PONG);
    const open = fs.readdirSync(`/proc/${place.pid()}/fd`);
    const links = open.map((fd) => fs.readlinkSync(`/proc/${place.pid()}/fd/${fd}`));
    t.ok(links.some((to) => to.startsWith('socket:')));
    t.notOk(links.includes(`${place.home}/held`), `${descriptor}`);
  }
});

t.test(
  'F14: secrets are in neither its arguments, its environment, its log nor its status',
  async (t) => {
    const place = await ground(t);
    const { run, ws, pid, files } = place;
    for (const [secret, options, env] of [
      ['admin-pw', ['-P', 'admin-pw'], {}],
      ['admin-pw', [], PASSWORD],
      [KEY, ['-K', KEY], {}],
      [KEY, [], { MIDCLT_API_KEY: KEY }],
    ] as const) {
      t.match(await run(['-u', ws, '-U', 'admin', ...options, '-d', 'ping'], { env }), PONG);
      const { cmdline, environ } = processOf(pid(ws, 'admin')!);
      t.ok(cmdline.length > 0 && environ.includes('HOME='), 'there is something to look at');
      t.notOk(cmdline.includes(secret), 'arguments');
      t.notOk(environ.includes(secret), 'environment');
      t.notMatch(environ, /MIDCLT_(PASSWORD|API_KEY)/);
      const status = await run(['-u', ws, '-U', 'admin', 'daemon-status', '--json']);
      t.equal(status.code, 0);
      t.notOk(status.stdout.includes(secret), 'status');
      t.notOk(fs.readFileSync(files(ws, 'admin').log, 'utf8').includes(secret), 'log');
      t.match(await run(['-u', ws, '-U', 'admin', 'daemon-stop']), { code: 0 });
    }
  },
);

t.test('a starter that is killed leaves a daemon that serves, or none', async (t) => {
  const place = await ground(t);
  const frozen = net.createServer(); // a middleware that never says a word
  frozen.listen(`${place.home}/mute.sock`);
  t.teardown(() => frozen.close());
  const connected = new Promise<net.Socket>((resolve) => frozen.once('connection', resolve));
  const uri = `ws+unix://${place.home}/mute.sock`;
  const call = place.run(['-u', uri, '-d', 'ping']);
  (await connected).on('error', () => undefined);
  const starters = place.processes().filter((pid) => processOf(pid).session !== pid);
  for (const pid of starters) process.kill(pid, 'SIGKILL');
  t.match(await call, { signal: 'SIGKILL' });
  (await connected).destroy();
  await place.settled();
  t.notOk(fs.existsSync(place.files(uri).socket));
});
