/** What a person is told on a terminal beyond what scripts parse: which method, how long, which argument. */
import t, { type Test } from 'tap';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { midclt, missing } from '../../support/midclt.js';
import { onTerminal } from '../../support/terminal.js';

const skip = missing('script', 'stty');
const test = (name: string, body: (t: Test) => Promise<void>) => t.test(name, { skip }, body);

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

/** What is on the terminal's screen in the end. */
async function screenOf(t: Test, command: string): Promise<string[]> {
  const terminal = onTerminal(t, command, {
    home: daemon.home,
    columns: 200,
    env: { MIDCLT_URI: daemon.uri },
  });
  await terminal.finished;
  return terminal.screen.lines;
}

/** What the same words say to a script. */
async function piped(way: string, words: readonly string[]) {
  const { code, stdout, stderr } = await midclt([...(way ? [way] : []), ...words], {
    home: daemon.home,
    env: { MIDCLT_URI: daemon.uri },
  });
  return { code, stdout, stderr };
}

const SLEEP = ['-t', '2', 'call', 'test.sleep', '30'];
const TIMED_OUT = 'Call timeout: no answer to test.sleep within 2 s';

for (const way of ['-d', '']) {
  const how = way ? 'through the daemon' : 'without a daemon';

  test(`${how} a terminal is told which method does not exist`, async (t) => {
    t.match(await screenOf(t, `midclt ${way} call system.inof`), [
      /^Method does not exist: system\.inof$/,
      /^'midclt .*methods system\.' lists the methods that there are$/,
    ]);
    t.strictSame(await piped(way, ['call', 'system.inof']), {
      code: 1,
      stdout: '',
      stderr: 'Method does not exist\n',
    });
    t.strictSame(await screenOf(t, `midclt ${way} call -q system.inof`), []);
  });

  test(`${how} a terminal is told what timed out, after how many seconds`, async (t) => {
    t.strictSame(await screenOf(t, `midclt ${way} ${SLEEP.join(' ')}`), [TIMED_OUT]);
    t.strictSame(await screenOf(t, `CALL_TIMEOUT=2 midclt ${way} call test.sleep 3`), [TIMED_OUT]);
    t.strictSame(await piped(way, SLEEP), { code: 1, stdout: '', stderr: 'Call timeout\n' });
  });

  test(`${how} a terminal is told of an argument that is JSON but for a slip`, async (t) => {
    const echo = (argument: string) => screenOf(t, `midclt ${way} call test.echo '${argument}'`);
    t.strictSame(await echo('[["username", "=" "root"]]'), [
      "Argument 1 looks like JSON, but is not (character 19: Expecting ',' delimiter); it is sent as a string",
      String.raw`["[[\"username\", \"=\" \"root\"]]"]`,
    ]);
    t.strictSame(await echo('{"ä€😀": 1,}'), [
      'Argument 1 looks like JSON, but is not (character 11: Expecting property name enclosed in double quotes); it is sent as a string',
      String.raw`["{\"\u00e4\u20ac\ud83d\ude00\": 1,}"]`,
    ]);
    t.strictSame(await screenOf(t, `printf '{"a": 1' | midclt ${way} call test.echo 7 x '"y"' -`), [
      "Argument 4 (standard input) looks like JSON, but is not (character 8: Expecting ',' delimiter); it is sent as a string",
      '[7, "x", "y", "{\\"a\\": 1"]',
    ]);
    t.strictSame(await echo('abc [1'), ['["abc [1"]'], 'a string that looks like one');
    t.strictSame(await piped(way, ['call', 'test.echo', '[1']), {
      code: 0,
      stdout: '["[1"]\n',
      stderr: '',
    });
    t.strictSame(await screenOf(t, `midclt ${way} call -q test.echo '[1'`), ['["[1"]']);
  });
}

test('the shell function says the same on a terminal', async (t) => {
  const fast = (line: string) =>
    `eval "$(midclt shell-init sh | sed "s/command '.*'/command false/")"; ${line}`;
  t.strictSame(await screenOf(t, fast('midclt -d call system.inof')), [
    'Method does not exist: system.inof',
  ]);
  t.strictSame(await screenOf(t, fast(`midclt -d ${SLEEP.join(' ')}`)), [TIMED_OUT]);
  t.strictSame(await screenOf(t, `${fast('midclt -d call system.inof')} 2>&1 | cat`), [
    'Method does not exist',
  ]);
});

test('a failing method’s own text is left as it is', async (t) => {
  const lines = await screenOf(t, "midclt -d call test.fail 2 'Call timeout'");
  t.equal(lines[0], '[ENOENT] Call timeout');
});
