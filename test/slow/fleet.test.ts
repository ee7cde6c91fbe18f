/** One command for several systems, of which some are down, slow, or refuse the login. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { API_KEYS, startSandbox, type Sandbox } from '../../lib/sandbox/index.js';
import {
  finished,
  makeHome,
  midclt,
  missing,
  spawnMidclt,
  statusIn,
  until,
  type RunOptions,
} from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

t.setTimeout(300_000);

const KEY = `${API_KEYS[0]!.id}-${API_KEYS[0]!.key}`;
/** Daemons are started by the calls, and ended with the test. */
const ENV = { MIDCLT_AUTOSTART: '1' };

interface Fleet {
  readonly home: string;
  readonly systems: ReadonlyMap<string, Sandbox>;
  readonly run: (args: readonly string[], more?: Partial<RunOptions>) => ReturnType<typeof midclt>;
}

/** Systems of these names, and the profiles of some more. */
async function fleet(t: Test, names: readonly string[], more = ''): Promise<Fleet> {
  const home = makeHome(t);
  const systems = new Map<string, Sandbox>();
  const tables: string[] = [];
  for (const name of names) {
    const sandbox = await startSandbox({ unix: `${home}/${name}` });
    t.teardown(() => sandbox.close());
    systems.set(name, sandbox);
    tables.push(`[profile.${name}]\nuri = "ws+unix://${home}/${name}"\ngroups = ["up"]\n`);
  }
  fs.mkdirSync(`${home}/.config/midclt`, { recursive: true, mode: 0o700 });
  const text = [...tables, more.replaceAll('HOME', home)].join('\n');
  fs.writeFileSync(`${home}/.config/midclt/profiles.toml`, text, { mode: 0o600 });
  const run: Fleet['run'] = (args, options) => midclt(args, { home, env: ENV, ...options });
  t.teardown(() => run(['daemon-stop', '--all']));
  return { home, systems, run };
}

/** Each line as JSON, by profile. */
function answersOf(stdout: string): Map<string, Record<string, unknown>> {
  const lines = stdout.trimEnd().split('\n');
  const answers = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return new Map(answers.map((each) => [String(each.profile), each]));
}

const DOWN = '[profile.down]\nuri = "ws+unix://HOME/nowhere"\n';

t.test('one that is down, one that is slow and one that refuses hold up nobody', async (t) => {
  const refusing = await startSandbox({ ws: 0, failedLoginDelayMs: 100 });
  t.teardown(() => refusing.close());
  const { home, systems, run } = await fleet(
    t,
    ['up1', 'up2', 'slow'],
    `${DOWN}
[profile.refusing]
uri = "ws://127.0.0.1:${refusing.wsPort}/api/current"
username = "admin"
api_key_file = "HOME/wrong.key"
`,
  );
  fs.writeFileSync(`${home}/wrong.key`, `${KEY.slice(0, -1)}x`, { mode: 0o600 });
  t.match(await run(['-p', '@up', 'ping']), { code: 0, stderr: '' }, 'their daemons run');
  systems.get('slow')!.setStalled(true);
  const child = spawnMidclt(['-p', 'all', 'call', 'core.ping'], { home, env: ENV });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const run1 = finished(child);
  await until('all but the slow one', () => stdout.split('\n').length === 5);
  t.notMatch(stdout, /"profile":"slow"/);
  systems.get('slow')!.setStalled(false);
  const { code, stderr } = await run1;
  t.equal(code, 1);
  t.equal(stderr, '2 of 5 failed: down, refusing\n');
  const answers = answersOf(stdout);
  for (const name of ['up1', 'up2', 'slow']) t.equal(answers.get(name)?.result, 'pong', name);
  t.match(answers.get('down'), { error: /Cannot connect to ws\+unix:.*nowhere: no such file/ });
  t.match(answers.get('refusing'), { error: /Invalid API key/ });
  t.notMatch(stdout, KEY.slice(4, 20));
  for (const [name, { stats }] of systems) t.equal(stats.logins, 0, `${name}: root's socket`);
});

t.test('each is logged in to once, however often it is asked', async (t) => {
  const remote = await startSandbox({ ws: 0 });
  t.teardown(() => remote.close());
  const { home, run } = await fleet(
    t,
    ['a'],
    `[profile.b]\nuri = "ws://127.0.0.1:${remote.wsPort}/api/current"\nusername = "admin"\napi_key_file = "HOME/key"\n`,
  );
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  for (let i = 0; i < 3; i++) {
    t.match(await run(['-p', 'b,a', '--sort', 'call', 'test.echo', '{"x":  [1,2.0]}']), {
      code: 0,
      stdout:
        '{"profile":"b","result":[{"x": [1, 2.0]}]}\n{"profile":"a","result":[{"x": [1, 2.0]}]}\n',
      stderr: '',
    });
  }
  t.equal(remote.stats.logins, 1);
});

