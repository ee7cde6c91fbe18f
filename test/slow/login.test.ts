/** `midclt login NAME` as a person meets it, on a terminal. */
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import * as kit from '../../lib/sandbox/kit/index.js';
import { KEY, PONG, SECRET, startServer, type Server } from '../support/login.js';
import { BINARY, makeHome, midclt, missing, shell, until } from '../support/midclt.js';
import { onTerminal, punctual, type TerminalRun } from '../support/terminal.js';

const skip = missing('script', 'stty', 'setsid');
const test = (name: string, body: (t: Test) => Promise<void>) => t.test(name, { skip }, body);

type Step = readonly [prompt: string, keys: string];

interface Login {
  readonly code: number | null;
  /** What stands on the screen, without the last line. */
  readonly screen: string;
  readonly written: string;
  /** Of the last line: whether the terminal is as it was. */
  readonly echoes: boolean;
}

const CERTIFICATE: Step = ['from now on? [y/N] ', 'y\r'];
const ASKS_KEY = 'API key (Enter to use a password): ';
const PASSWORD: Step = ['Password for admin@127.0.0.1: ', 'admin-pw\r'];
const ASKS_TO_MAKE = 'is needed from now on? [Y/n] ';
const DEFAULT: Step = ['Make this system the default? [Y/n] ', '\r'];

function start(t: Test, home: string, command: string, uri = ''): TerminalRun {
  const echoes = `stty -a | grep -q -w -e '-echo' -e '-icanon' -e '-isig' && echo SILENT || echo ECHOES`;
  const line = `trap : INT; stty echo; ulimit -c 0; ${command}; code=$?; ${echoes}; exit $code`;
  return onTerminal(t, line, { home, columns: 300, env: { URI: uri } });
}

/** Each prompt is waited for behind the one before it. */
async function answered(terminal: TerminalRun, steps: readonly Step[]): Promise<Login> {
  let from = 0;
  for (const [prompt, keys] of steps) {
    const at = await until(`the prompt '${prompt}'`, () => {
      const found = terminal.written().indexOf(prompt, from);
      const isOver = terminal.written().includes('ECHOES') || terminal.written().includes('SILENT');
      if (found === -1 && isOver) throw new Error(`no '${prompt}' in ${terminal.written()}`);
      return found === -1 ? null : { found };
    });
    from = at.found + prompt.length;
    terminal.type(keys);
  }
  const code = await terminal.finished;
  const lines = terminal.screen.lines;
  const written = terminal.written();
  return {
    code,
    screen: punctual(lines.slice(0, -1)).join('\n'),
    written,
    echoes: lines.at(-1) === 'ECHOES',
  };
}

const login = (
  t: Test,
  { home, ws }: Pick<Server, 'home' | 'ws'>,
  command: string,
  ...steps: Step[]
) => answered(start(t, home, command, ws), steps);

const directoryOf = (home: string) => `${home}/.config/midclt`;
const profilesOf = (home: string) => fs.readFileSync(`${directoryOf(home)}/profiles.toml`, 'utf8');
const keyOf = (home: string) => `${directoryOf(home)}/keys/nas1`;
const modeOf = (file: string) => (fs.statSync(file).mode & 0o7777).toString(8);

/** No file at all, if nothing was there before. */
function nothingLeft(t: Test, home: string): void {
  const left = fs.existsSync(directoryOf(home)) ? fs.readdirSync(directoryOf(home)) : [];
  const keys = left.includes('keys') ? fs.readdirSync(`${directoryOf(home)}/keys`) : [];
  t.strictSame([...left.filter((each) => each !== 'keys'), ...keys], [], 'nothing is left');
}

