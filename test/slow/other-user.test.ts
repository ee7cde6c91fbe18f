/** What another local user tries: two users of one machine, neither of them root. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startSandbox, type Sandbox } from '../../lib/sandbox/index.js';
import { KEY, SECRET } from '../support/login.js';
import { finished, until } from '../support/midclt.js';
import { noOtherUser } from '../support/other-user.js';
import { filesBelow, seenBy, triedBy, twoUsers, type TwoUsers } from '../support/two-users.js';

t.setTimeout(300_000);

const PASSWORD = 'admin-pw';
const modeOf = (file: string) => fs.lstatSync(file).mode & 0o7777;

interface Ground extends TwoUsers {
  readonly sandbox: Sandbox;
  /** `-u URI -U admin`, which every command of the victim's has. */
  readonly to: string;
  /** What the daemon's files are called, without their ends. */
  readonly stem: string;
}

async function ground(t: Test): Promise<Ground> {
  const users = twoUsers(t);
  const sandbox = await startSandbox({ ws: 0, rateLimit: false });
  t.teardown(() => sandbox.close());
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const id = createHash('sha256').update(`${uri}:admin`).digest('hex').slice(0, 12);
  return { ...users, sandbox, to: `-u ${uri} -U admin`, stem: `daemon-${id}` };
}

const test = (name: string, body: (t: Test) => Promise<void>) =>
  t.test(name, { skip: noOtherUser }, body);

for (const umask of ['000', '077']) {
  test(`F9: nothing of what the program makes is another user's to use (umask ${umask})`, async (t) => {
    const { victim, attacker, to, shared } = await ground(t);
    const made = await victim.sh(
      [
        `umask ${umask}`,
        `printf %s "$KEY" > key && chmod 600 key`,
        `midclt ${to} -P ${PASSWORD} daemon --detach`,
        `midclt ${to} -d call core.ping`,
        `midclt ${to} -P ${PASSWORD} methods >/dev/null`,
        `midclt profile add nas ${to} -K key`,
        `midclt -p nas -d ping`,
        `sh "$PROGRAM/midclt" -p nas -d ping`,
        `midclt ${to} -d download --plain config.save -o configuration`,
        `echo '["test.nope"]' | midclt ${to} -d batch --failed failed`,
      ].join('\n'),
      { env: { KEY } },
    );
    t.match(made, { code: 1, stdout: /pong\n[^]*pong\n/ }, made.stderr);
    const files = filesBelow(victim.home);
    const names = files.map((file) => file.slice(victim.home.length).replace(/[0-9a-f]{12}/, 'ID'));
    for (const name of [
      ...['.sock', '.pid', '.methods'].map((end) => `/.midclt/daemon-ID${end}`),
      ...['/.midclt/logs/daemon-ID.log', '/.config/midclt/profiles.toml'],
      ...['/configuration', '/failed'],
    ])
      t.ok(names.includes(name), name);
    t.same(
      files.filter((file) => (modeOf(file) & 0o077) !== 0),
      [],
    );
    t.same(await triedBy(attacker, [...files, `${victim.home}/.midclt`]), []);
    t.same(fs.readdirSync(shared), [], 'nor is anything where all may look');
  });
}

test('a cache of compiled code can be written to by nobody else, whatever the umask', async (t) => {
  const { victim, program, to } = await ground(t);
  for (const name of ['.', ...fs.readdirSync(program)])
    fs.chownSync(`${program}/${name}`, victim.uid, victim.uid);
  const cache = `${program}/thin.cache`;
  fs.writeFileSync(cache, 'of another Node\n');
  fs.chmodSync(cache, 0o666);
  t.match(await victim.sh(`umask 000; midclt ${to} -P ${PASSWORD} daemon --detach`), { code: 0 });
  await until('the cache to be made', () => fs.statSync(cache).size > 1000);
  for (const file of filesBelow(program)) t.equal(modeOf(file) & 0o022, 0, file);
});

