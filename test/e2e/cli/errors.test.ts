/** Wrong usage, and daemons that can't start: one line on stderr, the right exit code, no secrets. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { surroundings } from '../../support/daemon.js';
import { makeHome, type Finished, midclt } from '../../support/midclt.js';
import { noOtherUser, otherUser } from '../../support/other-user.js';

const PASSWORD = 'Sesame-0pen';

/** One line that says something, and says nothing it should not. */
function oneLine(t: Test, run: Finished, code: number, text: RegExp = /\S/): void {
  t.match(run, { code, stdout: '' });
  t.match(run.stderr, /^[^\n]+\n$/, 'one line');
  t.match(run.stderr, text);
  t.notMatch(run.stderr, /^ +at |node:internal|\.js:\d/m, 'no stack trace');
  t.notOk(run.stderr.includes(PASSWORD), 'no password');
}

/** The lines before the error itself: how the command is used. */
const withoutUsage = (run: Finished): Finished => ({
  ...run,
  stderr: run.stderr.replace(/^usage: midclt[^\n]*\n(?: +\S[^\n]*\n)*/, ''),
});

t.test('wrong usage is the usage and one line on stderr, exit 2', async (t) => {
  const home = makeHome(t);
  for (const args of [
    ['--nope'],
    ['-x'],
    ['call', '--nope', 'core.ping'],
    ['daemon', '--nope'],
    ['frobnicate'],
    ['call'],
    ['-d', 'call'],
    ['-d', 'call', '-j'],
    ['-u'],
    ['-t', 'soon', '-d', 'call', 'core.ping'],
    ['-d', 'call', '-jp', 'fancy', 'core.ping'],
    ['-d', 'ping', 'extra'],
    ['daemon', '--lifetime', 'long'],
    ['-P', PASSWORD, '--nope'],
    ['-U', 'admin', '-P', PASSWORD, 'frobnicate'],
    ['--password', PASSWORD, '-d', 'call'],
  ]) {
    const run = await midclt(args, { home });
    t.match(run.stderr, /^usage: midclt/);
    oneLine(t, withoutUsage(run), 2);
  }
  t.notOk(fs.existsSync(`${home}/.midclt`), 'no files are made for it');
});

t.test('a daemon for a URI that is none says so, exit 1 or 2', async (t) => {
  const home = makeHome(t);
  for (const uri of [
    'nas',
    'http://nas/',
    'ws://',
    'ws+unix://',
    'ws://nas:99999/api/current',
    '',
  ]) {
    const run = await midclt(['-u', uri, 'daemon'], { home });
    t.ok(run.code === 1 || run.code === 2);
    oneLine(t, run, run.code ?? 0);
  }
});

t.test('F13: a daemon whose middleware is not there says so at once, exit 1', async (t) => {
  const around = await surroundings(t, { ws: 0 });
  const { home } = around;
  const port = around.sandbox.wsPort;
  await around.sandbox.close(); // nobody listens there any more
  for (const uri of [
    `ws://127.0.0.1:${port}/api/current`,
    around.uri,
    `ws+unix://${home}/nothing.sock`,
    'ws://no-such-host.invalid/api/current',
  ]) {
    const started = performance.now();
    const run = await midclt(['-u', uri, '-U', 'admin', '-P', PASSWORD, 'daemon'], { home });
    oneLine(t, run, 1);
    t.ok(performance.now() - started < 20_000);
  }
});

t.test('F13: a daemon whose middleware refuses the handshake says so, exit 1', async (t) => {
  const around = await surroundings(t);
  around.sandbox.setRefusing(502);
  const run = await midclt(['-u', around.uri, 'daemon'], around);
  oneLine(t, run, 1, /502/);
});

t.test('F13: a daemon with a wrong password says so, exit 1, and shows none', async (t) => {
  const around = await surroundings(t, { ws: 0, failedLoginDelayMs: 0 });
  const { home, sandbox } = around;
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const run = await midclt(['-u', uri, '-U', 'admin', '-P', PASSWORD, 'daemon'], { home });
  oneLine(t, run, 1);
  t.equal(sandbox.stats.failedLogins, 1, 'one attempt');
  const log = path.join(home, '.midclt/logs');
  for (const name of fs.existsSync(log) ? fs.readdirSync(log) : [])
    t.notOk(fs.readFileSync(path.join(log, name), 'utf8').includes(PASSWORD), 'F32: nor the log');
  const left = fs.readdirSync(`${home}/.midclt`).filter((name) => /\.(sock|pid)$/.test(name));
  t.strictSame(left, [], 'no socket and no pid file stay behind');
});

t.test('a home whose .midclt is a file is an error of one line, exit 1', async (t) => {
  const around = await surroundings(t);
  fs.writeFileSync(`${around.home}/.midclt`, '');
  oneLine(t, await midclt(['-u', around.uri, 'daemon'], around), 1, /\.midclt/);
  oneLine(t, await midclt(['-u', around.uri, '-d', 'ping'], around), 1);
});

t.test('F33: a home that cannot be written is named, exit 1', { skip: noOtherUser }, async (t) => {
  const around = await surroundings(t, { ws: 0 });
  const other = otherUser(t);
  fs.chmodSync(other.home, 0o500);
  const uri = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const login = ['-u', uri, '-U', 'admin', '-P', 'admin-pw'];
  const run = await other.run([...login, 'daemon']);
  oneLine(t, run, 1, /EACCES|[Pp]ermission denied/);
  t.ok(run.stderr.includes(other.home), run.stderr);
  oneLine(t, await other.run([...login, '-d', 'ping']), 1);

  // root's home is not nobody's: the password database says which one is, and that is not there
  const foreign = makeHome(t);
  fs.chmodSync(foreign, 0o777);
  oneLine(t, await other.run([...login, 'daemon'], { HOME: foreign }), 1);
  t.strictSame(fs.readdirSync(foreign), [], 'F11: nothing is left in another user’s home');
  oneLine(t, await other.run(['-u', uri, 'daemon-stop']), 1);
});
