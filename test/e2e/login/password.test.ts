/** Where a password comes from, without a terminal. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { KEY, PONG, startServer, type Server } from '../../support/login.js';
import { startRelay } from '../../support/relay.js';
import {
  BINARY,
  environment,
  finished,
  midclt,
  missing,
  shell,
  type RunOptions,
} from '../../support/midclt.js';

const skip = missing('setsid', 'setpriv');
const test = (name: string, body: (t: Test) => Promise<void>) => t.test(name, { skip }, body);

/** A shell's command line in a session without a terminal; `M` is midclt with its URI. */
function detached(server: Server, command: string, options: Partial<RunOptions> = {}) {
  fs.writeFileSync(`${server.home}/run.sh`, command);
  const { env, ...rest } = options;
  const M = `"${process.execPath}" "${BINARY}"`;
  return shell('exec setsid -w sh run.sh', {
    home: server.home,
    ...rest,
    env: { M, MIDCLT_URI: server.ws, ...env },
  });
}

const asked = (user: string) =>
  `There is no terminal to ask for ${user}'s password on; give it with`;
const error = (text: string | RegExp) => ({ code: 1, stdout: '', stderr: text });

test('without a terminal nobody is asked: an error at once that says what to give', async (t) => {
  const server = await startServer(t);
  for (const command of ['call core.ping', 'ping', 'daemon', 'subscribe x', 'batch /dev/null']) {
    const run = await detached(server, `eval "$M -U admin ${command}"`, { input: 'admin-pw\n' });
    const text = `Error: ${asked('admin')} -P, --password-file or MIDCLT_PASSWORD\n`;
    t.same(run, { ...error(text), signal: null }, command);
  }
  t.equal(server.sandbox.stats.connections, 0);
  const otp = await detached(server, 'eval "$M -U otp -P otp-pw ping"', { input: '123456\n' });
  t.match(
    otp,
    error('Error: Failed to login: The account wants a one-time code: give it with --otp\n'),
  );
});

test('a loop over a file loses none of it', async (t) => {
  const server = await startServer(t);
  const loop = 'while read x; do echo "$x"; eval "$M -U admin $EXTRA call core.ping"; done';
  const input = 'a\nb\nc\n';
  const failed = await detached(server, loop, { input, env: { EXTRA: '' } });
  t.match(failed, { stdout: input, stderr: new RegExp(`^(Error: ${asked('admin')}.*\n){3}$`) });
  const run = await detached(server, loop, { input, env: { EXTRA: '-P admin-pw' } });
  t.match(run, { stdout: 'a\npong\nb\npong\nc\npong\n', stderr: '' });
});

test('the first line of stdin: -P - and --password-file -', async (t) => {
  const server = await startServer(t);
  for (const option of ['-P -', '-P-', '--password=-', '--password-file -']) {
    for (const input of ['admin-pw', 'admin-pw\n', 'admin-pw\r\n', '\uFEFFadmin-pw\nmore\n']) {
      const run = await detached(server, `eval "$M -U admin ${option} call core.ping"`, { input });
      t.match(run, PONG, JSON.stringify([option, input]));
    }
  }
  const both = 'eval "$M -U admin -P - ping"; eval "$M -U reader -P - ping"; cat';
  const run = await detached(server, both, { input: 'admin-pw\nreader-pw\nthe rest\n' });
  t.match(run, { stdout: 'pong\npong\nthe rest\n', stderr: '' }, 'and no more than that');
  const slow = '(sleep 0.2; printf admin; sleep 0.2; echo -pw) | eval "$M -U admin -P - ping"';
  t.match(await detached(server, slow), PONG);
});

test('a password that is none, wherever it comes from', async (t) => {
  const server = await startServer(t);
  const cases: readonly (readonly [string | Buffer, string])[] = [
    ['', 'is empty (its first line counts)'],
    ['\nadmin-pw\n', 'is empty (its first line counts)'],
    ['admin\0pw\n', 'has a NUL byte in it'],
    [Buffer.from([0x61, 0xff, 0x0a]), 'is not valid UTF-8'],
    ['x'.repeat(10_000), 'is too long (over 8192 bytes)'],
  ];
  for (const [input, text] of cases) {
    fs.writeFileSync(`${server.home}/pw`, input, { mode: 0o600 });
    const stdin = await detached(server, 'eval "$M -U admin -P - ping"', { input });
    t.match(stdin, error(`Error: The password on stdin ${text}\n`));
    const file = await detached(server, 'eval "$M -U admin --password-file pw ping"');
    t.match(file, error(`Error: The password file pw ${text}\n`));
  }
  t.equal(server.sandbox.stats.connections, 0);
});

