/** `midclt batch`: which requests failed, of which nobody knows, and where to go on. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { openFiles, startDaemon, wakeSleeper, type RunningDaemon } from '../support/daemon.js';
import { startSandbox } from '../../lib/sandbox/index.js';
import {
  BINARY,
  finished,
  makeHome,
  midclt,
  missing,
  shell,
  spawnMidclt,
  statusIn,
  until,
} from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';
import { call, paramsOf, PING, shellWithMidclt, type Frame } from '../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const WAYS = [['-d'], []] as const;

const framesOf = (stdout: string) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Frame);

const read = (name: string, home = daemon.home) => fs.readFileSync(`${home}/${name}`, 'latin1');
const exists = (name: string) => fs.existsSync(`${daemon.home}/${name}`);
const modeOf = (name: string) => fs.statSync(`${daemon.home}/${name}`).mode & 0o777;

const batch = (way: readonly string[], args: readonly string[], input: string | Buffer = '') =>
  midclt(['-u', daemon.uri, ...way, 'batch', ...args], { home: daemon.home, input });

const FAIL = '["test.fail", 2, "no"]';
const LATE = call('test.sleep', '[5]', { timeout: 0.2 }, { id: 'late' }).trim();
const BAD = '{"command":"call","method":"x","params":["\xff"]}'; // latin1: no UTF-8
const UNKNOWN_ONE = '1 request is of unknown outcome in f.unknown: look before you run it again\n';

for (const way of WAYS) {
  const named = way[0] ?? 'without -d';

  t.test(`${named}: failed requests byte for byte, unknown ones apart`, async (t) => {
    fs.writeFileSync(`${daemon.home}/f`, 'of an earlier run\n', { mode: 0o644 });
    fs.writeFileSync(`${daemon.home}/f.unknown`, 'of an earlier run\n');
    const odd = '  {"command":"dance" ,"id" : 18446744073709551616}  ';
    const lines = [PING.trim(), FAIL, '', odd, LATE, BAD, '{"', PING.trim()];
    const run = await batch(way, ['--failed', 'f'], Buffer.from(lines.join('\r\n'), 'latin1'));
    t.match(run, { code: 1, stderr: UNKNOWN_ONE });
    t.notMatch(run.stdout, '"outcome"', 'what the daemon tells this program alone');
    t.equal(read('f'), [FAIL, odd, BAD, '{"', ''].join('\n'));
    t.equal(read('f.unknown'), `${LATE}\n`);
    for (const name of ['f', 'f.unknown']) t.equal(modeOf(name), 0o600, 'for their owner alone');

    const again = await batch(way, ['--failed', 'f2', 'f']);
    t.equal(read('f2'), read('f'), 'ready to be run again');
    t.match(again, { code: 1, stderr: '' });
    t.notOk(exists('f2.unknown'), 'made only when there is one');

    const apart = await batch(way, ['--failed', 'a', '--unknown', 'b'], `${LATE}\n${PING}`);
    t.equal(read('a'), '');
    t.equal(read('b'), `${LATE}\n`);
    t.match(apart.stderr, /^1 request is of unknown outcome in b: /);
    const alone = await batch(way, ['--unknown', 'b'], `${FAIL}\n${PING}`);
    t.match(alone, { code: 1, stderr: '' });
    t.equal(read('b'), '');
  });

  t.test(`${named}: the short form`, async (t) => {
    const { sandbox } = daemon;
    const before = sandbox.countOf('test.echo');
    const lines = [
      '["test.echo", 18446744073709551615, 2.0, NaN, "\\ud800", {"a": [1]}]',
      ' [ "test.echo" ]\t',
      '["test\\u002eecho","x"]',
      '{"command":"call","method":"test.echo","params":[1],"id":7}',
      '[]',
      '[1]',
      '[["test.echo"]]',
      '["test.echo", 1], "kwargs": {"job": true}, "args": ["x"]',
      '["test.echo", 1,]',
      '["test.echo"',
      `["test.echo", "${'x'.repeat(70_000)}"]`,
      '["core.ping"]',
    ];
    const run = await batch(way, ['--parallel', '1'], lines.join('\n'));
    t.match(run, { code: 1, stderr: '' });
    const no = 'Request is an array that does not begin with the name of a method';
    const outcomes = run.stdout.split('\n').map((line) => {
      const [, result, error] =
        /(?:"result":(.*)|"error":"(.*)","error_type.*)\}$/.exec(line) ?? [];
      return result ?? error?.replace(/: \[.*| \(byte.*/, '');
    });
    t.strictSame(outcomes, [
      '[18446744073709551615, 2.0, NaN, "\\ud800", {"a": [1]}]',
      '[]',
      '["x"]',
      '[1]',
      no,
      no,
      no,
      'Request is not valid JSON: Extra data',
      outcomes[8],
      outcomes[9],
      outcomes[10],
      '"pong"',
      undefined,
    ]);
    for (const line of [8, 9]) t.match(outcomes[line], /^Request is not valid JSON/);
    t.match(outcomes[10], /^Request of \d+ characters for test.echo; the middleware takes 65536$/);
    t.equal(sandbox.countOf('test.echo'), before + 4);
    t.match(paramsOf(sandbox, 'test.echo').slice(-4, -2), [
      '[18446744073709551615, 2.0, NaN, "\\ud800", {"a": [1]}]',
      '[]',
    ]);
  });

  t.test(`${named}: --stop-on-error`, async (t) => {
    const { sandbox } = daemon;
    const before = sandbox.countOf('core.ping');
    const failures = sandbox.countOf('test.fail');
    const slow = call('test.sleep', '[3600]');
    // Blank lines: it has not read to the end when it stops.
    const blank = `${' '.repeat(9999)}\n`.repeat(50);
    const input = `${daemon.home}/in`;
    fs.writeFileSync(input, `${PING}${slow}\n${FAIL}\n${PING.repeat(500)}${blank}`);
    const args = ['batch', '--stop-on-error', '--parallel', '2', '--failed', 'f', 'in'];
    const child = spawnMidclt(['-u', daemon.uri, ...way, ...args], daemon);
    const ended = finished(child);
    await until('the failure', () => sandbox.countOf('test.fail') > failures);
    // The slow one's answer would let the next request go if it came before the failure.
    await until('it to read no more', () => !openFiles(child.pid ?? 0).includes(input));
    wakeSleeper(sandbox);
    const run = await ended;
    t.equal(run.code, 1);
    t.match(
      framesOf(run.stdout).map(({ result, error }) => result ?? error),
      ['pong', 3600, '[ENOENT] no'],
    );
    t.equal(sandbox.countOf('core.ping'), before + 1, 'nothing was sent after it');
    t.equal(read('f'), `${FAIL}\n`);
    const d = way.map((word) => ` ${word}`).join('');
    const command = `midclt -u ${daemon.uri}${d} batch --parallel 2 --stop-on-error --failed f --resume-from 4 in`;
    t.equal(
      run.stderr,
      'Stopped: request 3 failed. Requests 1 to 3 are answered: 2 with a result, 1 failed, 0 of unknown outcome; ' +
        `'${command}' goes on with the next\n`,
    );
    const next = await shell(command.replace('midclt', '"$NODE" "$B"'), {
      home: daemon.home,
      env: { NODE: process.execPath, B: BINARY },
    });
    t.match(next, { code: 0, stderr: '' });
    t.equal(framesOf(next.stdout).length, 500, 'the rest, and nothing twice');
    t.equal(read('f'), `${FAIL}\n`, 'what failed before is still there');
  });
}