test('with a key that one has', async (t) => {
  const server = await startServer(t);
  const { home, wss } = server;
  const host = wss.replace(/^wss:\/\/|\/api.*/g, '');
  const { code, screen, written, echoes } = await login(
    ...[t, server, 'umask 0; midclt login -g lab nas1'],
    ['Host: ', `127.0.0.2x\x7f\x7f1${host.slice(9)}\r`],
    ['User [truenas_admin]: ', 'wrong\x15admin\r'],
    CERTIFICATE,
    [ASKS_KEY, 'not-a-key\r'],
    [`digits\r\n${ASKS_KEY}`, `${KEY}\r`],
    DEFAULT,
  );
  t.equal(code, 0);
  t.ok(echoes);
  const { fingerprint256 } = new X509Certificate(server.sandbox.certificate ?? '');
  t.equal(
    screen.replace(/\d{4}-\d\d-\d\d/g, 'DAY').replace(/names .*/, 'names'),
    [
      `Host: ${host}`,
      'User [truenas_admin]: admin',
      `The certificate of ${host} is not trusted: the certificate is self-signed`,
      '  subject  CN=midclt sandbox',
      '  issuer   itself',
      '  valid    from DAY to DAY',
      '  names',
      `  SHA-256  sha256:${fingerprint256}`,
      `Trust it for ${host} from now on? [y/N] y`,
      ASKS_KEY.trim(),
      'That is no API key: a number, a hyphen, letters and digits',
      ASKS_KEY.trim(),
      'Make this system the default? [Y/n]',
      "Added the profile 'nas1', which is the default now. Try it: midclt -p nas1 ping",
    ].join('\n'),
  );
  t.notMatch(written, SECRET.slice(0, 8));
  t.equal(
    profilesOf(home),
    `default = "nas1"\n\n[profile.nas1]\nuri = "${wss}"\nusername = "admin"\napi_key_file = "${keyOf(home)}"\n` +
      'groups = [ "lab" ]\n',
  );
  t.match(
    fs.readFileSync(`${directoryOf(home)}/trusted`, 'utf8'),
    `\n${host} sha256:${fingerprint256}\n`,
  );
  t.equal(fs.readFileSync(keyOf(home), 'utf8'), `${KEY}\n`);
  const modes = [directoryOf(home), `${directoryOf(home)}/keys`, keyOf(home)].map(modeOf);
  t.strictSame(modes, ['700', '700', '600']);
  t.equal(modeOf(`${directoryOf(home)}/profiles.toml`), '600');
  t.match(await midclt(['ping'], { home }), { code: 0, stdout: 'pong\n' });

  const again = await login(t, server, 'midclt login nas1');
  t.match(again, {
    code: 1,
    screen: /^Error: There is a profile 'nas1' in .* 'midclt profile remove nas1' removes it$/,
  });
  t.match(await midclt(['profile', 'remove', 'nas1'], { home }), {
    code: 0,
    stderr: `: 'midclt -u ${wss} -U admin call api_key.delete ${KEY.split('-')[0] ?? ''}'\n`,
  });
  t.notOk(fs.existsSync(keyOf(home)), 'nor is the key there any more');
});

test('with a password, and a key that is made', async (t) => {
  const server = await startServer(t);
  const { home, sandbox, ws } = server;
  const command = 'midclt login nas1 -u "$URI" -U admin';
  const { code, screen, written } = await login(
    ...[t, server, command],
    [ASKS_KEY, '\r'],
    PASSWORD,
    [ASKS_TO_MAKE, 'perhaps\r'],
    [`'n' for no\r\nMake an API key`, 'YES\r'],
    ['Make this system the default? [Y/n] ', 'n\r'],
  );
  t.equal(code, 0);
  t.match(
    screen,
    /\nMade the API key 6 \('midclt nas1 on [^ ]+ [-0-9]{10}T[:0-9]{8}Z'\)\nAdded the profile 'nas1'\. Try it: midclt -p nas1 ping$/,
  );
  t.notMatch(written, 'admin-pw');
  const key = fs.readFileSync(keyOf(home), 'utf8');
  t.match(key, /^6-[A-Za-z0-9]{64}\n$/);
  t.equal(modeOf(keyOf(home)), '600');
  t.notMatch(written, key.slice(2, 20));
  t.notMatch(profilesOf(home), /default|insecure/);
  t.match(sandbox.stats.loginsBy, { PASSWORD_PLAIN: 1, SCRAM: 1 }, 'the key has logged in');
  t.match(await midclt(['-p', 'nas1', 'ping'], { home }), { code: 0, stdout: 'pong\n' });

  await midclt(['profile', 'remove', 'nas1'], { home });
  const without = await login(
    ...[t, server, 'midclt login nas1 -u "$URI" -U admin -P admin-pw'],
    [ASKS_TO_MAKE, 'n\r'],
    DEFAULT,
  );
  t.match(without, {
    code: 0,
    screen: /\nThe password is not kept: it is asked for where it is needed\n/,
  });
  t.equal(
    profilesOf(home),
    `default = "nas1"\n\n[profile.nas1]\nuri = "${ws}"\nusername = "admin"\n`,
  );
  t.notOk(fs.existsSync(keyOf(home)));
  t.equal(sandbox.countOf('api_key.create'), 1);
});

