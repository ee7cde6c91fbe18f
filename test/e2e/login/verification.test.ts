/** A daemon that does not verify the server's certificate serves who asked for that, and says so. */
import fs from 'node:fs';
import type net from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { API_KEYS } from '../../../lib/sandbox/index.js';
import { makeCertificate } from '../../../lib/sandbox/wire/certificate.js';
import { exchange } from '../../support/daemon.js';
import { AUTOSTART, ground, type Ground } from '../../support/lifecycle.js';
import { KEY } from '../../support/login.js';
import { BINARY, midclt, missing, shell, until } from '../../support/midclt.js';
import { startPythonDaemon } from '../../support/python-daemon.js';

t.setTimeout(600_000);

const PROGRAM = { NODE: process.execPath, BINARY };
const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

interface Secure extends Ground {
  readonly wss: string;
  readonly login: string[];
}

async function secureGround(t: Parameters<typeof ground>[0]): Promise<Secure> {
  const place = await ground(t, { wss: 0, scram: { iterations: 50_000 } });
  const wss = `wss://127.0.0.1:${place.sandbox.wssPort}/api/current`;
  return { ...place, wss, login: ['-u', wss, '-U', 'admin', '-P', 'admin-pw'] };
}

const BATCH = [
  '{"command": "call", "method": "test.echo", "params": [1]}',
  '{"command": "ping", "close": true}',
  '{"command": "ping", "insecure": null}',
  '',
].join('\n');

t.test(
  'a daemon with --insecure refuses who did not ask for that, and says what to do',
  async (t) => {
    const { login, wss, run, files, sandbox, home } = await secureGround(t);
    t.match(await run([...login, '--insecure', '-d', 'ping']), PONG);
    const stop = `midclt -u ${wss} -U admin daemon-stop`;
    const connections = sandbox.stats.connections;
    for (const args of [
      ['-d', 'call', 'test.echo', '1'],
      ['-d', 'ping'],
    ]) {
      const { code, stdout, stderr } = await run([...login, ...args]);
      t.match({ code, stdout }, { code: 1, stdout: '' });
      t.match(stderr, /does not verify [^\n]*--insecure/);
      t.match(stderr, `'${stop}'`);
    }
    const batch = await run([...login, '-d', 'batch'], { input: BATCH });
    t.equal(batch.code, 1);
    t.equal(batch.stdout.split('does not verify').length, 4, 'each of a batch');
    t.equal(sandbox.countOf('test.echo'), 0, 'nothing was sent');
    t.match(await run([...login, '--insecure', '-d', 'call', 'test.echo', '1']), { code: 0 });
    const asked = await run([...login, '--insecure', '-d', 'batch'], { input: BATCH });
    t.match(asked, { code: 0, stderr: '' });
    const { socket } = files(wss, 'admin');
    const { frames } = await exchange(socket, '{"command":"ping"}\n', { halfClose: true });
    t.same(frames, [{ type: 'result', result: 'pong' }], 'who says nothing of it is served');
    t.equal(sandbox.stats.connections, connections);

    const status = await run([...login, 'daemon-status']);
    t.match(status, { code: 0, stdout: /certificate is NOT verified/ });
    const text = (await midclt(['shell-init', 'sh'], { home })).stdout;
    const line = `${text}\nmidclt -u "$WSS" -U admin -d ping`;
    const fast = await shell(line, { home, env: { ...AUTOSTART, WSS: wss } });
    t.match(fast, { code: 1, stdout: '', stderr: /does not verify/ }, 'the shell function, too');
    t.match(await shell(stop.replace('midclt', '"$NODE" "$BINARY"'), { home, env: PROGRAM }), {
      code: 0,
    });
    t.match(await run([...login, '-d', 'ping']), { code: 1, stderr: /certificate/ });
  },
);

t.test(
  'a daemon that verifies refuses who asks to do without, and one beside is told',
  async (t) => {
    const { login, run, sandbox, home } = await secureGround(t);

    fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate ?? '');
    const env = { NODE_EXTRA_CA_CERTS: `${home}/ca.pem` };
    t.match(await run([...login, '-d', 'ping'], { env }), PONG);
    const refused = await run([...login, '--insecure', '-d', 'ping'], { env });
    t.match(refused, { code: 1, stdout: '', stderr: /verifies the server's certificate/ });
    const beside = await run([...login, '--insecure', 'daemon', '--detach'], { env });
    t.match(beside, {
      code: 1,
      stdout: '',
      stderr: /^Error: A daemon is already running \(pid \d+\)/,
    });
    t.match(beside.stderr, /without --insecure\. [^\n]*daemon-stop/);
    const status = await run([...login, 'daemon-status']);
    t.notMatch(status.stdout, /NOT verified/);
    t.match(await run([...login, '-d', 'ping'], { env }), PONG);
  },
);

t.test('where there is no certificate, --insecure makes no difference', async (t) => {
  const { d, run, uri } = await ground(t);
  t.match(await d(['ping']), PONG);
  t.match(await run(['-u', uri, '--insecure', '-d', 'ping']), PONG);
});

t.test('status names the API key that logged in, by its number alone', async (t) => {
  const { ws, run } = await ground(t);
  const login = ['-u', ws, '-U', 'admin'];
  t.match(await run([...login, '-K', KEY, '-d', 'ping']), PONG);
  const { stdout } = await run([...login, 'daemon-status']);
  t.match(stdout, new RegExp(`^API key +number ${API_KEYS[0]?.id}$`, 'm'));
  t.notMatch(stdout, KEY.slice(2));
});

t.test('the Python daemon is called as before', { skip: missing('python3') }, async (t) => {
  const { home, wss, files } = await secureGround(t);
  const { socket } = files(wss);
  const { run, read } = await startPythonDaemon(t, home, [], socket);
  t.match(await run(['-u', wss, '-d', 'ping']), PONG);
  t.match(await run(['-u', wss, '--insecure', '-d', 'call', 'test.echo', '1']), { code: 0 });
  await until('both', () => read().length === 2);
});

t.test('a server that wants a certificate of its client is not called untrusted', async (t) => {
  const { home, run } = await ground(t);
  const certificate = makeCertificate();
  const server = tls.createServer({ ...certificate, requestCert: true }, (socket) => {
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const uri = `wss://127.0.0.1:${port}/api/current`;
  fs.writeFileSync(`${home}/ca.pem`, certificate.cert);
  const wants = `Error: Cannot connect to ${uri}: tlsv13 alert certificate required (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED). What answers wants a certificate of the client`;
  for (const trusting of [['--insecure'], ['--ca-file', `${home}/ca.pem`]]) {
    const login = ['-u', uri, ...trusting, '-U', 'admin', '-P', 'admin-pw'];
    const { code, stdout, stderr } = await run([...login, 'ping']);
    t.match({ code, stdout }, { code: 1, stdout: '' });
    t.ok(stderr.startsWith(wants), stderr);
    t.equal(stderr.trimEnd().split('\n').length, 1, 'one line');
  }
});