test('a password file: its first line, and a warning when others can read it', async (t) => {
  const server = await startServer(t);
  const run = (file: string) => detached(server, `eval "$M -U admin --password-file ${file} ping"`);
  fs.writeFileSync(`${server.home}/pw`, 'admin-pw\nand a note\n', { mode: 0o600 });
  t.match(await run('pw'), PONG);
  for (const [mode, shown] of [
    [0o644, '0644'],
    [0o640, '0640'],
    [0o602, '0602'],
  ] as const) {
    fs.chmodSync(`${server.home}/pw`, mode);
    const warning = `Warning: other users may read the password file pw (mode ${shown}); make it 0600\n`;
    t.match(await run('pw'), { ...PONG, stderr: warning });
  }
  const missingFile =
    'Error: Cannot read the password file none: no such file or directory (ENOENT)\n';
  t.match(await run('none'), error(missingFile));
  t.match(
    await run('/tmp'),
    error(/^Error: Cannot read the password file \/tmp: [^\n]*EISDIR\)\n$/),
  );
  const pipe = 'mkfifo p; cat pw >p & eval "$M -U admin --password-file p ping"';
  t.match(await detached(server, pipe), PONG, 'a pipe is nobody else’s');
});

const isRoot = process.getuid?.() === 0;
t.test('a password file of somebody else', { skip: skip || !isRoot }, async (t) => {
  const server = await startServer(t);
  const copy = fs.mkdtempSync('/tmp/c-');
  t.teardown(() => {
    fs.rmSync(copy, { recursive: true, force: true });
  });
  fs.cpSync(path.dirname(BINARY), copy, { recursive: true });
  fs.chmodSync(copy, 0o755);
  fs.writeFileSync(`${copy}/pw`, 'admin-pw\n', { mode: 0o600 });
  const ids = ['--reuid=65534', '--regid=65534', '--clear-groups', 'env', '-u', 'NODE_OPTIONS'];
  const login = ['-u', server.ws, '-U', 'admin', '--password-file', `${copy}/pw`, 'ping'];
  const command = [...ids, process.execPath, `${copy}/midclt.js`, ...login];
  const run = await finished(spawn('setpriv', command, { env: environment('/'), cwd: '/' }));
  t.match(
    run,
    error(`Error: Cannot read the password file ${copy}/pw: permission denied (EACCES)\n`),
  );
});

test('stdin for two things, and a password from two places, are wrong usage', async (t) => {
  const server = await startServer(t);
  const stdin = (option: string, other: string) =>
    `midclt: error: argument ${option}: stdin can't be read for the password ('-') and for ${other}\n`;
  const cases: readonly (readonly [string, string])[] = [
    ['-P - call test.echo -', stdin('-P/--password', "an argument ('-')")],
    ['--password-file - call test.echo 1 -', stdin('--password-file', "an argument ('-')")],
    ['-P - batch', stdin('-P/--password', 'the requests')],
    ['-P - batch none -', stdin('-P/--password', 'the requests')],
    [
      '-P x --password-file pw ping',
      'midclt: error: argument --password-file: not allowed with argument -P/--password\n',
    ],
  ];
  for (const [args, stderr] of cases) {
    const run = await detached(server, `eval "$M -U admin ${args}"`, { input: 'admin-pw\n' });
    t.match(run, { code: 2, stdout: '', stderr }, args);
  }
  const file = 'echo \'{"command":"ping"}\' >r; eval "$M -U admin -P - batch r"';
  t.match(await detached(server, file, { input: 'admin-pw\n' }), { code: 0 });
  const echo = await detached(server, 'eval "$M -U admin -P - call test.echo x"', {
    input: 'admin-pw',
  });
  t.match(echo, { code: 0, stdout: '["x"]\n' });
});

test('one-time codes: one try with --otp', async (t) => {
  const server = await startServer(t);
  const run = (more: string) => detached(server, `eval "$M -U otp -P otp-pw ${more} ping"`);
  t.match(await run('--otp 123456'), PONG);
  t.equal(server.sandbox.countOf('auth.login_ex'), 2);
  t.match(await run('--otp 000000'), error('Error: Failed to login: Invalid one-time code\n'));
  t.equal(server.sandbox.countOf('auth.login_ex'), 4);
  t.match(await detached(server, 'eval "$M -U admin -P admin-pw --otp 1 ping"'), PONG, 'not asked');
});

test('the answers of a refused login', async (t) => {
  const server = await startServer(t);
  for (const [login, reason] of [
    ['-U admin -P nonsense', 'Invalid username or password'],
    ['-U noapi -P noapi-pw', 'Account does not have API access'],
    ['-U expired -P expired-pw', 'Account credentials have expired'],
  ] as const) {
    const run = await detached(server, `eval "$M ${login} ping"`);
    t.match(run, error(`Error: Failed to login: ${reason}\n`));
  }
  const urls = '"urls": ["https://10.0.0.2", "https://10.0.0.3"]';
  const answer = `"result": {"response_type": "REDIRECT", ${urls}}, "id"`;
  const down = (text: string) => text.replace(/"result": \{.*\}, "id"/, answer);
  const relay = await startRelay(t, { to: server.ws, down });
  const env = { MIDCLT_URI: `ws://127.0.0.1:${relay.port}/api/current` };
  const run = await detached(server, 'eval "$M -U admin -P admin-pw ping"', { env });
  t.match(
    run,
    error(/^Error: [^\n]*active storage controller: https:\/\/10.0.0.2, https:\/\/10.0.0.3\n$/),
  );
});

