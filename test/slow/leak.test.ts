/** F34: nothing is left of calls and connections that are over. MIDCLT_TEST_LONG=1 makes it five times longer. */
import net from 'node:net';
import t, { type Test } from 'tap';
import { descriptors, startDaemon, type RunningDaemon } from '../support/daemon.js';
import { until } from '../support/midclt.js';
import { call, PING, residentMegabytes } from '../support/wire.js';

const TIMES = process.env.MIDCLT_TEST_LONG === '1' ? 5 : 1;
const CALLS = 20_000 * TIMES;
const CONNECTIONS = 2000 * TIMES;
t.setTimeout(240_000 * TIMES);

/** Megabytes of V8's own coming and going. */
const NOISE = 40;

interface Use {
  readonly descriptors: number;
  readonly megabytes: number;
}

/** Writes `lines`, counts the final frames, and ends with the last of them. */
function ask(path: string, lines: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path, allowHalfOpen: true });
    let finals = 0;
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('data', (text: string) => {
      const frames = (rest + text).split('\n');
      rest = frames.pop() ?? '';
      finals += frames.filter((frame) => !frame.startsWith('{"type":"progress"')).length;
    });
    socket.on('close', () => {
      resolve(finals);
    });
    socket.on('end', () => socket.end());
    socket.end(lines.join(''));
  });
}

/** A client that asks and is gone before the answer. */
function askAndGo(path: string, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    socket.on('error', reject);
    socket.on('close', () => {
      resolve();
    });
    socket.write(line, () => setImmediate(() => socket.destroy()));
  });
}

async function inParallel<T>(count: number, width: number, act: (i: number) => Promise<T>) {
  const results: T[] = [];
  let next = 0;
  const work = async () => {
    while (next < count) results.push(await act(next++));
  };
  await Promise.all(Array.from({ length: width }, work));
  return results;
}

async function use(daemon: RunningDaemon, like?: Use): Promise<Use> {
  const pid = daemon.child.pid!;
  let count = descriptors(pid);
  // One that counts is not counted again: of files a process may have one open for a moment.
  const areGone = () => (count = descriptors(pid)) <= (like?.descriptors ?? Infinity);
  await until('connections to go', areGone).catch(() => null);
  return { descriptors: count, megabytes: residentMegabytes(pid) };
}

/** Does it all once as a warm-up; then it must leave nothing behind, however often it is done. */
async function leavesNothing(t: Test, daemon: RunningDaemon, work: () => Promise<void>) {
  await work();
  const before = await use(daemon);
  await work();
  const between = await use(daemon, before);
  await work();
  const after = await use(daemon, before);
  t.comment(JSON.stringify({ before, between, after }));
  t.ok(after.descriptors <= before.descriptors, 'descriptors');
  t.ok(after.megabytes < Math.max(before.megabytes, between.megabytes) + NOISE, 'memory');
  t.equal(daemon.stderr(), '', 'Node warns of listeners that pile up');
  const run = await daemon.d(['call', 'test.echo', '1']);
  t.match(run, { code: 0, stdout: '[1]\n' }, 'it serves');
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

t.test(`F34: ${CALLS} calls over 20 connections`, async (t) => {
  t.setTimeout(120_000 * TIMES);
  const daemon = await startDaemon(t);
  const lines = [
    call('test.echo', '["x"]'),
    call('test.echo', `["${'x'.repeat(2000)}"]`),
    call('test.fail', '[2, "no", {"a": 1}]'),
    call('test.sleep', '[0.002]', { timeout: 0.0005 }),
    PING,
    'nonsense\n',
  ];
  const each = Math.ceil(CALLS / 3 / 20);
  await leavesNothing(t, daemon, async () => {
    const finals = await inParallel(20, 20, () =>
      ask(
        daemon.socket,
        Array.from({ length: each }, (_, i) => lines[i % lines.length]!),
      ),
    );
    t.equal(sum(finals), 20 * each);
  });
  t.equal(daemon.sandbox.stats.connections, 1);
});

t.test(`F34: ${CONNECTIONS} connections, some of them broken off`, async (t) => {
  t.setTimeout(120_000 * TIMES);
  const daemon = await startDaemon(t);
  await leavesNothing(t, daemon, async () => {
    const asked = await inParallel(Math.ceil(CONNECTIONS / 6), 20, (i) =>
      ask(daemon.socket, [call('test.echo', `[${i}]`)]),
    );
    t.same(new Set(asked), new Set([1]));
    const lines = [
      call('test.sleep', '[0.05]'),
      call('test.job', '[2, 0.02]', { job: true }),
      '{"comm',
    ];
    await inParallel(Math.ceil(CONNECTIONS / 6), 20, (i) =>
      askAndGo(daemon.socket, lines[i % lines.length]!),
    );
  });
  t.ok(daemon.sandbox.stats.maxOutstanding <= 10, 'within its slots, and one for each ping');
});

t.test(`F34: ${CALLS / 20} jobs, followed to their ends`, async (t) => {
  t.setTimeout(120_000 * TIMES);
  const daemon = await startDaemon(t);
  const lines = [
    call('test.job', '[2, 0]', { job: true }),
    call('test.job_transient', '[1, 0.01]', { job: true }),
    call('test.job', '[1, 0, "exception"]', { job: true }),
    call('test.echo', '[1]', { job: true }),
  ];
  const each = Math.ceil(CALLS / 20 / 3 / 20);
  await leavesNothing(t, daemon, async () => {
    const finals = await inParallel(20, 20, () =>
      ask(
        daemon.socket,
        Array.from({ length: each }, (_, i) => lines[i % lines.length]!),
      ),
    );
    t.equal(sum(finals), 20 * each);
  });
});

t.test('F34: connections to the middleware, made anew over and over', async (t) => {
  t.setTimeout(120_000);
  const daemon = await startDaemon(t);
  const { sandbox } = daemon;
  await leavesNothing(t, daemon, async () => {
    const already = sandbox.stats.connections;
    for (let i = 1; i <= 3; i++) {
      const job = ask(daemon.socket, [call('test.job', '[1, 0.05]', { job: true })]);
      await until('the job', () => sandbox.countOf('test.job') > 0);
      sandbox.dropAll();
      t.equal(await job, 1);
      await until('another', () => sandbox.stats.connections >= already + i, 30_000);
    }
  });
});
