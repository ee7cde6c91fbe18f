/** `midclt profile …` as a user types it. */
import fs from 'node:fs';
import t from 'tap';
import { API_KEYS, startSandbox } from '../../lib/sandbox/index.js';
import { makeHome, midclt, missing, shell } from '../support/midclt.js';

const KEY = `${API_KEYS[0]!.id}-${API_KEYS[0]!.key}`;

t.test('a profile is added if its login works, and is private', async (t) => {
  const home = makeHome(t);
  const sandbox = await startSandbox({ ws: 0, failedLoginDelayMs: 20 });
  t.teardown(() => sandbox.close());
  const file = `${home}/.config/midclt/profiles.toml`;
  const run = (...args: string[]) => midclt(['profile', ...args], { home });
  const uri = `ws://127.0.0.1:${sandbox.wsPort}`;
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  fs.writeFileSync(`${home}/wrong`, `${KEY}x`, { mode: 0o600 });

  t.match(await run('add', 'nas1', '-u', uri, '-U', 'admin', '-K', 'wrong'), {
    ...{ code: 1, stdout: '' },
    stderr:
      /^Error: Failed to login: .*\. The profile was not added; --no-check adds it untried\n$/,
  });
  t.notOk(fs.existsSync(file), 'nothing is left');
  t.match(await run('add', 'nobodys', '-u', uri), {
    code: 0,
    stderr:
      "Added the profile 'nobodys' without a user: nobody logs in, and most calls need that (-U). Try it: midclt -p nobodys ping\n",
  });
  t.match(await run('add', 'asks', '-u', uri, '-U', 'admin', '-P', 'admin-pw'), {
    code: 0,
    stderr:
      "Added the profile 'asks' without the password, which is asked for (--password-file keeps one). Try it: midclt -p asks ping\n",
  });
  t.notMatch(fs.readFileSync(file, 'utf8'), 'admin-pw');
  for (const name of ['nobodys', 'asks']) t.match(await run('remove', name), { code: 0 });
  fs.rmSync(file);

  t.match(await run('add', 'nas1', '-u', uri, '-U', 'admin', '-K', 'key', '-g', 'lab'), {
    ...{ code: 0, stdout: '' },
    stderr: "Added the profile 'nas1'. Try it: midclt -p nas1 ping\n",
  });
  t.equal(
    fs.readFileSync(file, 'utf8'),
    `[profile.nas1]\nuri = "${uri}/api/current"\nusername = "admin"\napi_key_file = "${home}/key"\ngroups = [ "lab" ]\n`,
  );
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  t.equal(fs.statSync(`${home}/.config/midclt`).mode & 0o777, 0o700);
  const logins = sandbox.stats.logins;
  t.match(await run('add', 'nas1', '-u', 'x'), { code: 1, stderr: /There is a profile 'nas1' in/ });
  t.match(await run('add', 'nas2', '-u', 'nas2.example:8443', '--no-check', '--insecure'), {
    code: 0,
  });
  t.equal(sandbox.stats.logins, logins, 'neither has logged in');
  t.match(await midclt(['-p', 'nas1', 'ping'], { home }), { code: 0, stdout: 'pong\n' });

  t.match(
    (await run('list')).stdout,
    /^PROFILE {2}USER {3}LOGIN {4}GROUPS {2}URI\nnas1 {5}admin {2}API key {2}lab {5}ws:.*\nnas2 {5}- {6}none {5}- {7}wss:\/\/nas2.example:8443\/api\/current\n$/,
  );
  const lines = (await run('list', '--json')).stdout.trimEnd().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line) as object),
    [
      { profile: 'nas1', default: false, groups: ['lab'], api_key_file: `${home}/key` },
      { profile: 'nas2', insecure: true, username: null },
    ],
  );
  t.match(await run('default'), { code: 1, stderr: /no default profile/ });
  t.match(await run('default', 'nas1'), { code: 0, stdout: '', stderr: '' });
  t.match(await run('default'), { code: 0, stdout: 'nas1\n' });
  t.match(await midclt(['ping'], { home }), { code: 0, stdout: 'pong\n' }, 'the default counts');
  t.match(
    (await run('show', 'nas1')).stdout,
    /^profile {2}nas1 \(the default\)\nURI {6}ws:.*\nuser {5}admin\nAPI key {2}.*\/key\ngroups {3}lab\ndaemon {3}.*\/daemon-[0-9a-f]{12}\.sock\n$/,
  );
  t.match(JSON.parse((await run('list', '--ansible')).stdout), {
    all: {
      hosts: { nas1: { ansible_connection: 'local', midclt_profile: 'nas1' }, nas2: {} },
      children: { lab: { hosts: { nas1: {} } } },
    },
  });
  t.match(await run('remove', 'nas1'), { code: 0, stderr: "Removed the profile 'nas1'\n" });
  t.match(await run('remove', 'nas1'), {
    code: 1,
    stderr: /no profile 'nas1'; there are nas2, and local/,
  });
  t.match(await run('default'), { code: 1 }, 'nor is it the default any more');
  t.ok(fs.existsSync(`${home}/key`), "the user's own key file stays");
});