test('variables in place of options, which override them', async (t) => {
  const server = await startServer(t, { wss: undefined });
  const { home, ws, sandbox } = server;
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  fs.writeFileSync(`${home}/pw`, 'reader-pw\n', { mode: 0o600 });
  const password = { MIDCLT_USERNAME: 'admin', MIDCLT_PASSWORD: 'admin-pw' };
  const both = { ...password, MIDCLT_API_KEY: KEY };
  const user = (name: string, mechanism: 'SCRAM' | 'PASSWORD_PLAIN') => ({ name, mechanism });
  const cases: readonly (readonly [NodeJS.ProcessEnv, string, ReturnType<typeof user>])[] = [
    [password, '', user('admin', 'PASSWORD_PLAIN')],
    [{ ...password, MIDCLT_URI: 'ws://127.0.0.1:1/' }, `-u ${ws}`, user('admin', 'PASSWORD_PLAIN')],
    [password, '-U reader -P reader-pw', user('reader', 'PASSWORD_PLAIN')],
    [password, '-U reader --password-file pw', user('reader', 'PASSWORD_PLAIN')],
    [{ ...password, MIDCLT_PASSWORD: '-' }, '-P admin-pw', user('admin', 'PASSWORD_PLAIN')],
    [both, '', user('admin', 'SCRAM')],
    [{ ...both, MIDCLT_API_KEY: 'key' }, '', user('admin', 'SCRAM')],
    [both, '-P admin-pw', user('admin', 'PASSWORD_PLAIN')],
    [both, '-U reader --password-file pw', user('reader', 'PASSWORD_PLAIN')],
    [{ ...password, MIDCLT_PASSWORD: 'x' }, '-K key', user('admin', 'SCRAM')],
    [{ ...both, MIDCLT_API_KEY: '' }, '', user('admin', 'PASSWORD_PLAIN')],
  ];
  for (const [env, options, { name, mechanism }] of cases) {
    const before = sandbox.stats.loginsBy[mechanism];
    const run = await detached(server, `eval "$M ${options} call auth.me"`, { env });
    t.match(
      run,
      { code: 0, stdout: `{"pw_name": "${name}"`, stderr: '' },
      JSON.stringify([env, options]),
    );
    t.equal(sandbox.stats.loginsBy[mechanism] - before, 1);
  }
  const failures: readonly (readonly [NodeJS.ProcessEnv, string, string | RegExp])[] = [
    [{ MIDCLT_USERNAME: 'admin', MIDCLT_PASSWORD: '' }, '', asked('admin')],
    [password, `-P ''`, asked('admin')],
    [{ ...password, MIDCLT_PASSWORD: '-' }, '', 'Invalid username or password'],
    [{ MIDCLT_API_KEY: 'x' }, '', /-K \(or MIDCLT_API_KEY\) is neither an API key/],
    [{ MIDCLT_URI: 'x y' }, '', "'x y' is no URI of a middleware"],
    [{ MIDCLT_URI: '' }, '', 'Cannot connect to ws+unix:///run/middleware/middlewared.sock'],
  ];
  for (const [env, options, text] of failures) {
    const run = await detached(server, `eval "$M ${options} ping"`, { env });
    t.match(run, { code: 1, stdout: '', stderr: text }, JSON.stringify([env, options]));
  }
});

test('variables name the daemon, too, and with -d nothing is asked or read', async (t) => {
  const server = await startServer(t);
  const { home, ws } = server;
  await startDaemon(t, {
    around: server,
    uri: ws,
    username: 'admin',
    globals: ['-U', 'admin', '--password-file', '-'],
    input: 'admin-pw\n',
  });
  const env = { MIDCLT_URI: ws, MIDCLT_USERNAME: 'admin' };
  const logins = server.sandbox.stats.logins;
  for (const more of ['', '-P -', '--password-file /none', '-K /none', '--otp 1']) {
    const run = await detached(server, `eval "$M ${more} -d call test.echo -"`, {
      env,
      input: '1',
    });
    t.match(run, { code: 0, stdout: '[1]\n', stderr: '' }, more);
  }
  const batch = await detached(server, 'eval "$M -d -P - batch"', {
    env,
    input: '{"command":"ping"}',
  });
  t.match(batch, { code: 0, stdout: '{"type":"result","result":"pong"}\n' });
  t.match(await detached(server, 'eval "$M -d -U other ping"', { env }), {
    code: 1,
    stderr: /No daemon/,
  });
  t.match(await midclt(['-d', 'ping'], { home }), { code: 1, stderr: /No daemon/ });
  t.equal(server.sandbox.stats.logins, logins);
  t.match(await detached(server, 'eval "$M daemon-stop"', { env }), { code: 0 });
});
