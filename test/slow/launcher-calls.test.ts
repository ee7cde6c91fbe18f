/** The launcher does what the program does, without it where it can. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { launcher } from '../../lib/cli/shell/init.js';
import { eachRow, same } from '../support/commands.js';
import { startDaemon } from '../support/daemon.js';
import { boxOf, CONNECTORS, has, SHELLS } from '../support/launcher.js';
import { AUTOSTART, filesOf, ground, isAlive, processOf } from '../support/lifecycle.js';
import { BINARY, environment, LAUNCHER, midclt, shell, until } from '../support/midclt.js';
import { noOtherUser, OTHER } from '../support/other-user.js';
import { ofVersion, VERSION, versionOf } from '../support/versions.js';

t.setTimeout(300_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
const connector = has('nc') ? 'nc' : 'socat';

t.test('it is made of the text of the shell function', async (t) => {
  const text = fs.readFileSync(LAUNCHER, 'utf8');
  t.equal(text, launcher());
  t.notMatch(text, /@[A-Z{]/, 'all is put in');
  const { home } = await ground(t);
  const functions = (script: string) =>
    new Map(
      [...script.matchAll(/^(_midclt_\w+)\(\) \{\n(.*?)^\}$/gms)].map(([, name, body]) => [
        name,
        body,
      ]),
    );
  const own = functions(text);
  const theirs = functions((await midclt(['shell-init', 'sh'], { home })).stdout);
  const different = [...own].filter(([name, body]) => theirs.get(name) !== body);
  // How the program is found and the call is made; who waits at a terminal.
  t.same(different.map(([name]) => name).sort(), ['_midclt_answer', '_midclt_fast', '_midclt_run']);
  t.equal(own.size, theirs.size);
});

t.test('the table is answered as by the program', async (t) => {
  const { home, uri } = await startDaemon(t);
  const box = boxOf(home, [connector]);
  await eachRow(async ({ args, stdin }) => {
    const words = ['-u', uri, ...args];
    const program = await midclt(['-d', ...words], { home, input: stdin ?? '' });
    const what = JSON.stringify(args.join(' ').slice(0, 60));
    const input = { input: stdin ?? '' };
    t.same(same(await box.run(['-d', ...words], input)), same(program), what);
    const env = { MIDCLT_USE_DAEMON: '1' };
    t.same(same(await box.run(words, { ...input, env })), same(program), `${what} by variable`);
  });
});

t.test('the common calls start no Node, and a URI is hashed once', async (t) => {
  const { home, uri } = await startDaemon(t);
  const box = boxOf(home, [connector]);
  const d = (...args: string[]) => box.run(['-u', uri, '-d', ...args]);
  t.match(await d('ping'), PONG);
  fs.rmSync(`${box.path}/sha256sum`);
  t.match(await d('ping'), PONG);
  t.match(await d('call', 'test.bigstring', '10000'), { stdout: `${'x'.repeat(10_000)}\n` });
  t.match(await d('call', 'test.echo', 'a\n"b"\t\\', '{"a": [1]}', ''), {
    stdout: '["a\\n\\"b\\"\\t\\\\", {"a": [1]}, ""]\n',
  });
  t.match(await d('call', 'test.fail', '2', 'x'), {
    code: 1,
    stdout: '',
    stderr: /^\[ENOENT\] x\n/,
  });
  t.match(await d('call', 'test.raw', String.raw`"\"\\u0000\""`), { code: 0, stdout: '\0\n' });
  t.match(await d('call', '-q', 'test.fail'), { code: 1, stdout: '', stderr: '' });
  t.equal(box.starts(), 0);
  t.match(await box.run(['-u', uri, '-d', 'ping'], { env: { MIDCLT_LAUNCHER: '0' } }), PONG);
  t.equal(box.starts(), 1);
  t.match(await boxOf(home, []).run(['-u', uri, '-d', 'ping']), PONG, 'nothing connects');
  const { stderr } = await box.run(['-u', `${uri}x`, '-d', 'ping']);
  t.match(stderr, /^Error: No daemon is running/, 'another one is not known');
});

t.test('arguments of any bytes', async (t) => {
  const { home, uri } = await startDaemon(t);
  const all = Array.from({ length: 255 }, (_, i) => `\\${(i + 1).toString(8).padStart(3, '0')}`);
  const words = [
    ...all,
    'a\\377b',
    '\\303\\251',
    '\\303',
    '\\n',
    '{\\n\\t"a": 1}',
    "it'\\''s",
    '\\\\n',
  ];
  const line = words.map((word) => `"$(printf 'x${word}.')"`).join(' ');
  const env = { MIDCLT_URI: uri, L: LAUNCHER, NODE: process.execPath, BINARY };
  for (const each of [line, ...words.map((word) => `"$(printf 'x${word}.')"`).slice(250)]) {
    const [one, other] = await Promise.all([
      shell(`"$L" -d call test.echo ${each}`, { home, env }),
      shell(`"$NODE" "$BINARY" -d call test.echo ${each}`, { home, env }),
    ]);
    t.same(one, other, each.slice(0, 40));
    t.equal(one.code, 0);
  }
});

t.test('what a shell may do with its descriptors', async (t) => {
  const { home, uri } = await startDaemon(t);
  const env = { MIDCLT_URI: uri, MIDCLT_USE_DAEMON: '1' };
  const lines = [
    ...['<&-', '>&-', '2>&-', '<&- >&- 2>&-', '>/dev/full', '2>/dev/full', '</dev/null >/dev/null'],
    ...['| head -c1', '| { sleep 0.3; cat; }', '>file; cat file'],
  ];
  const calls = ['ping', 'call test.bigstring 3000', 'call test.bigstring 70000', 'call test.fail'];
  for (const rest of lines) {
    for (const call of calls) {
      const run = (midclt: string) =>
        shell(`{ ${midclt} ${call}; echo "exit code $?" >&2; } ${rest}`, { home, env });
      const program = await run(`"${process.execPath}" "${BINARY}"`);
      const own = await run(`"${LAUNCHER}"`);
      // Whether the last byte is taken before the reader goes is the reader's business.
      const isRace = rest.includes('head') && !call.includes('ping');
      const but = isRace ? { ...program, stderr: own.stderr } : program;
      t.same(own, but, `${call} ${rest}`);
    }
  }
  const loop = `printf '1\\n2\\n' | while read -r x; do "${LAUNCHER}" call test.echo "$x"; done`;
  t.match(await shell(loop, { home, env }), { stdout: '[1]\n[2]\n' }, 'stdin is left alone');
  const noHome = await shell(`unset HOME; "${LAUNCHER}" ping`, { home, env });
  t.match(noHome, { stderr: /^(?:$|Error: )/ }, 'no HOME');
});

/** A daemon that does with each connection what is said. Returns how many there were. */
async function impostor(t: Test, home: string, serve: (socket: net.Socket) => void) {
  const { socket, pid } = filesOf(home, null);
  fs.mkdirSync(`${home}/.midclt`, { recursive: true, mode: 0o700 });
  let connections = 0;
  const server = net.createServer((connection) => {
    connections++;
    connection.on('error', () => undefined);
    serve(connection);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  fs.writeFileSync(pid, `${process.pid}`);
  t.teardown(() => server.close());
  return () => connections;
}

t.test('what was read is never sent twice; what was not is the program’s', async (t) => {
  const LOST = { code: 1, stdout: '', stderr: /^Error: The daemon went away before it answered/ };
  const home = async (sent: string) => {
    const place = await ground(t);
    const count = await impostor(t, place.home, (socket) => {
      socket.once('data', () => socket.end(sent));
    });
    return { box: boxOf(place.home, [connector]), count };
  };
  for (const sent of [
    '\n',
    '\n0 5',
    '\n0 5 1\npo',
    '\n0 10 2\npong\n',
    '\n1 5 1\nx',
    '\nnonsense\n',
  ]) {
    const { box, count } = await home(sent);
    const run = await box.run(['-d', 'ping']);
    t.match(run, LOST, JSON.stringify(sent));
    t.equal(count(), 1);
    t.equal(box.starts(), 0);
  }
  for (const sent of ['\n0 70000 0\nabc', '\nframe\n{"type":"result","result":"']) {
    const { box, count } = await home(sent);
    t.match(await box.run(['-d', 'ping']), { ...LOST, stdout: /^(?:abc)?$/ }, JSON.stringify(sent));
    t.equal(count(), 1);
  }
  for (const sent of ['', '{"type":"error","error":"Unknown command: cli-ping"}\n']) {
    const { box, count } = await home(sent);
    t.match(await box.run(['-d', 'ping']), { code: 1, stderr: /^(?:Error|Ping failed): / });
    t.ok(count() >= 2, 'the program asked');
  }
  const place = await ground(t);
  await impostor(t, place.home, (socket) => socket.destroy());
  const own = await boxOf(place.home, [connector]).run(['-d', 'ping']);
  t.same(own, await midclt(['-d', 'ping'], place), 'closed unread');
  t.match(own, { code: 1, stderr: /closes every connection unread/ });
});

t.test('a daemon that is absent, of another version, or of another home', async (t) => {
  const place = await ground(t);
  const { home, uri, pid } = place;
  const box = boxOf(home, [connector]);
  const d = (...args: string[]) => box.run(['-u', uri, '-d', ...args], { env: AUTOSTART });
  t.match(await box.run(['-u', uri, '-d', 'ping']), {
    code: 1,
    stderr: /^Error: No daemon is run/,
  });
  const older = ofVersion(t, place, '0.0.9');
  t.match(await older(['-u', uri, '-d', 'ping']), PONG);
  t.match(await d('ping'), PONG);
  t.equal(await versionOf(place, '-u', uri), VERSION, 'it was replaced');
  const starts = box.starts();
  t.match(await d('call', 'core.ping'), PONG);
  t.equal(box.starts(), starts);
  process.kill(pid() ?? 0, 'SIGKILL');
  await place.settled();
  t.match(await d('call', 'test.echo', '1'), { code: 0, stdout: '[1]\n', stderr: '' }, 'stale');
  t.equal(box.starts(), starts + 1);
});

t.test('who is killed leaves nobody behind', async (t) => {
  const place = await ground(t);
  const { home, uri, pid, sandbox } = place;
  t.match(await place.d(['ping']), PONG);
  const daemon = pid() ?? 0;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const) {
    const before = sandbox.countOf('test.sleep');
    const child = spawn(LAUNCHER, ['-u', uri, '-d', 'call', 'test.sleep', '3600'], {
      env: environment(home),
    });
    const ended = new Promise((resolve) => child.on('exit', (_code, how) => resolve(how)));
    const closed = new Promise((resolve) => child.on('close', resolve));
    await until('the call', () => sandbox.countOf('test.sleep') > before);
    child.kill(signal);
    t.equal(await ended, signal);
    await closed;
    await until('no other process', () => place.processes().filter(isAlive).join() === `${daemon}`);
  }
});

t.test('F16: what a launcher has queued that was killed is not sent', async (t) => {
  const place = await ground(t);
  const { home, uri, run, sandbox } = place;
  t.match(await run(['-u', uri, 'daemon', '--detach', '--concurrency', '1']), { code: 0 });
  const daemon = place.pid() ?? 0;
  const holder = run(['-u', uri, '-d', 'call', 'test.sleep', '12']);
  await until('the slot to be taken', () => sandbox.countOf('test.sleep') === 1);
  const all = SHELLS.flatMap((shell) =>
    CONNECTORS.map((each) => {
      const { command } = boxOf(home, [each], shell);
      const words = [`exec env ${command} "$@"`, 'sh', '-u', uri, '-d', 'call', 'test.job', '1'];
      const child = spawn('/bin/sh', ['-c', ...words], { env: environment(home) });
      const since = performance.now();
      // Who waits for the answer holds its stdout.
      const took = new Promise<number>((resolve) =>
        child.on('close', () => resolve(performance.now() - since)),
      );
      return { name: `${shell} with ${each}`, child, took };
    }),
  );
  const queued = async () => {
    const { stdout } = await run(['-u', uri, 'daemon-status', '--json']);
    return (JSON.parse(stdout) as { calls: { queued: number } }).calls.queued;
  };
  await until('all to be queued', async () => (await queued()) === all.length);
  for (const { child } of all) child.kill('SIGKILL');
  for (const { name, took } of all) {
    const most = name.startsWith('dash') ? 4500 : 8000;
    t.ok((await took) < most, `${name}: ${Math.round(await took)} ms`);
  }
  t.match(await holder, { code: 0 });
  t.match(await place.d(['call', 'core.ping']), PONG);
  t.equal(sandbox.countOf('test.job'), 0);
  await until('no other process', () => place.processes().filter(isAlive).join() === `${daemon}`);
});

t.test('the file of names is believed only where nobody else can have written it', async (t) => {
  const { home, uri } = await startDaemon(t);
  const box = boxOf(home, [connector]);
  const names = `${home}/.midclt/daemon-names`;
  const ping = () => box.run(['-u', uri, '-d', 'ping']);
  t.match(await ping(), PONG);
  const { mode } = fs.statSync(names);
  t.equal(mode & 0o777, 0o600);
  const text = fs.readFileSync(names, 'utf8');
  t.equal(text.slice(12), ` ${uri}\n`);
  fs.chmodSync(names, 0o620);
  t.match(await ping(), PONG);
  t.equal(box.starts(), 1, 'others can write to it');
  fs.chmodSync(names, 0o600);
  for (const wrong of [
    '',
    'nonsense',
    '../../x y\n',
    `../../etc ${uri}\n`,
    `ABCDEF012345 ${uri}\n`,
  ]) {
    fs.writeFileSync(names, wrong);
    t.match(await ping(), PONG, JSON.stringify(wrong));
  }
  fs.writeFileSync(names, '0123456789ab x\n'.repeat(60));
  t.match(await ping(), PONG);
  t.equal(fs.readFileSync(names, 'utf8'), text, 'it does not grow for ever');
  fs.renameSync(names, `${home}/names`);
  fs.symlinkSync(`${home}/names`, names);
  t.match(await ping(), PONG);
  t.equal(fs.readFileSync(`${home}/names`, 'utf8'), text, 'through no link');
  fs.rmSync(names);
  if (!noOtherUser) {
    const starts = box.starts();
    fs.writeFileSync(names, '', { mode: 0o600 });
    fs.chownSync(names, OTHER, OTHER);
    t.match(await ping(), PONG);
    t.equal(box.starts(), starts);
    t.equal(fs.readFileSync(names, 'utf8'), '', 'another user’s is left alone');
  }
});

t.test('a client of a daemon reads no certificates, and one that it starts does', async (t) => {
  const { home, uri, pid } = await ground(t);
  const box = boxOf(home, [connector]);
  const file = `${home}/ca.pem`;
  fs.writeFileSync(file, '');
  const env = { ...AUTOSTART, NODE_EXTRA_CA_CERTS: 'ca.pem' };
  const seen = () => fs.readFileSync(`${box.path}/count`, 'utf8').split('\n').slice(-2)[0];
  t.match(await box.run(['-u', uri, '-d', 'ping'], { env }), PONG);
  t.equal(seen(), '');
  const { environ } = processOf(pid() ?? 0);
  t.match(`\0${environ}`, `\0NODE_EXTRA_CA_CERTS=${file}\0`);
  t.notMatch(environ, 'MIDCLT_EXTRA_CA_CERTS');
  t.match(await box.run(['-u', uri, '-d', 'call', '-j', 'core.ping'], { env }), PONG);
  t.equal(seen(), '');
  t.match(await box.run(['-u', uri, 'ping'], { env }), { code: 0 });
  t.equal(seen(), 'ca.pem', 'not so without a daemon');
  const missing = { ...env, NODE_EXTRA_CA_CERTS: `${home}/missing` };
  await box.run(['-u', uri, '-d', 'call', '-j', 'core.ping'], { env: missing });
  t.equal(seen(), `${home}/missing`, 'Node is to say what is wrong with it');
});

t.test('it finds the program behind links, from wherever it is called', async (t) => {
  const { home } = await ground(t);
  const version = { code: 0, stdout: `midclt ${VERSION}\n`, stderr: '' };
  fs.mkdirSync(`${home}/a b`);
  fs.symlinkSync(LAUNCHER, `${home}/a b/one`);
  fs.symlinkSync('one', `${home}/a b/two`);
  fs.symlinkSync('a b/two', `${home}/midclt`);
  for (const line of [
    './midclt --version',
    '"$HOME/a b/two" --version',
    'PATH=$HOME:$PATH; midclt --version',
    'PATH=$HOME:$PATH; cd /; midclt --version',
    'sh midclt --version',
    'cd "a b" && sh two --version',
    'PATH=$HOME:$PATH; cd /; sh -c "midclt --version"',
  ]) {
    t.match(await shell(line, { home }), version, line);
  }
});

t.test('it is what npm installs', async (t) => {
  const { home } = await ground(t);
  // Its dependencies are the library's; the program is bundled with them.
  const line = `
    (cd "$ROOT" && npm pack --ignore-scripts --silent --pack-destination "$HOME" </dev/null) &&
    tar xzf midclt-*.tgz && cd package &&
    "$NODE" -e 'const f = "./package.json", p = require(f); delete p.dependencies; delete p.scripts;
      require("fs").writeFileSync(f, JSON.stringify(p))' &&
    npm pack --silent --pack-destination .. && cd .. &&
    npm install --silent --offline --no-audit --no-fund --prefix "$HOME/p" -g ./midclt-*.tgz`;
  const env = { NODE: process.execPath, ROOT: fs.realpathSync(`${LAUNCHER}/../../..`) };
  const installed = await shell(line.replaceAll('\n', ' '), { home, env });
  t.equal(installed.code, 0, installed.stderr);
  const binary = `${home}/p/bin/midclt`;
  t.ok(fs.lstatSync(binary).isSymbolicLink());
  t.match(await shell('p/bin/midclt --version', { home }), { stdout: `midclt ${VERSION}\n` });
  t.match(await shell('p/bin/midclt -d ping', { home }), {
    code: 1,
    stderr: /No daemon is running/,
  });
});
