/** Who can write to a directory above the daemon's could put one of theirs in its place. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon, surroundings, type RunningDaemon } from '../../support/daemon.js';
import { midclt, shell } from '../../support/midclt.js';
import { noOtherUser, OTHER, otherUser } from '../../support/other-user.js';

/** A daemon whose directory is three levels below the home: `a/b/run`. */
async function deepDaemon(t: Test) {
  const around = await surroundings(t);
  const above = `${around.home}/a`;
  const env = { MIDCLT_HOME: `${above}/b/run` };
  fs.mkdirSync(`${above}/b`, { recursive: true, mode: 0o755 });
  const daemon = await startDaemon(t, { around, env });
  return { daemon, above, env };
}

type Env = NodeJS.ProcessEnv;

/** All that talk to a daemon or become one refuse, in one line. */
async function allRefuse(t: Test, { uri, home }: RunningDaemon, env: Env, why: string) {
  const ways = [['daemon'], ['-d', 'ping'], ['-d', 'call', 'core.ping'], ['daemon-stop']];
  for (const way of [...ways, ['-d', 'batch', '/dev/null']]) {
    const run = await midclt(['-u', uri, ...way], { home, env });
    t.strictSame(
      { code: run.code, stdout: run.stdout, stderr: run.stderr },
      { code: 1, stdout: '', stderr: `Error: ${why}\n` },
      way.join(' '),
    );
  }
}

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

t.test(
  'F10: a directory above that others can write to is refused, and its cure said',
  async (t) => {
    const { daemon, above, env } = await deepDaemon(t);
    for (const mode of [0o775, 0o757, 0o777]) {
      fs.chmodSync(above, mode);
      const cure = `chmod go-w ${above}`;
      await allRefuse(
        t,
        daemon,
        env,
        `Others can write to ${above} (mode 0${mode.toString(8)}) and so could replace ${env.MIDCLT_HOME}; '${cure}' puts that right`,
      );
      t.equal(spawnSync('sh', ['-c', cure]).status, 0);
      t.match(await daemon.d(['ping'], { env }), PONG, 'after the cure all is well');
    }
  },
);

t.test('F10: one with a sticky bit, as /tmp, is not', async (t) => {
  const { daemon, above, env } = await deepDaemon(t);
  fs.chmodSync(above, 0o1777);
  t.match(await daemon.d(['ping'], { env }), PONG);
});

t.test('F10: one that is another user’s is refused', { skip: noOtherUser }, async (t) => {
  const { daemon, above, env } = await deepDaemon(t);
  for (const mode of [0o755, 0o1777]) {
    fs.chmodSync(above, mode);
    fs.chownSync(above, OTHER, OTHER);
    await allRefuse(
      t,
      daemon,
      env,
      `${above} belongs to user ${OTHER}, who so could replace ${env.MIDCLT_HOME}; set MIDCLT_HOME to a directory below none but yours (0) and root's`,
    );
  }
});

t.test('F10: a link above is followed, and where it leads is looked at, too', async (t) => {
  const { daemon, above } = await deepDaemon(t);
  fs.symlinkSync('a', `${daemon.home}/first`);
  fs.symlinkSync('first/b', `${daemon.home}/second`);
  const env = { MIDCLT_HOME: `${daemon.home}/second/run` };
  t.match(await daemon.d(['ping'], { env }), PONG);
  fs.chmodSync(above, 0o777);
  const run = await daemon.d(['ping'], { env });
  t.match(run, {
    code: 1,
    stderr: /Others can write to [^ ]*\/first \(mode 0777\)|\/a \(mode 0777\)/,
  });
  fs.chmodSync(above, 0o755);
  if (noOtherUser) return;
  fs.lchownSync(`${daemon.home}/first`, OTHER, OTHER);
  t.match(await daemon.d(['ping'], { env }), { code: 1, stderr: /first belongs to user 65534/ });
});

t.test('F10: nothing is made below a directory that others can write to', async (t) => {
  const around = await surroundings(t);
  const loose = `${around.home}/loose & wide`;
  fs.mkdirSync(loose);
  fs.chmodSync(loose, 0o777);
  const env = { MIDCLT_HOME: `${loose}/x/run` };
  const run = await midclt(['-u', around.uri, 'daemon'], { home: around.home, env });
  t.match(run, { code: 1, stdout: '', stderr: /^Error: Others can write to .*\n$/ });
  t.same(fs.readdirSync(loose), []);
  const cure = /'(chmod .*)'/.exec(run.stderr)?.[1] ?? '';
  t.equal(spawnSync('sh', ['-c', cure]).status, 0, cure);
  t.equal(fs.statSync(loose).mode & 0o7777, 0o755);
});

