/** Certificates that no authority vouches for: what is accepted, by whom, and what is said where nothing is. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { connect } from '../../lib/index.js';
import { startSandbox, type Sandbox } from '../../lib/sandbox/index.js';
import { issue, type Issued } from '../support/certificates.js';
import { AUTOSTART, ground, pidIn } from '../support/lifecycle.js';
import { KEY } from '../support/login.js';
import { LAUNCHER, midclt, missing, until, type RunOptions } from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

/** A simulated middleware over TLS. */
async function serve(t: Test, certificate: Issued, port = 0): Promise<Sandbox> {
  const sandbox = await startSandbox({
    ...{ host: '127.0.0.1', wss: port, certificate, rateLimit: false, failedLoginDelayMs: 20 },
    scram: { iterations: 50_000 },
  });
  t.teardown(() => sandbox.close());
  return sandbox;
}

async function place(t: Test, certificate = issue()) {
  const { home, files } = await ground(t);
  const sandbox = await serve(t, certificate);
  const host = `127.0.0.1:${sandbox.wssPort}`;
  const run = (args: readonly string[], { env, ...more }: Partial<RunOptions> = {}) =>
    midclt(args, { home, env: { ...AUTOSTART, ...env }, ...more });
  const file = `${home}/.config/midclt/trusted`;
  const pin = async ({ fingerprint }: Issued) => {
    const given = await run(['trust', host, '--fingerprint', `SHA256:${fingerprint}`]);
    t.match(given, { code: 0, stderr: `Trusted for ${host} from now on` });
  };
  const uri = `wss://${host}/api/current`;
  const login = ['-u', host, '-U', 'admin', '-K', `${home}/key`];
  fs.writeFileSync(`${home}/key`, KEY, { mode: 0o600 });
  return { home, files, sandbox, host, uri, run, file, pin, login };
}

t.test(
  'trust shows, asks, and pins for that host alone',
  { skip: missing('script') },
  async (t) => {
    const certificate = issue({ name: 'NAS\x1b[2J', names: ['nas.example', '10.0.0.5'] });
    const { home, host, run, file, sandbox } = await place(t, certificate);
    t.match(await run(['-u', host, 'ping']), {
      ...{ code: 1, stdout: '' },
      stderr: `Error: SSL certificate verification failed for wss://${host}/api/current: the certificate is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT). Accept exactly this one with 'midclt trust ${host}'`,
    });
    const lonely = await run(['trust', host]);
    t.match(lonely, { code: 1, stderr: /There is no terminal to ask on.*--fingerprint sha256:/ });
    t.match(
      lonely.stdout,
      /^The certificate of 127.*is not trusted: the certificate is self-signed\n/,
    );
    t.match(
      lonely.stdout,
      `\n  names    nas.example, 10.0.0.5\n  SHA-256  sha256:${certificate.fingerprint}\n`,
    );
    t.notMatch(lonely.stdout, '\x1b');
    const wrong = await run(['trust', host, '--fingerprint', issue().fingerprint]);
    t.match(wrong, { code: 1, stderr: /not the one that is expected: .* Nothing was changed/ });

    const ask = async (answer: string, code: number) => {
      const terminal = onTerminal(t, `midclt trust https://${host}/ui/`, { home, columns: 300 });
      const question = `Trust it for ${host} from now on? [y/N]`;
      await until('the question', () =>
        terminal.screen.lines.some((line) => line.includes(question)),
      );
      terminal.type(answer);
      t.equal(await terminal.finished, code, answer);
    };
    await ask('\r', 1);
    await ask('no\r', 1);
    t.notOk(fs.existsSync(file));
    await ask('y\r', 0);
    t.match(fs.readFileSync(file, 'utf8'), `\n${host} sha256:${certificate.fingerprint}\n`);
    t.equal(fs.statSync(file).mode & 0o777, 0o600);

    t.match(await run(['-u', host, 'ping']), PONG, 'whatever its names');
    t.match(
      await run(['-u', `localhost:${sandbox.wssPort}`, 'ping']),
      { code: 1 },
      'that host alone',
    );
    t.match(await run(['trust', host]), {
      code: 0,
      stdout: /^The certificate of \S+ is trusted by you alone: the certificate is self-signed\n/,
      stderr: /It is the one that you have trusted/,
    });
    t.match(
      await run(['trust', host, '--fingerprint', issue().fingerprint]),
      { code: 1, stderr: /^Error: The certificate of \S+ is not the one that is expected/ },
      'not even where the one there is trusted',
    );
    t.match(await run(['trust', '--list']), {
      stdout: `${host}  sha256:${certificate.fingerprint}\n`,
    });
    const removed = await run(['trust', '--remove', host]);
    t.match(removed, {
      code: 0,
      stderr: /A daemon that is connected stays so: 'midclt daemon-list' shows which there are/,
    });
    t.match(await run(['-u', host, 'ping']), { code: 1 });
    t.match(await run(['trust', '--remove', host]), {
      code: 1,
      stderr: /No certificate is pinned/,
    });
    t.match(await run(['trust', 'ws://nas']), { code: 1, stderr: /without TLS/ });
    t.match(await run(['trust']), { code: 1, stderr: /midclt trust HOST/ });
    t.match(await run(['profile', 'add', 'nas.invalid', '-u', host, '--no-check']), { code: 0 });
    t.match(await run(['trust', 'nas.invalid']), {
      code: 1,
      stderr: /no such host .* 'midclt -p nas\.invalid trust' is for its system\n$/,
    });
    t.match(await run(['trust', '--list', '--remove']), { code: 2 });
    t.equal(sandbox.stats.connections, 1, 'to look at a certificate sends nothing');
  },
);