t.test('--parallel bounds how many are asked at a time', async (t) => {
  const { systems, run } = await fleet(t, ['a', 'b', 'c']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  systems.get('a')!.setStalled(true);
  const waiting = run(['-p', 'a,b,c', '--parallel', '1', 'ping', '-t', '2']);
  const { code, stdout } = await waiting;
  systems.get('a')!.setStalled(false);
  t.equal(code, 1);
  t.same(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { profile: string }).profile),
    ['a', 'b', 'c'],
    'in order, since one waits for the other',
  );
  t.match(answersOf(stdout).get('a'), { error: /timeout/i });
});

t.test('an outcome that nobody knows is told', async (t) => {
  const { systems, run } = await fleet(t, ['a', 'b']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  const call = run(['-p', 'all', 'call', 'test.sleep', '3600']);
  await until('the call', () => systems.get('a')!.countOf('test.sleep') === 1);
  await until('the call', () => systems.get('b')!.countOf('test.sleep') === 1);
  for (const sandbox of systems.values()) sandbox.dropAll();
  const { code, stdout } = await call;
  t.equal(code, 1);
  for (const name of ['a', 'b']) {
    t.match(answersOf(stdout).get(name), { error: /lost/, outcome: 'unknown' }, name);
  }
});

t.test('jobs, with their results; and lists of them', async (t) => {
  const { run } = await fleet(t, ['a', 'b']);
  const jobs = await run(['-p', 'all', '--sort', 'call', '-j', '--detach', 'test.job']);
  t.match(jobs, {
    code: 0,
    stdout: /^\{"profile":"a","result":\d+\}\n\{"profile":"b","result":\d+\}\n$/,
  });
  t.match(await run(['-p', 'all', '--sort', 'job', 'wait', '1']), {
    stdout: '{"profile":"a","result":"done"}\n{"profile":"b","result":"done"}\n',
  });
  const list = await run(['-p', 'all', 'job', 'list']);
  for (const { result } of answersOf(list.stdout).values()) {
    t.match(result, [{ id: 1, method: 'test.job', state: 'SUCCESS' }]);
  }
  t.match(await run(['-p', 'a,b', 'job', 'show', '99']), {
    code: 1,
    stdout: /"error":"There is no job 99"/,
    stderr: '2 of 2 failed: a, b\n',
  });
  t.match(await run(['-p', 'a,b', '--sort', 'job', 'abort', '1']), {
    code: 1,
    stdout: /^\{"profile":"a","error":"Job 1 has ended already \(SUCCESS\)",/,
  });
});

t.test('downloads, a file each', async (t) => {
  const { home, run } = await fleet(t, ['a', 'b'], DOWN);
  const some = await run([
    '-p',
    'all',
    '--sort',
    'download',
    '-o',
    'd-{profile}.tar',
    'config.save',
  ]);
  t.match(some, { code: 1, stderr: '1 of 3 failed: down\n' });
  t.match(
    some.stdout,
    /^\{"profile":"a","result":"d-a.tar"\}\n\{"profile":"b","result":"d-b.tar"\}\n/,
  );
  t.same(
    fs
      .readdirSync(home)
      .filter((name) => /tar|part/.test(name))
      .sort(),
    ['d-a.tar', 'd-b.tar'],
  );
  t.ok(fs.statSync(`${home}/d-a.tar`).size > 0);
  const quiet = ['-p', 'a,down', 'download', '-q', '-o', 'q-{profile}.tar', 'config.save'];
  const told = await run(quiet);
  t.match(
    told,
    { code: 1, stderr: '1 of 2 failed: down\n' },
    'as for one system, -q is of the progress',
  );
  t.match(told.stdout, /"profile":"down","error":/);
});

t.test('a batch to each, from stdin or a file', async (t) => {
  const { home, run } = await fleet(t, ['a', 'b'], DOWN);
  const input =
    '{"id":1,"command":"call","method":"core.ping"}\n{"id":2,"command":"call","method":"no.such"}\n';
  const tmp = `${home}/tmp`; // what others of this machine have in theirs does not count
  fs.mkdirSync(tmp);
  const env = { ...ENV, TMPDIR: tmp };
  const batch = await run(['-p', 'all', 'batch', '--failed', 'failed-{profile}'], { input, env });
  t.match(batch, { code: 1, stderr: /3 of 3 failed: a, b, down\n$/ });
  const lines = batch.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { profile: string });
  for (const name of ['a', 'b']) {
    const own = lines.filter(({ profile }) => profile === name);
    t.match(own, [
      { type: 'result', id: 1, result: 'pong' },
      { type: 'error', id: 2 },
    ]);
    t.match(fs.readFileSync(`${home}/failed-${name}`, 'utf8'), /"id":2/);
  }
  t.match(
    lines.filter(({ profile }) => profile === 'down'),
    [{ error: /no such file/ }],
  );
  fs.writeFileSync(`${home}/ok`, '{"id":7,"command":"ping"}\n');
  const good = await run(['-p', 'a,b', 'batch', 'ok']);
  t.match(good, { code: 0, stderr: '' });
  t.equal(good.stdout.match(/"id":7,"result":"pong"/g)?.length, 2);
  t.same(fs.readdirSync(tmp), [], 'nothing is left');
});

t.test('what is for one system, or lacks a name for each, is wrong usage', async (t) => {
  const { run } = await fleet(t, ['a', 'b']);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['-p', 'all', 'daemon'], /argument -p\/--profile: 'daemon' is for one system at a time/],
    [['-p', 'a,b', 'subscribe', 'x'], /'subscribe' is for one system/],
    [['-p', 'a,b', 'download', 'config.save'], /-o\/--output: .* needs \{profile\}/],
    [['-p', 'a,b', 'download', '-o', 'x.tar', 'config.save'], /-o\/--output: .* needs \{profile\}/],
    [['-p', 'a,b', 'batch', '--failed', 'x'], /--failed: .* needs \{profile\}/],
    [['-p', 'a,b', '--sort', 'batch'], /--sort: not allowed with batch/],
    [['-p', 'a,b', 'call', '-j', '--abort-on-interrupt', 'm'], /--abort-on-interrupt: not allowed/],
    [['--sort', 'ping'], /--sort: only allowed with several profiles/],
    [['-p', 'a', '--parallel', '2', 'ping'], /--parallel: only allowed with several profiles/],
  ];
  for (const [argv, message] of cases) {
    t.match(await run(argv), { code: 2, stdout: '', stderr: message }, argv.join(' '));
  }
});

