/** `midclt job …`, through a daemon and without one, over both wires. */
import t, { type Test } from 'tap';
import { startDaemon, surroundings, type Surroundings } from '../../support/daemon.js';
import { midclt, missing, until, type Finished, type RunOptions } from '../../support/midclt.js';
import { onTerminal } from '../../support/terminal.js';

t.jobs = 4; // they wait, side by side

interface Way extends Surroundings {
  /** `midclt`, on its way to the middleware. */
  readonly run: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Finished>;
  /** Starts a job that nobody waits for; its id. */
  readonly start: (...args: string[]) => Promise<string>;
  readonly ended: (id: string) => Promise<void>;
}

/** A sandbox with one job of another session that has ended, and one that failed. */
async function onTheWay(t: Test, wire: string, way: readonly string[]): Promise<Way> {
  const around = await surroundings(t);
  const uri = `${around.uri}${wire}`;
  if (way.includes('-d')) await startDaemon(t, { around, uri });
  const { home } = around;
  const run: Way['run'] = (args, options = {}) =>
    midclt(['-u', uri, ...way, ...args], { home, ...options });
  const start: Way['start'] = async (...args) => {
    const { stdout, stderr, code } = await run(['call', '-j', '--detach', ...args]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const ended = async (id: string) => {
    await until('the job to end', async () =>
      (await run(['job', 'show', id])).stdout.includes('finished:'),
    );
  };
  return { ...around, uri, run, start, ended };
}

const WAYS = [
  ['through a daemon', '', ['-d']],
  ['without a daemon, legacy', ':/websocket', []],
] as const;
const OTHER_WAYS = [
  ['without a daemon', '', []],
  ['through a daemon, legacy', ':/websocket', ['-d']],
] as const;

for (const [how, wire, way] of WAYS) {
  t.test(`${how}: jobs are listed, shown, waited for and aborted`, async (t) => {
    const { run, start, ended } = await onTheWay(t, wire, way);
    t.match(await run(['job', 'list']), { code: 0, stdout: /^ID {2}STATE .*DESCRIPTION\n$/ });
    t.match(await run(['job', 'list', '--json']), { code: 0, stdout: '[]\n', stderr: '' });

    const big = '{"n": 18446744073709551615, "x": NaN}';
    t.equal(await start('test.job', '0', '0', 'null', big), '1');
    t.equal(await start('test.job', '1', '0', 'callerror'), '2');
    t.equal(await start('test.job_abortable', '300', '1'), '3');
    await ended('2');

    const { stdout } = await run(['job', 'list']);
    const [, ...rows] = stdout.split('\n');
    t.match(rows, [
      /^3 {3}RUNNING \d+% [^]* {2}test\.job_abortable {2}abortable job of 300 steps: step \d+\/300$/,
      /^2 {3}FAILED [^]* {2}00:00:0\d [^]* {2}test\.job$/,
      /^1 {3}SUCCESS [^]* {2}test\.job$/,
      /^$/,
    ]);
    const json = await run(['job', 'list', '--json', '--state', 'failed']);
    const records = JSON.parse(json.stdout) as Record<string, unknown>[];
    t.match(records, [{ id: 2, method: 'test.job', state: 'FAILED', progress: { percent: 0 } }]);
    t.notOk(records[0] && 'result' in records[0], 'which may be large, or without a JSON form');

    const shown = await run(['job', 'show', '1']);
    t.match(shown.stdout, /^id: {9}1\nmethod: {5}test\.job\narguments: {2}\[0, 0, null, \{"n": 18/);
    t.match(shown.stdout, `\nstate:      SUCCESS\n`);
    t.match(shown.stdout, `\nresult:     ${big}\n`);
    const whole = await run(['job', 'show', '--json', '1']);
    t.match(whole.stdout, `"result": ${big}, `);
    t.match(whole.stdout, /^\{"id": 1, .*\}\n$/);
    const error = (await run(['job', 'show', '2'])).stdout;
    t.match(error, '\nerror:      [EIO] job failed on purpose\n');

    const wait = await run(['job', 'wait', '1']);
    t.strictSame(wait, { code: 0, signal: null, stdout: `${big}\n`, stderr: '' });
    const failed = await run(['job', 'wait', '2']);
    t.match(failed, { code: 1, stdout: '' });
    t.match(
      failed.stderr,
      /^\[EIO\] job failed on purpose\nTraceback[^]*\{'hint': 'extra data'\}\n$/,
    );
    const followed = await run(['-t', '5', 'job', 'follow', '3']);
    t.match(followed, { code: 1, stdout: '', stderr: /Status: step \d+\/300 {2}Total Progress/ });
    t.match(followed.stderr, 'Call timeout: job 3 has not ended; it goes on at the server\n');

    const nothing = { code: 0, signal: null, stdout: '', stderr: '' };
    t.strictSame(await run(['job', 'abort', '3']), nothing);
    t.match(await run(['job', 'wait', '3']), { code: 1, stderr: 'Job 3 was aborted\n' });
    const again = { code: 1, stdout: '', stderr: 'Job 3 has ended already (ABORTED)\n' };
    t.match(await run(['job', 'abort', '3']), again);
    const unabortable = await start('test.job', '300', '1');
    t.match(await run(['job', 'abort', unabortable]), {
      code: 0,
      stderr: `Job ${unabortable} says that it can't be aborted: what it has begun may go on at the server\n`,
    });
    const transient = await start('test.job_transient', '300', '1');
    t.match(await run(['job', 'abort', transient]), { code: 0, stdout: '' });

    const unknown = 'Job 99999 does not exist, or the server does not show it to this user\n';
    for (const command of ['show', 'wait', 'follow', 'abort']) {
      const run99999 = await run(['job', command, '99999']);
      t.strictSame(run99999, { code: 1, signal: null, stdout: '', stderr: unknown }, command);
    }
  });
}

for (const [how, wire, way] of OTHER_WAYS) {
  t.test(`${how} it is the same`, async (t) => {
    const { run, start } = await onTheWay(t, wire, way);
    t.equal(await start('test.job_abortable', '3', '0.1', 'null', '[2.0]'), '1');
    t.match(await run(['job', 'follow', '1']), { code: 0, stdout: '[2.0]\n', stderr: /Status: / });
    t.equal(await start('test.job_abortable', '300', '1'), '2');
    t.match(await run(['job', 'abort', '2']), { code: 0, stdout: '', stderr: '' });
    t.match((await run(['job', 'list'])).stdout, /\n2 {3}ABORTED .*\n1 {3}SUCCESS .*\n$/);
    t.match(await run(['job', 'show', '3']), { code: 1, stderr: /^Job 3 does not exist/ });
  });
}

t.test('--detach prints the id of a job, and what is no job as ever', async (t) => {
  const { run, start } = await onTheWay(t, '', ['-d']);
  t.match(await run(['call', '-j', '--detach', 'test.job', '99', '1']), {
    code: 0,
    stdout: '1\n',
    stderr: '',
  });
  t.match(await run(['call', '-j', '--detach', 'core.ping']), { code: 0, stdout: 'pong\n' });
  t.match(await run(['call', '-j', '--detach', 'test.fail']), { code: 1, stderr: /^\[EFAULT\]/ });
  t.match(await run(['call', '--detach', 'core.ping']), {
    code: 2,
    stderr: /error: argument --detach: only allowed with argument -j\/--job\n$/,
  });
  t.match(await run(['call', '--abort-on-interrupt', 'core.ping']), {
    code: 2,
    stderr: /error: argument --abort-on-interrupt: only allowed with argument -j\/--job\n$/,
  });
  t.match(await run(['call', '-j', '--detach', '--abort-on-interrupt', 'core.ping']), { code: 2 });
  t.equal(await start('test.job_transient', '1', '30'), '2');
});

t.test('--mine are those of who is logged in, over sessions that are open', async (t) => {
  const { run, start, uri, home } = await onTheWay(t, '', ['-d']);
  const id = await start('test.job', '1', '0');
  await midclt(['-u', uri, 'call', '-j', 'test.job', '0', '0'], { home });
  const listed = async (...args: string[]) => {
    const { stdout } = await run(['job', 'list', '--json', ...args]);
    return (JSON.parse(stdout) as { id: number }[]).map((job) => job.id);
  };
  t.same(await listed(), [2, 1]);
  t.same(await listed('--mine'), [Number(id)]);
});

t.test('MIDCLT_USE_DAEMON has them go through the daemon', async (t) => {
  const around = await surroundings(t);
  const daemon = await startDaemon(t, { around });
  const env = { MIDCLT_USE_DAEMON: '1' };
  t.match(await midclt(['-u', daemon.uri, 'job', 'list'], { home: daemon.home, env }), { code: 0 });
  t.equal(around.sandbox.stats.connections, 1);
});

t.test('a job that can’t be told in JSON spoils no list', async (t) => {
  const { run, start, ended } = await onTheWay(t, '', ['-d']);
  await start('test.job_unserializable', '"progress"', '0');
  await start('test.job_unserializable', '"result"', '0');
  await ended('2');
  const { code, stdout } = await run(['job', 'list']);
  t.equal(code, 0);
  t.match(stdout, /\n2 {3}SUCCESS .* test\.job_unserializable\n1 {3}SUCCESS /);
  for (const id of ['1', '2']) {
    t.match(await run(['job', 'show', id]), { code: 0, stdout: /state: +SUCCESS\n/ });
    t.match(await run(['job', 'show', '--json', id]), { code: 0, stdout: /"state": "SUCCESS"/ });
  }
});

const skip = missing('script', 'stty');
t.test('on a terminal a table is no wider, and drives nothing', { skip }, async (t) => {
  const { start, uri, home } = await onTheWay(t, '', ['-d']);
  const hostile = JSON.stringify('a\x1b[31mb\x1b]0;title\x07\nc');
  await start('test.job', '1', '0');
  await start('test.job', '1', '0', 'null', hostile);
  await start('test.job_abortable', '300', '0.5');
  const terminal = onTerminal(t, 'midclt -u "$URI" -d job list; midclt -u "$URI" -d job show 2', {
    home,
    columns: 60,
    env: { URI: uri },
  });
  t.equal(await terminal.finished, 0);
  const { lines } = terminal.screen;
  t.match(lines[0], /^ID {2}STATE .* METHOD…$/);
  t.match(lines[1], /^3 .* test\.job_abor…$/);
  t.equal(lines[1]?.length, 60);
  t.match(lines[2], /^2 /);
  t.notMatch(terminal.written(), /\x1b|\x07/); // eslint-disable-line no-control-regex
});
