/** F12, F14, F30: wherever a call comes from, it ends at once, with its daemon running or yet to be started. */
import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { AUTOSTART, ground, isAlive, processOf, type Ground } from '../support/lifecycle.js';
import { BINARY, missing, shell, type Finished } from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

t.setTimeout(600_000);

const CRON = 'env -i HOME="$HOME" LOGNAME=me SHELL=/bin/sh PATH=/usr/bin:/bin /bin/sh -c';
const CALL = `${process.execPath} ${BINARY} -u "$URI" -d call core.ping`;

const WAYS: readonly (readonly [what: string, command: string, stdout: string])[] = [
  ['a substitution', 'x=$(midclt -d call core.ping); echo "$? <$x>"', '0 <pong>\n'],
  ['one with stderr', 'x=$(midclt -d call core.ping 2>&1); echo "$? <$x>"', '0 <pong>\n'],
  ['nohup', `nohup ${CALL} 2>&1 </dev/null; echo $?`, 'pong\n0\n'],
  ["cron's environment", `${CRON} '${CALL.replace('"$URI"', '\'"$URI"\'')}'; echo $?`, 'pong\n0\n'],
  ['stdin closed', 'midclt -d call core.ping <&-; echo $?', 'pong\n0\n'],
  ['stderr closed', 'midclt -d call core.ping 2>&-; echo $?', 'pong\n0\n'],
  ['stdin and stderr closed', 'midclt -d call core.ping <&- 2>&-; echo $?', 'pong\n0\n'],
  ['a reader that leaves', 'midclt -d call core.ping | head -c1', 'p'],
  ['a reader that leaves a lot', 'midclt -d call test.big 900000 | head -c1', '['],
  [
    'a reader that never was',
    '{ midclt -d call core.ping; echo $? >&2; } 2>&1 >/dev/null | cat',
    '0\n',
  ],
  [
    'a batch',
    `echo '{"command":"ping"}' | midclt -d batch; echo $?`,
    '{"type":"result","result":"pong"}\n0\n',
  ],
  [
    'a loop that reads on',
    'printf "1\\n2\\n" | while read x; do midclt -d call test.echo $x; done',
    '[1]\n[2]\n',
  ],
];

/** Its outputs are closed as well: no daemon holds them. */
async function atOnce(t: Test, place: Ground, command: string, stdout: string, what: string) {
  const started = performance.now();
  const run = await place.sh(command);
  t.match(run, { code: 0, signal: null, stderr: '' }, what);
  t.equal(run.stdout, stdout, what);
  t.ok(performance.now() - started < 60_000, `${what}: at once, not when the daemon ends`);
}

