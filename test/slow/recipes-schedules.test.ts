/** docs/RECIPES.md and contrib/: what runs at a time of day, or for Prometheus. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freeze } from '../support/lifecycle.js';
import { until } from '../support/midclt.js';
import { CONTRIB, lacking, onFreePort, workshop, type Workshop } from '../support/recipes.js';

t.setTimeout(600_000);

function contrib(name: string): string {
  return fs.readFileSync(path.join(CONTRIB, name), 'utf8');
}

/** A line's value in a unit. */
function valueIn(unit: string, key: string): string {
  return new RegExp(`^${key}=(.*)$`, 'm').exec(contrib(`systemd/${unit}`))?.[1] ?? '';
}

t.test('systemd reads the units', { skip: lacking('systemd-analyze') }, async (t) => {
  const place = await workshop(t);
  const units = fs.readdirSync(`${CONTRIB}/systemd`);
  t.ok(units.length >= 6);
  const directory = `${place.home}/units`;
  fs.mkdirSync(directory);
  for (const unit of units) {
    // It looks whether the programs are there.
    const text = contrib(`systemd/${unit}`).replaceAll('/usr/local/bin/', `${place.bin}/`);
    fs.writeFileSync(`${directory}/${unit}`, text);
  }
  const verify = () =>
    place.sh('systemd-analyze --user verify units/* 2>&1', {
      env: { XDG_RUNTIME_DIR: place.home },
    });
  t.strictSame(await verify(), { code: 0, signal: null, stdout: '', stderr: '' });
  fs.appendFileSync(`${directory}/midclt-backup@.timer`, '[Timer]\nNoSuch=1\n');
  t.match((await verify()).stdout, 'NoSuch', 'and says what it does not know');
});

t.test('the command of the backup makes one, and a failed one leaves it', async (t) => {
  const place = await workshop(t);
  const unit = 'midclt-backup@.service';
  const command = [valueIn(unit, 'ExecStartPre'), valueIn(unit, 'ExecStart')]
    .join(' && ')
    .replaceAll('/usr/local/bin/midclt', 'midclt')
    .replaceAll('%h', place.home);
  const run = (name: string) =>
    place.sh(command.replaceAll('%i', name), { env: { HOME: place.home } });
  t.match(await run('nas1'), { code: 0, stderr: '' });
  const backup = `${place.home}/backups/nas1.db`;
  const saved = fs.readFileSync(backup);
  t.ok(saved.length > 0);
  t.equal(fs.statSync(backup).mode & 0o777, 0o600);
  t.equal(fs.statSync(path.dirname(backup)).mode & 0o777, 0o700);
  place.systems[0]?.setRefusing(502);
  t.match(await run('nas1'), { code: 1, stderr: /^Error: / });
  t.strictSame(fs.readFileSync(backup), saved);
  t.strictSame(fs.readdirSync(path.dirname(backup)), ['nas1.db']);
});

const CRONTAB = contrib('cron/midclt.crontab');
/** The last line: five fields, then what the shell gets. */
const [, SCHEDULE = '', COMMAND = ''] = /^((?:\S+ ){5})(.*)\n$/m.exec(CRONTAB) ?? [];

function outputs(home: string): string[] {
  return fs.readdirSync(home).filter((name) => /^pools-\d{4}\.json$/.test(name));
}

t.test('the command of the crontab works in what cron gives it', async (t) => {
  const place = await workshop(t);
  t.equal(SCHEDULE, '*/15 * * * * ');
  // cron makes % of \%, and what follows a bare one stdin.
  t.notMatch(COMMAND, /(?<!\\)%/);
  const command = COMMAND.replaceAll('\\%', '%');
  const run = () =>
    place.sh('exec env -i HOME="$HOME" LOGNAME=u SHELL=/bin/sh PATH="$PATH" /bin/sh -c "$LINE"', {
      env: { LINE: command, HOME: place.home },
    });
  for (let i = 0; i < 2; i++) t.match(await run(), { code: 0, stdout: '', stderr: '' });
  const errors = `${place.home}/pools.err`;
  t.equal(fs.readFileSync(errors, 'utf8'), '');
  const [file = ''] = outputs(place.home);
  t.match(JSON.parse(fs.readFileSync(`${place.home}/${file}`, 'utf8')), [{ name: 'tank' }, {}]);
  t.equal(place.systems[0]?.stats.connections, 1, 'the daemon was there for the second');

  const lock = spawn('flock', [`${place.home}/.midclt-pools.lock`, 'sleep', '600'], {
    detached: true,
    stdio: 'ignore',
  });
  t.teardown(() => {
    process.kill(-(lock.pid ?? 0), 'SIGKILL');
  });
  const isHeld = () =>
    spawnSync('flock', ['-n', `${place.home}/.midclt-pools.lock`, 'true']).status === 1;
  await until('the lock to be held', isHeld);
  t.match(await run(), { code: 0, stdout: '', stderr: '' });
  t.match(fs.readFileSync(errors, 'utf8'), /^\S+ failed: 1\n$/, 'a run that was left out');
});

/** Its own table and no other, in directories that only its process sees in the places of the system's. */
const PRIVATE_CRON = `
mount --make-rprivate / && cd "$1" &&
mount --bind tables /var/spool/cron/crontabs && mount --bind none /etc/cron.d &&
mount --bind none/crontab /etc/crontab && mount --bind run /run && exec cron -f`;

function mayMount(): string | false {
  if (process.getuid?.() !== 0) return 'only root may start cron';
  const tried = spawnSync('unshare', ['-m', 'mount', '--make-rprivate', '/']);
  return tried.status !== 0 && 'no mounts of its own are allowed here';
}