t.test('-t is for what names no timeout', async (t) => {
  const own = await startDaemon(t); // what is given up goes on there
  // What is to be late never comes, and what is not to be late comes when -t is over.
  const late = '[3600]';
  const slow = (kwargs: object) => call('test.sleep', '[4.4]', kwargs);
  const lines = [
    call('test.sleep', late),
    call('test.sleep', late, { job: false }),
    `["test.sleep", ${late.slice(1)}\n`,
    slow({ timeout: 60 }),
    slow({ timeout: null }),
    call('test.job', '[2, 2.2]', { job: true }),
  ];
  const ask = async (way: readonly string[]) => {
    const batch = (args: readonly string[], input: string) =>
      midclt(['-u', own.uri, ...way, 'batch', ...args], { home: own.home, input });
    const run = await batch(['-t', '4', '--parallel', '8'], lines.join(''));
    t.equal(run.stderr, '');
    t.same(
      framesOf(run.stdout).map(({ result, error }) => result ?? error),
      ['Call timeout', 'Call timeout', 'Call timeout', 4.4, 4.4, 'done'],
      `a job's is until its start (${way.join() || 'without -d'})`,
    );
    const none = await batch(['-t', '0'], call('test.sleep', '[0.1]'));
    t.match(none, { code: 0, stdout: '{"type":"result","result":0.1}\n' });
  };
  await Promise.all(WAYS.map(ask));
});