test('an account with one-time codes', async (t) => {
  const server = await startServer(t);
  const { code } = await login(
    ...[t, server, 'midclt login nas1 -u "$URI" -U otp'],
    [ASKS_KEY, '\r'],
    ['Password for otp@127.0.0.1: ', 'otp-pw\r'],
    ['One-time code: ', '000000\r'],
    ['Invalid one-time code, try again: ', '123456\r'],
    [ASKS_TO_MAKE, '\r'],
    DEFAULT,
  );
  t.equal(code, 0);
  t.match(await midclt(['-p', 'nas1', 'call', 'auth.me'], { home: server.home }), { code: 0 });
});

test('what is refused leaves nothing', async (t) => {
  const server = await startServer(t);
  const { home, sandbox, wss } = server;
  const refused = await login(...[t, server, `midclt login nas1 -u ${wss} -U admin`], [
    'from now on? [y/N] ',
    '\r',
  ]);
  t.match(refused, {
    ...{ code: 1, echoes: true },
    screen:
      /\nError: The certificate of .* 'midclt -u wss:\S+ -U admin --ca-file FILE login nas1'\. No profile was made$/,
  });
  t.strictSame(sandbox.received, [], 'the server was sent nothing');
  t.equal(sandbox.stats.connections, 0);
  const trusted = `NODE_EXTRA_CA_CERTS=$HOME/ca.pem midclt login nas1 -u ${wss.replace('127.0.0.1', 'localhost')} -U admin`;
  fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate ?? '');
  const wrong = await login(
    ...[t, server, trusted],
    [ASKS_KEY, '\r'],
    ['Password for admin@localhost: ', 'nonsense\r'],
    ['password, try again\r\nPassword for admin@localhost: ', 'nonsense\r'],
    ['password, try again\r\nPassword for admin@localhost: ', 'nonsense\r'],
  );
  t.match(wrong, {
    code: 1,
    screen: /\nError: Failed to login: Invalid username or password\. No profile was made$/,
  });
  t.notMatch(wrong.written, 'nonsense');
  const key = await login(t, server, 'midclt login nas1 -u "$URI" -U admin', [
    ASKS_KEY,
    `${KEY}x\r`,
  ]);
  t.match(key, {
    code: 1,
    screen: /\nError: Failed to login: Invalid API key: [^]*No profile was made$/,
  });
  const odd = await login(
    ...[t, server, 'midclt login nas1 -u "$URI" -U admin'],
    ...Array.from({ length: 3 }, (): Step => [ASKS_KEY, `${KEY.slice(2)}\r`]),
  );
  t.match(odd, {
    code: 1,
    screen: /\nError: That is no API key[^\n]*'midclt -u [^\n]* -U admin login nas1' asks again$/,
  });
  t.notMatch(key.written + odd.written, SECRET.slice(0, 8));
  const nowhere = await login(
    ...[t, server, 'midclt login nas1'],
    ['Host: ', 'not a host\r'],
    ['no URI of a middleware', '\r'],
    ['Type the name or the address of the system\r\nHost: ', '127.0.0.1:9\r'],
    ['User [truenas_admin]: ', '\r'],
  );
  t.match(nowhere, {
    code: 1,
    screen:
      /\nError: Cannot connect to wss:\/\/127.0.0.1:9\/api\/current: connection refused \(ECONNREFUSED\)\. Is the middleware running there\? No profile was made$/,
  });
  t.notOk(nowhere.screen.includes('API key'), 'no secret was asked for');
  nothingLeft(t, home);
  fs.mkdirSync(`${directoryOf(home)}/keys`, { recursive: true, mode: 0o700 });
  fs.writeFileSync(keyOf(home), 'somebody needs it');
  const taken = await login(t, server, 'midclt login nas1');
  t.match(taken, {
    code: 1,
    screen:
      /^Error: There is a key in .*\/keys\/nas1 already: give it with -K, or remove it \('rm .*\/keys\/nas1'\)$/,
  });
  t.equal(fs.readFileSync(keyOf(home), 'utf8'), 'somebody needs it');
});

