/** `midclt doctor` in situations that people meet: what it says of the thing that is wrong, and its exit code. */
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { startSandbox } from '../../lib/sandbox/index.js';
import { makeCertificate } from '../../lib/sandbox/wire/certificate.js';
import { startDaemon } from '../support/daemon.js';
import { startHostileServer, type Victim } from '../support/hostile-server.js';
import { freeze, ground } from '../support/lifecycle.js';
import { KEY, startServer, WRONG, SECRET } from '../support/login.js';
import {
  BINARY,
  makeHome,
  midclt,
  missing,
  shell,
  until,
  type RunOptions,
} from '../support/midclt.js';
import { startPythonDaemon } from '../support/python-daemon.js';
import { onTerminal } from '../support/terminal.js';

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly message: string;
  readonly advice: string | null;
}

interface Examined {
  readonly code: number | null;
  readonly of: (name: string) => Finding;
  readonly states: Readonly<Record<string, string>>;
}

/** What must stand in no line. */
const SECRETS = ['admin-pw', 'reader-pw', SECRET.slice(0, 12), WRONG.slice(2, 14)];

async function doctor(t: Test, args: readonly string[], options: RunOptions): Promise<Examined> {
  const { code, stdout, stderr } = await midclt([...args, 'doctor', '--json'], options);
  const findings = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Finding);
  const odd = findings.filter(
    (each) =>
      Object.keys(each).join() !== 'name,state,message,advice' ||
      !/^(?:ok|warning|failed|skipped)$/.test(each.state),
  );
  t.strictSame(odd, [], 'each has its members');
  const shown = SECRETS.filter((secret) => `${stdout}${stderr}`.includes(secret));
  t.strictSame(shown, [], 'no secret is shown');
  return {
    code,
    of: (name) => {
      const found = findings.find((each) => each.name === name);
      if (!found) throw new Error(`no ${name} in ${stdout}${stderr}`);
      return found;
    },
    states: Object.fromEntries(findings.map(({ name, state }) => [name, state])),
  };
}

/** One thing has failed, and what comes behind it was not looked at. */
function failedAt(t: Test, { code, of }: Examined, name: string, message: RegExp): string {
  t.equal(code, 1);
  t.match(of(name), { state: 'failed', message });
  return of(name).advice ?? '';
}

type Answer = (victim: Victim, id: string) => void;

const ADMIN = ['-U', 'admin', '-P', 'admin-pw'];

t.test('all is well', async (t) => {
  const { home, ws, sandbox } = await startServer(t, { rateLimit: undefined });
  const { code, states, of } = await doctor(t, ['-u', ws, ...ADMIN], { home });
  t.equal(code, 0);
  const { tls, launcher, ...others } = states;
  t.same(new Set(Object.values(others)), new Set(['ok']));
  t.equal(tls, 'skipped');
  t.match(launcher, /^(?:ok|warning)$/);
  t.match(of('node').message, process.versions.node);
  t.match(of('midclt').message, /^\d+\.\d+\.\d+, \/.*\/dist\/bin\/midclt\.js/);
  t.match(of('uri').message, `${ws}, from -u, as admin`);
  t.match(of('login').message, /^admin is let in with a password; it counted as one /);
  t.match(of('privileges').message, /^admin is a full administrator/);
  t.match(of('version').message, /^TrueNAS-/);
  t.equal(sandbox.countOf('auth.login_ex'), 1, 'one login');
  t.notOk(fs.existsSync(`${home}/.midclt`), 'it leaves nothing behind');
});

