/** A secret is shown nowhere, wherever it comes from and whatever is wrong with it: `doctor`, logs, errors, files. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { KEY, SECRET, startServer, type Server } from '../support/login.js';
import { midclt, type Finished } from '../support/midclt.js';
import { filesBelow } from '../support/two-users.js';

t.setTimeout(600_000);

const PASSWORD = 'admin-pw';
const SLIP = 'Slip0123456789abcdefghij';
const OTP = '123456';
const TOKEN = 'NODE_OPTIONS_hold_no_secret';
/** Each in a part that is long enough to tell. */
const PARTS = [
  PASSWORD,
  'WrongPassw0rd',
  SECRET.slice(0, 12),
  SECRET.slice(-12),
  SLIP.slice(4, 16),
];

interface Way {
  readonly options: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Files with what can be in them, and every way to a password or a key: right, wrong, and with a slip in it. */
function waysOf({ home, ws }: Server): Readonly<Record<string, Way>> {
  const file = (name: string, text: string) => {
    fs.writeFileSync(`${home}/${name}`, text, { mode: 0o600 });
    return `${home}/${name}`;
  };
  const admin = ['-u', ws, '-U', 'admin'];
  const [id = ''] = KEY.split('-');
  const texts: Readonly<Record<string, string>> = {
    key: KEY,
    'wrong key': `${KEY.slice(0, -1)}x`,
    'key with a slip': `${KEY}!`,
    'key of JSON': `{"raw_key": "${KEY}", "username": "admin"}`,
    'key of JSON with a slip': `{"raw_key": "${KEY}", "username": admin}`,
    'key of JSON that is none': `{"raw_key": "${id}-${SLIP}!"}`,
    'key of INI with a slip': `[TRUENAS_API_KEY]\nraw_key = ${KEY}\n${SLIP}\n`,
    'key of derived parts': `{"api_key_id": 1, "client_key": "${SLIP}", "stored_key": "${SLIP}", "server_key": "${SLIP}"}`,
  };
  const ways: Record<string, Way> = {};
  for (const [name, text] of Object.entries(texts)) {
    const path = file(name.replaceAll(' ', '-'), text);
    ways[`${name}, -K`] = { options: [...admin, '--plain', '-K', text] };
    ways[`${name}, MIDCLT_API_KEY`] = {
      options: [...admin, '--plain'],
      env: { MIDCLT_API_KEY: text },
    };
    ways[`${name}, file`] = { options: [...admin, '--plain', '-K', path] };
  }
  for (const password of [PASSWORD, 'WrongPassw0rd', `WrongPassw0rd\0${SLIP}`]) {
    const path = file('password', `${password}\n`);
    const isWhole = !password.includes('\0');
    if (isWhole) ways[`${password}, -P`] = { options: [...admin, '-P', password] };
    if (isWhole) ways[`${password}, env`] = { options: admin, env: { MIDCLT_PASSWORD: password } };
    ways[`${password}, file`] = { options: [...admin, '--password-file', path] };
    ways[`${password}, stdin`] = { options: [...admin, '-P', '-'], input: `${password}\n` };
  }
  ways['both'] = { options: [...admin, '-P', PASSWORD, '-K', KEY] };
  ways['in the URI'] = { options: ['-u', ws.replace('//', `//admin:${PASSWORD}@`)] };
  ways['in the URI of the environment'] = {
    options: [],
    env: { MIDCLT_URI: ws.replace('//', `//admin:${PASSWORD}@`) },
  };
  ways['a one-time code'] = {
    options: ['-u', ws, '-U', 'otp', '-P', 'otp-pw', '--otp', OTP],
  };
  ways['a word too many'] = {
    options: [...admin, `-P${PASSWORD}`, '--api-key', KEY, '--nonsense'],
  };
  ways['of profiles'] = { options: ['-p', 'nas'] };
  ways['of profiles that are wrong'] = { options: ['-p', 'slip'] };
  fs.mkdirSync(`${home}/.config/midclt/keys`, { recursive: true, mode: 0o700 });
  const table = (name: string, key: string) =>
    `[profile.${name}]\nuri = "${ws}"\nusername = "admin"\nplain = true\napi_key_file = "${key}"\n`;
  fs.writeFileSync(
    `${home}/.config/midclt/profiles.toml`,
    table('nas', 'keys/nas') + table('slip', `${home}/key-with-a-slip`),
    { mode: 0o600 },
  );
  fs.writeFileSync(`${home}/.config/midclt/keys/nas`, KEY, { mode: 0o600 });
  return ways;
}

function hasNone(
  t: Test,
  { stdout, stderr }: Pick<Finished, 'stdout' | 'stderr'>,
  what: string,
): void {
  const shown = [...PARTS, 'otp-pw', OTP].filter((each) => `${stdout}${stderr}`.includes(each));
  t.same(shown, [], what);
}

t.test('F32: no command shows a secret that it was given, and nothing keeps one', async (t) => {
  const server = await startServer(t);
  const { home, sandbox } = server;
  const given = new Set(['.config/midclt/keys/nas', 'password']);
  const ways = waysOf(server);
  for (const name of Object.keys(ways)) given.add(name.split(',')[0]!.replaceAll(' ', '-'));
  for (const [name, { options, env = {}, input = '' }] of Object.entries(ways)) {
    const more = { MIDCLT_DEBUG: '1', NODE_EXTRA_CA_CERTS: '', SOME_TOKEN: TOKEN, ...env };
    const run = (...args: string[]) => midclt([...options, ...args], { home, env: more, input });
    const doctor = await run('doctor', '--json');
    hasNone(t, doctor, `${name}: doctor --json`);
    t.notMatch(doctor.stdout, TOKEN, name);
    for (const line of doctor.stdout.split('\n').filter(Boolean)) t.ok(JSON.parse(line), name);
    hasNone(t, await run('doctor'), `${name}: doctor`);
    hasNone(t, await run('call', 'core.ping'), `${name}: call`);
    hasNone(t, await run('daemon', '--detach', '--log-level', 'debug'), `${name}: daemon`);
    hasNone(t, await run('-d', 'call', 'auth.me'), `${name}: -d call`);
    for (const command of ['daemon-status --json', 'daemon-log --json', 'daemon-list --json'])
      hasNone(t, await run(...command.split(' ')), `${name}: ${command}`);
    hasNone(t, await midclt(['profile', 'list', '--json'], { home }), `${name}: profile list`);
    await midclt(['daemon-stop', '--all'], { home });
  }
  t.ok(sandbox.countOf('auth.login_ex') > 20, 'many of them logged in');
  const kept = filesBelow(home).filter((file) => fs.lstatSync(file).isFile());
  t.ok(
    kept.some((file) => file.endsWith('.log')),
    'there are logs',
  );
  for (const file of kept) {
    if (given.has(file.slice(home.length + 1))) continue;
    hasNone(t, { stdout: fs.readFileSync(file, 'latin1'), stderr: '' }, file);
  }
});