t.test('cron runs the crontab', { skip: lacking('cron', 'unshare') || mayMount() }, async (t) => {
  const place = await workshop(t);
  const directory = `${place.home}/cron`;
  for (const name of ['tables', 'none', 'run'])
    fs.mkdirSync(`${directory}/${name}`, { recursive: true });
  fs.writeFileSync(`${directory}/none/crontab`, '');
  const table = CRONTAB.replace(SCHEDULE, '* * * * * ').replace(
    /^PATH=/m,
    `HOME=${place.home}\nPATH=${place.bin}:${path.dirname(process.execPath)}:`,
  );
  fs.writeFileSync(`${directory}/tables/root`, table, { mode: 0o600 });
  fs.chmodSync(`${directory}/tables`, 0o1730);
  const cron = spawn('unshare', ['-m', 'sh', '-c', PRIVATE_CRON, 'sh', directory], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.teardown(() => cron.kill('SIGKILL'));
  const read = () =>
    outputs(place.home).map((name) => fs.readFileSync(`${place.home}/${name}`, 'utf8'));
  const text = await until(
    'a minute to begin',
    () => read().find((each) => each.endsWith('\n')),
    120_000,
  );
  t.match(JSON.parse(text), [{ name: 'tank' }, { name: 'archive' }]);
});

async function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/metrics' }, (response) => {
        let text = '';
        response.on('data', (data: Buffer) => (text += data.toString()));
        response.on('end', () => {
          resolve(text);
        });
      })
      .on('error', reject);
  });
}

function startNodeExporter(t: Test, place: Workshop): Promise<number> {
  const start = (port: number) => {
    const exporter = spawn(
      'prometheus-node-exporter',
      [
        ...['--collector.disable-defaults', '--collector.textfile'],
        ...[`--collector.textfile.directory=${place.home}/textfiles`],
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    t.teardown(() => exporter.kill('SIGKILL'));
    return exporter;
  };
  const isThere = (_log: string, port: number) =>
    get(port).then(
      () => true,
      () => false,
    );
  return onFreePort(start, isThere);
}

t.test('Prometheus', { skip: lacking('promtool', 'prometheus-node-exporter') }, async (t) => {
  const place = await workshop(t);
  await place.runSection('Prometheus');
  const port = await startNodeExporter(t, place);

  const before = await get(port);
  t.match(before, /^node_textfile_scrape_error 0$/m);
  t.match(before, /^midclt_daemons\{directory=".*"\} 2$/m);
  t.match(await place.sh('midclt-textfile textfiles'), { code: 0, stdout: '', stderr: '' });
  const after = await get(port);
  t.match(after, /^midclt_daemons\{directory=".*"\} 1$/m, 'the file was replaced');
  t.match(after, /^midclt_middleware_state\{socket=".*",state="ready"\} 1$/m);
  t.match(after, /^midclt_daemon_info\{.*profile="nas1".*username="admin".*\} 1$/m);
  t.match(after, /^node_textfile_scrape_error 0$/m);

  const files = () => fs.readdirSync(`${place.home}/textfiles`);
  const [file = ''] = files();
  const failed = await place.sh('midclt-textfile textfiles', { env: { MIDCLT_HOME: 'relative' } });
  t.match(failed, { code: 1, stderr: /MIDCLT_HOME/ });
  t.strictSame(files(), [file], 'the old file stays, alone');
  t.match(await get(port), /^midclt_daemons\{directory=".*"\} 1$/m);

  const down = await place.sh('midclt -p nas3 daemon-status --prometheus | promtool check metrics');
  t.match(down, { code: 0, stdout: '', stderr: 'No daemon is currently running\n' });
});

t.test(
  'F4: a daemon that hangs is down, and its file is whole',
  { skip: lacking('promtool') },
  async (t) => {
    const place = await workshop(t);
    t.match(await place.sh('midclt -p nas1 -d ping && midclt -p nas2 -d ping'), { code: 0 });
    const { stdout } = await place.sh('midclt -p nas1 daemon-status --json');
    await freeze((JSON.parse(stdout) as { pid: number }).pid);
    fs.mkdirSync(`${place.home}/textfiles`);
    t.match(await place.sh('midclt-textfile textfiles'), { code: 0, stderr: /does not answer/ });
    const text = (await place.sh('cat textfiles/*.prom')).stdout;
    t.strictSame([...text.matchAll(/^midclt_daemon_up\{.*\} (\d)$/gm)].map(([, up]) => up).sort(), [
      '0',
      '1',
    ]);
    t.match(text, /^midclt_daemon_state\{socket=".*",state="hung"\} 1$/m);
    t.match(await place.sh('cat textfiles/*.prom | promtool check metrics'), {
      code: 0,
      stdout: '',
      stderr: '',
    });
    const status = await place.sh('midclt -p nas1 daemon-status --prometheus');
    t.match(status, { code: 1, stdout: /^midclt_daemon_up\{.*\} 0$/m, stderr: /does not answer/ });
  },
);

t.test('promtool takes the alerts', { skip: lacking('promtool') }, async (t) => {
  const { sh } = await workshop(t);
  const cwd = `${CONTRIB}/prometheus`;
  t.match(await sh('promtool check rules midclt.rules.yml', { cwd }), {
    code: 0,
    stdout: /4 rules/,
  });
  t.match(await sh('promtool test rules midclt.rules.test.yml', { cwd }), {
    code: 0,
    stdout: /SUCCESS/,
  });
});