for (const isRunning of [false, true]) {
  const state = isRunning ? 'a running daemon' : 'a daemon yet to be started';
  t.test(`F12, F14, F30: with ${state}`, async (t) => {
    const place = await ground(t);
    if (isRunning) await place.d(['ping']);
    for (const [what, command, stdout] of WAYS) {
      const before = place.pid();
      await atOnce(t, place, command, stdout, what);
      const pid = place.pid()!;
      t.ok(isAlive(pid), `${what}: there is a daemon`);
      if (isRunning) t.equal(pid, before);
      else {
        t.match(processOf(pid), { cwd: '/', session: pid, terminal: 0 }, what);
        t.match(await place.run(['-u', place.uri, 'daemon-stop']), { code: 0 });
      }
    }
  });

  t.test(`stdout closed, with ${state}`, async (t) => {
    const place = await ground(t);
    for (const closed of ['>&-', '<&- >&-', '<&- >&- 2>&-']) {
      if (isRunning) await place.d(['ping']);
      const direct: Finished = await place.sh(`midclt call core.ping ${closed}`);
      const run = await place.sh(`midclt -d call core.ping ${closed}`);
      t.strictSame(run, direct, `${closed}: as without a daemon`);
      t.notMatch(run.stderr, /\n {4}at |node:/, 'no stack trace');
      t.equal(place.sandbox.countOf('core.ping') > 0, true);
      t.match(await place.d(['call', 'core.ping']), { code: 0, stdout: 'pong\n' });
      t.match(await place.run(['-u', place.uri, 'daemon-stop']), { code: 0 });
    }
  });

  t.test(`on a terminal, with ${state}`, { skip: missing('script', 'stty') }, async (t) => {
    const place = await ground(t);
    if (isRunning) await place.d(['ping']);
    const { home, uri } = place;
    const env = { ...AUTOSTART, URI: uri };
    const terminal = onTerminal(t, 'midclt -u "$URI" -d call core.ping', { home, env });
    t.equal(await terminal.finished, 0);
    t.same(terminal.screen.lines, ['pong']);
    const pid = place.pid()!;
    t.ok(isAlive(pid), 'it outlives the terminal');
    t.match(processOf(pid), { session: pid, terminal: 0 });
    t.match(await place.d(['ping']), { code: 0, stdout: 'pong\n' });
    t.equal(place.pid(), pid);
  });

  t.test(`what fails is told by the exit code everywhere, with ${state}`, async (t) => {
    const place = await ground(t);
    if (isRunning) await place.d(['ping']);
    for (const line of [
      'x=$(midclt -d call test.fail 2>/dev/null)',
      'midclt -d call test.fail 2>&-',
      'midclt -d call test.fail <&- >&- 2>&-',
      'midclt -d call -q test.fail',
    ])
      t.match(await place.sh(line), { code: 1, stdout: '', stderr: '' }, line);
  });
}

t.test(
  'another user has a daemon of his own, and no way to this one',
  { skip: noOtherUser() },
  async (t) => {
    const place = await ground(t);
    const other = await ground(t);
    spawnSync('chown', ['65534:65534', other.home]);
    t.match(await place.d(['ping']), { code: 0, stdout: 'pong\n' });
    const as = (command: string, home: string) =>
      shell(`setpriv --reuid 65534 --regid 65534 --clear-groups /bin/sh -c '${command}'`, {
        home,
        env: {
          ...AUTOSTART,
          URI: other.uri,
          HERS: place.files().socket,
          RUN: `${process.execPath} ${BINARY}`,
        },
      });
    spawnSync('chmod', ['666', `${other.home}/mw.sock`]);
    t.match(await as('$RUN -u "$URI" -d ping', other.home), {
      code: 0,
      stdout: 'pong\n',
      stderr: '',
    });
    const his = other.pid()!;
    t.not(his, place.pid());
    t.match(await as('$RUN daemon-list', other.home), { code: 0, stdout: new RegExp(`\n${his} `) });
    t.notMatch((await as('$RUN daemon-list', other.home)).stdout, `\n${place.pid()} `);
    t.notMatch((await place.run(['daemon-list'])).stdout, `\n${his} `);
    const reached = await as(
      'printf "%s\\n" "{\\"command\\": \\"ping\\"}" | nc -U "$HERS"',
      other.home,
    );
    t.equal(reached.stdout, '', 'the socket is closed to him');
    // With her HOME he still gets his own home, by the password database, or an error; never her daemon.
    const borrowed = await as('$RUN --no-autostart -u "$URI" -d ping', place.home);
    t.match(borrowed, { code: 1, stdout: '' });
    t.match(await as('$RUN daemon-stop --all', other.home), { code: 0 });
    t.ok(isAlive(place.pid()!), 'hers goes on');
    t.match(await place.d(['ping']), { code: 0, stdout: 'pong\n' });
  },
);

function noOtherUser(): string | false {
  if (process.geteuid?.() !== 0) return 'only root can be two users';
  const tried = spawnSync('setpriv', ['--reuid', '65534', process.execPath, BINARY, '--version']);
  return tried.status !== 0 && 'another user cannot run this program here';
}