t.test('for a person: signs, or words where the locale has none', async (t) => {
  const { home, uri } = await startServer(t);
  const { code, stdout, stderr } = await midclt(['-u', uri, 'doctor'], { home });
  t.match({ code, stderr }, { code: 0, stderr: '' });
  t.match(stdout, /^✔ node {12}Node /m);
  t.match(stdout, /^- tls {13}a Unix socket needs none$/m);
  t.match(stdout, /(?:All is well|1 warning)\n$/);
  const plain = await midclt(['-u', uri, 'doctor'], { home, env: { LANG: 'C' } });
  t.match(plain.stdout, /^ok {6}node {12}Node /m);
  t.match(plain.stdout, /^skipped tls/m);
  // eslint-disable-next-line no-control-regex -- all that is ASCII
  t.match(plain.stdout, /^[\x00-\x7f]*$/);
  const failing = await midclt(['-u', `${uri}x`, 'doctor'], { home, env: { LC_ALL: 'POSIX' } });
  t.match(failing, { code: 1, stdout: /^FAILED {2}tcp/m });
  t.match(failing.stdout, /^ +systemctl status middlewared$/m, 'advice has a line of its own');
  t.match(failing.stdout, /\n1 failed/);
  t.match(await midclt(['doctor', '-h'], { home }), { code: 0, stdout: /^usage: midclt .*doctor/ });
});

