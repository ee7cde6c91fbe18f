import { createHash } from 'node:crypto';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import type { SandboxOptions } from '../../lib/sandbox/index.js';
import { startDaemon, surroundings } from '../support/daemon.js';
import {
  BINARY,
  environment,
  finished,
  midclt,
  missing,
  shell,
  spawnMidclt,
  statusIn,
  until,
  type Finished,
} from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

// Most of a test is waiting for a process; each has a sandbox of its own.
t.jobs = 4;

type Run = (args: readonly string[], input?: string | Buffer) => Promise<Finished>;

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** What is left of transfers in a folder. */
const parts = (folder: string) => fs.readdirSync(folder).filter((name) => /\.part$/.test(name));

/** A sandbox with a daemon; `run` is a command over it, or, directly, on a wire. */
async function ways(t: Test, options: Partial<SandboxOptions> = {}) {
  const daemon = await startDaemon(t, { around: await surroundings(t, options) });
  const { home, uri, sandbox } = daemon;
  const direct =
    (where: string): Run =>
    (args, input = '') =>
      midclt(['-u', where, ...args], { home, input });
  const d: Run = (args, input = '') => daemon.d(args, { input });
  const runs: readonly (readonly [string, Run])[] = [
    ['through a daemon', d],
    ['directly', direct(uri)],
    ['over the legacy wire', direct(`${uri}:/websocket`)],
  ];
  return { daemon, home, uri, sandbox, runs, d };
}

t.test('a file is saved whole, and a job is given files', async (t) => {
  const { home, runs } = await ways(t);
  const all = runs.map(async ([way, run], place) => {
    const file = `${home}/config of ${way}`;
    fs.writeFileSync(file, 'old', { mode: 0o644 });
    t.match(await run(['download', 'config.save', '-o', file]), {
      code: 0,
      stdout: '',
      stderr: '',
    });
    const content = fs.readFileSync(file);
    t.equal(content.length, 2048, way);
    t.equal(fs.statSync(file).mode & 0o777, 0o600, 'for its owner alone');

    const sent = await run(['upload', 'test.upload', '--file', file, '--file', '/dev/null']);
    t.match(sent, { code: 0, stderr: '' });
    const [one, two] = JSON.parse(sent.stdout) as { bytes: number; sha256: string }[];
    t.match(one, { bytes: 2048, sha256: sha256(content) });
    t.match(two, { bytes: 0 });

    const big = fs.readFileSync(process.execPath).subarray(0, 3_000_001);
    const piped = await run(['upload', 'filesystem.put', `/mnt/${place}`, '--file', '-'], big);
    t.match(piped, { code: 0, stdout: 'True\n', stderr: '' });
    const back = await run([
      'download',
      'filesystem.get',
      `/mnt/${place}`,
      '-o',
      `${home}/back${place}`,
    ]);
    t.match(back, { code: 0, stdout: '', stderr: '' });
    t.ok(fs.readFileSync(`${home}/back${place}`).equals(big), 'what was sent comes back');
  });
  await Promise.all(all);
  t.same(parts(home), []);
});

t.test('over TLS the certificate is checked as the WebSocket does', async (t) => {
  const { home, sandbox } = await ways(t, { wss: 0, rateLimit: false });
  const uri = `wss://127.0.0.1:${sandbox.wssPort}/api/current`;
  const login = ['-u', uri, '-U', 'admin', '-P', 'admin-pw'];
  fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate ?? '');
  const trusting = { home, env: { NODE_EXTRA_CA_CERTS: `${home}/ca.pem` } };
  const args = ['download', 'config.save', '-o', `${home}/x`];
  t.match(await midclt([...login, ...args], trusting), { code: 0, stderr: '' });
  t.equal(fs.statSync(`${home}/x`).size, 2048);
  const up = ['upload', 'test.upload', '--file', `${home}/x`];
  t.match(await midclt([...login, '--insecure', ...up], { home }), { code: 0, stderr: '' });
  t.match(await midclt([...login, ...args], { home }), { code: 1, stderr: /verification failed/ });
});