t.test('a password is asked for of no one of several', async (t) => {
  const remote = await startSandbox({ ws: 0 });
  t.teardown(() => remote.close());
  const uri = `ws://127.0.0.1:${remote.wsPort}/api/current`;
  const { run } = await fleet(t, ['a'], `[profile.asks]\nuri = "${uri}"\nusername = "admin"\n`);
  const both = await run(['-p', 'all', 'ping']);
  t.match(both, { code: 1, stderr: '1 of 2 failed: asks\n' });
  t.match(answersOf(both.stdout).get('asks'), { error: /midclt -p asks daemon --detach/ });
  const direct = await run(['-p', 'all', 'ping'], { env: { MIDCLT_USE_DAEMON: '0' } });
  t.match(answersOf(direct.stdout).get('asks'), {
    error: /nobody is asked.*midclt -p asks daemon --detach$/,
  });
  t.match(answersOf(direct.stdout).get('a'), { result: 'pong' });
});

t.test('Ctrl-C says who has not answered', async (t) => {
  const { home, systems, run } = await fleet(t, ['a', 'b']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  systems.get('b')!.setStalled(true);
  const child = spawnMidclt(['-p', 'all', 'ping'], { home, env: ENV });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const ended = finished(child);
  await until('the first', () => stdout !== '');
  child.kill('SIGINT');
  t.match(await ended, {
    signal: 'SIGINT',
    stderr: 'Interrupted. 1 of 2 have answered; not b\n',
  });
});

t.test('Ctrl-C says which jobs go on', async (t) => {
  const { home, systems, run } = await fleet(t, ['a', 'b', 'c']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  systems.get('c')!.setStalled(true);
  const child = spawnMidclt(['-p', 'all', 'call', '-j', 'test.job', '1000', '0.05'], {
    ...{ home, env: ENV },
  });
  const ended = finished(child);
  for (const name of ['a', 'b']) {
    const job = async () => (await run(['-p', name, 'job', 'list', '--json'])).stdout;
    await until('progress', async () => /"percent": *[1-9]/.test(await job()), 20_000);
  }
  child.kill('SIGINT');
  t.match(await ended, {
    signal: 'SIGINT',
    stderr:
      "Interrupted. 0 of 3 have answered; not a, b, c. Jobs that go on: 'midclt -p a job wait 1', 'midclt -p b job wait 1'\n",
  });
  systems.get('c')!.setStalled(false);
  const beside = '--no-channel-binding';
  const wait = spawnMidclt(['-p', 'a,b', beside, 'job', 'wait', '1'], { home, env: ENV });
  const waited = finished(wait);
  await until('the wait', async () => {
    const status = statusIn(await run(['-p', 'b', 'daemon-status', '--json']));
    return status && status.clients > 1;
  });
  wait.kill('SIGINT');
  t.match(await waited, {
    stderr: new RegExp(
      `Jobs that go on: 'midclt -p a ${beside} job wait 1', 'midclt -p b ${beside} job wait 1'\n$`,
    ),
  });
});

t.test('Ctrl-C in a batch keeps what is of unknown outcome, and says how to go on', async (t) => {
  const { home, systems, run } = await fleet(t, ['a', 'b', 'c']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  const ids = [1, 2].map(
    (id) => `{"id":${id},"command":"call","method":"test.sleep","params":[3600]}\n`,
  );
  fs.writeFileSync(`${home}/requests`, ids.join(''));
  const args = ['-p', 'all', '--parallel', '2', 'batch', '--failed', 'f-{profile}', 'requests'];
  const child = spawnMidclt(args, { home, env: ENV, detached: true });
  const ended = finished(child);
  for (const name of ['a', 'b'])
    await until('both calls', () => systems.get(name)!.countOf('test.sleep') === 2);
  process.kill(-child.pid!, 'SIGINT'); // as a terminal does, to all that it has started
  const { signal, stdout, stderr } = await ended;
  t.equal(signal, 'SIGINT');
  for (const name of ['a', 'b']) {
    t.equal(fs.readFileSync(`${home}/f-${name}.unknown`, 'utf8'), ids.join(''), name);
    t.match(
      stderr,
      new RegExp(
        `^${name}: Interrupted. Requests 1 to 2 are .*; 'midclt -p ${name} -d batch --failed f-${name} --resume-from 3 requests' goes on`,
        'm',
      ),
    );
  }
  t.equal(stdout.match(/"outcome":"unknown"/g)?.length ?? 0, 0);
  t.equal(stdout.match(/"type":"error"/g)?.length, 4);
  t.match(stderr, /\nInterrupted\. 0 of 3 have answered; not a, b, c\n$/);
  t.equal(systems.get('c')!.countOf('test.sleep'), 0, 'no other has begun');
});

t.test('how a batch goes on is said with what stands beside the profiles', async (t) => {
  const remote = await startSandbox({ ws: 0 });
  t.teardown(() => remote.close());
  const uri = `ws://127.0.0.1:${remote.wsPort}/api/current`;
  const { home, run } = await fleet(
    t,
    [],
    `[profile.b]\nuri = "${uri}"\nusername = "admin"\napi_key_file = "HOME/key"\n`,
  );
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  const lines = ['["test.fail", 2, "no"]', '["core.ping"]'];
  fs.writeFileSync(`${home}/requests`, lines.join('\n'));
  const batch = ['batch', '--stop-on-error', '--parallel', '1', '--no-status', 'requests'];
  const { stderr } = await run(['-p', 'b,', '--plain', ...batch]);
  const words = '-p b --plain -d batch --parallel 1 --stop-on-error --no-status --resume-from 2';
  t.match(stderr, `b: Stopped: request 1 failed. `);
  t.match(stderr, `'midclt ${words} requests' goes on with the next\n`);
  const next = await run([...words.split(' '), 'requests']);
  t.match(next, { code: 0, stdout: '{"type":"result","result":"pong"}\n', stderr: '' });
});

t.test('--no-autostart holds for the batches, too', async (t) => {
  const { home, systems, run } = await fleet(t, ['a']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  const sleep = '["test.sleep", 3600]\n';
  fs.writeFileSync(`${home}/requests`, `${sleep.repeat(2)}["core.ping"]`);
  const batch = ['-p', 'all', '--no-autostart', 'batch', '--parallel', '2', 'requests'];
  const ended = finished(spawnMidclt(batch, { home, env: ENV }));
  await until('the calls', () => systems.get('a')!.countOf('test.sleep') === 2);
  const status = await run(['-p', 'a', 'daemon-status', '--json']);
  process.kill((JSON.parse(status.stdout) as { pid: number }).pid, 'SIGKILL');
  const { stdout } = await ended;
  t.match(stdout.trimEnd().split('\n').at(-1), /The request was not sent/);
});

t.test('Ctrl-C prints the answers that have come and wait', async (t) => {
  const { home, systems, run } = await fleet(t, ['a', 'b']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  systems.get('a')!.setStalled(true);
  for (const [args, format, shown] of [
    [['--sort'], [], '{"profile":"b","result":"pong"}\n'],
    [[], ['-o', 'table=x'], 'PROFILE  X\nb        -\n'],
  ] as const) {
    const before = systems.get('b')!.countOf('core.ping');
    const child = spawnMidclt(['-p', 'all', ...args, 'call', ...format, 'core.ping'], {
      ...{ home, env: ENV },
    });
    const ended = finished(child);
    await until('the call', () => systems.get('b')!.countOf('core.ping') > before);
    await until('its answer', async () => {
      const status = statusIn(await run(['-p', 'b', 'daemon-status', '--json']));
      return status?.calls.in_flight === 0 && status.clients === 1;
    });
    child.kill('SIGINT');
    t.match(await ended, {
      signal: 'SIGINT',
      stdout: shown,
      stderr: /1 of 2 have answered; not a/,
    });
  }
});

t.test('-o json is strict JSON, a line each, also on a terminal', async (t) => {
  const { home, run } = await fleet(t, ['a', 'b']);
  const args = ['-p', 'all', '--sort', 'call', '-o', 'json', 'test.echo', 'NaN', '1e400'];
  const line = (name: string) => `{"profile":"${name}","result":[null, null]}\n`;
  t.match(await run(args), { code: 0, stdout: line('a') + line('b') });
  if (missing('script')) return;
  const { screen, finished } = onTerminal(t, `midclt ${args.join(' ')}`, {
    ...{ home, columns: 60, env: ENV },
  });
  t.equal(await finished, 0);
  t.match(screen.lines[0], line('a').trim());
});

t.test('without daemons elsewhere, a batch and what a job prints have theirs', async (t) => {
  const remote = await startSandbox({ ws: 0 });
  t.teardown(() => remote.close());
  const uri = `ws://127.0.0.1:${remote.wsPort}/api/current`;
  const { home, run } = await fleet(
    t,
    ['a'],
    `[profile.b]\nuri = "${uri}"\nusername = "admin"\napi_key_file = "HOME/key"\n`,
  );
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  const env = { ...ENV, MIDCLT_USE_DAEMON: '0' };
  fs.writeFileSync(`${home}/one`, '{"id":7,"command":"ping"}\n');
  t.match(await run(['-p', 'all', 'batch', 'one'], { env }), { code: 0, stderr: '' });
  await run(['-p', 'all', 'call', '-j', 'test.job_abortable', '0'], { env });
  t.match(await run(['-p', 'all', '--sort', 'job', 'abort', '1'], { env }), {
    code: 1,
    stdout: /Job 1 has ended already[^]*Job 1 has ended already/,
  });
});

t.test('the daemons of profiles are told by their names', async (t) => {
  const { home, run } = await fleet(t, ['a', 'b']);
  t.match(await run(['-p', 'all', 'ping']), { code: 0 });
  const [titles, ...rows] = (await run(['daemon-list'])).stdout.trimEnd().split('\n');
  t.match(titles, /^PID +STATE +UPTIME +PROFILE +USER +URI$/);
  for (const name of ['a', 'b']) {
    t.ok(
      rows.some((row) => new RegExp(` ${name} +- +ws.*/${name}$`).test(row)),
      name,
    );
  }
  t.match((await run(['-p', 'b', 'daemon-status'])).stdout, /\nprofile +b\n/);
  t.match(JSON.parse((await run(['-p', 'b', 'daemon-status', '--json'])).stdout), {
    profiles: ['b'],
  });
  t.match((await run(['-p', 'a', 'daemon-log', '--json'])).stdout, /"profile":"a"/);
  t.ok(fs.existsSync(`${home}/.midclt`));
  t.match(await run(['-p', 'a', 'daemon-stop']), { code: 0 });
});

t.test('on a terminal the answers are a table', { skip: missing('script') }, async (t) => {
  const { home, run } = await fleet(t, ['a', 'longer'], DOWN);
  t.match(await run(['-p', 'a,longer', 'ping']), { code: 0 });
  const { screen, finished } = onTerminal(t, 'midclt -p all --sort call test.echo x', {
    ...{ home, columns: 40, env: ENV },
  });
  t.equal(await finished, 1);
  const [a, longer, down, summary] = screen.lines;
  t.equal(a, 'a       ["x"]');
  t.equal(longer, 'longer  ["x"]');
  t.match(down, /^down {4}Error: No daemon is running.*…$/);
  t.equal(summary, '1 of 3 failed: down');
});

t.test('rows of columns, each with its profile', async (t) => {
  const { run } = await fleet(t, ['a', 'longer'], DOWN);
  const users = ['user.query', '[["id", "<", 3]]'];
  const call = (...more: string[]) => run(['-p', 'all', '--sort', 'call', ...more, ...users]);
  t.match(await call('-o', 'tsv=username,uid'), {
    code: 1,
    stdout: 'a\troot\t0\na\tadmin\t3000\nlonger\troot\t0\nlonger\tadmin\t3000\n',
    stderr: /^down: Error: .*\n1 of 3 failed: down\n$/,
  });
  t.match(await call('-o', 'table=username,nosuch'), {
    stdout:
      'PROFILE  USERNAME  NOSUCH\na        root      -\na        admin     -\nlonger   root      -\nlonger   admin     -\n',
  });
  t.match(await call('-o', 'pretty'), {
    code: 2,
    stderr: /-o\/--output: not allowed with several/,
  });
});

t.test(
  'a large object leaves room for the columns behind it',
  { skip: missing('script') },
  async (t) => {
    const { home, run } = await fleet(t, ['a', 'longer']);
    const row = `{"id":7,"data":[${'{"path":"/dev/sda"},'.repeat(30)}0],"end":"it"}`;
    const command = ['call', '-o', 'table=id,data,end', 'test.echo', row, row];
    const one = await run(['-p', 'a', ...command]);
    const [title = '', first = ''] = one.stdout.split('\n');
    t.match(
      [title, first],
      [/^ID {2}DATA +END$/, /^7 {3}\[\{"path": .{49}… {2}it$/],
      'also for a pipe',
    );
    const words = command.map((word) => `'${word}'`).join(' ');
    const line = `midclt -p a ${words}; midclt -p all --sort ${words}`;
    const { screen, finished } = onTerminal(t, line, { ...{ home, columns: 40, env: ENV } });
    t.equal(await finished, 0);
    t.match(
      screen.lines.map((each) => each.replace(/ {2,}/g, '  ')),
      [
        ...['ID  DATA  END', '7  [{"path": "/dev/sda…  it', '7  [{"path": "/dev/sda…  it'],
        ...['PROFILE  ID  DATA  END', ...Array<string>(2).fill('a  7  [{"path": "/dev/sda…  it')],
        ...Array<string>(2).fill('longer  7  [{"path": "/dev/sda…  it'),
      ],
    );
    const narrow = onTerminal(t, `midclt -p all --sort ${words}`, { home, columns: 24, env: ENV });
    t.equal(await narrow.finished, 0);
    t.equal(narrow.screen.lines.length, 5, 'no row goes on in the next line');
    for (const each of narrow.screen.lines) t.ok(each.endsWith('…'), each);
  },
);

t.test('-o over a daemon and without one', async (t) => {
  const { run } = await fleet(t, ['a']);
  for (const way of [['-d'], []]) {
    const call = (...args: string[]) => run(['-p', 'a', ...way, 'call', ...args]);
    t.match(await call('-o', 'json', 'system.ready'), { code: 0, stdout: 'true\n', stderr: '' });
    t.match(await call('-o', 'json', 'test.echo', 'NaN'), { stdout: '[null]\n' });
    t.match(await call('-o', 'pretty', 'test.echo', '1'), { stdout: '[\n  1\n]\n' });
    t.match(await call('-o', 'json', '-j', 'test.job'), { code: 0, stdout: '"done"\n' });
    t.match(await call('-o', 'table', 'user.query', '[["id","=",1]]', '{"select": ["id"]}'), {
      stdout: 'ID\n1\n',
    });
    t.match(await call('-o', 'json', 'no.such'), {
      code: 1,
      stdout: '',
      stderr: 'Method does not exist\n',
    });
  }
  t.match(await run(['-p', 'a', 'call', '-o', 'xml', 'm']), {
    code: 2,
    stderr: /invalid choice: 'xml'/,
  });
  t.match(await run(['-p', 'a', 'job', 'wait', '-o', 'json', '1']), { stdout: '"done"\n' });
});