t.test('the daemon: none, one that runs, one that hangs', async (t) => {
  const { home, ws, d, run, pid, sandbox } = await ground(t);
  const login = ['-u', ws, '-U', 'admin'];
  const none = await doctor(t, login, { home });
  t.equal(none.code, 0);
  const start = `'midclt -u ${ws} -U admin daemon --detach' starts one`;
  t.match(none.of('daemon'), { state: 'ok', message: start });
  t.match(none.of('login'), { state: 'skipped', message: /no key and no password of admin's/ });
  t.equal(none.of('privileges').state, 'skipped');

  const nobody = await run(['-u', ws, 'doctor']);
  t.match(nobody, { code: 0, stdout: /^- login {11}none was tried: nobody is given/m });
  t.match(nobody.stdout, /\nAll that was looked at is well\n$/);
  t.match(await run(['-u', ws, 'daemon', '--detach']), { code: 0 });
  const nobodys = await doctor(t, ['-u', ws], { home });
  t.match(nobodys.of('daemon'), { state: 'ok', message: /is connected$/ });
  t.match(nobodys.of('login'), { state: 'skipped', message: /nobody is given/ });

  t.match(await run([...login, '-P', 'admin-pw', 'daemon', '--detach']), { code: 0 });
  const logins = sandbox.countOf('auth.login_ex');
  const running = await doctor(t, login, { home });
  t.equal(running.code, 0);
  t.match(running.of('daemon'), { state: 'ok', message: /^one runs \(pid \d+.*is connected$/ });
  t.match(running.of('login'), { state: 'ok', message: /the daemon is logged in/ });
  t.match(running.of('privileges').message, 'full administrator');
  t.equal(sandbox.countOf('auth.login_ex'), logins, 'no login of its own');

  t.match(await d(['ping']), { code: 0 });
  const daemon = pid();
  await freeze(daemon ?? 0);
  const hung = await doctor(t, ['-u', `ws+unix://${home}/mw.sock`], { home });
  t.equal(failedAt(t, hung, 'daemon', /does not answer/), `kill -CONT ${daemon ?? 0}`);
  t.equal(hung.of('websocket').state, 'ok', 'the rest is looked at');
});

t.test('a daemon without its middleware', async (t) => {
  const daemon = await startDaemon(t);
  await daemon.sandbox.close();
  const found = await doctor(t, ['-u', daemon.uri], { home: daemon.home });
  t.equal(found.code, 1);
  t.match(found.of('daemon'), {
    state: /failed|warning/,
    message: 'no connection to the middleware',
    advice: `midclt -u ${daemon.uri} daemon-log`,
  });
  t.equal(found.of('tcp').advice, 'systemctl status middlewared');
});

t.test("the original's daemon", { skip: missing('python3') }, async (t) => {
  const home = makeHome(t);
  await startPythonDaemon(t, home);
  const { of } = await doctor(t, [], { home });
  t.match(of('daemon'), { state: 'warning', message: /pid \d+.*as the Python one/ });
});

t.test("the daemons' directory", async (t) => {
  const { home, uri } = await startServer(t);
  const examined = (env: NodeJS.ProcessEnv) => doctor(t, ['-u', uri], { home, env });
  fs.mkdirSync(`${home}/.midclt`);
  fs.chmodSync(`${home}/.midclt`, 0o755);
  const open = await examined({});
  t.equal(open.code, 0);
  t.match(open.of('directory'), {
    state: 'warning',
    message: /mode 0755/,
    advice: `chmod 700 ${home}/.midclt`,
  });
  t.equal(fs.statSync(`${home}/.midclt`).mode & 0o777, 0o755, 'it changes nothing');
  t.match(await shell(open.of('directory').advice ?? '', { home }), { code: 0 });
  t.equal((await examined({})).of('directory').state, 'ok');

  const loose = `${home}/loose`;
  fs.mkdirSync(`${loose}/x`, { recursive: true });
  fs.chmodSync(loose, 0o777);
  const advice = failedAt(
    t,
    await examined({ MIDCLT_HOME: `${loose}/x` }),
    'directory',
    /Others can write/,
  );
  t.equal(advice, `chmod go-w ${loose}`);

  const long = await examined({ MIDCLT_HOME: `${home}/${'x'.repeat(100)}` });
  t.equal(failedAt(t, long, 'socket', /has \d+ bytes; the system takes/), 'unset MIDCLT_HOME');
  t.equal(long.of('daemon').state, 'skipped');

  const relative = await examined({ MIDCLT_HOME: 'x' });
  failedAt(t, relative, 'directory', /absolute path/);
});

t.test(
  'a directory of a file system that is only read',
  { skip: process.getuid?.() !== 0 && 'mounts a file system' },
  async (t) => {
    const { home, uri } = await startServer(t);
    const place = `${home}/read-only`;
    fs.mkdirSync(place);
    const mounted = await shell('mount -t tmpfs -o ro,mode=700 none "$S"', {
      home,
      env: { S: place },
    });
    if (mounted.code !== 0) {
      t.comment('no file system can be mounted here');
      return;
    }
    t.teardown(() => shell('umount -l "$S"', { home, env: { S: place } }));
    const found = await doctor(t, ['-u', uri], { home, env: { MIDCLT_HOME: place } });
    const advice = failedAt(t, found, 'directory', /cannot be written to: .*\(EROFS\)/);
    t.equal(advice, 'export MIDCLT_HOME=~/.midclt');
  },
);

t.test('profiles', async (t) => {
  const { home, ws } = await startServer(t);
  const file = `${home}/.config/midclt/profiles.toml`;
  const { code } = await midclt(['profile', 'add', 'nas1', '-u', ws, '--no-check'], { home });
  t.equal(code, 0);
  const named = await doctor(t, ['-p', 'nas1'], { home });
  t.match(named.of('profile'), { state: 'ok', message: "'nas1', from -p" });
  t.match(named.of('uri').message, `${ws}, from the profile`);
  const variable = await doctor(t, [], { home, env: { MIDCLT_PROFILE: 'nas1' } });
  t.match(variable.of('profile').message, "'nas1', from MIDCLT_PROFILE");
  await midclt(['profile', 'default', 'nas1'], { home });
  t.match((await doctor(t, [], { home })).of('profile').message, /'nas1', from the default of /);

  const unknown = await doctor(t, ['-p', 'nas2'], { home });
  failedAt(t, unknown, 'profile', /There is no profile 'nas2'/);
  t.equal(unknown.of('directory').state, 'ok', 'what needs no system is looked at');
  t.equal(unknown.of('dns').state, 'skipped');
  fs.chmodSync(file, 0o666);
  const open = await doctor(t, ['-p', 'nas1'], { home });
  t.equal(failedAt(t, open, 'profile', /Others can write to/), `chmod 600 ${file}`);
  fs.chmodSync(file, 0o600);
  fs.appendFileSync(file, '[profile.nas3]\nurl = "x"\n');
  const slip = await doctor(t, ['-p', 'nas1'], { home });
  t.match(slip.of('profile'), { state: 'warning', message: /unknown 'url'/ });

  const several = await midclt(['-p', 'nas1,nas3', 'doctor'], { home });
  t.equal(several.code, 1, 'one of them is not as it should be');
  fs.writeFileSync(file, `[profile.a]\nuri = "${ws}"\n[profile.b]\nuri = "${ws}"\n`);
  const two = await midclt(['-p', 'all', 'doctor'], { home });
  t.match(two, { code: 2, stdout: '', stderr: /'doctor' is for one system at a time/ });
});

t.test('what the environment says', async (t) => {
  const { home, uri } = await startServer(t);
  const examined = (env: NodeJS.ProcessEnv) => doctor(t, ['-u', uri], { home, env });
  fs.mkdirSync(`${home}/bin`);
  fs.symlinkSync('/usr/bin/env', `${home}/bin/env`);
  const bare = await examined({ PATH: `${home}/bin` });
  t.equal(bare.code, 0);
  t.match(bare.of('launcher'), {
    state: 'warning',
    message: /neither nc nor socat/,
    advice: /^\S/,
  });

  const missing = await examined({ NODE_EXTRA_CA_CERTS: `${home}/none.pem` });
  t.equal(missing.code, 0);
  t.match(missing.of('extra-ca-certs'), {
    state: 'warning',
    message: /none\.pem cannot be read.*ENOENT/,
    advice: 'unset NODE_EXTRA_CA_CERTS',
  });
  fs.writeFileSync(`${home}/ca.pem`, makeCertificate().cert);
  const good = await examined({ NODE_EXTRA_CA_CERTS: `${home}/ca.pem` });
  t.match(good.of('extra-ca-certs'), { state: 'ok', message: /ca\.pem: 1 certificate;/ });
  fs.writeFileSync(`${home}/ca.pem`, 'no certificate');
  const none = await examined({ NODE_EXTRA_CA_CERTS: `${home}/ca.pem` });
  t.match(none.of('extra-ca-certs'), { state: 'warning', message: /no certificate in it/ });
});

t.test('names and ports', async (t) => {
  const { home, sandbox } = await startServer(t);
  const examined = (uri: string) => doctor(t, ['-u', uri, '-t', '5'], { home });
  const unknown = await examined('wss://nas.invalid/api/current');
  t.equal(failedAt(t, unknown, 'dns', /^nas\.invalid: /), 'getent hosts nas.invalid');
  t.equal(unknown.of('tcp').state, 'skipped');

  const refused = await examined('wss://127.0.0.1:1/api/current');
  const usual = 'midclt -u wss://127.0.0.1/api/current doctor';
  t.equal(failedAt(t, refused, 'tcp', /nothing listens on port 1: .*refused/), usual);

  const wsPort = sandbox.wsPort ?? 0;
  const plain = await examined(`wss://127.0.0.1:${wsPort}/api/current`);
  const withoutTls = `midclt -u ws://127.0.0.1:${wsPort}/api/current doctor`;
  t.equal(failedAt(t, plain, 'tls', /does not speak TLS/), withoutTls);
  const wssPort = sandbox.wssPort ?? 0;
  const secure = await examined(`ws://127.0.0.1:${wssPort}/api/current`);
  const withTls = `midclt -u wss://127.0.0.1:${wssPort}/api/current doctor`;
  t.equal(failedAt(t, secure, 'websocket', /may be one for TLS/), withTls);

  const silent = net.createServer(() => undefined).listen(0, '127.0.0.1');
  t.teardown(() => silent.close());
  await new Promise((resolve) => silent.once('listening', resolve));
  const { port } = silent.address() as net.AddressInfo;
  const dead = await doctor(t, ['-u', `wss://127.0.0.1:${port}/x`, '-t', '1'], { home });
  failedAt(t, dead, 'tls', /not answered within 1 s/);
  const none = await examined('wss://user:admin-pw@nas/');
  failedAt(t, none, 'uri', /has a user name or password in it/);
});

t.test('certificates', async (t) => {
  const { home, wss, sandbox } = await startServer(t, { host: '0.0.0.0' });
  const ca = (pem: string | null) => {
    fs.writeFileSync(`${home}/ca.pem`, pem ?? '');
    return { NODE_EXTRA_CA_CERTS: `${home}/ca.pem` };
  };
  const examined = (uri: string, env: NodeJS.ProcessEnv = {}, more: readonly string[] = []) =>
    doctor(t, ['-u', uri, ...ADMIN, ...more], { home, env });
  const own = ca(sandbox.certificate);
  const untrusted = await examined(wss);
  failedAt(t, untrusted, 'tls', /self-signed.*sandbox.*sha256:(?:[0-9A-F]{2}:){31}/);
  const { host } = new URL(wss);
  t.equal(untrusted.of('tls').advice, `midclt trust ${host}`);
  t.equal(untrusted.of('login').state, 'skipped');
  t.equal(sandbox.countOf('auth.login_ex'), 0, 'nobody logs in there');

  const trusted = await examined(wss, own);
  t.equal(trusted.code, 0);
  t.match(trusted.of('tls'), { state: 'ok', message: /trusted.*ends .* \(in 36\d days\)/ });
  const insecure = await examined(wss, {}, ['--insecure']);
  t.equal(insecure.code, 0);
  t.match(insecure.of('tls'), { state: 'warning', message: /NOT verified \(--insecure\)/ });

  const other = wss.replace('127.0.0.1', '127.0.0.2');
  const wrongName = await examined(other, own);
  const advice = failedAt(t, wrongName, 'tls', /is for localhost.*not for 127\.0\.0\.2/);
  t.match(advice, `midclt -u wss://localhost:${sandbox.wssPort ?? 0}/api/current`);

  const shown = /sha256:[0-9A-F:]+/.exec(untrusted.of('tls').message)?.[0] ?? '';
  t.match(await midclt(['trust', host, '--fingerprint', shown], { home }), { code: 0 });
  const pinned = await examined(wss);
  t.equal(pinned.code, 0);
  t.match(pinned.of('tls'), { state: 'ok', message: 'the one that you trust here' });
  fs.writeFileSync(`${home}/.config/midclt/trusted`, `${host} sha256:${'AB'.repeat(32)}\n`);
  const changed = await examined(wss);
  const renew = failedAt(t, changed, 'tls', /is another than the one that you have trusted/);
  t.equal(renew, `midclt trust ${host}`);

  const YEAR = 365 * 24 * 60 * 60 * 1000;
  const certificate = makeCertificate(Date.now() - 2 * YEAR);
  const expired = await startServer(t, { certificate });
  const old = await doctor(t, ['-u', expired.wss], { home, env: ca(certificate.cert) });
  failedAt(t, old, 'tls', /expired on \d{4}-\d\d-\d\d.*days ago/);
  const soon = makeCertificate(Date.now() - YEAR + 5 * 24 * 60 * 60 * 1000);
  const ending = await startServer(t, { certificate: soon });
  const near = await doctor(t, ['-u', ending.wss], { home, env: ca(soon.cert) });
  t.match(near.of('tls'), { state: 'warning', message: /ends soon, in [45] days/ });
  t.equal(near.code, 0);
});

t.test('a server that wants a certificate of its client', async (t) => {
  const { home } = await startServer(t);
  const examined = async (options: tls.TlsOptions) => {
    const server = tls.createServer({ ...makeCertificate(), requestCert: true, ...options });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const uri = `wss://127.0.0.1:${port}/api/current`;
    const found = await doctor(t, ['-u', uri, '--insecure', '-t', '5'], { home });
    return { found, look: `curl -skI https://127.0.0.1:${port}/api/current` };
  };
  const late = await examined({});
  t.equal(failedAt(t, late.found, 'websocket', /^Cannot [^\n]*wants a certificate of/), late.look);
  const early = await examined({ maxVersion: 'TLSv1.2' });
  t.equal(failedAt(t, early.found, 'tls', /^port [^\n]*or it wants a certificate/), early.look);
});

t.test('what answers instead of a WebSocket', async (t) => {
  const { home, ws, sandbox } = await startServer(t);
  const lost = await doctor(t, ['-u', ws.replace('/api/current', '/api/nope')], { home });
  const advice = failedAt(t, lost, 'websocket', /HTTP status 404 .*it is at \/api\/current$/);
  t.equal(advice, `midclt -u ${ws} doctor`);
  const pasted = await shell(`midclt() { "$NODE" "$BINARY" "$@"; }; ${advice}`, {
    home,
    env: { NODE: process.execPath, BINARY },
  });
  t.equal(pasted.code, 0, 'the advice helps');
  sandbox.setRefusing(502);
  const starting = await doctor(t, ['-u', ws], { home });
  const again = `sleep 60; midclt -u ${ws} doctor`;
  t.equal(failedAt(t, starting, 'websocket', /502.*is starting, or has failed/), again);
  sandbox.setRefusing(404);
  const none = await doctor(t, ['-u', ws], { home });
  failedAt(t, none, 'websocket', /404 .*nor at \/websocket: what answers there is something else/);
});

t.test('what is advised for a login keeps what the profile has', async (t) => {
  const { home, ws } = await startServer(t);
  const run = (...args: string[]) => midclt(args, { home });
  const add = ['profile', 'add', 'nas1', '--no-check', '-u', ws, '-U', 'admin', '-g', 'prod'];
  fs.writeFileSync(`${home}/key`, WRONG, { mode: 0o600 });
  t.match(await run(...add, '-K', `${home}/key`, '--plain'), { code: 0 });
  const wrong = await doctor(t, ['-p', 'nas1'], { home });
  t.equal(
    failedAt(t, wrong, 'login', /^Failed to login: .+$/),
    `midclt profile remove nas1 && midclt -u ${ws} -U admin --plain login nas1 -g prod`,
  );
  const unix = `ws+unix://${home}/local`;
  const sandbox = await startSandbox({ unix: `${home}/local`, failedLoginDelayMs: 100 });
  t.teardown(() => sandbox.close());
  const local = await doctor(t, ['-u', unix, '-U', 'admin', '-P', 'wrong'], { home });
  t.equal(
    failedAt(t, local, 'login', /^Failed to login: .+$/),
    `midclt -u ${unix} -U admin login nas`,
  );
});

t.test('logins', async (t) => {
  const { home, ws, wss, sandbox } = await startServer(t);
  const file = `${home}/key`;
  fs.writeFileSync(file, WRONG, { mode: 0o600 });
  const key = ['-u', wss, '--insecure', '-U', 'admin', '-K', file];
  const wrong = await doctor(t, key, { home });
  const advice = failedAt(t, wrong, 'login', /^Failed to login: .+$/);
  t.equal(advice, `midclt -u ${wss} -U admin --insecure login 127.0.0.1`);
  t.equal(wrong.of('privileges').state, 'skipped');
  fs.writeFileSync(file, KEY);
  fs.chmodSync(file, 0o644);
  const open = await doctor(t, key, { home });
  t.match(open.of('login'), { state: 'warning', message: /other users may read/ });
  t.match(open.of('login').message, /API key \d+; it counted as two messages/);
  t.equal(open.of('login').advice, `chmod 600 ${file}`);
  t.equal(open.code, 0);
  const absent = await doctor(t, ['-u', ws, '-U', 'admin', '-K', `${home}/none`], { home });
  failedAt(t, absent, 'login', /Cannot read the key file/);

  const reader = await doctor(t, ['-u', ws, '-U', 'reader', '-P', 'reader-pw'], { home });
  t.equal(reader.code, 0);
  t.match(reader.of('privileges').message, /^reader may read everything and change nothing/);
  const count = sandbox.stats.connections;
  const nobody = await doctor(t, ['-u', ws], { home });
  t.match(nobody.of('login'), { state: 'skipped', message: /nobody is given/ });
  t.equal(nobody.code, 0);
  t.equal(sandbox.stats.connections, count + 1, 'one handshake');
});

t.test('who was not refused keeps the profile and its key', async (t) => {
  const { home } = await startServer(t);
  const answers: Record<string, Answer> = {};
  const { uris } = await startHostileServer(t, {
    onRequest: (victim, { id, method }) => answers[method]?.(victim, id),
  });
  const at = uris.jsonrpc;
  const add = ['profile', 'add', 'nas1', '--no-check', '-u', at, '-U', 'admin'];
  t.match(await midclt(add, { home }), { code: 0 });
  const examined = (given: Record<string, Answer>) => {
    answers['auth.login_ex'] = (victim, id) => {
      victim.answer(id, '{"response_type": "SUCCESS", "user_info": null}');
    };
    answers['system.version'] = (victim, id) => {
      victim.answer(id, '"TrueNAS-25.10.0"');
    };
    Object.assign(answers, given);
    return doctor(t, ['-p', 'nas1', '-P', 'admin-pw', '-t', '3'], { home });
  };
  const restart: Answer = ({ socket }) => {
    socket.close(1012);
  };
  const failure =
    (errno: number, name: string): Answer =>
    ({ say }, id) => {
      const data = `{"error": ${errno}, "errname": "${name}", "reason": "[${name}] No", "trace": null, "extra": null}`;
      const error = `{"code": -32001, "message": "Method call error", "data": ${data}}`;
      say(`{"jsonrpc": "2.0", "id": "${id}", "error": ${error}}`);
    };
  const later = 'sleep 60; midclt -p nas1 doctor';
  const login = `midclt profile remove nas1 && midclt -u ${at} -U admin login nas1`;
  for (const [answer, message] of [
    [restart, /^Failed to login: .*lost/],
    [failure(14, 'EFAULT'), /^Failed to login: \[EFAULT\] No/],
  ] as const) {
    const found = await examined({ 'auth.login_ex': answer });
    t.equal(failedAt(t, found, 'login', message), later);
  }
  for (const [answer, message, advice] of [
    [restart, /not say who is logged in: .*lost/, later],
    [() => undefined, /not say who is logged in: .*timeout/, later],
    [failure(14, 'EFAULT'), /not say who is logged in: \[EFAULT\] No/, later],
    [failure(207, 'ENOTAUTHENTICATED'), /not say who .*: \[ENOTAUTHENTICATED\] No/, login],
  ] as const) {
    const found = await examined({ 'auth.me': answer });
    t.equal(failedAt(t, found, 'privileges', message), advice);
  }
});

t.test('too many logins', async (t) => {
  const { home, ws } = await startServer(t, {
    rateLimit: { calls: 1, windowMs: 60_000, delayMs: 20 },
  });
  const run = () => doctor(t, ['-u', ws, ...ADMIN], { home });
  await run();
  const limited = await run();
  const advice = failedAt(t, limited, 'login', /too many logins.*in a minute/);
  t.match(advice, /^sleep 60; midclt /);
});

t.test(
  'on a terminal a password is asked for',
  { skip: missing('script', 'setsid') },
  async (t) => {
    const { home, ws } = await startServer(t);
    const terminal = onTerminal(t, '"$NODE" "$BINARY" -u "$URI" -U admin doctor', {
      ...{ home, columns: 300 },
      env: { URI: ws },
    });
    await until('the prompt', () => terminal.written().includes('Password for admin@127.0.0.1: '));
    terminal.type('admin-pw\r');
    t.equal(await terminal.finished, 0);
    t.match(terminal.written(), 'admin is let in with a password');
    t.notMatch(terminal.written(), 'admin-pw');
  },
);

t.test("the server's clock", async (t) => {
  const { home, sandbox } = await startServer(t);
  const proxy = net.createServer((client) => {
    const server = net.connect(sandbox.wsPort ?? 0, '127.0.0.1');
    client.pipe(server);
    server.on('data', (chunk: Buffer) => {
      const later = new Date(Date.now() + 3 * 60 * 60 * 1000).toUTCString();
      client.write(chunk.toString('latin1').replace(/^Date: .*GMT/m, `Date: ${later}`), 'latin1');
    });
    server.on('end', () => client.end());
    for (const socket of [client, server]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => proxy.close());
  const { port } = proxy.address() as net.AddressInfo;
  const uri = `ws://127.0.0.1:${port}/api/current`;
  const skewed = await doctor(t, ['-u', uri], { home });
  t.equal(skewed.code, 0);
  t.match(skewed.of('clock'), {
    state: 'warning',
    message: "the server's is 3 h ahead of this machine's",
    advice: /timedatectl/,
  });
});