t.test('--stop-on-error names the first that failed by its place, not by the time', async (t) => {
  const late = call('test.sleep', '[60]', { timeout: 0.7 });
  const run = await batch(['-d'], ['--stop-on-error', '--parallel', '2'], `${late}${FAIL}\n`);
  t.match(run, { code: 1, stderr: /^Stopped: request 1 failed\. Requests 1 to 2 are answered/ });
});

t.test('--stop-on-error does not wait for an input that is idle', async (t) => {
  const child = spawnMidclt(['-u', daemon.uri, '-d', 'batch', '--stop-on-error'], daemon);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.write(`${FAIL}\n`);
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.equal(code, 1);
  t.match(stderr, /--resume-from 2', given the same input, goes on with the next\n$/);
});

t.test('--resume-from counts the requests of all files', async (t) => {
  const line = (id: number) => `{"command":"ping","id":${id}}`;
  fs.writeFileSync(`${daemon.home}/a`, `${line(1)}\n\n \t\r\n${line(2)}`);
  const from = async (n: string) => {
    const run = await batch(['-d'], ['--resume-from', n, 'a', '-'], `\n${line(3)}\n${line(4)}\n`);
    return { ...run, stdout: framesOf(run.stdout).map(({ id }) => id) };
  };
  t.match(await from('1'), { code: 0, stdout: [1, 2, 3, 4], stderr: '' });
  t.match(await from('3'), { code: 0, stdout: [3, 4], stderr: '' });
  t.match(await from('5'), { code: 0, stdout: [], stderr: '' }, 'it was done');
  t.match(await from('6'), {
    code: 1,
    stdout: [],
    stderr: 'Error: There is no request 6: the input has 4\n',
  });
  t.match(await batch(['-d'], ['--resume-from', '0']), { code: 2 });
});

t.test('files that may not be written to', async (t) => {
  fs.writeFileSync(`${daemon.home}/in`, PING);
  fs.linkSync(`${daemon.home}/in`, `${daemon.home}/link`);
  for (const [args, stderr] of [
    [['--failed', 'link', 'in'], 'The requests are read from link; give another file to write to'],
    [['--failed', 'x', '--unknown', 'x'], '--failed and --unknown need a file each, not both x'],
    [['--failed', 'no/x', 'in'], 'Cannot write no/x: no such file or directory (ENOENT)'],
  ] as const) {
    for (const way of WAYS) {
      const run = await batch(way, args);
      t.strictSame(run, { code: 1, signal: null, stdout: '', stderr: `Error: ${stderr}\n` });
    }
  }
  t.equal(read('in'), PING, 'it is whole');
  t.match(await batch([], ['--failed', '-']), { code: 2, stderr: /must be the name of a file/ });
});

t.test('a full disk under --failed ends it, and what is not there is told (F33)', async (t) => {
  fs.writeFileSync(`${daemon.home}/in`, `${PING}${FAIL}\n${FAIL}\n${PING}${FAIL}\n`);
  const run = await batch(['-d'], ['--failed', '/dev/full', '--parallel', '1', 'in']);
  t.equal(run.code, 1);
  t.equal(framesOf(run.stdout).length, 5);
  t.match(
    run.stderr,
    /^Error: Cannot write \/dev\/full: [^\n]*\(ENOSPC\); it lacks requests 2-3, 5\n$/,
  );
});

/** A batch of which four calls are answered, one is late, and the rest waits behind it. */
async function underWay(t: Test, way: readonly string[], args: readonly string[] = []) {
  const own = await startDaemon(t);
  const slow = call('test.sleep', '[3600]', { timeout: null }, { id: 'slow' });
  const echo = (id: number) => call('test.echo', `[${id}]`, undefined, { id });
  const rest = Array.from({ length: 400 }, (_, i) => echo(i)).join('');
  fs.writeFileSync(`${own.home}/in`, `${echo(1000)}${FAIL}\n${slow}${rest.slice(0, -1)}`);
  fs.writeFileSync(`${own.home}/more`, call('test.sleep', '[3600]', { timeout: null }).repeat(2));
  const child = spawnMidclt(['-u', own.uri, ...way, 'batch', ...args, 'in', 'more', 'in'], own);
  const run = finished(child);
  await until('all to be sent that can be', () => own.sandbox.countOf('test.sleep') === 4);
  return { ...own, batch: child, run };
}

for (const way of WAYS) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    t.test(`${way[0] ?? 'without -d'}: ${signal} loses nothing and doubles nothing`, async (t) => {
      const args = ['--failed', 'f', '--unknown', 'u'];
      const own = await underWay(t, way, args);
      await until('what is answered', () => own.sandbox.countOf('test.echo') >= 402);
      own.batch.kill(signal);
      const { stdout, stderr, signal: by } = await own.run;
      t.equal(by, signal, 'ended by the signal');
      const frames = framesOf(stdout);
      const taken = frames.length;
      t.equal(taken, 408, 'every request that was taken has its answer');
      const [, command = '', next = ''] =
        /^Interrupted\. Requests 1 to 408 are answered: 402 with a result, 2 failed, 4 of unknown outcome; '(.*--resume-from (\d+) .*)' goes on with the next\n/m.exec(
          stderr,
        ) ?? [];
      t.equal(next, `${taken + 1}`, stderr);
      t.equal(read('f', own.home), `${FAIL}\n${FAIL}\n`);
      t.equal(read('u', own.home).split('\n').length - 1, 4);
      t.match(stderr, /^4 requests are of unknown outcome in u: look before you run them again$/m);
      t.match(frames[2], { type: 'error', error: /interrupted .*; the outcome is unknown/ });
      await until('the sleepers to be let go', async () => {
        const status = statusIn(await own.d(['daemon-status', '--json']));
        return status && status.clients <= 1;
      });
      t.match(command, / batch --failed f --unknown u --resume-from 409 in more in$/);
    });
  }
}

