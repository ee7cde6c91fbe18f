/** What `midclt batch` takes of memory does not grow with its input. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { BINARY, shell } from '../support/midclt.js';
import { peakIn, peakOf, REPORTER } from '../support/peak.js';
import { call, PING } from '../support/wire.js';

t.setTimeout(1_200_000);

/** Runs a batch on a file and resolves with what it used of memory, in MB, and how it ended. */
async function measured(
  t: Test,
  input: string,
  { args = [], reader = 'wc -c' }: { args?: readonly string[]; reader?: string } = {},
) {
  const daemon = await startDaemon(t);
  fs.writeFileSync(`${daemon.home}/requests`, input);
  const run = await shell(
    `{ "$NODE" -r "$PEAK" "$B" -u "$U" -d batch ${args.join(' ')} requests; echo "exit $?" >code; } | { ${reader}; }`,
    {
      home: daemon.home,
      env: {
        NODE: process.execPath,
        B: BINARY,
        U: daemon.uri,
        PEAK: REPORTER,
        MIDCLT_TEST_STATUS: `${daemon.home}/status`,
      },
    },
  );
  return {
    daemon: peakOf(daemon.child.pid),
    stdout: run.stdout.trim(),
    code: fs.readFileSync(`${daemon.home}/code`, 'utf8').trim(),
    peak: peakIn(`${daemon.home}/status`),
  };
}

t.test('200,000 requests in constant memory', async (t) => {
  const { stdout, code, peak } = await measured(t, PING.repeat(200_000));
  t.equal(code, 'exit 0');
  t.equal(Number(stdout), 200_000 * '{"type":"result","result":"pong"}\n'.length);
  t.comment(`${peak.toFixed(0)} MB`);
  t.ok(peak < 120, `${peak} MB`);
});

t.test('so it is with twenty times as many calls, and where all fail into a file', async (t) => {
  const echo = (count: number) =>
    Array.from({ length: count }, (_, id) => call('test.echo', `["x",${id}]`, undefined, { id }));
  const args = ['--failed', 'failed', '--unknown', 'unknown'];
  const failing = '["test.nosuch", "some argument or other"]\n';
  for (const [most, of] of [
    [1.1, (count: number) => echo(count).join('')],
    [1.35, (count: number) => failing.repeat(count)], // what fails is kept a moment, and gets old
  ] as const) {
    const few = await measured(t, of(10_000), { args });
    const many = await measured(t, of(200_000), { args });
    t.comment(`${few.peak} and ${many.peak} MB; the daemon ${few.daemon} and ${many.daemon}`);
    t.ok(many.peak <= most * few.peak, `${many.peak} of ${few.peak} MB`);
    // V8 lets what is young take 32 MB where there is much of it, and no more.
    t.ok(many.daemon <= few.daemon + 50, `${many.daemon} of ${few.daemon} MB`);
  }
});

t.test('300 MB through a slow reader, behind a slow request, in constant memory', async (t) => {
  const big = call('test.bigstring', '[1000000]').repeat(300);
  const { stdout, code, peak } = await measured(t, call('test.sleep', '[1]') + big, {
    args: ['--parallel', '8'],
    reader: 'sleep 2; wc -c',
  });
  t.equal(code, 'exit 0');
  t.equal(
    Number(stdout),
    '{"type":"result","result":1.0}\n'.length +
      300 * (1_000_000 + '{"type":"result","result":""}\n'.length),
  );
  t.comment(`${peak.toFixed(0)} MB`);
  t.ok(peak < 160, `${peak} MB`);
});
