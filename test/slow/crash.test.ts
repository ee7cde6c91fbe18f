/** F49: a daemon that ends of a bug says so: to its log, its clients, and who starts the next one. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { crashing } from '../support/crashes.js';
import { isAlive, kill } from '../support/lifecycle.js';
import { missing, spawnMidclt, until } from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';
import { converse } from '../support/wire.js';

t.jobs = 2; // they wait, side by side
t.setTimeout(120_000);

/** Errors of the bugs in crash.js have it in their texts. */
const SECRET = /hunter2/;
const KINDS: readonly [kind: string, error: RegExp][] = [
  ['timer', /^TypeError: Cannot read properties of null, in timer \(\/.*crash\.js:\d+:\d+\)$/],
  ['rejection', /^Error, in rejection \(\/.*crash\.js:\d+:\d+\)$/],
  ['stream', /^SyntaxError, in /],
  ['event', /^TypeError, in event \(/],
  ['value', /^a thrown object$/],
  ['again', /^Error, in /],
];

for (const [kind, error] of KINDS) {
  t.test(`F49: a bug (${kind}) ends the daemon, and is told, but not its text`, async (t) => {
    const { unsafe, bug, own, note, events, run, uri } = await crashing(t);
    const daemon = unsafe(['daemon']);
    await until('the daemon', () => fs.existsSync(own.socket));
    bug(kind);
    const { code, stderr } = await daemon;
    t.equal(code, 70);
    t.match(
      stderr,
      /^Error: The daemon ended of a bug of midclt: [^\n]+\. Please report it; its log, [^\n]+\n$/,
    );
    t.match(note(), { error, told: false, log: own.log });
    t.equal(fs.statSync(own.crash).mode & 0o777, 0o600);
    const log = fs.readFileSync(own.log, 'utf8');
    const told = events().filter(({ level }) => level === 'error');
    t.equal(told.length, 1, 'once');
    t.match(told[0], { event: 'ended of a bug' });
    if (kind !== 'value') t.match(told[0]?.at, / \(\/.*:\d+:\d+\) < /, 'with where it was');
    t.equal(events().at(-1)?.event, 'stopped', 'the steps of its end were taken');
    for (const text of [stderr, log, JSON.stringify(note())]) t.notMatch(text, SECRET);
    for (const file of [own.socket, own.pid]) t.notOk(fs.existsSync(file), file);
    t.same(
      fs
        .readdirSync(path.dirname(own.crash))
        .filter((name) => !/^(?:logs|daemon-\w+\.crash)$/.test(name)),
      [],
      'nothing else is left',
    );
    bug(null);
    t.match(await run(['-u', uri, '-d', 'ping']), { code: 0, stdout: 'pong\n', stderr: '' });
  });
}

t.test('F49: who waits for an answer hears that its outcome is unknown', async (t) => {
  const { bug, d, own, started, sandbox, events } = await crashing(t);
  await started();
  const sleeper = d(['call', 'test.sleep', '3600']);
  const client = await converse(t, own.socket);
  client.send('{"command":"call","id":1,"method":"test.sleep","params":[3600],"not_sent":true}\n');
  client.send('{"command":"call","id":2,"method":"core.ping","params":[],"not_sent":true}\n');
  const job = d(['call', '-j', 'test.job', '3600']);
  await until(
    'the calls',
    () => sandbox.received.filter((text) => text.includes('3600')).length === 3,
  );
  // The server's answer, which names the job, comes later than the call reaches it.
  await until('the job', () => events().some(({ event }) => event === 'job started'));
  bug('rejection');
  t.match(await client.frame(), {
    ...{ type: 'error', id: 1, outcome: 'unknown' },
    error: 'The daemon ended of a bug of midclt; the outcome of test.sleep is unknown',
  });
  t.match(await sleeper, {
    code: 1,
    stderr: /^The daemon ended of a bug of midclt; the outcome of test\.sleep is unknown\n$/,
  });
  t.match(await job, {
    code: 1,
    stderr: /^The daemon ended of a bug of midclt; job \d+ goes on at the server/m,
  });
});

t.test('F49: who starts the next daemon hears of it once; scripts hear nothing', async (t) => {
  const { bug, run, uri, own, started, note, d } = await crashing(t);
  const crash = async () => {
    const pid = await started();
    bug('timer');
    await until('its end', () => !isAlive(pid));
    bug(null);
    return pid;
  };
  const first = await crash();
  t.match(await d(['call', 'core.ping']), { code: 0, stderr: '' }, 'no terminal');
  t.match(await d(['call', 'core.ping']), { code: 0, stderr: '' });
  const status = await run(['-u', uri, 'daemon-status']);
  t.match(status, { code: 0, stdout: /^before it +The last daemon \(pid \d+\) ended of a bug/m });
  t.match(await run(['-u', uri, 'doctor']), {
    code: 0,
    stdout:
      /daemon +one runs .*The last daemon \(pid \d+\) ended of a bug of midclt at .*\n +midclt -u \S+ daemon-log\n/,
  });
  t.match(note(), { told: false, pid: first });
  t.match(await d(['call', 'core.ping']), { code: 0, stderr: '' });
  t.match(await run(['-u', uri, 'daemon-stop']), { code: 0 });
  t.match(await run(['-u', uri, 'daemon-status']), {
    code: 1,
    stderr: /^No daemon is currently running\nThe last daemon \(pid \d+\) ended of a bug[^\n]+\n$/,
  });
  const said = new RegExp(
    `^Warning: The last daemon \\(pid ${first}\\) ended of a bug of midclt at [^ ]+Z: TypeError[^\\n]+its log, ${own.log}, has the rest\\n$`,
  );
  t.match(await run(['-u', uri, 'daemon', '--detach']), { code: 0, stderr: said });
  t.match(await run(['-u', uri, 'daemon-stop']), { code: 0 });
  t.match(await run(['-u', uri, 'daemon', '--detach']), { code: 0, stderr: '' }, 'once');
  t.match(await run(['-u', uri, 'daemon-stop']), { code: 0 });
  await crash();
  const child = run(['-u', uri, 'daemon', '--lifetime', '1']);
  t.match(await child, { code: 0, stderr: /^Warning: The last daemon/ }, 'in the foreground');
});

t.test(
  'F49: somebody at a terminal hears of it by the call that starts the next daemon',
  { skip: missing('script') },
  async (t) => {
    const { home, bug, uri, started } = await crashing(t);
    const pid = await started();
    bug('timer');
    await until('its end', () => !isAlive(pid));
    bug(null);
    const call = `midclt -u ${uri} -d ping 2>&1`;
    const { screen, finished } = onTerminal(t, `${call}; ${call}`, {
      ...{ home, columns: 400 },
      env: { MIDCLT_AUTOSTART: '' },
    });
    t.equal(await finished, 0);
    t.match(screen.lines.join('\n'), /^Warning: The last daemon \(pid \d+\) [^\n]*\npong\npong$/);
  },
);

t.test('F49: daemons that end at once are not started again and again', async (t) => {
  const { bug, unsafe, sandbox, events } = await crashing(t);
  const endings = () => events().filter(({ event }) => event === 'ended of a bug').length;
  bug('ready');
  const call = await unsafe(['-d', 'ping']);
  t.match([call.code, call.stdout], [1, '']);
  t.match(call.stderr, /^Error: [^\n]*The last daemon \(pid \d+\) ended of a bug[^\n]+\n$/);
  t.equal(endings(), 1, 'one was started');
  bug('connection');
  const other = await unsafe(['-d', 'ping']);
  t.match([other.code, other.stdout], [1, '']);
  t.match(
    other.stderr,
    /^Error: [^\n]*The last daemon \(pid \d+\) ended of a bug[^\n]+RangeError[^\n]+\n$/,
  );
  t.notMatch(other.stderr, SECRET);
  t.equal(endings(), 2);
  for (const kind of ['locking at-once', 'binding at-once', 'locking later', 'binding later']) {
    bug(kind);
    for (const command of [
      ['-d', 'ping'],
      ['daemon', '--detach'],
    ]) {
      const { code, stderr } = await unsafe(command);
      t.equal(code, 1, kind);
      t.match(
        stderr,
        /^(?:Warning: [^\n]+\n)?Error: (?:No daemon is running, and none could be started: )?The daemon ended of a bug of midclt: [^\n]+\n$/,
      );
      t.notMatch(stderr, SECRET);
    }
  }
  t.equal(sandbox.stats.connections, 6);
});

t.test('F49: of many calls at once one starts a daemon, and all hear of its bug', async (t) => {
  const { bug, unsafe, sandbox, processes } = await crashing(t);
  for (const round of [1, 2]) {
    bug('binding held');
    const calls = Array.from({ length: 8 }, () => unsafe(['-d', 'ping']));
    await until('their daemons', () => processes().length === 2 * calls.length);
    bug('binding later');
    for (const { code, stderr } of await Promise.all(calls)) {
      t.match([code, stderr], [1, /^Error: [^\n]*ended of a bug[^\n]*\n$/]);
    }
    t.equal(sandbox.stats.connections, round, 'the others have not started another');
  }
});

t.test('F49: of a daemon that could not say why it ended, the next one logs that', async (t) => {
  const { bug, run, uri, started, events, own } = await crashing(t);
  for (const kind of ['fault', 'kill']) {
    const pid = await started();
    if (kind === 'kill') await kill(pid);
    else {
      bug(kind);
      await until('its end', () => !isAlive(pid));
      bug(null);
    }
    t.ok(fs.existsSync(own.pid), 'it left its files');
    t.match(await run(['-u', uri, 'doctor']), {
      stdout: /a socket is left, as by one that was killed/,
    });
    t.match(await run(['-u', uri, 'daemon', '--detach']), { code: 0, stderr: '' });
    t.match(
      events()
        .filter(({ event }) => event === 'pid file left by a daemon that was killed')
        .at(-1),
      { level: 'warning', last: pid },
    );
    t.match(await run(['-u', uri, 'daemon-stop']), { code: 0 });
  }
});

t.test('F49: a daemon whose memory is used up is replaced', async (t) => {
  const { bug, unsafe, d, events, pid: pidOf } = await crashing(t);
  t.match(await unsafe(['daemon', '--detach'], {}, '--max-old-space-size=60'), { code: 0 });
  const pid = await until('its pid', () => pidOf());
  bug('memory');
  await until('its end', () => !isAlive(pid));
  bug(null);
  t.match(await d(['ping']), { code: 0, stdout: 'pong\n', stderr: '' });
  t.match(
    events().find(({ event }) => event === 'pid file left by a daemon that was killed'),
    { last: pid },
  );
});

t.test('F49: a bug in the command line is told in a line, exit code 70', async (t) => {
  const { bug, unsafe, started } = await crashing(t);
  await started();
  for (const kind of ['client', 'client-command']) {
    bug(kind);
    const { code, stdout, stderr } = await unsafe(['-d', 'call', 'test.sleep', '2']);
    t.match([code, stdout], [70, '']);
    t.match(
      stderr,
      /^Error: This is a mistake of midclt itself \((?:Syntax|Type)Error\)[^\n]+please report it\n$/,
    );
    t.notMatch(stderr, SECRET);
    const debug = await unsafe(['-d', 'ping'], { MIDCLT_DEBUG: '1' });
    t.match(debug, { code: 70, stderr: /\n +at .*crash\.js:\d+:\d+/ });
  }
});

t.test('F49: a warning that nobody reads is no bug', async (t) => {
  const { home, uri, own, processes, run } = await crashing(t);
  fs.mkdirSync(own.pid, { recursive: true, mode: 0o700 }); // it can't be written, which is said on stderr
  fs.chmodSync(`${home}/.midclt`, 0o700);
  const daemon = spawnMidclt(['-u', uri, 'daemon'], { home });
  daemon.stderr.destroy();
  daemon.stdout.destroy();
  await until('the daemon', () => fs.existsSync(own.socket));
  t.match(await run(['-u', uri, '-d', 'ping']), { code: 0, stdout: 'pong\n' });
  t.equal(processes().length, 1);
  fs.rmdirSync(own.pid);
});
