/** `midclt service`: its units, as systemd itself reads them, and what systemctl is told. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { MISTAKE } from '../../lib/errors.js';
import {
  BINARY,
  environment,
  finished,
  makeHome,
  shell,
  type Finished,
} from '../support/midclt.js';

const URI = 'wss://nas1.example/api/current';

/** Records what it is told, and answers as systemd does, or fails as where there is no session. */
const SYSTEMCTL = `#!/bin/sh
echo "$*" >> "$HOME/told"
[ ! -e "$HOME/no-session" ] || { echo 'Failed to connect to bus: No medium found' >&2; exit 1; }
case "$2" in
  is-enabled) echo enabled ;;
  is-active) case "$3" in *.socket) echo active ;; *) echo inactive; exit 3 ;; esac ;;
  enable) [ ! -e "$HOME/refuse" ] || { echo 'Failed to enable unit: no' >&2; exit 1; } ;;
esac
`;

interface Ground {
  readonly home: string;
  readonly units: string;
  readonly run: (...args: string[]) => Promise<Finished>;
  /** What systemctl was told since this was asked before. */
  readonly told: () => string[];
}

function ground(
  t: Test,
  { withSystemctl = true, env = {}, binary = BINARY, umask = '022' } = {},
): Ground {
  const home = makeHome(t);
  const bin = `${home}/bin`;
  fs.mkdirSync(bin);
  if (withSystemctl) fs.writeFileSync(`${bin}/systemctl`, SYSTEMCTL, { mode: 0o755 });
  fs.mkdirSync(`${home}/.config/midclt`, { recursive: true, mode: 0o700 });
  const profiles = `[profile.nas1]\nuri = "${URI}"\nusername = "admin"\n`;
  fs.writeFileSync(`${home}/.config/midclt/profiles.toml`, profiles, { mode: 0o600 });
  const variables = environment(home, {
    PATH: withSystemctl ? `${bin}:/usr/bin:/bin` : bin,
    ...env,
  });
  const line = `umask ${umask}; unset NODE_OPTIONS; exec "$@"`;
  const options = ['-c', line, 'sh', process.execPath, binary];
  return {
    home,
    units: `${home}/.config/systemd/user`,
    run: (...args) =>
      finished(spawn('/bin/sh', [...options, ...args], { env: variables, cwd: home })),
    told: () => {
      const file = `${home}/told`;
      const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : [];
      fs.rmSync(file, { force: true });
      return lines.map((line) => line.replace('--user ', ''));
    },
  };
}

/** What systemd finds wrong with the units in a directory. */
function verify(home: string, ...units: string[]): string {
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home };
  const command = ['--user', '--recursive-errors=no', 'verify', ...units];
  const { error, stderr } = spawnSync('systemd-analyze', command, { env, encoding: 'utf8' });
  return error ? String(error) : stderr;
}

const hasSystemd = !spawnSync('systemd-analyze', ['--version']).error;

t.test('nobody else can put a unit beside its own, whatever the umask', async (t) => {
  const { home, units, run } = ground(t, { umask: '000' });
  t.match(await run('-p', 'nas1', 'service', 'install'), { code: 0 });
  const files = fs.readdirSync(units).map((name) => `${units}/${name}`);
  t.equal(files.length, 2);
  for (const file of [`${home}/.config/systemd`, units, ...files])
    t.equal(fs.statSync(file).mode & 0o022, 0, file);
});