for (const way of WAYS) {
  t.test(`${way[0] ?? 'without -d'}: a batch that goes on again and again is whole`, async (t) => {
    const home = makeHome(t);
    const journal = `${home}/journal`;
    const around = { home, uri: `ws+unix://${home}/mw.sock` };
    const sandbox = await startSandbox({ unix: `${home}/mw.sock`, journal });
    t.teardown(() => sandbox.close());
    if (way.length > 0) await startDaemon(t, { around: { ...around, sandbox } });
    const count = 3000;
    const echo = (id: number) => call('test.echo', `[${id}]`, undefined, { id });
    fs.writeFileSync(`${home}/in`, Array.from({ length: count }, (_, id) => echo(id)).join(''));
    let stdout = '';
    let from = 1;
    let runs = 0;
    for (; from <= count; runs++) {
      const args = ['batch', '--unknown', 'u', '--resume-from', `${from}`, 'in'];
      const child = spawnMidclt(['-u', around.uri, ...way, ...args], { home });
      const run = finished(child);
      const before = sandbox.countOf('test.echo');
      const enough = before + (runs < 3 ? 300 : Infinity);
      const ended = run.then(() => true);
      await until('some to be answered', () =>
        Promise.race([ended, Promise.resolve(sandbox.countOf('test.echo') >= enough)]),
      );
      child.kill('SIGINT');
      const { stdout: more, stderr } = await run;
      stdout += more;
      const [, next = `${count + 1}`] = /--resume-from (\d+)/.exec(stderr) ?? [];
      from = Number(next);
    }
    t.ok(runs > 3);
    const frames = framesOf(stdout);
    t.same(
      frames.map(({ id }) => id),
      Array.from({ length: count }, (_, id) => id),
      'each has one answer, in order',
    );
    const ran = fs
      .readFileSync(journal, 'utf8')
      .split('\n')
      .filter((line) => line.includes('test.echo'))
      .map((line) => (JSON.parse(line) as { params: number[] }).params[0]);
    t.equal(new Set(ran).size, ran.length, 'none was run twice');
    const unknown = read('u', home).split('\n').length - 1;
    t.ok(
      ran.length >= count - unknown,
      `${ran.length} were run, ${unknown} are of unknown outcome`,
    );
    t.equal(frames.filter(({ type }) => type === 'result').length, count - unknown);
  });
}