t.test(
  'a pin holds for calls, daemons, transfers and the Node API, with channel binding',
  async (t) => {
    const ca = issue({ name: 'CA', isAuthority: true });
    const certificates = [
      issue(),
      issue({ issuer: ca, names: ['elsewhere'] }),
      issue({ from: -9, to: -2 }),
      issue({ from: 2 }),
    ];
    for (const certificate of certificates) {
      const { pin, run, login, host, sandbox, home } = await place(t, certificate);
      await pin(certificate);
      t.match(await run([...login, 'ping']), PONG);
      t.match(await run([...login, '-d', 'call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
      sandbox.expireSessions();
      t.match(
        await run([...login, '-d', 'ping']),
        PONG,
        'the daemon logs in over the same WebSocket',
      );
      const saved = await run([...login, '-d', 'download', 'config.save', '-o', 'saved']);
      t.match(saved, { code: 0 });
      t.ok(fs.statSync(`${home}/saved`).size > 0);
      t.match(await run([...login, '-d', 'daemon-status']), {
        code: 0,
        stdout: /the server's certificate is pinned \(midclt trust\)\n[^]*ready/,
      });
      t.match(await run([...login, '--insecure', '-d', 'ping']), { code: 1, stderr: /verifies/ });
      t.match(await run(['-u', host, '-U', 'admin', 'daemon-stop']), { code: 0 });
      t.equal(sandbox.stats.loginsBy.SCRAM, 3);
    }
  },
);

t.test('the Node API heeds pins and files of authorities', async (t) => {
  const certificate = issue();
  const { sandbox, host, home, pin } = await place(t, certificate);
  const { HOME } = process.env;
  process.env.HOME = home;
  t.teardown(() => (process.env.HOME = HOME));
  await t.rejects(connect({ uri: host }), { code: 'CONNECT' });
  fs.writeFileSync(`${home}/ca.pem`, certificate.cert);
  const api = await connect({ uri: host, caFile: `${home}/ca.pem` });
  t.equal(await api.call('core.ping'), 'pong');
  await api.close();
  await pin(certificate);
  const pinned = await connect({ uri: `https://${host}/`, username: 'admin', apiKey: KEY });
  const { body } = await pinned.download('config.save');
  await fs.promises.writeFile(`${home}/saved`, body);
  t.ok(fs.statSync(`${home}/saved`).size > 0);
  await pinned.close();
  t.equal(sandbox.stats.logins, 1);
});

t.test('a certificate that has changed is refused before a byte of HTTP is sent', async (t) => {
  const ca = issue({ name: 'CA', isAuthority: true });
  const [first, second] = [issue(), issue({ issuer: ca })];
  const { sandbox, home, host, run, login, pin, files, uri } = await place(t, first);
  const env = { NODE_EXTRA_CA_CERTS: `${home}/ca.pem` };
  fs.writeFileSync(`${home}/ca.pem`, ca.cert);
  await pin(first);
  t.match(await run([...login, '-d', 'ping'], { env }), PONG);
  const pid = pidIn(files(uri, 'admin').pid);

  await sandbox.close();
  const renewed = await serve(t, second, sandbox.wssPort ?? 0);
  const said = `sha256:${second.fingerprint} in place of sha256:${first.fingerprint}. If it was renewed, 'midclt trust ${host}' trusts the new one`;
  t.match(
    await run(['-u', host, 'ping'], { env }),
    { code: 1, stderr: said },
    'though an authority vouches for it',
  );
  const { log } = files(uri, 'admin');
  await until('the daemon has seen it', () =>
    fs.readFileSync(log, 'utf8').includes(second.fingerprint),
  );
  t.match(await run([...login, '-t', '1', '-d', 'ping'], { env }), { code: 1, stderr: said });
  const save = ['download', 'config.save', '-o', `${home}/saved`];
  t.match(await run([...login, ...save], { env }), { code: 1, stderr: said });
  t.equal(renewed.stats.connections, 0);
  t.match(await run(['-u', host, '--insecure', 'ping']), PONG, 'who asks for it');
  const seen = await run(['trust', host], { env });
  t.match(seen, { code: 1, stderr: `another than the one that you have trusted for ${host}` });
  t.match(seen.stdout, /its authority is known here/);

  await pin(second);
  const goesOn = async () => (await run([...login, '-d', 'ping'], { env })).code === 0;
  await until('the same daemon to go on', goesOn);
  t.equal(pidIn(files(uri, 'admin').pid), pid);
});

t.test(
  'a pin that is not understood, or could be others’, is no reason to do without',
  async (t) => {
    const certificate = issue();
    const { home, host, run, file, pin } = await place(t, certificate);
    const env = { NODE_EXTRA_CA_CERTS: `${home}/ca.pem` };
    fs.writeFileSync(`${home}/ca.pem`, certificate.cert);
    t.match(await run(['-u', host, 'ping'], { env }), PONG);
    await pin(certificate);
    fs.appendFileSync(file, 'nas\n');
    t.match(await run(['-u', host, 'ping'], { env }), {
      code: 1,
      stderr: /^Error: Line 3 of .*trusted is not/,
    });
    fs.writeFileSync(file, '', { mode: 0o600 });
    fs.chmodSync(file, 0o622);
    t.match(await run(['-u', host, 'ping'], { env }), {
      code: 1,
      stderr: /Others can write to .*trusted/,
    });
  },
);

t.test('--ca-file, its variable, and that of a profile', async (t) => {
  const ca = issue({ name: 'Our CA', isAuthority: true });
  const { home, host, run, login, uri, sandbox } = await place(t, issue({ issuer: ca }));
  t.match(await run(['-u', host, 'ping']), {
    code: 1,
    stderr:
      /was issued by an authority "CN=Our CA" that is not known here \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/,
  });
  fs.writeFileSync(`${home}/ca.pem`, `# ours\n${ca.cert}`);
  fs.mkdirSync(`${home}/.config/midclt`, { recursive: true, mode: 0o700 });
  const toml = `[profile.nas]\nuri = "https://${host}/"\nusername = "admin"\napi_key_file = "${home}/key"\nca_file = "~/ca.pem"\n`;
  fs.writeFileSync(`${home}/.config/midclt/profiles.toml`, toml, { mode: 0o600 });
  t.match(await run(['--ca-file', 'ca.pem', '-u', host, 'ping']), PONG);
  t.match(await run(['-u', host, 'ping'], { env: { MIDCLT_CA_FILE: 'ca.pem' } }), PONG);
  t.match(await run(['-p', 'nas', 'ping']), PONG);
  t.match((await run(['profile', 'show', 'nas'])).stdout, `authorities  ${home}/ca.pem\n`);
  const stop = ['-u', uri, '-U', 'admin', 'daemon-stop'];
  for (const args of [
    ['-p', 'nas'],
    [...login, '--ca-file', 'ca.pem'],
  ]) {
    t.match(await run([...args, '-d', 'ping']), PONG);
    t.match(await run([...login, '-d', 'ping']), PONG, 'who calls a running daemon needs none');
    sandbox.dropAll();
    await until('another connection', async () => (await run([...login, '-d', 'ping'])).code === 0);
    const save = ['-d', 'download', 'config.save', '-o', 'saved'];
    t.match(await run([...args, ...save]), { code: 0 });
    fs.rmSync(`${home}/saved`);
    t.match(await run(stop), { code: 0 });
  }
  t.match(await run(['-d', '--ca-file', 'none', ...login, 'ping']), {
    code: 1,
    stderr: /Cannot read the file of authorities none: no such file/,
  });
  t.match(await run(['--ca-file', 'key', '-u', host, 'ping']), { stderr: /no certificate as PEM/ });
  const local = await run(['-u', '/none.sock', 'ping'], { env: { MIDCLT_CA_FILE: 'none' } });
  t.match(
    local,
    { stderr: /Cannot connect to ws\+unix:\/\/\/none.sock/ },
    'where there is no TLS it is not read',
  );
  t.match(await run(['trust', host, '--ca-file', 'ca.pem']), {
    stdout: /its authority is known here/,
  });
});

t.test('what is wrong with a certificate, and ports that are others', async (t) => {
  const ca = issue({ name: 'CA', isAuthority: true });
  for (const [wish, text] of [
    [{ to: -2, from: -9 }, /the certificate has expired on \d{4}-\d\d-\d\d \(CERT_HAS_EXPIRED\)/],
    [{ from: 2 }, /the certificate is not valid before \d{4}-\d\d-\d\d \(CERT_NOT_YET_VALID\)/],
    [
      { names: ['nas.example', '10.0.0.5'] },
      /is for nas\.example, 10\.0\.0\.5, and not for 127\.0\.0\.1 \(/,
    ],
  ] as const) {
    const { host, run, home, sandbox } = await place(t, issue({ ...wish, issuer: ca }));
    fs.writeFileSync(`${home}/ca.pem`, ca.cert);
    const { code, stderr } = await run(['-u', host, '--ca-file', 'ca.pem', 'ping']);
    t.equal(code, 1);
    t.match(stderr, /^Error: SSL certificate verification failed for .*--insecure.*\n$/);
    t.match(stderr, text);
    t.equal(sandbox.stats.connections, 0);
  }
  const { host, run } = await place(t);
  t.match(await run(['-u', `ws://${host}/api/current`, 'ping']), {
    stderr: `'-u wss://${host}/api/current'`,
  });
  const plain = await startSandbox({ ws: 0 });
  t.teardown(() => plain.close());
  t.match(await run(['-u', `127.0.0.1:${plain.wsPort}`, 'ping']), {
    stderr: `does not speak TLS. Without TLS it would be '-u ws://127.0.0.1:${plain.wsPort}/api/current'`,
  });
  t.match(await run(['-u', `ws://127.0.0.1:${plain.wsPort}`, 'ping']), {
    stderr: `HTTP status 404 instead of a WebSocket. The middleware is at /api/current: try '-u ws://127.0.0.1:${plain.wsPort}/api/current'`,
  });
});

t.test('a server that says nothing is given up, and leaves nothing behind', async (t) => {
  const { run } = await place(t);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) =>
    sockets.add(socket.resume().on('error', () => undefined)),
  );
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const late = await run(['-t', '1', '-u', `127.0.0.1:${port}`, 'ping']);
  t.match(late, { code: 1, stderr: /Call timeout: waited 1 s for the connection/ });
  const leaving = new AbortController();
  const attempt = connect({ uri: `127.0.0.1:${port}`, signal: leaving.signal });
  await until('a connection', () => sockets.size === 2);
  leaving.abort(new Error('enough'));
  await t.rejects(attempt, { message: 'enough' });
  await until('its end', () =>
    [...sockets].every(({ readableEnded, destroyed }) => readableEnded || destroyed),
  );
});

t.test('an address is the same daemon’s everywhere', { skip: missing('nc') }, async (t) => {
  const { run, uri, home, sh, processes } = await ground(t);
  const path = uri.replace('ws+unix://', '');
  t.match(await run(['-u', path, '-d', 'ping']), PONG);
  const daemons = processes();
  t.match(await run(['-u', uri, '-d', 'ping']), PONG);
  const env = { LAUNCHER, ADDRESS: path };
  t.match(await sh('sh "$LAUNCHER" -u "$ADDRESS" -d ping', { env }), PONG);
  const text = (await midclt(['shell-init', 'sh'], { home })).stdout;
  const line = `${text}\nmidclt -u "$ADDRESS" -d call test.echo 1; MIDCLT_URI="$ADDRESS" midclt -d ping`;
  t.match(await sh(line, { env }), { code: 0, stdout: '[1]\npong\n', stderr: '' });
  t.match(await run(['-u', path, 'daemon-status']), { code: 0, stdout: uri });
  t.same(processes(), daemons, 'and no other was started');
});
