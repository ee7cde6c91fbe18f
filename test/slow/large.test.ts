/** Large results, whole and in bounded memory. Sizes: `MIDCLT_TEST_LARGE` megabytes, 200 unless set. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { peakOf, spawnMeasured } from '../support/peak.js';

const MEGABYTES = Number(process.env.MIDCLT_TEST_LARGE ?? 200);

interface Run {
  readonly code: number | null;
  readonly bytes: number;
  readonly digest: string;
  /** Of its memory, in MB. */
  readonly peak: number;
}

function run(args: readonly string[], home: string, pause = 0): Promise<Run> {
  const { child, peak } = spawnMeasured(args, home);
  const hash = createHash('sha256');
  let bytes = 0;
  let chunks = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
    if (pause === 0 || ++chunks % 10 !== 0) return;
    child.stdout.pause();
    setTimeout(() => child.stdout.resume(), pause);
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve({ code, bytes, digest: hash.digest('hex'), peak: peak() });
    });
  });
}

t.test(`F35: a result of ${MEGABYTES} MB comes through whole, in bounded memory`, async (t) => {
  const daemon = await startDaemon(t);
  const small = await run(['-u', daemon.uri, '-d', 'call', 'core.ping'], daemon.home);
  const before = peakOf(daemon.child.pid);
  const size = MEGABYTES * 1_000_000;
  const through = ['-u', daemon.uri, '-d', 'call', 'test.bigstring', String(size)];
  const large = await run(through, daemon.home);
  t.equal(large.code, 0);
  t.equal(large.bytes, size + 1);
  const grown = (peakOf(daemon.child.pid) - before) / MEGABYTES;
  t.comment(
    `daemon: ${grown.toFixed(2)} times the size; CLI: ${large.peak.toFixed(0)} MB at its peak`,
  );
  t.ok(grown < 4.5, `the daemon grew by ${grown.toFixed(2)} times the size`);
  t.ok(large.peak - small.peak < 100, `the CLI grew by ${(large.peak - small.peak).toFixed(0)} MB`);
  const directly = await run(['-u', daemon.uri, ...through.slice(3)], daemon.home);
  t.same([directly.code, directly.bytes, directly.digest], [0, large.bytes, large.digest]);
});

t.test('a nested result comes through whole, also for a slow reader', async (t) => {
  const daemon = await startDaemon(t);
  const call = ['-u', daemon.uri, '-d', 'call', 'test.big', '10000000'];
  const fast = await run(call, daemon.home);
  t.ok(fast.bytes > 9_000_000);
  const slow = await run(call, daemon.home, 5);
  const directly = await run(['-u', daemon.uri, ...call.slice(3)], daemon.home);
  for (const other of [slow, directly]) {
    t.same([other.code, other.bytes, other.digest], [0, fast.bytes, fast.digest]);
  }
});