test('a third wrong answer says what was not kept, and how to go on', async (t) => {
  const server = await startServer(t);
  const { home, wss, sandbox } = server;
  fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate ?? '');
  const uri = wss.replace('127.0.0.1', 'localhost');
  const asksDefault = DEFAULT[0];
  const { code, screen, written } = await login(
    ...[t, server, `midclt --ca-file ca.pem login nas1 -g lab -U admin -P admin-pw`],
    ['Host: ', `${uri}\r`],
    [ASKS_TO_MAKE, '\r'],
    [asksDefault, 'maybe\r'],
    [asksDefault, '2\r'],
    [asksDefault, 'yep\r'],
  );
  t.equal(code, 1);
  const last = screen.split('\n').at(-1);
  const again = `midclt -u ${uri} -U admin --ca-file ${fs.realpathSync(home)}/ca.pem login nas1 -g lab`;
  t.equal(
    last,
    `Error: Type 'y' for yes or 'n' for no (asked three times). No profile was made, and nothing was kept; '${again}' asks again`,
  );
  t.notMatch(written, 'admin-pw');
  t.equal(sandbox.countOf('api_key.create'), 0, 'nor was a key made at the server');
  nothingLeft(t, home);
  const elsewhere = `cd / && ${again}`;
  const pasted = await login(
    ...[t, server, elsewhere],
    [ASKS_KEY, `${KEY}\r`],
    [asksDefault, 'y\r'],
  );
  t.equal(pasted.code, 0, 'the command can be pasted, in another folder, too');
});

test('a key that is given as a key file has it is kept like one that is typed', async (t) => {
  const server = await startServer(t);
  const { home } = server;
  const [asksDefault] = DEFAULT;
  const command = `midclt -u "$URI" -U admin -K '{"raw_key": "${KEY}"}' login nas1`;
  const wrong = Array.from({ length: 3 }, (): Step => [asksDefault, 'maybe\r']);
  const unanswered = await login(t, server, command, ...wrong);
  t.match(unanswered, { code: 1, screen: /'midclt -u \S+ -U admin login nas1' asks again$/ });
  nothingLeft(t, home);
  const kept = await login(t, server, command, [asksDefault, 'y\r']);
  t.equal(kept.code, 0);
  t.notMatch(unanswered.written + kept.written + profilesOf(home), SECRET.slice(0, 8));
  t.match(fs.readFileSync(keyOf(home), 'utf8'), SECRET);
  t.match(await midclt(['-p', 'nas1', 'call', 'core.ping'], { home }), PONG);
});

const WAY: readonly Step[] = [
  ['Host: ', '$WSS\r'],
  ['User [truenas_admin]: ', 'admin\r'],
  CERTIFICATE,
  [ASKS_KEY, '\r'],
  PASSWORD,
  [ASKS_TO_MAKE, '\r'],
  DEFAULT,
];

for (const [key, keys, code] of [
  ['Ctrl-C', '\x03', 130],
  ['Ctrl-D', '\x04', 1],
  ['Ctrl-Z', '\x1a', 1],
] as const)
  test(`${key} at each prompt leaves nothing, and the terminal as it was`, async (t) => {
    const server = await startServer(t);
    const way = WAY.map(([prompt, typed]): Step => [prompt, typed.replace('$WSS', server.wss)]);
    for (const [i, [prompt]] of way.entries()) {
      const steps: Step[] = [...way.slice(0, i), [prompt, keys]];
      const run = await login(t, server, 'midclt login nas1', ...steps);
      t.match(run, { code, echoes: true }, prompt);
      if (code === 1) {
        const system = i < 2 ? '' : `-u ${server.wss} -U admin `;
        const end = `No profile was made, and nothing was kept; 'midclt ${system}login nas1' asks again`;
        t.ok(run.screen.endsWith(end), `${prompt}: how to go on`);
      }
      nothingLeft(t, server.home);
    }
    t.equal(server.sandbox.countOf('api_key.create'), 0, 'and no key at the server');
  });

