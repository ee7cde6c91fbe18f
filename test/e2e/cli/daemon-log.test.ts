/** `midclt daemon-log`: the daemon's log for people, and as it is. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { finished, makeHome, midclt, shell, spawnMidclt, until } from '../../support/midclt.js';
import { BINARY, missing } from '../../support/midclt.js';

/** A home with these files in the place of the local daemon's log: `''` is the log, `.1` an older one. */
function homeWith(t: Test, files: Readonly<Record<string, string | Buffer>>) {
  const home = makeHome(t);
  const log = `${home}/.midclt/logs/daemon-local.log`;
  fs.mkdirSync(`${home}/.midclt/logs`, { recursive: true, mode: 0o700 });
  for (const [suffix, text] of Object.entries(files)) fs.writeFileSync(log + suffix, text);
  return { home, log };
}

const line = (n: number, event = 'line') =>
  `${JSON.stringify({ time: '2026-01-02T03:04:05.678Z', level: 'info', event, n })}\n`;
const lines = (from: number, to: number) => {
  let text = '';
  for (let n = from; n < to; n++) text += line(n);
  return text;
};
const numbers = (text: string) => [...text.matchAll(/\bn=(\d+)$/gm)].map(([, n]) => Number(n));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

/** Follows until the test ends. */
function follow(t: Test, home: string, args: readonly string[] = []) {
  const child: ChildProcessWithoutNullStreams = spawnMidclt(['daemon-log', '-f', ...args], {
    home,
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, ended: finished(child), text: () => text };
}

t.test('it prints what a daemon did, an event a line, and the same with --json', async (t) => {
  const daemon = await startDaemon(t, { args: ['--log-level', 'debug'] });
  await daemon.d(['call', 'core.ping']);
  await daemon.d(['daemon-stop']);
  await daemon.exited;
  const printed = await midclt(['-u', daemon.uri, 'daemon-log', '-n', '99'], daemon);
  t.match(printed, { code: 0, stderr: '' });
  t.match(
    printed.stdout,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info {4}accepting connections pid=\d+ socket=\/.*\.sock lifetime=600$/m,
  );
  const call =
    /Z debug {3}call pid=\d+ client=1 method=core\.ping job=false ms=\d+ outcome=result$/m;
  t.match(printed.stdout, call);
  t.match(printed.stdout, /Z info {4}draining pid=\d+ reason="stop request"$/m);
  const raw = await midclt(['-u', daemon.uri, 'daemon-log', '-n', '99', '--json'], daemon);
  t.equal(raw.stdout, fs.readFileSync(daemon.logFile, 'utf8'));
});

t.test('it prints the last ten lines, or as many as are asked for', async (t) => {
  const { home } = homeWith(t, { '': lines(0, 5000) });
  const run = async (...args: string[]) => midclt(['daemon-log', ...args], { home });
  t.same(numbers((await run()).stdout), range(4990, 5000));
  t.same(numbers((await run('-n', '1')).stdout), [4999]);
  t.same(numbers((await run('-n4000')).stdout), range(1000, 5000));
  t.same(numbers((await run('--lines', '9999')).stdout), range(0, 5000));
  t.match(await run('-n', '0'), { code: 0, stdout: '', stderr: '' });
  t.match(await run('-n=-1'), { code: 2, stderr: /-n\/--lines: must not be negative: -1\n$/ });
  t.match(await run('-n', 'x'), { code: 2, stderr: /-n\/--lines: invalid int value: 'x'\n$/ });
  t.match(await run('more'), { code: 2, stderr: /unrecognized arguments: more/ });
});

t.test('F32: what was renamed when it was full counts too', async (t) => {
  const { home } = homeWith(t, {
    '.2': lines(0, 30000),
    '.1': lines(30000, 30005),
    '': lines(30005, 30007),
  });
  const run = async (count: number) =>
    numbers((await midclt(['daemon-log', '-n', String(count)], { home })).stdout);
  t.same(await run(10), range(29997, 30007));
  t.same(await run(7), range(30000, 30007));
  t.same(await run(200000), range(0, 30007));
});

t.test('a line that is no event is printed as it is, and drives no terminal', async (t) => {
  const odd = [
    'Traceback of another program',
    '{"cut',
    'null',
    '[1]',
    '"text"',
    '{}',
    '{"event":7}',
    '{"a":1} {"b":2}',
  ];
  const mixed = odd.map((text, n) => `${text}\n${line(n)}`).join('');
  const { home, log } = homeWith(t, { '': `${mixed}\n\n\u001b[31mred\u001b[0m\u0007\n` });
  const run = async (...args: string[]) => midclt(['daemon-log', '-n', '99', ...args], { home });
  const { stdout } = await run();
  t.same(numbers(stdout), range(0, odd.length));
  t.same(
    stdout.split('\n').filter((text) => !/ n=\d$/.test(text)),
    [...odd, 'red', ''],
    'each in its place',
  );
  fs.writeFileSync(
    log,
    `${JSON.stringify({ time: 'T\u009b2J', level: 'info', event: 'e\u001b[2Jx', b: 'a b', c: '"', d: '', e: null, f: [1] })}\n`,
  );
  t.equal((await run()).stdout, '"T" info    ex b="a b" c="\\"" d="" e=null f=[1]\n');
  t.match((await run('--json')).stdout, /\\u001b\[2J/);
  fs.writeFileSync(log, Buffer.from([0xff, 0xfe, 0x0a, 0x41]));
  t.equal((await run()).stdout, '\ufffd\ufffd\nA\n', 'neither valid nor finished');
  t.match(await run('--json'), { code: 0 });
});

t.test('without a log file it names the path, exit 1', async (t) => {
  const home = makeHome(t);
  for (const args of [[], ['-f'], ['--json']]) {
    const run = await midclt(['daemon-log', ...args], { home });
    t.match(run, { code: 1, stdout: '' });
    t.match(run.stderr, /^Error: .*\/\.midclt\/logs\/daemon-local\.log: .*\(ENOENT\)\. .*\n$/);
  }
  t.same(fs.readdirSync(home), [], 'and makes nothing');
  fs.mkdirSync(`${home}/.midclt/logs/daemon-local.log`, { recursive: true });
  const run = await midclt(['daemon-log'], { home });
  t.match(run, { code: 1, stderr: /daemon-local\.log is no regular file\n$/ });
});

t.test('-f goes on, over a line that comes in pieces, until it is interrupted', async (t) => {
  const { home, log } = homeWith(t, { '': lines(0, 20) });
  const { child, ended, text } = follow(t, home, ['-n', '2']);
  await until('the last two', () => numbers(text()).length === 2);
  fs.appendFileSync(log, line(20).slice(0, 30));
  fs.appendFileSync(log, line(20).slice(30) + line(21));
  await until('two more', () => numbers(text()).length === 4);
  t.same(numbers(text()), [18, 19, 20, 21]);
  child.kill('SIGINT');
  t.match(await ended, { code: null, signal: 'SIGINT', stderr: '' });
});

t.test('F32: -f loses no line when the file is renamed, emptied or gone', async (t) => {
  const { home, log } = homeWith(t, { '': '' });
  const { text } = follow(t, home);
  const has = (count: number) => until(`${count} lines`, () => numbers(text()).length >= count);
  fs.appendFileSync(log, line(0));
  await has(1);
  // two renames between two looks
  fs.appendFileSync(log, line(1));
  fs.renameSync(log, `${log}.1`);
  fs.writeFileSync(log, line(2));
  fs.renameSync(`${log}.1`, `${log}.2`);
  fs.renameSync(log, `${log}.1`);
  fs.writeFileSync(log, line(3));
  await has(4);
  // by another program, the writer still with the file it has
  fs.renameSync(log, `${log}.old`);
  fs.writeFileSync(log, '');
  fs.appendFileSync(`${log}.old`, line(4));
  await has(5);
  fs.appendFileSync(`${log}.old`, line(5));
  fs.appendFileSync(log, line(6));
  await has(7);
  fs.unlinkSync(log);
  fs.writeFileSync(log, line(7));
  await has(8);
  // It has to look while the file is empty, which can't be seen from here.
  for (let tries = 0; tries < 5 && numbers(text()).length < 9; tries++) {
    fs.truncateSync(log);
    await new Promise((resolve) => setTimeout(resolve, 500));
    fs.appendFileSync(log, line(8));
    const seen = () => numbers(text()).length >= 9;
    await until('the line behind it', seen, 5000).catch(() => undefined);
  }
  t.same(numbers(text()), range(0, 9));
});

t.test('F32: -f sees every event of a daemon, its rotation and its successor', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  await first.d(['daemon-stop']);
  await first.exited;
  const filler = `${JSON.stringify({ level: 'info', event: 'x'.repeat(1000) })}\n`;
  const full = filler.repeat(Math.floor((10 * 1024 * 1024 - 1000) / filler.length));
  fs.writeFileSync(first.logFile, full);
  const child = spawnMidclt(['-u', around.uri, 'daemon-log', '-f', '-n', '1', '--json'], around);
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  void finished(child);
  await until('it to follow', () => text.includes(filler));
  for (let round = 0; round < 2; round++) {
    const daemon = await startDaemon(t, { around, args: ['--log-level', 'debug'] });
    for (let n = 0; n < 5; n++) await daemon.d(['call', `test.n${round}${n}`]);
    await daemon.d(['daemon-stop']);
    await daemon.exited;
  }
  await until('both to have stopped', () => text.match(/"event":"stopped"/g)?.length === 2);
  t.ok(fs.existsSync(`${first.logFile}.1`), 'it was renamed');
  const methods = [...text.matchAll(/"method":"test\.n(\d+)"/g)].map(([, n]) => n);
  t.same(methods, ['00', '01', '02', '03', '04', '10', '11', '12', '13', '14']);
});

t.test('F30: a reader that has had enough ends it without a word', async (t) => {
  const { home, log } = homeWith(t, { '': lines(0, 5000) });
  const env = { MIDCLT: BINARY, NODE: process.execPath };
  const some = await shell('"$NODE" "$MIDCLT" daemon-log -n 5000 | head -n 1', { home, env });
  t.match(some, { code: 0, stderr: '' });
  t.same(numbers(some.stdout), [0]);
  const { child, ended, text } = follow(t, home);
  await until('a line', () => text() !== '');
  child.stdout.destroy();
  fs.appendFileSync(log, line(1));
  t.match(await ended, { code: 1, stderr: '' });
});

t.test('on a terminal --json is harmless, too', { skip: missing('script') }, async (t) => {
  const { home } = homeWith(t, { '': `{"event":"\u009b2Jx"}\n` });
  const env = { MIDCLT: BINARY, NODE: process.execPath };
  const command = `script -qec '"$NODE" "$MIDCLT" daemon-log --json' /dev/null </dev/null`;
  const run = await shell(command, { home, env });
  t.equal(run.stdout.replaceAll('\r', ''), '{"event":"x"}\n');
});
