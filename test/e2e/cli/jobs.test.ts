/** `midclt -d call -j`: progress on stderr, the result alone on stdout. */
import t from 'tap';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { finished, spawnMidclt, until, type RunOptions, midclt } from '../../support/midclt.js';
import { shellWithMidclt, type Frame } from '../../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const d = (args: readonly string[], more: Partial<RunOptions> = {}) =>
  midclt(['-u', daemon.uri, '-d', ...args], { home: daemon.home, ...more });

t.test('-j prints the result on stdout, the progress on stderr', async (t) => {
  const run = await d(['call', '-j', 'test.job', '2', '0.1', 'null', '{"a": 2.0}']);
  t.match(run, { code: 0, stdout: '{"a": 2.0}\n' });
  t.match(run.stderr, /Status: step 1\/2/);
  t.match(run.stderr, /Total Progress: /);
});

t.test('off a terminal the progress bar writes no escape codes', async (t) => {
  const { stderr } = await d(['call', '--job', 'test.job', '2', '0.1']);
  // eslint-disable-next-line no-control-regex
  t.notMatch(stderr, /[\u001b\r]/);
});

t.test('-jp description prints each new description on a line of stderr', async (t) => {
  const run = await d(['call', '-j', '-jp', 'description', 'test.job', '3', '0.1']);
  t.match(run, { code: 0, stdout: 'done\n' });
  t.strictSame(run.stderr.split('\n').filter(Boolean), ['step 1/3', 'step 2/3', 'step 3/3']);
});

t.test('the last line is the result when stdout and stderr are merged', async (t) => {
  const command = 'midclt call --job -jp description test.job 2 0.1 null "[1]" 2>&1';
  const { stdout } = await shellWithMidclt(command, daemon);
  t.equal(stdout.trimEnd().split('\n').at(-1), '[1]');
});

t.test('without -j a job method prints its id', async (t) => {
  const run = await d(['call', 'test.job', '1', '0.01']);
  t.match(run, { code: 0, stdout: /^\d+\n$/, stderr: '' });
});

t.test('a failed job prints reason, traceback and extra on stderr, exit 1', async (t) => {
  const run = await d(['call', '-j', 'test.job', '1', '0', 'callerror']);
  t.match(run, { code: 1, stdout: '' });
  const at = run.stderr.indexOf('[EIO] job failed on purpose');
  t.match(
    run.stderr.slice(at),
    /^\[EIO\] job failed on purpose\nTraceback \(most recent call last\):\n[^]*\n\{'hint': 'extra data'\}\n$/,
  );
});

t.test('a job that ends with an exception prints its traceback, exit 1', async (t) => {
  const run = await d(['call', '-j', 'test.job', '1', '0', 'exception']);
  t.match(run, { code: 1, stdout: '', stderr: /^boom\nTraceback[^]*RuntimeError: boom\n/m });
});

t.test('a job whose arguments are refused prints a line for each, no traceback', async (t) => {
  const run = await d(['call', '-j', 'test.job', '0', '0', 'validation']);
  t.match(run, { code: 1, stdout: '' });
  const lines = run.stderr.split('\n').filter((line) => line && !line.includes('Total Progress'));
  t.strictSame(
    lines.filter((line) => !line.startsWith('Status:')),
    ['[EINVAL] test.job.steps: bad steps', '[ENOENT] test.job.delay: bad delay'],
  );
});

/** The id of the one abortable job that runs, once it does. */
function runningJob(): Promise<number> {
  return until('the job to run', async () => {
    const { stdout } = await d(['call', 'core.get_jobs', '[["state", "=", "RUNNING"]]']);
    const jobs = JSON.parse(stdout) as Frame[];
    return jobs.find((found) => found.method === 'test.job_abortable')?.id as number | undefined;
  });
}

const ABORTABLE = ['call', '-j', '-jp', 'description', 'test.job_abortable', '99', '1'];

t.test('an aborted job is a failure that says so, exit 1', async (t) => {
  const run = d(ABORTABLE);
  await d(['call', 'core.job_abort', `${await runningJob()}`]);
  t.match(await run, { code: 1, stdout: '', stderr: /abort/i });
});

t.test('F16: Ctrl-C in a job leaves the job running, and stderr says its id', async (t) => {
  const child = spawnMidclt(['-u', daemon.uri, '-d', ...ABORTABLE], { home: daemon.home });
  let seen = '';
  child.stderr.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const run = finished(child);
  const id = await runningJob();
  await until('some progress', () => seen.includes('step 2/'));
  child.kill('SIGINT');
  const { code, signal, stdout, stderr } = await run;
  t.equal(stdout, '');
  t.ok(code === 130 || signal === 'SIGINT', `code ${code}, signal ${signal}`);
  const words = stderr.split('\n').filter((line) => !/^step \d+\/99$/.test(line));
  t.match(words.join('\n'), new RegExp(`\\b${id}\\b`), 'the id is told');
  t.equal(await runningJob(), id, 'the job goes on');
  await d(['call', 'core.job_abort', `${id}`]);
});

t.test('-q silences a job’s errors, not its result', async (t) => {
  const failed = await d(['call', '-q', '-j', 'test.job', '0', '0', 'callerror']);
  t.match(failed, { code: 1, stdout: '' });
  t.notMatch(failed.stderr, /EIO|Traceback|hint/);
  const good = await d(['call', '-q', '-j', 'test.job', '1', '0.01']);
  t.match(good, { code: 0, stdout: 'done\n' });
});

t.test('a method that is no job prints its plain result with -j', async (t) => {
  t.match(await d(['call', '-j', 'core.ping']), { code: 0, stdout: 'pong\n', stderr: '' });
  t.match(await d(['call', '-j', 'test.int', '1']), { code: 0, stdout: '1\n' });
});