test('SIGTERM and the end of the terminal at a prompt that shows', async (t) => {
  const server = await startServer(t);
  const command = `sh -c 'echo $$ >pid; exec "$NODE" "$BINARY" login nas1'`;
  const pid = () => Number(fs.readFileSync(`${server.home}/pid`, 'utf8'));
  const terminal = start(t, server.home, command);
  await until('the prompt', () => terminal.written().includes('Host: '));
  process.kill(pid(), 'SIGTERM');
  t.equal(await terminal.finished, 143);
  t.equal(terminal.screen.lines.at(-1), 'ECHOES');
  const other = start(t, server.home, `trap '' HUP; ${command}; echo $? >code`);
  await until('the prompt', () => other.written().includes('Host: '));
  other.hangUp();
  await until('the end', () => fs.existsSync(`${server.home}/code`));
  nothingLeft(t, server.home);
});

test('without a terminal it says what scripts use', async (t) => {
  const home = makeHome(t);
  const run = await shell(`setsid -w "${process.execPath}" "${BINARY}" login nas1 </dev/null`, {
    home,
  });
  t.match(run, {
    ...{ code: 1, stdout: '' },
    stderr:
      "Error: There is no terminal to ask on; for scripts there is 'midclt profile add nas1 -u URI -U USER -K FILE'\n",
  });
  nothingLeft(t, home);
});

test('a key file is kept as a path, and what else is said with options', async (t) => {
  const server = await startServer(t);
  const { home, wss } = server;
  fs.writeFileSync(`${home}/key.json`, JSON.stringify({ raw_key: KEY, username: 'admin' }), {
    mode: 0o600,
  });
  const run = await login(
    ...[t, server, `midclt login nas1 -u ${wss} -K key.json --insecure --no-channel-binding`],
    DEFAULT,
  );
  t.match(run, { code: 0 });
  t.equal(
    profilesOf(home),
    `default = "nas1"\n\n[profile.nas1]\nuri = "${wss}"\napi_key_file = "${home}/key.json"\ninsecure = true\nno_channel_binding = true\n`,
  );
  t.notOk(fs.existsSync(`${directoryOf(home)}/keys`));
  const second = await login(t, server, 'midclt login nas2 -u "$URI" -K missing.json');
  t.match(second, { code: 1, screen: /^Error: [^\n]*$/ });
});

test('the middleware of this machine asks for nothing', async (t) => {
  const server = await startServer(t);
  const run = await login(
    ...[t, server, 'midclt login here'],
    ['Host: ', `${server.home}/mw.sock\r`],
    DEFAULT,
  );
  t.match(run, { code: 0 });
  t.equal(
    profilesOf(server.home),
    `default = "here"\n\n[profile.here]\nuri = "ws+unix://${server.home}/mw.sock"\n`,
  );
  const strict = await startServer(t, { unixIsRoot: false });
  const refused = await login(...[t, strict, 'midclt login here'], [
    'Host: ',
    `${strict.home}/mw.sock\r`,
  ]);
  t.match(refused, {
    code: 1,
    screen:
      /\nError: The middleware of this machine lets in only root .* with -U\. No profile was made$/,
  });
});

test('a server before 26 is sent the key itself, if that is wanted', async (t) => {
  const server = await startServer(t, { scram: false, version: '25.10.0' });
  const plain = 'Send it the key itself, now and from now on? [Y/n] ';
  const no = await login(
    ...[t, server, 'midclt login nas1 -u "$URI" -U admin'],
    [ASKS_KEY, `${KEY}\r`],
    [plain, 'n\r'],
  );
  t.match(no, { code: 1, screen: /\nError: The API key was not sent\. No profile was made$/ });
  t.equal(server.sandbox.stats.logins, 0);
  const yes = await login(
    ...[t, server, 'midclt login nas1 -u "$URI" -U admin -P admin-pw'],
    [ASKS_TO_MAKE, '\r'],
    [plain, '\r'],
    DEFAULT,
  );
  t.equal(yes.code, 0);
  t.match(profilesOf(server.home), /\nplain = true\n/);
  t.match(await midclt(['-p', 'nas1', 'ping'], { home: server.home }), {
    code: 0,
    stdout: 'pong\n',
  });
});

