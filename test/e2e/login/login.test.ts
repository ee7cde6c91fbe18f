/** API keys, as a user gives them. */
import fs from 'node:fs';
import t from 'tap';
import { Client } from '../../../lib/index.js';
import { deriveKeys } from '../../../lib/middleware/login/scram.js';
import { API_KEYS } from '../../../lib/sandbox/index.js';
import { exchange, startDaemon } from '../../support/daemon.js';
import { KEY, PONG, refused, SECRET, startServer, WRONG } from '../../support/login.js';
import { midclt } from '../../support/midclt.js';
import { startRelay } from '../../support/relay.js';

const [admin, , expired] = API_KEYS;

t.test('over wss: a key logs in by SCRAM, bound to the certificate', async (t) => {
  const server = await startServer(t);
  t.same(await server.login(['-K', KEY]), { ...PONG, signal: null });
  const [first = '', final = ''] = server.sent();
  t.match(first, /^p=tls-server-end-point,,n=admin:2,r=[A-Za-z0-9+/]{43}=$/);
  t.match(Buffer.from(/c=([^,]*)/.exec(final)?.[1] ?? '', 'base64').toString('latin1'), /^p=tls/);
  t.equal(server.sandbox.stats.loginsBy.SCRAM, 1);
  t.notMatch(server.sandbox.received.join(), SECRET, 'the key is not sent');
});

t.test('without the binding over wss:, over ws: to this machine without asking', async (t) => {
  const server = await startServer(t);
  t.match(await server.login(['-K', KEY, '--no-channel-binding']), PONG);
  t.match(await server.login(['-K', KEY], server.ws), PONG);
  t.match(await server.login(['-K', KEY, '--no-channel-binding'], server.ws), PONG);
  const firsts = server.sent().filter((_, i) => i % 2 === 0);
  t.equal(firsts.length, 3);
  for (const first of firsts) t.match(first, /^n,,n=admin:2,r=/);
});

t.test('over ws: to another machine only without the binding; --plain only by force', async (t) => {
  const server = await startServer(t, { treatLoopbackAsRemote: true });
  // An address of this machine that does not look like one.
  const remote = server.ws.replace('127.0.0.1', '0.0.0.0');
  refused(t, await server.login(['-K', KEY], remote), /no channel binding over .*--no-channel/);
  refused(t, await server.login(['-K', KEY, '--plain'], remote), /revokes such a key.*--force/);
  const both = ['-K', KEY, '--plain', '--no-channel-binding'];
  refused(t, await server.login(both, remote), /revokes such a key/);
  t.equal(server.sandbox.stats.connections, 0, 'nobody was even asked');
  t.match(await server.login(['-K', KEY, '--no-channel-binding'], remote), PONG);
  const forced = await server.login(['-K', KEY, '--plain', '--force'], remote);
  refused(t, forced, /The API key has expired or was revoked/);
  refused(t, await server.login(['-K', KEY]), /Invalid API key/);
});

t.test('--plain sends the key, over wss: and to this machine', async (t) => {
  const server = await startServer(t);
  t.match(await server.login(['-K', KEY, '--plain']), PONG);
  t.match(await server.login(['-K', KEY, '--plain'], server.ws), PONG);
  t.same(server.sent(), [KEY, KEY]);
  t.equal(server.sandbox.stats.loginsBy.API_KEY_PLAIN, 2);
  refused(
    t,
    await server.login(['-K', WRONG, '--plain']),
    /Invalid API key, or not one of admin's/,
  );
  const old = `${expired!.id}-${expired!.key}`;
  refused(t, await server.login(['-K', old, '--plain']), /The API key has expired or was revoked/);
});