t.test('of a profile it is installed, looked at and removed', async (t) => {
  const { home, units, run, told } = ground(t);
  const names = ['midclt@nas1.service', 'midclt@nas1.socket'];
  const installed = await run('-p', 'nas1', 'service', 'install');
  t.strictSame(installed, {
    ...installed,
    code: 0,
    stderr: '',
    stdout:
      `Wrote ${units}/midclt@nas1.socket\nWrote ${units}/midclt@nas1.service\n` +
      'Enabled midclt@nas1.socket: the first call starts the daemon\nTry it: midclt -p nas1 -d ping\n',
  });
  t.same(told(), ['show --property=Version', 'daemon-reload', 'enable --now midclt@nas1.socket']);
  t.same(fs.readdirSync(units).sort(), names);
  const shown = await run('-p', 'nas1', 'profile', 'show', 'nas1', '--json');
  const { socket } = JSON.parse(shown.stdout) as { socket: string };
  t.match(fs.readFileSync(`${units}/midclt@nas1.socket`, 'utf8'), `ListenStream=${socket}\n`);
  const service = fs.readFileSync(`${units}/midclt@nas1.service`, 'utf8');
  t.match(service, `ExecStart=${process.execPath} ${BINARY} -p nas1 daemon\n`);
  t.match(service, `\nRestartPreventExitStatus=${MISTAKE}\n`, 'F49: a bug is not repeated');
  if (hasSystemd) t.equal(verify(home, ...names.map((name) => `${units}/${name}`)), '');

  const again = await run('service', 'install', '-p', 'nas1');
  t.notMatch(again.stdout, /Wrote/, 'nothing has changed');
  t.same(told(), ['show --property=Version', 'enable --now midclt@nas1.socket']);

  const status = await run('-p', 'nas1', 'service', 'status');
  t.match(status, {
    code: 0,
    stdout: 'midclt@nas1.socket: enabled, active\nmidclt@nas1.service: inactive\n',
    stderr: '',
  });
  told();
  const removed = await run('-p', 'nas1', 'service', 'remove');
  t.match(removed, { code: 0, stderr: '' });
  t.match(removed.stdout, /^Stopped midclt@nas1.socket and midclt@nas1.service\nRemoved /);
  t.same(told(), [
    'show --property=Version',
    'disable --now midclt@nas1.socket',
    'stop midclt@nas1.service',
    'daemon-reload',
  ]);
  t.same(fs.readdirSync(units), []);
  for (const command of ['remove', 'status']) {
    const none = await run('-p', 'nas1', 'service', command);
    t.match(none, { code: 1, stdout: '', stderr: /^No service is installed for nas1[:;] .*\n$/ });
  }
});

t.test('a profile is not removed before its service', async (t) => {
  const { home, run } = ground(t);
  t.match(await run('-p', 'nas1', 'service', 'install'), { code: 0 });
  t.match(await run('profile', 'remove', 'nas1'), {
    code: 1,
    stderr: /^Error: systemd starts the daemon of 'nas1': 'midclt -p nas1 service remove' /,
  });
  t.match(await run('-p', 'nas1', 'service', 'remove'), { code: 0 });
  t.match(await run('profile', 'remove', 'nas1'), { code: 0 });
  t.notMatch(fs.readFileSync(`${home}/.config/midclt/profiles.toml`, 'utf8'), /nas1/);
});

t.test('it finds the certificates that the calls find', async (t) => {
  const { home, run } = ground(t, {
    env: { MIDCLT_CA_FILE: 'own/ca.pem', SSL_CERT_DIR: '/etc/certs', SSL_CERT_FILE: '' },
  });
  const { stdout } = await run('-p', 'nas1', 'service', 'install', '--print');
  const set = [...stdout.matchAll(/^Environment="(.*)"$/gm)].map(([, text]) => text);
  t.same(set, [`MIDCLT_CA_FILE=${home}/own/ca.pem`, 'SSL_CERT_DIR=/etc/certs']);
});

t.test('without a profile it is for the middleware of this machine', async (t) => {
  const { home, units, run } = ground(t);
  t.match(await run('service', 'install'), { code: 0, stdout: /midclt -p local -d ping/ });
  t.same(fs.readdirSync(units).sort(), ['midclt.service', 'midclt.socket']);
  t.match(
    fs.readFileSync(`${units}/midclt.socket`, 'utf8'),
    `ListenStream=${home}/.midclt/daemon-local.sock\n`,
  );
  t.match(await run('-p', 'local', 'service', 'remove'), { code: 0 });
});

t.test('it shows the units and changes nothing, also where there is no systemd', async (t) => {
  const { home, units, run } = ground(t, { withSystemctl: false });
  const { code, stdout } = await run('-p', 'nas1', 'service', 'install', '--print');
  t.equal(code, 0);
  t.match(
    stdout,
    new RegExp(`^# ${units}/midclt@nas1.socket\n.*\n# ${units}/midclt@nas1.service\n`, 's'),
  );
  t.same(fs.readdirSync(`${home}/.config`), ['midclt']);
  t.match(await run('-p', 'nas1', 'service', 'install'), {
    code: 1,
    stdout: '',
    stderr:
      "Error: There is no systemd here (no such file (ENOENT)); 'midclt -p nas1 daemon --detach' starts the daemon without it\n",
  });
  t.same(fs.readdirSync(`${home}/.config`), ['midclt']);
});