t.test('without -o the server names the file, which is never a path or another file', async (t) => {
  const { home, sandbox, d } = await ways(t);
  const cases = [
    ['nas.tar', 'nas.tar'],
    ['../../etc/x', 'x'],
    ['C:\\\\y', 'y'],
    ['.bashrc', 'bashrc'],
    ['ü\t\u009b31m.db', 'ü.db'],
    ['..', 'config.save'],
    ['', 'config.save2'],
  ] as const;
  for (const [given, name] of cases) {
    sandbox.setFileFault({ filename: given });
    const folder = fs.mkdtempSync(`${home}/d`);
    const run = await d(['download', 'config.save', '-o', folder]);
    t.match(run, { code: 0, stderr: '' });
    t.same(fs.readdirSync(folder), [name.replace(/2$/, '')], given);
    t.equal(run.stdout, `${folder}/${name.replace(/2$/, '')}\n`, 'its name is printed');
  }
  sandbox.setFileFault({ filename: 'there' });
  fs.writeFileSync(`${home}/there`, 'mine');
  const refused = await d(['download', 'config.save']);
  t.match(refused, { code: 1, stdout: '', stderr: /^Error: there exists already, .*-o\n$/ });
  t.equal(fs.readFileSync(`${home}/there`, 'utf8'), 'mine');
  t.same(parts(home), []);
  const here = await midclt(
    ['-u', `ws+unix://${home}/mw.sock`, 'download', 'filesystem.get', '/test/10'],
    { home },
  );
  t.match(here, { code: 1, stderr: /there exists already/ });
  sandbox.setFileFault(null);
  const got = await d(['download', 'filesystem.get', '/test/10']);
  t.match(got, { code: 0, stdout: '10\n' });
});

t.test('where it can go: a link, a device, a pipe; and where not', async (t) => {
  const { home, d } = await ways(t);
  fs.writeFileSync(`${home}/real`, 'old');
  fs.symlinkSync('real', `${home}/link`);
  t.match(await d(['download', 'config.save', '-o', `${home}/link`]), { code: 0 });
  t.ok(fs.lstatSync(`${home}/link`).isSymbolicLink());
  t.equal(fs.statSync(`${home}/real`).size, 2048);
  t.match(await d(['download', 'config.save', '-o', '/dev/null']), { code: 0, stderr: '' });
  const full = await d(['download', 'config.save', '-o', '/dev/full']);
  t.match(full, {
    code: 1,
    stderr: 'Error: Cannot write /dev/full: no space left on device (ENOSPC)\n',
  });
  for (const target of ['/nowhere/x', `${home}/real/x`, `${home}/new/`]) {
    const run = await d(['download', 'test.download', '5', '-o', target]);
    t.match(run, { code: 1, stderr: /^Error: Cannot write [^]*(?:ENOENT|ENOTDIR)\)\n$/ }, target);
  }
  const jobs = await d(['call', 'core.get_jobs', '[["method", "=", "test.download"]]']);
  t.equal(jobs.stdout, '[]\n', 'no job was started for what could not be written');
  const piped = await shell(
    `"$NODE" "$BIN" -u "$U" -d download test.download 3000000 -o - | sha256sum`,
    {
      home,
      env: { NODE: process.execPath, BIN: BINARY, U: `ws+unix://${home}/mw.sock` },
    },
  );
  await d(['download', 'test.download', '3000000', '-o', `${home}/three`]);
  t.equal(piped.stdout.split(' ')[0], sha256(fs.readFileSync(`${home}/three`)));
});