t.test('the daemon is killed in the middle: sent is unknown, not sent has failed', async (t) => {
  const own = await startDaemon(t);
  const count = 2000;
  const lines = Array.from({ length: count }, (_, id) =>
    call('test.echo', `[${id}]`, undefined, { id }),
  );
  const sleeper = call('test.sleep', '[3600]', undefined, { id: 'slow' });
  const child = spawnMidclt(['-u', own.uri, '-d', 'batch', '--failed', 'f', '--unknown', 'u'], own);
  const run = finished(child, sleeper + lines.join(''));
  await until('some to be answered', () => own.sandbox.countOf('test.echo') > 500);
  own.child.kill('SIGKILL');
  const { code, stdout, stderr } = await run;
  t.equal(code, 1);
  const frames = framesOf(stdout);
  t.equal(frames.length, count + 1);
  const of = (pattern: RegExp) =>
    frames.flatMap(({ error, id }) => (pattern.test(String(error)) ? [id] : []));
  const idsIn = (name: string) => framesOf(read(name, own.home)).map(({ id }) => id);
  t.same(idsIn('u'), of(/outcome is unknown/));
  t.equal(idsIn('u')[0], 'slow');
  t.ok(idsIn('u').length <= 4, 'one a connection');
  t.same(idsIn('f'), of(/not sent/), 'in the order of the input');
  t.ok(idsIn('f').length > 100);
  t.match(stderr, /^\d requests? (?:is|are) of unknown outcome in u: [^\n]*\n$/);
});

for (const way of WAYS) {
  t.test(
    `${way[0] ?? 'without -d'}: the middleware is lost: what was sent is unknown`,
    async (t) => {
      const own = await startDaemon(t);
      const slow = call('test.sleep', '[3600]', { timeout: null }, { id: 'slow' });
      const args = ['-u', own.uri, ...way, 'batch', '--failed', 'f', '--parallel', '2'];
      const child = spawnMidclt(args, own);
      const run = finished(child, `${slow}${FAIL}\n${slow}${PING}`);
      await until('both', () => own.sandbox.countOf('test.sleep') === 2);
      own.sandbox.dropAll();
      const { stdout } = await run;
      t.match(
        framesOf(stdout).map(({ result, error }) => result ?? error),
        [/lost.*unknown/, '[ENOENT] no', /lost.*unknown/, 'pong'],
      );
      t.equal(read('f', own.home), `${FAIL}\n`);
      t.equal(read('f.unknown', own.home), slow.repeat(2));
    },
  );
}

t.test('what waited in vain to be sent has failed', async (t) => {
  const own = await startDaemon(t);
  own.sandbox.setRefusing(502);
  own.sandbox.dropAll();
  const run = await own.d(['-t', '1', 'batch', '--failed', 'f'], { input: `${PING}["x"]\n` });
  t.match(framesOf(run.stdout), [{ error: /was not sent$/ }, { error: /was not sent$/ }]);
  t.equal(read('f', own.home), `${PING}["x"]\n`);
  t.match(run, { code: 1, stderr: '' });
});

t.test('a reader that goes away: what failed until then is in the file (F30)', async (t) => {
  const own = await startDaemon(t);
  fs.writeFileSync(`${own.home}/in`, `${FAIL}\n${PING.repeat(30_000)}`);
  const run = await shellWithMidclt('midclt batch --failed f in | head -1', own);
  t.match(framesOf(run.stdout), [{ error: '[ENOENT] no' }]);
  t.equal(read('f', own.home), `${FAIL}\n`);
  t.notMatch(run.stderr, 'Error');
  const pings = own.sandbox.countOf('core.ping');
  t.ok(pings < 30_000);
  const [, last, results, failed, unknown, command = ''] =
    /^Stopped: nobody reads the answers\. Requests 1 to (\d+) are answered: (\d+) with a result, (\d+) failed, (\d+) of unknown outcome; the last of their answers were not printed; '(.*)' goes on with the next$/m.exec(
      run.stderr,
    ) ?? [];
  t.equal(Number(results) + Number(failed) + Number(unknown), Number(last), run.stderr);
  t.ok(Number(last) > pings, 'none behind it was sent');
  t.match(command, new RegExp(` batch --failed f --resume-from ${Number(last) + 1} in$`));
  t.equal(failed, '1');
  const file = `${own.home}/f.unknown`;
  const kept = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  t.equal(kept.split('\n').length - 1, Number(unknown));
});

