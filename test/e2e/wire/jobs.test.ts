/** Jobs: progress frames, then one final frame; and what `call -j` makes of them. */
import t, { type Test } from 'tap';
import { exchange, startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';
import { call, converse, type Frame } from '../../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t, { args: ['--linger', '0.3'] });
});

const ask = (text: string) => exchange(daemon.socket, text, { halfClose: true });
const job = (method: string, params: string, more: object = {}) =>
  call(method, params, { job: true }, more);

/** The ids of the jobs of a method that are not finished yet. */
async function running(method: string): Promise<number[]> {
  const filters = JSON.stringify([
    [
      ['method', '=', method],
      ['state', '=', 'RUNNING'],
    ],
  ]);
  const { frames } = await ask(call('core.get_jobs', filters));
  return (frames[0]?.result as Frame[]).map((found) => found.id as number);
}

function checkProgress(t: Test, frames: readonly Frame[], steps: number): void {
  const progress = frames.filter((frame) => frame.type === 'progress');
  for (const frame of progress) {
    t.type(frame.percent, 'number');
    t.type(frame.description, 'string');
    t.match(frame.state, /^(WAITING|RUNNING|SUCCESS|FAILED|ABORTED)$/);
  }
  const percents = progress.map((frame) => frame.percent as number);
  t.strictSame(
    percents,
    percents.toSorted((a, b) => a - b),
    'percent never falls',
  );
  for (let step = 1; step <= steps; step += 1)
    t.ok(progress.some((frame) => frame.description === `step ${step}/${steps}`));
  t.ok(progress.some((frame) => frame.state === 'RUNNING'));
}

t.test('a job streams its progress, then its result, and no second result', async (t) => {
  const { frames } = await ask(job('test.job', '[4, 0.05, null, {"any": "value"}]'));
  checkProgress(t, frames, 4);
  t.strictSame(frames.at(-1), { type: 'result', result: { any: 'value' } });
  t.equal(frames.filter((frame) => frame.type !== 'progress').length, 1);
});

t.test('every kind of job answers its own result', async (t) => {
  for (const method of ['test.job', 'test.job_sync', 'test.job_audited', 'test.job_abortable']) {
    const { frames } = await ask(job(method, `[2, 0.02, null, "${method}"]`));
    t.strictSame(frames.at(-1), { type: 'result', result: method });
  }
});

t.test('a job that is over at once answers its result', async (t) => {
  const { frames } = await ask(job('test.job', '[0, 0, null, 12]').repeat(20));
  const results = frames.filter((frame) => frame.type !== 'progress');
  t.strictSame(results, Array(20).fill({ type: 'result', result: 12 }));
});

t.test(
  'a transient job, which sends no events, has its result, its progress and its failure',
  async (t) => {
    // They last long enough to be looked up: the server forgets them at their end.
    const [good, bad] = await Promise.all([
      ask(job('test.job_transient', '[4, 1, null, "kept"]')),
      ask(job('test.job_transient', '[4, 1, "callerror"]')),
    ]);
    t.strictSame(good.frames.at(-1), { type: 'result', result: 'kept' });
    t.match(bad.frames.at(-1), { type: 'error', error: '[EIO] job failed on purpose' });
    const descriptions = bad.frames.filter((frame) => frame.type === 'progress');
    t.ok(descriptions.some(({ description }) => /^step /.test(String(description))));
  },
);

t.test('a transient job that is gone already ends in an error that says so', async (t) => {
  const { frames } = await ask(job('test.job_transient', '[0, 0]'));
  t.equal(frames.length, 1);
  t.match(frames[0], { type: 'error', error: /^Job \d+ ended; the server keeps no result of it$/ });
});

t.test('a look-up asks for the result without its secrets masked', async (t) => {
  await ask(job('test.job_transient', '[1, 0.05]'));
  const lookUps = daemon.sandbox.received.filter((text) =>
    text.includes('"core.get_jobs", "params"'),
  );
  t.ok(lookUps.length > 0);
  t.same(
    lookUps.filter((text) => !text.includes('"raw_result": true')),
    [],
  );
});

t.test('without job: true a job method answers its job id at once', async (t) => {
  const { frames, took } = await ask(call('test.job', '[3, 30]'));
  t.equal(frames.length, 1);
  t.type(frames[0]?.result, 'number');
  t.ok(took < 30_000);
});

t.test('a failed job answers the error a plain call would', async (t) => {
  const { frames } = await ask(job('test.job', '[1, 0.02, "callerror"]'));
  t.match(frames.at(-1), {
    type: 'error',
    error: '[EIO] job failed on purpose',
    error_type: 'ClientException',
    trace: { formatted: /^Traceback \(most recent call last\):\n/ },
    extra: { hint: 'extra data' },
  });
});

