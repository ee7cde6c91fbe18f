/** Logins that must fail, each with its own reason in one line that has nothing of the key in it. */
import fs from 'node:fs';
import t from 'tap';
import { makeCertificate } from '../../../lib/sandbox/wire/certificate.js';
import { API_KEYS } from '../../../lib/sandbox/index.js';
import { KEY, PONG, refused, SECRET, startServer, WRONG } from '../../support/login.js';
import { midclt } from '../../support/midclt.js';
import { startRelay, type RelayOptions } from '../../support/relay.js';

const [, reader, expired] = API_KEYS;

t.test('a server that does not know SCRAM is not sent the key, and --plain is named', async (t) => {
  const server = await startServer(t, { scram: false });
  refused(t, await server.login(['-K', KEY]), /does not know SCRAM .*--plain .*Input tag 'SCRAM'/);
  t.equal(server.sandbox.countOf('auth.login_ex'), 1);
  t.notMatch(server.sandbox.received.join(), SECRET);
  t.match(await server.login(['-K', KEY, '--plain']), PONG);
});

t.test('a wrong key is refused with its reason, and not tried again', async (t) => {
  const server = await startServer(t);
  const of = (key: { id: number; key: string } | undefined) => `${key!.id}-${key!.key}`;
  const cases: readonly (readonly [readonly string[], RegExp, number])[] = [
    [['-K', WRONG], /its number is known, the rest is wrong, or the certificate that/, 2],
    [['-K', WRONG, '--no-channel-binding'], /the rest is wrong\n$/, 2],
    [['-K', `99-${SECRET}`], /Invalid API key: unknown, expired, or not one of admin's/, 1],
    [['-K', of(reader)], /Invalid API key: unknown/, 1],
    [['-K', of(expired)], /Invalid API key: unknown, expired/, 1],
    [['-K', KEY, '-U', 'nobody'], /not one of nobody's/, 1],
  ];
  for (const [globals, reason, messages] of cases) {
    const before = server.sandbox.countOf('auth.login_ex');
    refused(t, await server.login(globals), reason);
    t.equal(server.sandbox.countOf('auth.login_ex') - before, messages, globals.join(' '));
  }
  t.equal(server.sandbox.stats.logins, 0);
});

t.test(
  'somebody between who decrypts is found out, also when they strip the binding',
  async (t) => {
    const server = await startServer(t);
    const certificate = makeCertificate();
    const strip = (text: string) => text.replace('p=tls-server-end-point,,', 'n,,');
    for (const up of [(text: string) => text, strip]) {
      const relay = await startRelay(t, { to: server.wss, certificate, up });
      const uri = `wss://127.0.0.1:${relay.port}/api/current`;
      refused(t, await server.login(['-K', KEY], uri), /the certificate .* is not its own/);
    }
    t.equal(server.sandbox.stats.logins, 0);
    const relay = await startRelay(t, { to: server.wss, certificate });
    const uri = `wss://127.0.0.1:${relay.port}/api/current`;
    t.match(await server.login(['-K', KEY, '--no-channel-binding'], uri), PONG, 'who wants to');
  },
);

t.test('a server that breaks the rules of SCRAM is refused', async (t) => {
  const server = await startServer(t);
  const swap = (pattern: RegExp, by: string) => (text: string) => text.replace(pattern, by);
  const cases: readonly (readonly [Omit<RelayOptions, 'to'>, RegExp])[] = [
    [{ down: swap(/"r=[^,]{10}/, '"r=AAAAAAAAAA') }, /SCRAM: the server's nonce does not continue/],
    [{ down: swap(/,i=\d+/, ',i=4096') }, /SCRAM: the server wants 4096 iterations/],
    [{ down: swap(/,i=\d+/, ',i=10000000') }, /SCRAM: the server wants 10000000 iterations/],
    [{ down: swap(/,s=/, ',s=*') }, /SCRAM: the server's salt is malformed/],
    [{ down: swap(/"v=.{6}/, '"v=AAAAAA') }, /SCRAM: the server's signature is wrong/],
    [{ down: swap(/"v=[^"]*"/, '""') }, /SCRAM: the server's final message is malformed/],
    [{ down: swap(/SERVER_FINAL_RESPONSE/, 'X') }, /not its SERVER_FINAL_RESPONSE/],
    [{ down: swap(/"SCRAM_RESPONSE"/, '"SUCCESS"') }, /The middleware answered SUCCESS/],
    [{ down: swap(/"SCRAM_RESPONSE"/, '"DENIED"') }, /does not have API access/],
  ];
  for (const [change, reason] of cases) {
    const relay = await startRelay(t, { to: server.ws, ...change });
    refused(t, await server.login(['-K', KEY], `ws://127.0.0.1:${relay.port}/api/current`), reason);
  }
});

t.test('what a server says of a key is shown without the key', async (t) => {
  const server = await startServer(t);
  const echo = JSON.stringify({
    error: 22,
    reason: `bad ${KEY}`,
    trace: { formatted: KEY },
    extra: [KEY],
  });
  const error = `"error": {"code": -32001, "message": "x", "data": ${echo}}, "id"`;
  const down = (text: string) => text.replace(/"result": \{.*\}, "id"/, error);
  const relay = await startRelay(t, { to: server.ws, down });
  const uri = `ws://127.0.0.1:${relay.port}/api/current`;
  refused(t, await server.login(['-K', KEY, '--plain'], uri), /Failed to login: bad 2-…\n$/);
});

t.test('a connection that is lost in the midst of a login is a failed login', async (t) => {
  const server = await startServer(t);
  const up = (text: string) => {
    server.sandbox.dropAll();
    return text;
  };
  const relay = await startRelay(t, { to: server.ws, up });
  const uri = `ws://127.0.0.1:${relay.port}/api/current`;
  refused(t, await server.login(['-K', KEY], uri), /The connection to the middleware was lost/);
  t.equal(server.sandbox.stats.connections, 1, 'and is not tried again');
});

t.test('what is wrong with -K itself is said before anything is sent', async (t) => {
  const server = await startServer(t);
  const { home } = server;
  fs.writeFileSync(`${home}/bad`, `{"raw_key": "${SECRET}"}`, { mode: 0o600 });
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ['-U', 'admin', '-K', SECRET],
      /^Error: The value of -K \(or MIDCLT_API_KEY\) is neither an API key/,
    ],
    [['-U', 'admin', '-K', './none'], /^Error: Cannot read the key file \.\/none: no such file/],
    [['-U', 'admin', '-K', 'bad'], /^Error: The key file bad has a raw_key that is no API key/],
    [['-K', KEY], /^Error: An API key logs in with its user's name: give it with -U/],
    [['-K', KEY, '--plain'], /^Error: An API key logs in with its user's name/],
  ];
  for (const [globals, reason] of cases) {
    for (const command of [['call', 'core.ping'], ['daemon']]) {
      const run = await midclt(['-u', server.wss, ...globals, ...command], { home });
      t.match(run, { code: 1, stdout: '', stderr: reason });
      t.notMatch(run.stderr, SECRET);
    }
  }
  t.equal(server.sandbox.stats.connections, 0);
});

t.test('over a Unix socket the middleware takes no keys, and says so itself', async (t) => {
  const server = await startServer(t);
  for (const plain of [[], ['--plain']]) {
    const run = await server.login(['-K', KEY, ...plain], server.uri);
    refused(t, run, /UNIX socket \(.*\): unexpected origin for \w+PamAuthenticator/);
  }
});

t.test('too many logins: it says so, when to try again, and does not try itself', async (t) => {
  const server = await startServer(t, { rateLimit: { calls: 2, windowMs: 60_000, delayMs: 10 } });
  t.match(await server.login(['-K', KEY]), PONG);
  for (const globals of [
    ['-K', KEY],
    ['-P', 'admin-pw'],
  ]) {
    refused(t, await server.login(globals), /Rate Limit Exceeded: .*try again in a minute/);
  }
  t.equal(server.sandbox.countOf('auth.login_ex'), 4);
});