t.test('where it stands is said where an option asks what has come of each', async (t) => {
  const own = await startDaemon(t);
  fs.writeFileSync(`${own.home}/in`, PING.repeat(30_000));
  for (const [options, says] of [
    ['', /^$/],
    ['--unknown u', /^Stopped: nobody reads .* batch --unknown u --resume-from \d+ in' goes on/],
    ['--resume-from 2', /^Stopped: nobody reads .* batch --resume-from \d+ in' goes on/],
    [
      '--stop-on-error',
      /^Stopped: nobody reads .* batch --stop-on-error --resume-from \d+ in' goes on/,
    ],
  ] as const) {
    const run = await shellWithMidclt(`midclt batch ${options} in | head -1`, own);
    t.match(run.stderr.replace(/^\d requests? .*\n/, ''), says, options);
  }
});

const skip = missing('script', 'stty');

t.test('on a terminal a line says how far it is', { skip }, async (t) => {
  const own = await startDaemon(t);
  const sleep = call('test.sleep', '[0.5]').repeat(4);
  fs.writeFileSync(`${own.home}/in`, `${FAIL}\n${sleep}`);
  const run = (command: string, env = {}) =>
    onTerminal(t, `echo before; ${command}; echo "after $?"`, {
      home: own.home,
      env: { URI: own.uri, ...env },
    });
  const batch = 'midclt -u "$URI" -d batch --parallel 1 in';
  const shown = run(`${batch} >out`);
  const piped = run(`cat in | ${batch.replace(' in', '')} | cat >out2`);
  const without = [
    run(`${batch} >out3`, { TERM: 'dumb' }),
    run(`${batch} --no-status >out4`),
    run(`${batch} >out5 2>err`),
    run(batch),
  ];
  await Promise.all([shown, piped, ...without].map(({ finished }) => finished));
  t.match(shown.written(), /\[2K[1-4] done, 1 failed, \d\/s, \d+%, 0:\d\d left/);
  const [, last = '', ...more] = shown.screen.lines;
  t.match([shown.screen.lines[0], ...more], ['before', 'after 1']);
  const [, seconds] = /^5 done, 1 failed in 0:(\d\d), \d\/s$/.exec(last) ?? [];
  const drawn = shown.written().split('\x1b[2K').length - 1;
  t.ok(drawn <= 4 * (Number(seconds) + 1) + 2, `${drawn} times: ${last}`);
  const noTime = /\[2K[1-4] done, 1 failed, \d\/s\r/;
  t.match(piped.written(), noTime, 'nobody knows how much is left');
  for (const { written } of without) t.notMatch(written(), '2K');
  t.equal(read('err', own.home), '');
});

t.test('Ctrl-C at the keyboard ends it and leaves the terminal as it was', { skip }, async (t) => {
  const own = await startDaemon(t);
  fs.writeFileSync(`${own.home}/in`, `${PING}${call('test.sleep', '[3600]')}`);
  const command = 'midclt -u "$URI" -d batch in';
  const { screen, type, finished, written } = onTerminal(
    t,
    `trap : INT; stty -g >one; echo before; ${command} >out; echo "after $?"; stty -g >two`,
    { home: own.home, env: { URI: own.uri } },
  );
  await until('the line', () => written().includes('1 done'));
  type('\x03');
  await finished;
  t.match(screen.lines.at(-1), 'after 130');
  t.match(screen.lines.join(''), /Interrupted\. Requests 1 to 2 are answered: 1 with a result/);
  t.equal(read('one', own.home), read('two', own.home));
  t.equal(framesOf(read('out', own.home)).length, 2);
});

t.test('over the legacy wire alike', async (t) => {
  const way = ['-u', `${daemon.uri}:/websocket`];
  const short = '["test.echo", 18446744073709551615, 2.0]';
  const run = await batch(way, ['--failed', 'l'], [PING.trim(), FAIL, LATE, short].join('\n'));
  t.match(run, { code: 1, stderr: /^1 request is of unknown outcome in l\.unknown: / });
  t.match(run.stdout, '"result":[18446744073709551615, 2.0]}');
  t.equal(read('l'), `${FAIL}\n`);
  t.equal(read('l.unknown'), `${LATE}\n`);
});
