/** Passwords and one-time codes that are asked for on a terminal. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startServer, type Server } from '../../support/login.js';
import { missing, until } from '../../support/midclt.js';
import { onTerminal, type TerminalRun } from '../../support/terminal.js';

const skip = missing('script', 'stty', 'setsid');
const test = (name: string, body: (t: Test) => Promise<void>) => t.test(name, { skip }, body);

/** A command on a terminal that echoes what is typed, and whether it still does so at the end. */
function on(t: Test, { home, ws }: Server, command: string, env: NodeJS.ProcessEnv = {}) {
  const echoes = `stty -a | grep -q -w -e '-echo' -e '-icanon' -e '-isig' && echo SILENT || echo ECHOES`;
  return onTerminal(t, `stty echo; ${command}; code=$?; ${echoes}; exit $code`, {
    home,
    env: { URI: ws, ...env },
  });
}

/** Waits for the prompt to stand there (the n-th time), then types. */
async function answer(
  { written, type }: TerminalRun,
  prompt: string,
  keys: string | Buffer,
  n = 1,
) {
  await until(`the prompt ${prompt}`, () => written().split(prompt).length > n);
  type(keys);
}

const PROMPT = 'Password for admin@127.0.0.1: ';
const CALL = 'midclt -u "$URI" -U admin call core.ping';

test('what is typed logs in and is not shown, and the terminal is as before', async (t) => {
  const server = await startServer(t);
  const terminal = on(t, server, CALL);
  await answer(terminal, PROMPT, 'admin-pw\r');
  t.equal(await terminal.finished, 0);
  t.strictSame(terminal.screen.lines, [PROMPT.trim(), 'pong', 'ECHOES']);
  t.notMatch(terminal.written(), 'admin-pw');
});

test('the terminal of these tests does echo', async (t) => {
  const terminal = on(t, await startServer(t), 'printf "Name: "; read x; echo "<$x>"');
  await answer(terminal, 'Name: ', 'seen\r');
  await terminal.finished;
  t.strictSame(terminal.screen.lines, ['Name: seen', '<seen>', 'ECHOES']);
});

test('a wrong password is an error, and the next command asks anew', async (t) => {
  const server = await startServer(t);
  const terminal = on(t, server, `${CALL}; ${CALL}`);
  await answer(terminal, PROMPT, 'nonsense\n');
  await answer(terminal, PROMPT, 'admin-pw\n', 2);
  t.equal(await terminal.finished, 0);
  t.match(
    terminal.screen.lines.join('\n'),
    /^Password for admin@127\.0\.0\.1:\nError: [^]*Invalid username or password\n/,
  );
  t.strictSame(terminal.screen.lines.slice(-3), [PROMPT.trim(), 'pong', 'ECHOES']);
  t.notMatch(terminal.written(), /nonsense|admin-pw/);
});

for (const [what, keys, expected] of [
  ['backspace takes back a character', 'xé\x7f\x7fadmin-pé\bw\r', 'admin-pw'],
  ['Ctrl-U takes back the line', 'wrong\x15admin-pw\r', 'admin-pw'],
  ['an arrow key is no part of it', 'admin\x1b[D-pw\x1b[A\r', 'admin-pw'],
  ['Ctrl-D behind something does nothing', 'admin\x04-pw\r', 'admin-pw'],
  ['what is pasted may be any text', 'pä ss\u{1f511}wörd\r', 'pä ss\u{1f511}wörd'],
] as const)
  test(what, async (t) => {
    const server = await startServer(t);
    const terminal = on(t, server, CALL);
    await answer(terminal, PROMPT, keys);
    await terminal.finished;
    const { params } = JSON.parse(server.sandbox.received[0] ?? '') as { params: unknown };
    t.match(params, [{ password: expected }]);
  });

for (const [what, keys, code, text] of [
  ['Ctrl-C', 'half\x03', 130, /^Password for admin@127\.0\.0\.1:\n(?!Error)/],
  ['Ctrl-\\', '\x1c', 131, /^Password for admin@127\.0\.0\.1:\n(?!Error)/],
  [
    'Ctrl-D',
    '\x04',
    1,
    /^Password for admin@127\.0\.0\.1:\nError: The prompt was aborted: nothing was typed\n/,
  ],
  ['Ctrl-Z', '\x1a', 1, /^Password for admin@127\.0\.0\.1:\nError: The prompt was aborted/],
] as const)
  for (const [command, call] of [
    ['call', CALL],
    ['daemon', 'midclt -u "$URI" -U admin daemon'],
  ] as const)
    test(`${what} at the prompt of ${command} ends it, and the terminal echoes again`, async (t) => {
      const server = await startServer(t);
      const terminal = on(t, server, `ulimit -c 0; ${call}`);
      await answer(terminal, PROMPT, keys);
      t.equal(await terminal.finished, code);
      t.match(terminal.screen.lines.join('\n'), text);
      t.equal(terminal.screen.lines.at(-1), 'ECHOES');
      t.equal(server.sandbox.stats.connections, 0, 'and nobody was connected to');
    });

