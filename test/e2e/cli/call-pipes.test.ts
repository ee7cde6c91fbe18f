/** `midclt -d` in a shell: stdin, pipes, full disks and closed descriptors. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { spawnMidclt, type RunOptions, midclt } from '../../support/midclt.js';
import { paramsOf, shellWithMidclt } from '../../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const d = (args: readonly string[], more: Partial<RunOptions> = {}) =>
  midclt(['-u', daemon.uri, '-d', ...args], { home: daemon.home, ...more });

const sh = (command: string, input?: string) => shellWithMidclt(command, daemon, input);

const lastParams = () => paramsOf(daemon.sandbox, 'test.echo').at(-1);

t.test('- reads stdin as JSON', async (t) => {
  const run = await d(['call', 'test.echo', '-', '2'], {
    input: '{"a": 18446744073709551615,\n "b": 2.0}\n',
  });
  t.match(run, { code: 0, stdout: '[{"a": 18446744073709551615, "b": 2.0}, 2]\n', stderr: '' });
});

t.test('- reads stdin as a raw string when it is no JSON', async (t) => {
  await d(['call', 'test.echo', '-'], { input: 'a "b"\n c' });
  t.equal(lastParams(), '["a \\"b\\"\\n c"]');
  await d(['call', 'test.echo', '-'], { input: '' });
  t.equal(lastParams(), '[""]');
});

t.test('- used twice reads stdin once', async (t) => {
  const run = await d(['call', 'test.echo', '-', 'x', '-'], { input: '[1]' });
  t.match(run, { code: 0, stdout: '[[1], "x", [1]]\n', stderr: '' });
});

t.test('- reads all of a long and slow stdin', async (t) => {
  const run = await sh(
    `{ printf '["'; sleep 0.2; head -c 50000 /dev/zero | tr '\\0' x; printf '"]'; } | midclt call test.echo -`,
  );
  t.equal(run.code, 0, run.stderr);
  t.equal(run.stdout.length, 50_000 + '[[""]]\n'.length);
});

t.test(
  '- is an error on a terminal, exit 1',
  { skip: spawnSync('script', ['--version']).error ? 'no script(1) here' : false },
  async (t) => {
    const run = await sh(
      `script -qec '"$NODE" "$BINARY" -u "$URI" -d call test.echo - </dev/tty' /dev/null </dev/null`,
    );
    t.equal(run.code, 1, run.stdout);
    t.match(run.stdout, /\S/);
    t.notMatch(run.stdout, /^ +at /m);
  },
);

t.test('stdin is left alone otherwise: a read loop keeps its lines', async (t) => {
  const run = await sh('while read -r x; do midclt call test.echo "$x"; done', 'a\nb\nc\nd\n');
  t.strictSame(run, {
    code: 0,
    signal: null,
    stdout: '["a"]\n["b"]\n["c"]\n["d"]\n',
    stderr: '',
  });
});

t.test('a command substitution and a test see the bare value', async (t) => {
  const run = await sh(
    'r=$(midclt call test.raw \'"true"\'); [ "x$r" = xTrue ] && n=$(midclt call test.int 41) && echo $((n + 1))',
  );
  t.match(run, { code: 0, stdout: '42\n', stderr: '' });
});

for (const reader of ['head -c1', 'head -1', 'true'])
  t.test(`a reader that goes away (${reader}) ends it quietly (F30)`, async (t) => {
    for (const method of ['test.big 3000000', 'core.ping']) {
      const run = await sh(`midclt call ${method} | ${reader}`);
      t.match(run, { code: 0, stderr: '' });
    }
  });

t.test('a reader that goes away during a job ends it quietly (F30)', async (t) => {
  const run = await sh('midclt call -j -jp description test.job 2 0.1 2>&1 | head -1');
  t.match(run, { code: 0, stdout: 'step 1/2\n', stderr: '' });
});

t.test('a megabyte through a slow reader is whole (F30)', async (t) => {
  const run = await sh('midclt call test.bigstring 1048576 | { sleep 0.5; wc -c; }');
  t.equal(run.stdout.trim(), '1048577');
});

t.test('a reader that takes a little at a time gets all of it (F30)', async (t) => {
  const child = spawnMidclt(['-u', daemon.uri, '-d', 'call', 'test.bigstring', '1048576'], daemon);
  let total = 0;
  for await (const chunk of child.stdout) {
    total += (chunk as Buffer).length;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  t.equal(total, 1048577);
});

t.test('a file as stdout and a pipe hold the same', async (t) => {
  await sh('midclt call test.big 300000 > out');
  const { stdout } = await sh('midclt call test.big 300000');
  t.ok(stdout.length > 250_000);
  t.ok(fs.readFileSync(`${daemon.home}/out`, 'utf8') === stdout);
});

t.test('a full disk under stdout is an error of one line, exit 1 (F33)', async (t) => {
  for (const method of ['core.ping', 'test.big 3000000']) {
    const run = await sh(`midclt call ${method} > /dev/full`);
    t.equal(run.code, 1, method);
    t.match(run.stderr, /^[^\n]*(ENOSPC|No space left)[^\n]*\n$/i);
  }
});

t.test('a closed stderr changes nothing else (F30)', async (t) => {
  t.match(await sh('midclt call core.ping 2>&-'), { code: 0, stdout: 'pong\n' });
  t.match(await sh('midclt call test.fail 2>&-'), { code: 1, stdout: '' });
  t.match(await sh('midclt call -j test.job 2 0.05 2>&-'), { code: 0, stdout: 'done\n' });
});

t.test('a closed stdout and a closed stdin do no harm (F30)', async (t) => {
  const run = await sh('midclt call core.ping >&-');
  t.ok(run.code === 0 || run.code === 1);
  t.notMatch(run.stderr, /^ +at /m);
  t.match(await sh('midclt call core.ping <&-'), { code: 0, stdout: 'pong\n', stderr: '' });
  t.match(await sh('midclt call test.fail >&- 2>&- <&-'), { code: 1 });
});

t.test('the full stderr of an error reaches a slow reader', async (t) => {
  const reason = 'r'.repeat(60_000);
  const run = await sh(`midclt call test.fail 2 ${reason} 2>&1 >&- | { sleep 0.3; wc -c; }`);
  t.ok(Number(run.stdout) > 2 * 60_000, run.stdout);
});