t.test('a job that ends with an exception carries its traceback', async (t) => {
  const { frames } = await ask(job('test.job', '[1, 0, "exception"]'));
  t.match(frames.at(-1), {
    type: 'error',
    error: /boom/,
    error_type: 'ClientException',
    trace: { formatted: /RuntimeError: boom/ },
    extra: null,
  });
});

t.test('a job whose arguments are refused has trace and extra null', async (t) => {
  const { frames } = await ask(
    job('test.job', '[1, 0, "validation"]') + job('test.job', '[1, 0, "validation1"]'),
  );
  const errors = frames.filter((frame) => frame.type !== 'progress');
  t.match(errors, [
    {
      error: '[EINVAL] test.job.steps: bad steps\n[ENOENT] test.job.delay: bad delay',
      error_type: 'ClientException',
      trace: null,
      extra: null,
    },
    { error: '[EINVAL] test.job.steps: single validation error', trace: null, extra: null },
  ]);
});

t.test('a job that another client aborts ends in an error, its client told so', async (t) => {
  const follower = await converse(t, daemon.socket);
  follower.send(job('test.job_abortable', '[100, 0.1]', { id: 'mine' }));
  const id = await until('the job to run', async () => (await running('test.job_abortable'))[0]);
  await ask(call('core.job_abort', `[${id}]`));
  const final = (await follower.answer()).at(-1);
  t.match(final, { type: 'error', id: 'mine', error: /abort/i });
});

t.test('a method that is no job answers its plain result', async (t) => {
  const requests = job('core.ping', '[]') + job('test.echo', '[1]') + job('test.int', '[999999]');
  const { frames } = await ask(requests);
  t.strictSame(frames, [
    { type: 'result', result: 'pong' },
    { type: 'result', result: [1] },
    { type: 'result', result: 999999 },
  ]);
});

t.test('an integer that happens to be a job’s id is a plain result', async (t) => {
  const started = await ask(call('test.job', '[3, 0.3, null, "not this"]'));
  const id = started.frames[0]?.result as number;
  const { frames } = await ask(job('test.int', `[${id}]`) + job('test.int', `[${id - 1}]`));
  t.strictSame(frames, [
    { type: 'result', result: id },
    { type: 'result', result: id - 1 },
  ]);
});

t.test('a plain method’s error with job: true is its error', async (t) => {
  const { frames } = await ask(job('test.fail', '[]') + job('nosuch.method', '[]'));
  t.match(frames, [{ error: '[EFAULT] failed' }, { error: 'Method does not exist' }]);
});

t.test('other sessions’ jobs with small request ids are not taken for ours', async (t) => {
  const ours = await Promise.all(
    [1, 2, 3].map(async (id) => {
      const conversation = await converse(t, daemon.socket);
      conversation.send(job('test.job', `[5, 0.1, null, "ours ${id}"]`, { id }));
      return conversation;
    }),
  );
  for (let round = 0; round < 3; round += 1) await ask(call('test.foreign_jobs', '[5, 0.05]'));
  for (const [index, conversation] of ours.entries()) {
    const frames = await conversation.answer();
    t.strictSame(frames.at(-1), { type: 'result', id: index + 1, result: `ours ${index + 1}` });
    for (const frame of frames.slice(0, -1)) t.match(frame.description, /^(step \d\/5)?$/);
  }
});

t.test('many jobs at once each get their own progress and result', async (t) => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      ask(job('test.job', `[${1 + (index % 4)}, 0.05, null, ${index}]`, { id: index })),
    ),
  );
  for (const [index, { frames }] of answers.entries()) {
    t.strictSame(frames.at(-1), { type: 'result', id: index, result: index });
    const ends = `/${1 + (index % 4)}`;
    for (const { description } of frames.slice(0, -1) as { description: string }[])
      t.ok(description === '' || description.endsWith(ends));
  }
});

t.test('callers the server merges into one queued job all get its result', async (t) => {
  const answers = await Promise.all(
    [1, 2, 3, 4, 5].map(() => ask(job('test.job_locked', '["merged", 0.3]'))),
  );
  for (const { frames } of answers)
    t.strictSame(frames.at(-1), { type: 'result', result: 'merged' });
});

t.test('a job with a call timeout is not ended by it once it is started', async (t) => {
  const text = call('test.job', '[7, 1]', { job: true, timeout: 5 });
  const { frames } = await ask(text);
  t.strictSame(frames.at(-1), { type: 'result', result: 'done' });
});