t.test('what a redirection leads to is written to, not replaced', async (t) => {
  const { home, uri, d } = await ways(t);
  const env = { NODE: process.execPath, BIN: BINARY, U: uri };
  const run = (command: string) =>
    shell(`midclt() { "$NODE" "$BIN" -u "$U" -d "$@"; }; ${command}`, { home, env });
  const ten = 'test.download 10';
  await d(['download', 'test.download', '10', '-o', `${home}/ten`]);
  const text = fs.readFileSync(`${home}/ten`, 'latin1');
  fs.symlinkSync('/dev/stdout', `${home}/link`);
  const cases = [
    [`midclt download ${ten} -o /dev/stdout >> f`, `precious\n${text}`],
    [`midclt download ${ten} -o /dev/stderr 2>> f`, `precious\n${text}`],
    [`{ echo a; midclt download ${ten} -o /dev/stdout; echo b; } > f`, `a\n${text}b\n`],
    [`midclt download ${ten} -o /dev/fd/1 >> f`, `precious\n${text}`],
    [`midclt download ${ten} -o /proc/self/fd/1 >> f`, `precious\n${text}`],
    [`midclt download ${ten} -o /dev/fd/9 9>> f`, `precious\n${text}`],
    [`midclt download ${ten} -o link >> f`, `precious\n${text}`],
  ] as const;
  for (const [command, expected] of cases) {
    fs.writeFileSync(`${home}/f`, 'precious\n');
    const { ino } = fs.statSync(`${home}/f`);
    t.match(await run(command), { code: 0, stdout: '', stderr: '' }, command);
    t.equal(fs.readFileSync(`${home}/f`, 'latin1'), expected, command);
    t.equal(fs.statSync(`${home}/f`).ino, ino, 'it is the same file');
  }
  fs.writeFileSync(`${home}/f`, 'precious\n');
  const id = (await d(['call', 'test.job_logged', '1'])).stdout.trim();
  await d(['call', '-j', 'core.job_wait', id]);
  t.match(await run(`midclt job log ${id} -o /dev/stderr 2>> f`), { code: 0 });
  t.equal(fs.readFileSync(`${home}/f`, 'utf8'), 'precious\nline 1\n');
  t.match(await run('midclt types -o /dev/stdout >> f'), { code: 0, stdout: '' });
  t.match(fs.readFileSync(`${home}/f`, 'utf8'), /^precious\n[^]*"auth.generate_token": {/);
  await run(`midclt download ${ten} -o /dev/stdout | cat > g`);
  t.equal(fs.readFileSync(`${home}/g`, 'latin1'), text, 'a pipe, too');
  t.same(parts(home), []);
});

t.test('F30: a reader that has enough ends it quietly', async (t) => {
  const { home, uri } = await ways(t);
  const command = `"$NODE" "$BIN" -u "$U" -d download test.download 30000000 -o - | head -c 10 | wc -c`;
  const run = await shell(command, { home, env: { NODE: process.execPath, BIN: BINARY, U: uri } });
  t.match(run, { code: 0, stdout: /^10\s/, stderr: '' });
});

t.test('a job that fails is told, although the file server says 200', async (t) => {
  const { home, runs } = await ways(t);
  const file = `${home}/f`;
  fs.writeFileSync(file, 'old');
  for (const [way, run] of runs) {
    const down = await run(['download', 'test.download', '100000', '{"fail": 5000}', '-o', file]);
    t.match(
      down,
      { code: 1, stdout: '', stderr: /^\[EIO\] failed on purpose after 5000 bytes\n/ },
      way,
    );
    const buffered = ['download', '--buffered', 'test.download', '9', '{"fail": 5}', '-o', file];
    t.match(await run(buffered), { code: 1, stderr: /^\[EIO\] failed on purpose after 5 bytes\n/ });
    const up = await run(['upload', 'test.upload', '{"fail": 1}', '--file', file]);
    t.match(up, { code: 1, stdout: '', stderr: /^\[EIO\] failed on purpose after \d bytes\n/ });
  }
  t.equal(fs.readFileSync(file, 'utf8'), 'old');
  t.same(parts(home), []);
  const [, d] = runs[0] ?? [];
  const buffered = await d?.(['download', '--buffered', 'test.download', '90000', '-o', file]);
  t.match(buffered, { code: 0, stderr: '' });
  t.equal(fs.statSync(file).size, 90_000);
});

t.test('what the server refuses is told in one line', async (t) => {
  const { home, sandbox, d } = await ways(t);
  const file = `${home}/f`;
  fs.writeFileSync(file, Buffer.alloc(2_000_000));
  const refusals = [
    [
      ['upload', 'test.upload', '{"refuse": true}', '--file', file],
      /^Error: The transfer was refused: \[EINVAL\] refused on purpose \(HTTP 412\)\n$/,
    ],
    [['upload', 'no.such', '--file', file], /^Error: [^\n]*\(HTTP 422\)\n$/],
    [['download', 'no.such', '-o', file], /^Method does not exist\n$|ENOMETHOD/],
    [['download', 'core.ping', '-o', file], /has no attribute 'id'\n/],
    [
      ['upload', 'test.upload', '--file', `${home}/none`],
      /^Error: Cannot read .*\/none: no such file/,
    ],
    [['upload', 'test.upload', '--file', home], /^Error: Cannot send .*: it is a folder\n$/],
  ] as const;
  const runs = refusals.map(async ([args, stderr]) => {
    t.match(await d(args), { code: 1, stdout: '', stderr });
  });
  await Promise.all(runs);
  const quiet = await d(['download', '-q', 'test.download', '9', '{"fail": 5}', '-o', `${home}/x`]);
  t.match(quiet, { code: 1, stderr: /failed on purpose/ }, '-q silences the progress alone');
  for (const status of [401, 403, 404, 410, 413, 500, 502, 503, 418]) {
    sandbox.setFileFault({ refuse: status });
    const commands = [
      ['download', 'config.save', '-o', `${home}/x`],
      ['upload', 'test.upload', '--file', file],
    ];
    const ended = commands.map(async (args) => {
      const run = await d(args);
      const expected = new RegExp(
        `^Error: The transfer was refused: [^\\n]+ \\(HTTP ${status}\\)\\n$`,
      );
      t.match(run, { code: 1, stdout: '', stderr: expected }, `${args[0]} ${status}`);
      t.notMatch(run.stderr, /_token|Token /);
    });
    await Promise.all(ended);
  }
  t.same(parts(home), []);
  t.equal(fs.existsSync(`${home}/x`), false);
});

t.test('a token that has expired', async (t) => {
  const { home, sandbox, d } = await ways(t);
  const job = ['test.download', '5', '{"delay": 1}'];
  const run = d(['download', '--buffered', ...job, '-o', `${home}/x`]);
  await until('the job to be followed', () =>
    sandbox.received.some((text) => text.includes('"core.get_jobs", "params": [[["id"')),
  );
  sandbox.expireTokens();
  const expired = /^Error: The transfer was refused: [^\n]*start it again[^\n]* \(HTTP 401\)\n$/;
  t.match(await run, { code: 1, stdout: '', stderr: expired });
  t.same(parts(home), []);
});

t.test('a token that is refused when files are sent', async (t) => {
  const { home, d } = await ways(t, { tokens: { expireAtOnce: true } });
  fs.writeFileSync(`${home}/up`, Buffer.alloc(3_000_000));
  const run = await d(['upload', 'test.upload', '--file', `${home}/up`]);
  t.match(run, {
    code: 1,
    stderr: /^Error: The transfer was refused: [^\n]*: Invalid token \(HTTP 403\)\n$/,
  });
});

t.test('F37: a transfer that is cut leaves the old file', async (t) => {
  const { home, sandbox, runs } = await ways(t);
  const file = `${home}/f`;
  fs.writeFileSync(file, 'old');
  fs.writeFileSync(`${home}/up`, Buffer.alloc(3_000_000));
  sandbox.setFileFault({ cutAfter: 50_000 });
  const all = runs.map(async ([way, run]) => {
    const down = await run(['download', 'test.download', '200000', '-o', file]);
    t.match(
      down,
      {
        code: 1,
        stdout: '',
        stderr: /^Error: The connection for the transfer ended after \d+ bytes \(.+\)\n$/,
      },
      way,
    );
    const up = await run(['upload', 'test.upload', '--file', `${home}/up`]);
    t.match(
      up,
      {
        code: 1,
        stdout: '',
        stderr:
          /^Error: The connection for the transfer ended before the server answered \(.+\); the job may have taken .*\n$/,
      },
      way,
    );
  });
  await Promise.all(all);
  t.equal(fs.readFileSync(file, 'utf8'), 'old');
  t.same(parts(home), []);
});

t.test('a file that becomes shorter while it is sent: its job may have taken it', async (t) => {
  const { home, sandbox, runs } = await ways(t);
  const [, d] = runs[0] ?? [];
  const file = `${home}/big`;
  for (const [place, [way, run]] of runs.entries()) {
    fs.writeFileSync(file, '');
    fs.truncateSync(file, 30_000_000);
    sandbox.setFileFault({ stallAfter: 500_000 });
    const isNow = async (state: string) => {
      const found = await d?.(['call', 'core.get_jobs', '[["method", "=", "filesystem.put"]]']);
      const jobs = JSON.parse(found?.stdout ?? '[]') as { arguments: string[]; state: string }[];
      return jobs.some((job) => job.arguments[0] === `/mnt/${place}` && job.state === state);
    };
    const running = run(['upload', 'filesystem.put', `/mnt/${place}`, '--file', file]);
    await until('the job to read', () => isNow('RUNNING'));
    fs.truncateSync(file, 1_000_000);
    sandbox.setFileFault(null);
    t.match(
      await running,
      {
        code: 1,
        stdout: '',
        stderr: `Error: ${file} became shorter while it was sent; the job may have taken what came of the file for all of it\n`,
      },
      way,
    );
    await until('the job to take it for all', () => isNow('SUCCESS'));
  }
});

t.test('the WebSocket is lost in the middle: the file is still judged by its job', async (t) => {
  const { home, sandbox, runs } = await ways(t);
  for (const [way, run] of runs.slice(0, 2)) {
    const before = sandbox.countOf('core.download');
    const args = ['download', 'test.download', '300000', '{"chunk": 10000, "delay": 0.03}'];
    const running = run([...args, '-o', `${home}/x`]);
    await until(
      'the transfer',
      () =>
        sandbox.countOf('core.download') > before &&
        parts(home).some((name) => fs.statSync(`${home}/${name}`).size > 50_000),
    );
    sandbox.dropAll();
    t.match(await running, { code: 0, stderr: '' }, way);
    t.equal(fs.statSync(`${home}/x`).size, 300_000);
  }
});

t.test('the daemon is killed in the middle: another one tells of the job', async (t) => {
  const { home, daemon, uri } = await ways(t);
  const args = [
    '-u',
    uri,
    '-d',
    'download',
    'test.download',
    '300000',
    '{"chunk": 10000, "delay": 0.03}',
    '-o',
    `${home}/x`,
  ];
  const child = spawnMidclt(args, { home, env: { MIDCLT_AUTOSTART: '1' } });
  const running = finished(child);
  await until('the transfer', () =>
    parts(home).some((name) => fs.statSync(`${home}/${name}`).size > 50_000),
  );
  daemon.child.kill('SIGKILL');
  t.match(await running, { code: 0 });
  t.equal(fs.statSync(`${home}/x`).size, 300_000);
  await midclt(['-u', uri, 'daemon-stop'], { home });
});

t.test(
  'Ctrl-C leaves no half file, a whole line on the terminal, and nothing at the daemon',
  { skip: missing('script', 'stty') },
  async (t) => {
    const { home, uri, d } = await ways(t);
    const slow = `test.download 3000000 '{"chunk": 10000, "delay": 0.03, "progress": true}'`;
    fs.writeFileSync(`${home}/f`, 'old');
    const run = onTerminal(t, `midclt -u ${uri} -d download ${slow} -o f`, {
      home,
    });
    await until('the bar', () => /\d+%.*KiB\/s.*left/.test(run.screen.lines.join('\n')));
    run.type('\x03');
    t.equal(await run.finished, 130);
    t.equal(run.screen.lines.at(-1), 'Interrupted. f was not saved');
    t.ok(run.screen.atLineStart);
    t.equal(fs.readFileSync(`${home}/f`, 'utf8'), 'old');
    t.same(parts(home), []);
    const up = onTerminal(
      t,
      `head -c 3000000 /dev/zero >u; midclt -u ${uri} -d upload test.upload '{"delay": 0.1}' --file u`,
      { home },
    );
    await until('the bar', () => /%.*of 2\.9 MiB.*left/.test(up.screen.lines.join('\n')));
    up.type('\x03');
    t.equal(await up.finished, 130);
    t.match(up.screen.lines.at(-1), /^Interrupted\. /);
    t.ok(up.screen.atLineStart);
    await until('nobody at the daemon', async () => {
      const status = statusIn(await d(['daemon-status', '--json']));
      return status?.calls.in_flight === 0 && status.jobs.followed === 0;
    });
  },
);

t.test('SIGTERM and SIGHUP leave no half file either', async (t) => {
  const { home, uri } = await ways(t);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    const child = spawnMidclt(
      [
        '-u',
        uri,
        '-d',
        'download',
        'test.download',
        '3000000',
        '{"chunk": 10000, "delay": 0.03}',
        '-o',
        'f',
      ],
      { home },
    );
    const running = finished(child);
    await until('the transfer', () =>
      parts(home).some((name) => fs.statSync(`${home}/${name}`).size > 20_000),
    );
    child.kill(signal);
    t.match(await running, { signal, stderr: 'Interrupted. f was not saved\n' });
    t.same(parts(home), []);
  }
});