t.test('key files: raw, JSON, INI and derived keys, with and without the user', async (t) => {
  const server = await startServer(t);
  const { home } = server;
  const relay = await startRelay(t, { to: server.ws });
  await server.login(['-K', KEY], `ws://127.0.0.1:${relay.port}/api/current`);
  const [, salt = ''] = /,s=([^,]*),i=50000/.exec(relay.heard.join()) ?? [];
  const keys = await deriveKeys('sha512', SECRET, Buffer.from(salt, 'base64'), 50_000);
  const derived = {
    api_key_id: admin!.id,
    client_key: keys.clientKey.toString('base64'),
    stored_key: keys.storedKey.toString('base64'),
    server_key: keys.serverKey.toString('base64'),
    username: 'admin',
  };
  const files: Readonly<Record<string, string>> = {
    raw: `${KEY}\n`,
    'raw.json': JSON.stringify({ raw_key: KEY, username: 'admin' }),
    'derived.json': JSON.stringify(derived),
    'key.ini': `[TRUENAS_API_KEY]\nraw_key = ${KEY}\nusername = admin\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(`${home}/${name}`, text, { mode: 0o600 });
    const user = name === 'raw' ? ['-U', 'admin'] : [];
    for (const path of [name, `${home}/${name}`]) {
      const args = ['-u', server.wss, '--insecure', ...user, '-K', path, 'call', 'core.ping'];
      t.match(await midclt(args, { home }), PONG, path);
    }
  }
  const plain = await server.login(['-K', 'derived.json', '--plain']);
  refused(t, plain, /--plain sends the key itself, and the key file has only what SCRAM needs/);
  fs.chmodSync(`${home}/raw`, 0o644);
  const warned = await server.login(['-K', 'raw']);
  t.match(warned, { code: 0, stdout: 'pong\n', stderr: /^Warning: [^\n]*key file raw [^\n]*\n$/ });
});

t.test('a daemon logs in once for all its callers, and shows the key nowhere', async (t) => {
  const server = await startServer(t, { scram: {} });
  for (const globals of [
    ['-K', KEY],
    ['--plain', '-K', KEY],
    [`-K${KEY}`, '-P', 'a-password'],
    [`--api-key=${KEY}`],
    ['-P', 'admin-pw', '--otp', 'a-password'],
    ['-P', 'admin-pw', '--otp=a-password'],
  ]) {
    const before = server.sandbox.stats.logins;
    const daemon = await startDaemon(t, {
      around: server,
      uri: server.wss,
      username: 'admin',
      globals: ['--insecure', '-U', 'admin', ...globals],
    });
    const calls = Array.from({ length: 8 }, () => daemon.d(['--insecure', 'call', 'core.ping']));
    for (const run of await Promise.all(calls)) t.match(run, PONG);
    t.equal(server.sandbox.stats.logins - before, 1, 'one login');
    const cmdline = fs.readFileSync(`/proc/${daemon.child.pid}/cmdline`, 'latin1');
    t.match(cmdline, /^midclt daemon\0*$/);
    const status = await exchange(daemon.socket, '{"command":"status"}\n', { halfClose: true });
    daemon.child.kill('SIGTERM');
    t.same(await daemon.exited, { code: 0, signal: null });
    const log = fs.readFileSync(daemon.logFile, 'utf8');
    const seen = [cmdline, log, daemon.stdout(), daemon.stderr(), ...status.lines].join('\n');
    t.notMatch(seen, SECRET);
    t.notMatch(seen, 'a-password');
    t.notMatch(seen, 'admin-pw');
  }
});

t.test('a daemon whose login fails says why and ends', async (t) => {
  const server = await startServer(t);
  const { home } = server;
  for (const [globals, reason] of [
    [['-K', WRONG], /Invalid API key: its number is known/],
    [['-K', `99-${SECRET}`], /Invalid API key: unknown/],
    [['-P', 'wrong'], /Invalid username or password/],
  ] as const) {
    const log = `${home}/log`;
    const args = ['-u', server.wss, '--insecure', '-U', 'admin', ...globals, 'daemon'];
    const run = await midclt([...args, '--log-file', log], { home });
    refused(t, run, reason);
    const text = fs.readFileSync(log, 'utf8');
    t.match(text, reason);
    t.notMatch(text, SECRET);
    t.notMatch(text, WRONG.slice(2));
    t.same(
      fs.readdirSync(`${home}/.midclt`).filter((name) => name !== 'logs'),
      [],
    );
  }
  t.equal(server.sandbox.countOf('auth.login_ex'), 4);
});

t.test('the Node API takes keys, too', async (t) => {
  const server = await startServer(t);
  const options = { uri: server.wss, username: 'admin', apiKey: KEY, insecure: true };
  for (const more of [{}, { channelBinding: false }, { plain: true }]) {
    const client = await Client.connect({ ...options, ...more });
    t.equal(await client.ping(), 'pong');
    await client.close();
  }
  t.match(server.sandbox.stats.loginsBy, { SCRAM: 2, API_KEY_PLAIN: 1 });
  await t.rejects(Client.connect({ ...options, apiKey: WRONG }), {
    code: 'LOGIN',
    message: /^Failed to login: Invalid API key/,
  });
  await t.rejects(Client.connect({ ...options, apiKey: SECRET }), { code: 'REQUEST' });
});
