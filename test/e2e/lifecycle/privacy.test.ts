/** Whose the directory and the socket are, and what becomes of those that are not one's own. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { makeHome, midclt, until, type RunOptions } from '../../support/midclt.js';
import { noOtherUser, OTHER, otherUser } from '../../support/other-user.js';

const modeOf = (file: string) => fs.statSync(file).mode & 0o7777;

/** All that talk to a daemon or become one refuse, in one line, and for this reason. */
async function allRefuse(t: Test, uri: string, options: RunOptions, why: RegExp): Promise<void> {
  const ways = [['daemon'], ['-d', 'ping'], ['-d', 'call', 'core.ping'], ['daemon-stop']];
  for (const way of [...ways, ['-d', 'batch', '/dev/null']]) {
    const run = await midclt(['-u', uri, ...way], options);
    t.match(run, { code: 1, stdout: '', stderr: why }, way.join(' '));
    t.match(run.stderr, /^Error: .*\n$/, 'one line');
  }
}

/** Listens where the daemon would; counts who comes. */
async function impostor(t: Test, socket: string): Promise<{ connections: number }> {
  const seen = { connections: 0 };
  const server = net.createServer((connection) => {
    seen.connections++;
    connection.destroy();
  });
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return seen;
}

t.test('F10: a directory with a loose mode is tightened, by a client too', async (t) => {
  const daemon = await startDaemon(t);
  const directory = `${daemon.home}/.midclt`;
  fs.writeFileSync(`${directory}/notes`, '');
  fs.writeFileSync(`${directory}/logs/notes`, '');
  fs.chmodSync(`${directory}/logs`, 0o755);
  for (const mode of [0o755, 0o770, 0o711]) {
    fs.chmodSync(directory, mode);
    t.match(await daemon.d(['call', 'core.ping']), { code: 0, stdout: 'pong\n' });
    t.equal(modeOf(directory), 0o700);
  }
  await daemon.d(['daemon-stop']);
  const next = await startDaemon(t, { around: daemon });
  t.equal(modeOf(`${directory}/logs`), 0o700);
  t.equal(next.stderr(), '', 'and logged to');
});

t.test('F10: what is no directory, or a symbolic link, is refused by all', async (t) => {
  const daemon = await startDaemon(t);
  const home = makeHome(t);
  fs.symlinkSync(`${daemon.home}/.midclt`, `${home}/.midclt`);
  await allRefuse(t, daemon.uri, { home }, /\.midclt is a symbolic link; .* Remove it/);
  fs.rmSync(`${home}/.midclt`);
  fs.writeFileSync(`${home}/.midclt`, '');
  await allRefuse(t, daemon.uri, { home }, /\.midclt is no directory; remove it/);
});

t.test('F10: a socket that is a symbolic link is refused before a byte is sent', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  await first.d(['daemon-stop']);
  const seen = await impostor(t, `${around.home}/other.sock`);
  fs.symlinkSync(`${around.home}/other.sock`, first.socket);
  await allRefuse(t, around.uri, around, /\.sock is a symbolic link; .* Remove it/);
  t.equal(seen.connections, 0);
  t.ok(fs.lstatSync(first.socket).isSymbolicLink(), 'it was not removed');
});

t.test('F10: files of another user are refused, naming it', { skip: noOtherUser }, async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  await first.d(['daemon-stop']);
  const seen = await impostor(t, first.socket);
  fs.chownSync(first.socket, OTHER, OTHER);
  const why = new RegExp(`The socket .* belongs to user ${OTHER}, not to you \\(0\\); remove it`);
  await allRefuse(t, around.uri, around, why);
  fs.chownSync(first.socket, 0, 0);
  fs.chownSync(`${around.home}/.midclt`, OTHER, OTHER);
  const whose = new RegExp(`midclt belongs to user ${OTHER}, not to you .*set MIDCLT_HOME`);
  await allRefuse(t, around.uri, around, whose);
  t.equal(seen.connections, 0);
});