t.test(
  'F33: a disk that is full leaves the old file',
  { skip: process.getuid?.() !== 0 && 'mounts a file system' },
  async (t) => {
    const { home, d } = await ways(t);
    const small = `${home}/small`;
    fs.mkdirSync(small);
    const mounted = await shell(`mount -t tmpfs -o size=256k none "$S"`, {
      home,
      env: { S: small },
    });
    if (mounted.code !== 0) {
      t.comment('no file system can be mounted here');
      return;
    }
    t.teardown(() => shell(`umount -l "$S"`, { home, env: { S: small } }));
    fs.writeFileSync(`${small}/f`, 'old');
    const run = await d(['download', 'test.download', '1000000', '-o', `${small}/f`]);
    t.match(run, {
      code: 1,
      stderr: /^Error: Cannot write .*\/f: no space left on device \(ENOSPC\)\n$/,
    });
    t.equal(fs.readFileSync(`${small}/f`, 'utf8'), 'old');
    t.same(parts(small), []);
  },
);

t.test(
  'no other process sees a token',
  { skip: !fs.existsSync('/proc/self/environ') && 'needs /proc' },
  async (t) => {
    const { home, uri, sandbox } = await ways(t);
    const child = spawnMidclt(
      [
        '-u',
        uri,
        '-d',
        'download',
        'test.download',
        '300000',
        '{"chunk": 10000, "delay": 0.02}',
        '-o',
        'f',
      ],
      { home },
    );
    const running = finished(child);
    await until(
      'the transfer',
      () => parts(home).length > 0 && sandbox.countOf('core.download') > 0,
    );
    for (const file of ['cmdline', 'environ']) {
      t.notMatch(fs.readFileSync(`/proc/${child.pid}/${file}`, 'latin1'), 'auth_token');
    }
    t.match(await running, { code: 0 });
    const log = fs
      .readdirSync(`${home}/.midclt/logs`)
      .map((name) => fs.readFileSync(`${home}/.midclt/logs/${name}`, 'utf8'));
    t.notMatch(log.join('\n'), 'auth_token');
  },
);