for (const signal of ['TERM', 'INT', 'HUP'])
  test(`SIG${signal} at the prompt leaves a terminal that echoes`, async (t) => {
    const server = await startServer(t);
    const run = `sh -c 'echo $$ >pid; exec "$NODE" "$BINARY" -u "$URI" -U admin ping'`;
    const terminal = on(t, server, run);
    await until('the prompt', () => terminal.written().includes(PROMPT));
    process.kill(Number(fs.readFileSync(`${server.home}/pid`, 'utf8')), `SIG${signal}`);
    t.equal(await terminal.finished, { TERM: 143, INT: 130, HUP: 129 }[signal]);
    t.equal(terminal.screen.lines.at(-1), 'ECHOES');
  });

test('stdin and the outputs may be anything: the terminal is asked', async (t) => {
  const server = await startServer(t);
  const command = `echo '[1]' | midclt -u "$URI" -U admin call test.echo - 2>err | cat >out`;
  const terminal = on(t, server, command);
  await answer(terminal, PROMPT, 'admin-pw\r');
  await terminal.finished;
  t.equal(fs.readFileSync(`${server.home}/out`, 'utf8'), '[[1]]\n');
  t.equal(fs.readFileSync(`${server.home}/err`, 'utf8'), '');
  t.strictSame(terminal.screen.lines, [PROMPT.trim(), 'ECHOES']);
});

test('-P - asks when stdin is the terminal', async (t) => {
  const server = await startServer(t);
  for (const option of ['-P -', '--password-file -', `-P ''`]) {
    const terminal = on(t, server, `midclt -u "$URI" -U admin ${option} call core.ping`);
    await answer(terminal, PROMPT, 'admin-pw\r');
    t.equal(await terminal.finished, 0, option);
  }
});

test('without a controlling terminal, a stdin that is one will do', async (t) => {
  const server = await startServer(t);
  const terminal = on(t, server, 'setsid -w "$NODE" "$BINARY" -u "$URI" -U admin call core.ping');
  await answer(terminal, PROMPT, 'admin-pw\r');
  t.equal(await terminal.finished, 0);
  t.strictSame(terminal.screen.lines, [PROMPT.trim(), 'pong', 'ECHOES']);
});

test('a one-time code is asked for when the server wants one', async (t) => {
  const server = await startServer(t);
  const terminal = on(t, server, 'midclt -u "$URI" -U otp call core.ping');
  await answer(terminal, 'Password for otp@127.0.0.1: ', 'otp-pw\r');
  await answer(terminal, 'One-time code: ', '123456\r');
  t.equal(await terminal.finished, 0);
  t.strictSame(terminal.screen.lines, [
    'Password for otp@127.0.0.1:',
    'One-time code:',
    'pong',
    'ECHOES',
  ]);
  t.notMatch(terminal.written(), /otp-pw|123456/);
});

const OTP = 'midclt -u "$URI" -U otp -P otp-pw call core.ping';

test('a wrong code may be typed anew, three times in all', async (t) => {
  const server = await startServer(t);
  const again = 'Invalid one-time code, try again: ';
  let terminal = on(t, server, OTP);
  await answer(terminal, 'One-time code: ', '000000\r');
  await answer(terminal, again, '123456\r');
  t.equal(await terminal.finished, 0);
  t.strictSame(terminal.screen.lines.slice(1), [again.trim(), 'pong', 'ECHOES']);
  t.equal(server.sandbox.countOf('auth.login_ex'), 4, 'each time from the password on');

  terminal = on(t, server, OTP);
  await answer(terminal, 'One-time code: ', '000000\r');
  await answer(terminal, again, '000001\r');
  await answer(terminal, again, '000002\r', 2);
  t.equal(await terminal.finished, 1);
  t.equal(terminal.screen.lines.at(-2), 'Error: Failed to login: Invalid one-time code');
  t.equal(server.sandbox.countOf('auth.login_ex'), 10);
});

test('Ctrl-C and signals at the prompt for a code end a daemon', async (t) => {
  const server = await startServer(t);
  const daemon = OTP.replace('call core.ping', 'daemon');
  const terminal = on(t, server, daemon);
  await answer(terminal, 'One-time code: ', '12\x03');
  t.equal(await terminal.finished, 130);
  t.strictSame(terminal.screen.lines, ['One-time code:', 'ECHOES']);
  const run = `sh -c 'echo $$ >pid; exec "$NODE" "$BINARY" -u "$URI" -U otp -P otp-pw daemon'`;
  const second = on(t, server, run);
  await until('the prompt', () => second.written().includes('One-time code: '));
  process.kill(Number(fs.readFileSync(`${server.home}/pid`, 'utf8')), 'SIGTERM');
  t.equal(await second.finished, 0);
  t.strictSame(second.screen.lines, ['One-time code:', 'ECHOES']);
});

test('with -d nothing is asked', async (t) => {
  const server = await startServer(t);
  const d = 'midclt -u "$URI" -U admin -d';
  const daemon = on(t, server, `midclt -u "$URI" -U admin daemon`);
  await answer(daemon, PROMPT, 'admin-pw\r');
  await until('the daemon', () => daemon.written().includes('Accepting connections'));
  const batch = `echo '{"command":"ping"}' | ${d} batch`;
  const stop = 'midclt -u "$URI" -U admin daemon-stop';
  const calls = on(t, server, `${d} call core.ping; ${d} ping; ${batch}; ${stop}`);
  t.equal(await calls.finished, 0);
  const pong = '{"type":"result","result":"pong"}';
  t.strictSame(calls.screen.lines, ['pong', 'pong', pong, 'Daemon shutting down', 'ECHOES']);
  t.equal(await daemon.finished, 0);
});