t.test('MIDCLT_HOME is the directory, and clients and daemons find each other in it', async (t) => {
  const around = await surroundings(t);
  const env = { MIDCLT_HOME: `${around.home}/a/b/` };
  const daemon = await startDaemon(t, { around, env });
  const names = fs.readdirSync(`${around.home}/a/b`).sort();
  t.match(names, [/^daemon-.{12}\.pid$/, /^daemon-.{12}\.sock$/, 'logs']);
  t.equal(modeOf(`${around.home}/a/b`), 0o700);
  t.equal(daemon.stdout(), daemon.stdout().replace('//', '/'), 'the slash at its end is gone');
  t.notOk(fs.existsSync(`${around.home}/.midclt`));
  t.match(await daemon.d(['ping'], { env }), { code: 0, stdout: 'pong\n' });
  t.match(await daemon.d(['ping'], { env: { MIDCLT_HOME: '' } }), { code: 1 }, 'empty is none');
  t.match(await daemon.d(['daemon-stop'], { env }), { code: 0 });
});

t.test('MIDCLT_HOME must be absolute, short enough and nobody else’s', async (t) => {
  const { uri, home } = await surroundings(t);
  const within = (directory: string) => ({ home, env: { MIDCLT_HOME: directory } });
  await allRefuse(t, uri, within('here'), /MIDCLT_HOME must be an absolute path: here/);
  const long = `/tmp/${'é'.repeat(50)}`;
  await allRefuse(t, uri, within(long), /has 1\d\d bytes; .*Set MIDCLT_HOME to/);
  t.notOk(fs.existsSync(long), 'F8: nothing was made');
  fs.mkdirSync(`${home}/shared`);
  fs.chmodSync(`${home}/shared`, 0o1777);
  fs.writeFileSync(`${home}/shared/theirs`, '');
  await allRefuse(t, uri, within(`${home}/shared`), /Others can enter .*\(theirs\).*MIDCLT_HOME/);
  t.equal(modeOf(`${home}/shared`), 0o1777, 'it is left as it is');
});

t.test('F10: an empty MIDCLT_HOME that others can enter is tightened', async (t) => {
  const around = await surroundings(t);
  fs.mkdirSync(`${around.home}/run`, { mode: 0o755 });
  const env = { MIDCLT_HOME: `${around.home}/run` };
  const daemon = await startDaemon(t, { around, env });
  t.equal(modeOf(env.MIDCLT_HOME), 0o700);
  fs.chmodSync(env.MIDCLT_HOME, 0o755);
  t.match(await daemon.d(['ping'], { env }), { code: 0 }, 'also with the daemon’s files in it');
  t.equal(modeOf(env.MIDCLT_HOME), 0o700);
});

t.test('F11: root leaves nothing in another user’s home', { skip: noOtherUser }, async (t) => {
  const { uri, home } = await surroundings(t);
  const other = otherUser(t);
  const within = (directory: string) => ({ home, env: { MIDCLT_HOME: directory } });
  const whose = new RegExp(`belongs to user ${OTHER}, not to you \\(0\\)`);
  await allRefuse(t, uri, within(other.home), whose);
  const missing = within(`${other.home}/x/y`);
  t.match(await midclt(['-u', uri, 'daemon'], missing), { code: 1, stderr: whose });
  t.match(await midclt(['-u', uri, '-d', 'ping'], missing), { code: 1, stderr: /No daemon/ });
  t.same(fs.readdirSync(other.home), []);
});

t.test('F10: another user’s client and daemon keep out', { skip: noOtherUser }, async (t) => {
  const around = await surroundings(t, { ws: 0 });
  const uri = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const login = ['-u', uri, '-U', 'admin', '-P', 'admin-pw'];
  const daemon = await startDaemon(t, { around, uri, globals: login.slice(2), username: 'admin' });
  fs.chmodSync(daemon.home, 0o755);
  const other = otherUser(t);
  const theirs = { MIDCLT_HOME: `${daemon.home}/.midclt` };
  const refused = { code: 1, stdout: '', stderr: /belongs to user 0, not to you \(65534\)/ };
  t.match(await other.run([...login, '-d', 'ping'], theirs), refused);
  t.match(await other.run([...login, 'daemon'], theirs), refused);
  const own = other.run([...login, 'daemon']);
  const socket = daemon.socket.replace(`${daemon.home}/`, `${other.home}/`);
  await until('a daemon of its own', () => fs.existsSync(socket));
  t.match(await other.run([...login, '-d', 'ping']), { code: 0, stdout: 'pong\n' });
  t.match(await other.run([...login, 'daemon-stop']), { code: 0 });
  t.match(await own, { code: 0, stderr: '' });
});