t.test('a user who may not see the job of an upload is told so', async (t) => {
  const { home, sandbox } = await ways(t, { ws: 0, rateLimit: false });
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const run = await midclt(
    ['-u', uri, '-U', 'reader', '-P', 'reader-pw', 'upload', 'test.upload', '--file', '-'],
    { home, input: 'x' },
  );
  t.match(run, {
    code: 1,
    stderr: /^The server has taken the files for job \d+, .*unknown.*\n$/,
  });
});

t.test('wrong usage', async (t) => {
  const { home } = await surroundings(t);
  const file = (count: number) =>
    Array.from({ length: count }, () => ['--file', '/dev/null']).flat();
  const wrong = [
    [['upload', 'm'], 'the following arguments are required: --file'],
    [['upload', 'm', ...file(6)], 'argument --file: 5 at most: 6'],
    [
      ['upload', 'm', '--file', '-', '--file', '-'],
      "argument --file: stdin can't be read twice ('-')",
    ],
    [
      ['upload', 'm', '-', '--file', '-'],
      "argument --file: stdin can't be read for a file ('-') and for an argument ('-')",
    ],
    [['download'], 'the following arguments are required: method'],
  ] as const;
  const all = wrong.map(async ([args, message]) => {
    const run = await midclt(args, { home });
    t.equal(run.code, 2);
    t.ok(run.stderr.endsWith(`error: ${message}\n`), run.stderr);
  });
  await Promise.all(all);
  t.ok(environment(home));
});

t.test('job log prints what a job has logged', async (t) => {
  const { home, d } = await ways(t);
  const id = (await d(['call', 'test.job_logged', '3'])).stdout.trim();
  await d(['call', '-j', 'core.job_wait', id]);
  t.match(await d(['job', 'log', id]), { code: 0, stdout: 'line 1\nline 2\nline 3\n', stderr: '' });
  t.match(await d(['job', 'log', id, '-o', `${home}/log`]), { code: 0, stdout: '', stderr: '' });
  t.equal(fs.readFileSync(`${home}/log`, 'utf8'), 'line 1\nline 2\nline 3\n');
  t.match(await d(['job', 'log', '999']), { code: 1, stdout: '', stderr: /^[^\n]*999/ });
});
