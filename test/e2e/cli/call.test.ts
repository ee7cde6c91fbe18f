/** `midclt -d`: what it prints where, and its exit codes. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon, surroundings, type RunningDaemon } from '../../support/daemon.js';
import { makeHome, type RunOptions, midclt } from '../../support/midclt.js';
import { paramsOf } from '../../support/wire.js';
import { ROOT } from '../../support/root.js';

const vectors = (name: string): unknown =>
  JSON.parse(fs.readFileSync(path.join(ROOT, 'test/vectors', name), 'utf8'));
const OUTPUTS = vectors('outputs.json') as { result: string; stdout: string }[];
const ARGUMENTS = vectors('arguments.json') as { arg: string; kind: string; sent: string }[];

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const d = (args: readonly string[], more: Partial<RunOptions> = {}) =>
  midclt(['-u', daemon.uri, '-d', ...args], { home: daemon.home, ...more });

t.test('every kind of result is printed as the original prints it', async (t) => {
  for (const { result, stdout } of OUTPUTS) {
    const run = await d(['call', 'test.raw', JSON.stringify(result)]);
    t.strictSame(run, { code: 0, signal: null, stdout, stderr: '' });
  }
});

t.test('every kind of argument is sent as the original sends it', async (t) => {
  for (const { arg, kind, sent } of ARGUMENTS) {
    const dashes = /^-[^\d.]/.test(arg) ? ['--'] : []; // else argparse takes it for an option
    const run = await d(['call', 'test.echo', ...dashes, arg]);
    t.match(run, { code: 0, stderr: '' });
    const params = paramsOf(daemon.sandbox, 'test.echo').at(-1) ?? 'nothing';
    t.match(params, /^\[[^]*\]$/);
    const found = params.slice(1, -1);
    if (kind === 'json') t.equal(found.trim(), arg.trim());
    else t.equal(JSON.parse(found), JSON.parse(sent));
  }
});

t.test('several arguments keep their order, options among them', async (t) => {
  const run = await d(['call', 'test.echo', '1', '-q', 'two', '--', '-j', '--', '-3']);
  t.match(run, { code: 0, stderr: '' });
  t.strictSame(JSON.parse(run.stdout), [1, 'two', '-j', '--', -3]);
});

t.test('an API error prints reason, traceback and extra on stderr, exit 1', async (t) => {
  const run = await d(['call', 'test.fail', '2', 'some reason', '{"a": 1}']);
  t.match(run, { code: 1, stdout: '' });
  t.match(
    run.stderr,
    /^\[ENOENT\] some reason\nTraceback \(most recent call last\):\n[^]*CallError: \[ENOENT\] some reason\n+\{'a': 1\}\n$/,
  );
});

t.test('an error without extra ends with its traceback', async (t) => {
  const run = await d(['call', 'test.raise_', 'exception']);
  t.match(run, { code: 1, stdout: '' });
  t.match(run.stderr, /^boom\nTraceback[^]*RuntimeError: boom\n+$/);
});

t.test('extra is printed as Python prints it', async (t) => {
  for (const [extra, printed] of [
    ['{"b": [1, 2.0, null], "a": {"x": true}}', "{'a': {'x': True}, 'b': [1, 2.0, None]}"],
    ['["it\'s", "a \\"b\\""]', `["it's", 'a "b"']`],
    ['[18446744073709551615, -0.0, false]', '[18446744073709551615, -0.0, False]'],
    ['"text"', "'text'"],
    ['{"é": "\\n"}', "{'é': '\\n'}"],
  ] as const) {
    const { stderr } = await d(['call', 'test.fail', '2', 'r', extra]);
    t.equal(stderr.trimEnd().split('\n').at(-1), printed);
  }
});

t.test('an errno without a name is EUNKNOWN', async (t) => {
  const { stderr, code } = await d(['call', 'test.fail', '9999', 'odd errno']);
  t.equal(code, 1);
  t.equal(stderr.split('\n')[0], '[EUNKNOWN] odd errno');
});

t.test('a validation error prints a line for each entry and nothing else', async (t) => {
  const silent = await d(['call', 'test.validation', 'true']);
  t.match(silent, { code: 1, stdout: '', stderr: '' }, 'an error without an entry has no line');
  t.match(await d(['call', 'test.validation']), {
    code: 1,
    stdout: '',
    stderr:
      '[EINVAL] thing_create.name: This name is taken\n[ENOENT] thing_create.path: No such path\n',
  });
});

t.test('an entry about no attribute is about ALL', async (t) => {
  t.match(await d(['call', 'core.ping', '1']), {
    code: 1,
    stderr: '[EINVAL] ALL: Too many arguments (expected 0, found 1)\n',
  });
  t.match(await d(['call', 'test.raise_', 'notfound']), {
    code: 1,
    stderr: '[ENOENT] ALL: Thing 5 does not exist\n',
  });
});

t.test('a method that does not exist is told in those words', async (t) => {
  const run = await d(['call', 'nosuch.method']);
  t.match(run, { code: 1, stdout: '', stderr: 'Method does not exist\n' });
});

t.test('-q silences errors; the exit code stays', async (t) => {
  for (const args of [['test.fail'], ['test.validation'], ['nosuch.method']])
    for (const quiet of ['-q', '--quiet'])
      t.match(await d(['call', quiet, ...args]), { code: 1, stdout: '', stderr: '' });
  t.match(
    await midclt(['-u', daemon.uri, '-t', '1', '-d', 'call', '-q', 'test.sleep', '3'], daemon),
    {
      code: 1,
      stderr: '',
    },
  );
});

t.test('-t SECONDS bounds a call: "Call timeout", exit 1', async (t) => {
  const started = performance.now();
  const run = await midclt(['-u', daemon.uri, '-t', '1', '-d', 'call', 'test.sleep', '60'], daemon);
  const took = performance.now() - started;
  t.match(run, { code: 1, stdout: '', stderr: 'Call timeout\n' });
  t.ok(took >= 1000 && took < 30_000, `took ${took} ms`);
});

t.test('CALL_TIMEOUT of the client bounds its calls; -t goes before it', async (t) => {
  const env = { CALL_TIMEOUT: '1' };
  const started = performance.now();
  const run = await d(['call', 'test.sleep', '60'], { env });
  t.match(run, { code: 1, stdout: '', stderr: 'Call timeout\n' });
  t.ok(performance.now() - started < 30_000);
  const longer = await midclt(['-u', daemon.uri, '-t', '9', '-d', 'call', 'test.sleep', '1.5'], {
    home: daemon.home,
    env,
  });
  t.match(longer, { code: 0, stdout: '1.5\n' });
});

t.test('-d ping prints pong', async (t) => {
  t.strictSame(await d(['ping']), { code: 0, signal: null, stdout: 'pong\n', stderr: '' });
});

t.test('-d may stand before and after the other options', async (t) => {
  for (const args of [
    ['--use-daemon', '--uri', daemon.uri, 'call', 'core.ping'],
    [`-u${daemon.uri}`, '-d', 'call', 'core.ping'],
    [`--uri=${daemon.uri}`, '--use-d', 'call', 'core.ping'],
  ])
    t.match(await midclt(args, daemon), { code: 0, stdout: 'pong\n', stderr: '' });
});

t.test('a program without a command prints help', async (t) => {
  const run = await midclt([], daemon);
  t.match(run, { stdout: /usage: midclt/i, stderr: '' });
  t.match(await midclt(['-h'], daemon), { code: 0, stdout: /usage: midclt/i });
});

t.test('without a daemon -d says how to start one, exit 1', async (t) => {
  const home = makeHome(t);
  for (const args of [
    ['-d', 'call', 'core.ping'],
    ['-d', 'ping'],
  ])
    t.match(await midclt(args, { home }), {
      code: 1,
      stdout: '',
      stderr: "Error: No daemon is running. Start one with 'midclt daemon'\n",
    });
  t.match(await midclt(['daemon-stop'], { home }), {
    code: 1,
    stdout: '',
    stderr: 'No daemon is currently running\n',
  });
});

t.test('after daemon-stop a new daemon starts at once (F31)', async (t) => {
  const around = await surroundings(t);
  for (let round = 0; round < 3; round += 1) {
    const own = await startDaemon(t, { around });
    const run = await midclt(['-u', own.uri, 'daemon-stop'], own);
    t.match(run, { code: 0, stdout: '', stderr: 'Daemon shutting down\n' });
    t.notOk(fs.existsSync(own.socket), 'its socket is gone');
    t.notOk(fs.existsSync(own.pidFile), 'its pid file is gone');
    t.strictSame(await own.exited, { code: 0, signal: null });
  }
});