t.test(
  'where systemd has no session for the user, and where it refuses, a line says so',
  async (t) => {
    const { home, units, run } = ground(t);
    fs.writeFileSync(`${home}/no-session`, '');
    t.match(await run('service', 'install'), {
      code: 1,
      stderr:
        /^Error: systemd runs nothing for this user until you log in directly, .* \(Failed to connect to bus: No medium found\); .*\n$/,
    });
    t.notOk(fs.existsSync(units));
    fs.rmSync(`${home}/no-session`);
    fs.writeFileSync(`${home}/refuse`, '');
    t.match(await run('service', 'install'), {
      code: 1,
      stderr:
        "Error: 'systemctl --user enable --now midclt.socket' failed: Failed to enable unit: no\n",
    });
    fs.writeFileSync(`${home}/no-session`, '');
    const removed = await run('service', 'remove');
    t.match(removed, {
      code: 0,
      stderr: /so nothing was stopped: 'midclt -p local daemon-stop' does/,
    });
    t.same(fs.readdirSync(units), []);
  },
);

t.test('what has moved since is told, and put right by installing again', async (t) => {
  const { units, run, told } = ground(t);
  await run('service', 'install');
  const file = `${units}/midclt.service`;
  const good = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, good.replaceAll(process.execPath, '/of/no/node'));
  t.match(await run('service', 'status'), {
    code: 1,
    stderr:
      "It can't start, since /of/no/node is gone: 'midclt -p local service install' puts that right\n",
  });
  fs.writeFileSync(file, good.replaceAll(process.execPath, '/bin/sh'));
  t.match(await run('service', 'status'), { code: 0, stderr: /as it is now/ });
  told();
  t.match(await run('service', 'install'), { code: 0 });
  t.equal(fs.readFileSync(file, 'utf8'), good);
  t.same(told().slice(1, 3), ['stop midclt.socket midclt.service', 'daemon-reload']);
});

t.test('paths with what is special to systemd stay what they are', async (t) => {
  const odd = path.join(makeHome(t), 'a b%h$HOME "q"');
  fs.mkdirSync(odd, { mode: 0o700 });
  fs.cpSync(path.dirname(BINARY), `${odd}/bin`, { recursive: true });
  const env = { MIDCLT_HOME: `${odd}/m`, XDG_CONFIG_HOME: odd };
  const { home, run } = ground(t, { env, binary: `${odd}/bin/midclt.js` });
  t.match(await run('service', 'install'), { code: 0, stderr: '' });
  const files = ['socket', 'service'].map((kind) => `${odd}/systemd/user/midclt.${kind}`);
  if (hasSystemd) t.equal(verify(home, ...files), '');
  const text = fs.readFileSync(files[1] ?? '', 'utf8');
  t.match(text, `Environment="MIDCLT_HOME=${odd.replace('%', '%%').replaceAll('"', '\\"')}/m"\n`);
  t.match(text, 'a b%%h$$HOME \\"q\\"/bin/midclt.js" -p local daemon\n');
});

t.test('what has no name, or is several, has no service', async (t) => {
  const { run } = ground(t);
  t.match(await run('-u', URI, 'service', 'install'), {
    code: 1,
    stderr: /^Error: A service is for a system that has a name: 'midclt login NAME' .*\n$/,
  });
  t.match(await run('-p', 'nas1,local', 'service', 'install'), {
    code: 2,
    stderr: /'service install' is for one system at a time/,
  });
  t.match(await run('-p', 'none', 'service', 'install'), { code: 1, stderr: /none/ });
});

t.test('the units that the package brings are good', { skip: !hasSystemd }, async (t) => {
  const home = makeHome(t);
  const { stdout } = await shell(`cd "${path.dirname(BINARY)}/../../contrib/systemd" && pwd -P`, {
    home,
  });
  for (const kind of ['socket', 'service']) {
    const text = fs.readFileSync(`${stdout.trim()}/midclt.${kind}`, 'utf8');
    fs.writeFileSync(`${home}/midclt.${kind}`, text.replace('/usr/local/bin/midclt', '/bin/true'));
  }
  t.equal(verify(home, `${home}/midclt.socket`, `${home}/midclt.service`), '');
});