test('F14: what logs in shows its secret to nobody else while it runs', async (t) => {
  const { victim, attacker, sandbox, to } = await ground(t);
  await victim.sh(`umask 077; echo ${PASSWORD} > password; echo ${KEY} > key`);
  const env = { MIDCLT_PASSWORD: PASSWORD };
  const ways: readonly [string, NodeJS.ProcessEnv?][] = [
    [`${to} -P ${PASSWORD}`],
    [`${to} -K ${KEY} --plain`],
    [`${to} --password-file password`],
    [`${to} -K key --plain`],
    [to, env],
    [to, { MIDCLT_API_KEY: KEY, MIDCLT_USERNAME: 'admin' }],
  ];
  for (const [login, env = {}] of ways) {
    for (const command of ['call test.sleep 3600', '-d call test.sleep 3600', 'subscribe x.y']) {
      const before = sandbox.received.length;
      const running = victim.spawn(`exec "$NODE" "$PROGRAM/midclt.js" ${login} ${command}`, {
        env,
      });
      const ended = finished(running);
      await until(`${login} ${command}`, () =>
        sandbox.received.slice(before).some((text) => /test\.sleep|subscribe/.test(text)),
      );
      const seen = await seenBy(attacker, victim);
      t.ok(seen.length > 0, `${seen.length} processes`);
      for (const { cmdline, open } of seen) {
        t.notOk(cmdline.includes(PASSWORD) || cmdline.includes(SECRET), cmdline);
        t.same(open, [], cmdline);
      }
      running.kill('SIGKILL');
      await ended;
      await victim.sh('midclt daemon-stop --all');
    }
  }
});

test('F10: what was put into a directory while it was open to others is not used', async (t) => {
  const { victim, attacker, to, stem, sandbox } = await ground(t);
  const daemon = `midclt ${to} -P ${PASSWORD} daemon --detach`;
  const note = {
    time: new Date().toISOString(),
    pid: 1,
    version: '1',
    error: 'PLANTED',
    log: null,
    told: false,
  };
  const listens = `"$NODE" -e 'require("net").createServer((s) => s.on("data", (d) => require("fs").appendFileSync(process.env.HOME + "/heard", d))).listen(process.argv[1])'`;
  const plants: readonly [what: string, plant: string][] = [
    ['a link for the logs', 'mkdir -m 777 ~/logs; ln -s ~/logs D/logs'],
    ['a link for the log', 'mkdir -m 777 D/logs; ln -s PRECIOUS D/logs/STEM.log'],
    ['a log', 'mkdir -m 777 D/logs; umask 0; : > D/logs/STEM.log'],
    ['a link for the pid file', 'ln -s PRECIOUS D/STEM.pid'],
    ['a pid file', `echo 1 > D/STEM.pid`],
    ['a link for the methods', 'ln -s PRECIOUS D/STEM.methods'],
    ['the note of a crash', `echo '${JSON.stringify(note)}' > D/STEM.crash`],
    ['a lock', ': > D/STEM.lock'],
    ['names of daemons', 'umask 0; echo 0123456789ab KEY > D/daemon-names'],
    [
      'a socket',
      `(umask 0; exec ${listens} D/STEM.sock) >/dev/null 2>&1 & while [ ! -S D/STEM.sock ]; do sleep 0.01; done`,
    ],
  ];
  for (const [what, plant] of plants) {
    t.match(
      await victim.sh(
        'rm -rf .midclt; mkdir -m 777 .midclt; echo precious > precious; chmod 644 precious',
      ),
      { code: 0 },
    );
    const line = plant
      .replaceAll('D/', `${victim.home}/.midclt/`)
      .replaceAll('STEM', stem)
      .replaceAll('PRECIOUS', `${victim.home}/precious`);
    t.match(await attacker.sh(`rm -rf logs heard; ${line}`), { code: 0, stderr: '' }, what);
    const logins = sandbox.countOf('auth.login_ex');
    const runs = [
      await victim.sh(daemon),
      await victim.sh(`midclt ${to} -P ${PASSWORD} -d call test.echo CONFIDENTIAL`),
      await victim.sh(
        `MIDCLT_AUTOSTART=0 sh "$PROGRAM/midclt" ${to} -d call test.echo CONFIDENTIAL`,
      ),
      await victim.sh(`midclt ${to} methods`),
      await victim.sh(`midclt ${to} daemon-status`),
      await victim.sh('midclt daemon-stop --all'),
    ];
    const said = runs.map(({ stdout, stderr }) => stdout + stderr).join('');
    t.notMatch(said, 'PLANTED', what);
    const isRefused = /belongs to user 64002|is a symbolic link|is no socket/.test(said);
    t.ok(isRefused || sandbox.countOf('auth.login_ex') > logins, `${what}: ${said}`);
    t.equal(fs.readFileSync(`${victim.home}/precious`, 'utf8'), 'precious\n', what);
    t.equal(modeOf(`${victim.home}/precious`), 0o644, what);
    const got = ['heard', 'logs'].flatMap((name) => {
      const file = `${attacker.home}/${name}`;
      if (!fs.existsSync(file)) return [];
      return fs.statSync(file).isDirectory() ? fs.readdirSync(file) : [file];
    });
    t.same(got, [], `${what}: nothing was written where they read`);
    const planted = filesBelow(`${victim.home}/.midclt`).filter(
      (file) => fs.lstatSync(file).uid === attacker.uid && fs.lstatSync(file).isFile(),
    );
    for (const file of planted)
      t.notMatch(fs.readFileSync(file, 'utf8'), /"time".*core|CONFIDENTIAL/, file);
    for (const child of await seenBy(victim, attacker)) process.kill(Number(child.pid));
  }
});