/** A server whose keys are what a test says. */
async function canned(t: Test, methods: NonNullable<kit.SandboxOptions['methods']>) {
  const sandbox = await kit.startSandbox({ ws: true, methods });
  t.teardown(() => sandbox.close());
  return { home: makeHome(t), ws: sandbox.uri, sandbox };
}

const MADE: readonly Step[] = [[ASKS_TO_MAKE, '\r'], DEFAULT];
const WITH_PASSWORD = 'midclt login nas1 -u "$URI" -U admin -P password';

test('a key that the server does not make', async (t) => {
  const refuse = () => {
    throw new kit.CallError('Changes to API keys are not permitted in GPOS STIG mode', 'EACCES');
  };
  const server = await canned(t, { 'api_key.create': refuse });
  const run = await login(t, server, WITH_PASSWORD, ...MADE);
  t.match(run, { code: 0 });
  t.match(
    run.screen,
    /\n127\.0\.0\.1:\d+ made no API key: \[EACCES\] Changes to API keys are not permitted in GPOS STIG mode\nThe password is not kept: .*\nAdded the profile 'nas1'/,
  );
  t.notMatch(profilesOf(server.home), 'api_key_file');
  t.notOk(fs.existsSync(keyOf(server.home)));
});

test('a key that is made and does not log in is deleted again, or named', async (t) => {
  const key = `7-${'A'.repeat(64)}`;
  const deleted: unknown[] = [];
  const create = { 'api_key.create': { id: 7, key } };
  const server = await canned(t, { ...create, 'api_key.delete': (params) => deleted.push(params) });
  const run = await login(t, server, WITH_PASSWORD, ...MADE);
  t.equal(run.code, 0);
  t.match(run.screen, /made does not log in: [^\n]*\nThe API key 7 was deleted again at 127/);
  t.strictSame(deleted, [[7]]);
  t.notMatch(profilesOf(server.home), 'api_key_file');
  t.notMatch(run.written, 'AAAA');
  const other = await canned(t, create);
  const named = await login(t, other, WITH_PASSWORD, ...MADE);
  t.match(
    named.screen,
    /\nThe API key 7 \('midclt nas1 on .*'\) is still valid at 127.*; delete it there\n/,
  );
});

test('a key that cannot be kept is deleted again, and no file stays', async (t) => {
  const server = await startServer(t);
  const { home, sandbox } = server;
  fs.mkdirSync(directoryOf(home), { recursive: true, mode: 0o700 });
  const inline = 'default = "a"\nprofile = {a = {uri = "ws://a"}}\n';
  fs.writeFileSync(`${directoryOf(home)}/profiles.toml`, inline, { mode: 0o600 });
  const run = await login(...[t, server, 'midclt login nas1 -u "$URI" -U admin -P admin-pw'], [
    ASKS_TO_MAKE,
    '\r',
  ]);
  t.match(run, { code: 1, screen: /\nThe API key 6 was deleted again at .*\nError: [^\n]*$/ });
  t.equal(sandbox.countOf('api_key.delete'), 1);
  t.equal(profilesOf(home), inline);
  t.notOk(fs.existsSync(keyOf(home)));
});

test('Ctrl-C while a key is made tells what may be left at the server', async (t) => {
  const asked = { is: false };
  const server = await canned(t, {
    'api_key.create': () => {
      asked.is = true;
      return new Promise(() => undefined);
    },
  });
  const terminal = start(t, server.home, WITH_PASSWORD, server.ws);
  const over = answered(terminal, MADE);
  await until('the call', () => asked.is);
  terminal.type('\x03');
  const run = await over;
  t.match(run, { code: 130, echoes: true });
  t.match(run.screen, /An API key 'midclt nas1 on .*' may have been made at 127.* all the same/);
  nothingLeft(t, server.home);
});