t.test('remove leaves a key that another profile uses, or that is for another', async (t) => {
  const home = makeHome(t);
  const run = (...args: string[]) => midclt(['profile', ...args], { home });
  const keys = `${home}/.config/midclt/keys`;
  fs.mkdirSync(keys, { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${keys}/nas1`, KEY, { mode: 0o600 });
  const add = ['--no-check', '-u', 'ws://nas/api/current', '-U', 'admin', '-K', `${keys}/nas1`];
  for (const name of ['nas1', 'other', 'third'])
    t.match(await run('add', name, ...add), { code: 0 }, name);
  t.match(await run('remove', 'other'), { code: 0, stderr: "Removed the profile 'other'\n" });
  t.match(await run('remove', 'nas1'), {
    code: 0,
    stderr: "Removed the profile 'nas1'\nIts API key stays: the profile 'third' uses it, too\n",
  });
  t.ok(fs.existsSync(`${keys}/nas1`));
  t.match(await run('remove', 'third'), { code: 0, stderr: "Removed the profile 'third'\n" });
  t.ok(fs.existsSync(`${keys}/nas1`), 'it was never made for that one');
  t.match(await run('add', 'nas1', ...add), { code: 0 });
  t.match(await run('remove', 'nas1'), { stderr: /Removed its API key .*api_key\.delete \d+'\n$/ });
  t.notOk(fs.existsSync(`${keys}/nas1`));
});

t.test('a secret is refused, and names are checked', async (t) => {
  const home = makeHome(t);
  const run = (...args: string[]) => midclt(['profile', 'add', ...args], { home });
  for (const key of [KEY, `{"raw_key": "${KEY}"}`, `[TRUENAS_API_KEY]\nraw_key = ${KEY}`]) {
    const keyed = await run('a', '--no-check', '-u', 'nas', '-U', 'x', '-K', key);
    t.match(keyed, { code: 1, stderr: /A profile keeps no secret/ });
    t.notMatch(keyed.stderr, KEY.slice(2, 14));
  }
  for (const name of ['all', 'local', 'a,b', '@x', '-x', '.x', 'a b', 'x'.repeat(65), '']) {
    const { code } = await run('--no-check', '-u', 'nas', '--', name);
    t.not(code, 0, `'${name}'`);
  }
  t.match(await run('a'), { code: 1, stderr: /needs the address of its system: -u URI/ });
  t.notOk(fs.existsSync(`${home}/.config`));
});

t.test(
  "another user's file is refused",
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const home = makeHome(t);
    const file = `${home}/.config/midclt/profiles.toml`;
    fs.mkdirSync(`${home}/.config/midclt`, { recursive: true, mode: 0o700 });
    fs.writeFileSync(file, '[profile.a]\nuri = "ws://evil"\n', { mode: 0o600 });
    fs.chownSync(file, 1234, 1234);
    const ping = () => midclt(['-p', 'a', 'ping'], { home });
    t.match(await ping(), { code: 1, stderr: /belongs to user 1234, not to you/ });
    fs.chownSync(file, 0, 0);
    fs.chmodSync(file, 0o666);
    t.match(await ping(), {
      code: 1,
      stderr: /Others can write to .*'chmod 600 .*' puts that right/,
    });
    fs.chmodSync(file, 0o600);
    fs.chmodSync(`${home}/.config`, 0o777);
    t.match(await ping(), { code: 1, stderr: /Others can write to .*\.config.*'chmod go-w / });
  },
);

t.test(
  'as another user, whose home is readable by all',
  { skip: missing('setpriv') },
  async (t) => {
    if (process.getuid?.() !== 0) return;
    const home = makeHome(t);
    fs.chmodSync(home, 0o755);
    fs.chownSync(home, 65534, 65534);
    const as = 'setpriv --reuid 65534 --regid 65534 --clear-groups';
    const add = await shell(
      `umask 0; ${as} node "$BINARY" profile add a -u nas --no-check && ls -l .config/midclt`,
      {
        home,
        env: { BINARY: `${process.cwd()}/dist/bin/midclt.js` },
      },
    );
    t.match(add.stdout, /-rw------- .*profiles\.toml/, add.stderr);
  },
);

t.test('of twenty that are added at once none is lost', async (t) => {
  const home = makeHome(t);
  const names = Array.from({ length: 20 }, (_, i) => `nas${i}`);
  const add = (name: string) =>
    midclt(['profile', 'add', name, '-u', name, '--no-check'], { home });
  const runs = await Promise.all([...names, ...names.slice(0, 3)].map(add));
  const failed = runs.filter(({ code }) => code !== 0);
  t.equal(failed.length, 3, 'the second of a name');
  for (const { stderr } of failed) t.match(stderr, /There is a profile 'nas[0-2]' in .* already/);
  const { stdout } = await midclt(['profile', 'list', '--json'], { home });
  const kept = stdout.trimEnd().split('\n');
  t.strictSame(
    kept.map((line) => (JSON.parse(line) as { profile: string }).profile).sort(),
    [...names].sort(),
  );
  t.strictSame(fs.readdirSync(`${home}/.config/midclt`), ['profiles.toml']);
});

t.test('a lock that is left is told of', async (t) => {
  const home = makeHome(t);
  const lock = `${home}/.config/midclt/profiles.toml.lock`;
  fs.mkdirSync(`${home}/.config/midclt`, { recursive: true, mode: 0o700 });
  fs.writeFileSync(lock, '');
  t.match(await midclt(['profile', 'add', 'a', '-u', 'a', '--no-check'], { home }), {
    code: 1,
    stderr: /another midclt is changing the profiles, .* if none runs, 'rm .*\.toml\.lock'\n$/,
  });
  t.strictSame(fs.readdirSync(`${home}/.config/midclt`), ['profiles.toml.lock']);
});