t.test(
  'F10: other users’ own directories below root’s are theirs',
  { skip: noOtherUser },
  async (t) => {
    const other = otherUser(t);
    const nobodyThere = ['-u', 'ws://127.0.0.1:1/api/current'];
    const run = await other.run([...nobodyThere, 'daemon']);
    t.match(run, { code: 1, stderr: /^Error: Cannot connect to/ }, 'the directory was made');
    fs.chmodSync(other.home.replace(/\/home$/, ''), 0o777);
    for (const way of [['daemon'], ['-d', 'ping']]) {
      const refused = await other.run([...nobodyThere, ...way]);
      t.match(refused, { code: 1, stderr: /'chmod go-w [^ ]+', as root, puts that right\n$/ });
    }
  },
);

const SHELLS = ['bash', 'sh', 'zsh'].filter((name) => spawnSync(name, ['-c', ':']).status === 0);

t.test(
  'F10: the shell function leaves such a directory to the program, which refuses it',
  async (t) => {
    const { daemon, above, env } = await deepDaemon(t);
    for (const name of SHELLS) {
      const text = (await midclt(['shell-init', name], daemon)).stdout;
      const broken = text.replaceAll(/command '[^']*'/g, 'echo left to the program:');
      t.not(broken, text);
      const run = (line: string, more: Env = {}) => {
        const file = `${daemon.home}/script`;
        fs.writeFileSync(file, `${broken}\nset -eu\n${line}`);
        const all = { ...env, MIDCLT_URI: daemon.uri, ...more };
        return shell(`${name} ${file}`, { home: daemon.home, env: all });
      };
      const left = { code: 0, stdout: 'left to the program: -d ping\n' };
      t.match(
        await run('midclt -d ping; midclt -d ping'),
        { ...PONG, stdout: 'pong\npong\n' },
        name,
      );
      fs.chmodSync(above, 0o1777);
      t.match(await run('midclt -d ping'), PONG, `${name}: sticky`);
      for (const mode of [0o775, 0o757, 0o777]) {
        fs.chmodSync(above, mode);
        t.match(await run('midclt -d ping'), left, `${name}: ${mode.toString(8)}`);
      }
      fs.chmodSync(above, 0o755);
      fs.rmSync(`${daemon.home}/link`, { force: true });
      fs.symlinkSync('a', `${daemon.home}/link`);
      const behind = { MIDCLT_HOME: `${daemon.home}/link/b/run` };
      t.match(await run('midclt -d ping', behind), left, `${name}: a link is for the program`);
      if (!noOtherUser) {
        fs.chownSync(above, OTHER, OTHER);
        t.match(await run('midclt -d ping'), left, `${name}: another user’s`);
        fs.chownSync(above, 0, 0);
      }
      // Once a shell: no call after the first starts anything but what talks to the socket.
      // Before that, "command" tries by a builtin whether a variable may be set.
      const counting =
        'ls() { echo ls >>"$HOME/forks"; /bin/ls "$@"; }; ' +
        'command() { [ "$1" != local ] || return 0; shift; ls "$@"; }';
      fs.rmSync(`${daemon.home}/forks`, { force: true });
      t.match(await run(`${counting}; midclt -d ping; midclt -d ping`), { code: 0 }, name);
      t.equal(fs.readFileSync(`${daemon.home}/forks`, 'utf8'), 'ls\n', `${name}: looked once`);
    }
  },
);

t.test('the shell function and the program agree on a home with a blank in its name', async (t) => {
  const around = await surroundings(t);
  const home = `${around.home}/my home`;
  fs.mkdirSync(home);
  const daemon = await startDaemon(t, { around: { ...around, home } });
  for (const name of SHELLS) {
    const text = (await midclt(['shell-init', name], { home })).stdout;
    const broken = text.replace(/command '.*'/, 'command false');
    const line = `${broken}\nmidclt -u '${daemon.uri}' -d ping`;
    fs.writeFileSync(`${around.home}/script`, line);
    t.match(await shell(`${name} ${around.home}/script`, { home }), PONG, name);
  }
});