test('in a folder that all share, nothing is written to what another user has put there', async (t) => {
  const { victim, attacker, to, shared, sandbox } = await ground(t);
  const batch = `echo '["test.nope", "CONFIDENTIAL"]' | midclt ${to} -P ${PASSWORD} batch`;
  const commands: Readonly<Record<string, string>> = {
    failed: `${batch} --failed FILE`,
    unknown: `${batch} --failed ok --unknown FILE`,
    log: `midclt ${to} -P ${PASSWORD} daemon --lifetime 1 --log-file FILE`,
    download: `midclt ${to} -P ${PASSWORD} download config.save -o FILE`,
    types: `midclt ${to} -P ${PASSWORD} types -o FILE`,
    certificate: `timeout 5 "$NODE" "$PROGRAM/midclt.js" sandbox --wss 0 --certificate FILE`,
  };
  for (const [name, command] of Object.entries(commands)) {
    for (const kind of ['link', 'pipe', 'file']) {
      const file = `${shared}/${name}-${kind}`;
      await victim.sh('echo precious > precious; chmod 644 precious');
      const plant = {
        link: `ln -s ${victim.home}/precious ${file}`,
        pipe: `mkfifo -m 666 ${file}`,
        file: `umask 0; : > ${file}`,
      }[kind];
      t.match(await attacker.sh(plant ?? ''), { code: 0 });
      const reader = attacker.spawn(kind === 'link' ? ':' : `exec 3<>${file}; exec cat <&3`);
      const read = finished(reader);
      const run = await victim.sh(command.replace('FILE', file), { cwd: victim.home });
      const what = `${name}, ${kind}: ${run.stderr}`;
      t.match(run.stderr, /another user's|operation not permitted|permission denied/, what);
      t.equal(fs.readFileSync(`${victim.home}/precious`, 'utf8'), 'precious\n', what);
      t.equal(modeOf(`${victim.home}/precious`), 0o644, what);
      if (kind === 'file') t.equal(fs.statSync(file).size, 0, what);
      reader.kill('SIGKILL');
      t.equal((await read).stdout, '', what);
      await victim.sh('midclt daemon-stop --all');
    }
  }
  t.ok(sandbox.countOf('auth.login_ex') > 3);
});

test('F10: what another user has made where the variables point to is not used', async (t) => {
  const { victim, attacker, to, stem, shared, sandbox } = await ground(t);
  const evil = `[profile.nas]\nuri = "ws+unix://${attacker.home}/evil"\n`;
  for (const open of ['1777', '777']) {
    fs.chmodSync(shared, parseInt(open, 8));
    await attacker.sh(
      `umask 0; mkdir -p S/home/.midclt S/config/midclt S/home/.config; cp -r S/config/midclt S/home/.config
      printf '%s' "$EVIL" | tee S/config/midclt/profiles.toml > S/home/.config/midclt/profiles.toml
      echo "127.0.0.1:${sandbox.wsPort} sha256:00" > S/config/midclt/trusted`.replaceAll(
        'S/',
        `${shared}/`,
      ),
      { env: { EVIL: evil } },
    );
    for (const program of ['midclt', 'sh "$PROGRAM/midclt"']) {
      const run = (line: string, env: NodeJS.ProcessEnv) =>
        victim.sh(`${program} ${line}`, { env: { MIDCLT_AUTOSTART: '0', ...env } });
      const asked = `${to} -P ${PASSWORD} -d ping`;
      const config = { XDG_CONFIG_HOME: `${shared}/config` };
      t.match(await run('-p nas -d ping', config), { code: 1, stderr: /no profile 'nas'/ });
      const home = await run('-p nas -d ping', { HOME: `${shared}/home` });
      t.match(home, { code: 1, stderr: /no profile 'nas'|No home directory/ }, open);
      const daemons = { MIDCLT_HOME: `${shared}/home/.midclt` };
      t.match(await run(asked, daemons), { code: 1, stderr: /belongs to user 64002/ }, open);
      // Below a directory of theirs, or in one in which they can rename.
      const below = { MIDCLT_HOME: `${shared}/own` };
      await victim.sh(`mkdir -p -m 700 ${shared}/own`);
      const started = await victim.sh(`midclt ${to} -P ${PASSWORD} daemon --detach`, {
        env: below,
      });
      if (open === '777') {
        t.match(started, { code: 1, stderr: /Others can write to/ });
        t.match(
          await attacker.sh(`mv ${shared}/own ${shared}/away$$`),
          { code: 0 },
          'for they can',
        );
      } else {
        t.match(started, { code: 0 });
        t.same(await triedBy(attacker, [`${shared}/own`, `${shared}/own/${stem}.sock`]), []);
        t.match(await run(asked, below), { code: 0, stdout: 'pong\n' });
        await victim.sh('midclt daemon-stop --all', { env: below });
      }
    }
  }
});

test('what a fleet is to be asked is kept where nobody else can look, and goes with the command', async (t) => {
  const { victim, attacker, to, shared } = await ground(t);
  const set = await victim.sh(
    `umask 077; echo ${KEY} > key; midclt profile add a ${to} --plain -K key; midclt -p a -d ping`,
  );
  t.match(set, { code: 0 }, set.stderr);
  const spool = () => fs.readdirSync(shared).map((name) => `${shared}/${name}`);
  for (const end of ['eof', 'SIGTERM', 'SIGINT'] as const) {
    const child = victim.spawn('umask 000; exec "$NODE" "$PROGRAM/midclt.js" -p all batch', {
      env: { TMPDIR: shared },
    });
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    const closed = new Promise((resolve) => child.on('close', resolve));
    child.stdin.write('["test.echo", "CONFIDENTIAL"]\n');
    await until('the requests to be kept', () =>
      spool().some(
        (each) => fs.existsSync(`${each}/requests`) && fs.statSync(`${each}/requests`).size > 0,
      ),
    );
    const [directory = ''] = spool();
    t.match(directory, /\/midclt-\w{6,}$/, 'a name that cannot be foreseen');
    t.equal(modeOf(directory), 0o700);
    t.equal(modeOf(`${directory}/requests`), 0o600);
    t.same(await triedBy(attacker, [directory, `${directory}/requests`]), []);
    if (end === 'eof') child.stdin.end();
    else child.kill(end);
    await closed;
    if (end === 'eof') t.match(stdout, /"profile":"a".*CONFIDENTIAL/);
    t.same(spool(), [], `nothing is left after ${end}`);
  }
});
