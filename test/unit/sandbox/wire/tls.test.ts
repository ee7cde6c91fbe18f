import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tls from 'node:tls';
import t, { type Test as TapTest } from 'tap';
import { WebSocket, type ClientOptions } from 'ws';
import { makeCertificate } from '../../../../lib/sandbox/wire/certificate.js';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../../../lib/sandbox/index.js';
import { Middleware } from '../../../../lib/sandbox/middleware.js';
import { rpc } from '../../../../lib/sandbox/wire/dialects.js';
import { ROOT } from '../../../support/root.js';

const DAY_MS = 24 * 60 * 60 * 1000;

async function start(test: TapTest, options: SandboxOptions = {}): Promise<Sandbox> {
  const defaults = { wss: 0, failedLoginDelayMs: 0, rateLimit: false } as const;
  const sandbox = await startSandbox({ ...defaults, ...options });
  test.teardown(() => sandbox.close());
  return sandbox;
}

/** Texts out, the answers in the order they come. */
class Client {
  readonly closed: Promise<string>;
  private readonly frames: string[] = [];
  private wake: () => void = () => undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      this.frames.push(data.toString());
      this.wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on('error', () => undefined);
      socket.on('close', (code, reason) => {
        resolve(`${code} ${reason.toString()}`.trimEnd());
      });
    });
  }

  static async open(
    url: string,
    options: ClientOptions & { readonly servername?: string } = {},
  ): Promise<Client> {
    const client = new Client(new WebSocket(url, { perMessageDeflate: false, ...options }));
    await new Promise((resolve, reject) =>
      client.socket.once('open', resolve).once('error', reject),
    );
    return client;
  }

  async next(): Promise<Record<string, unknown>> {
    while (this.frames.length === 0)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    return JSON.parse(this.frames.shift() ?? '') as Record<string, unknown>;
  }

  call(method: string, ...params: unknown[]): Promise<Record<string, unknown>> {
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }));
    return this.next();
  }
}

function uriOf(sandbox: Sandbox): string {
  return `wss://127.0.0.1:${sandbox.wssPort ?? 0}/api/current`;
}

/** Verified: the client trusts the sandbox's certificate and nothing else. */
function trusting(sandbox: Sandbox): Promise<Client> {
  return Client.open(uriOf(sandbox), { ca: sandbox.certificate ?? '' });
}

t.test('a certificate is for this machine, for a year, and made anew each time', (test) => {
  const { cert, key } = makeCertificate();
  const parsed = new X509Certificate(cert);
  test.ok(parsed.verify(parsed.publicKey), 'signed by itself');
  test.ok(parsed.ca);
  test.equal(parsed.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  test.ok(parsed.toString().startsWith('-----BEGIN CERTIFICATE-----\n'));
  test.ok(cert.split('\n').every((line) => line.length <= 64));
  test.match(parsed.checkHost('localhost'), 'localhost');
  for (const address of ['127.0.0.1', '::1']) test.equal(parsed.checkIP(address), address);
  for (const address of ['127.0.0.2', '::2']) test.equal(parsed.checkIP(address), undefined);
  const hostname = os.hostname();
  if (/^[a-z\d-]+$/i.test(hostname)) test.match(parsed.checkHost(hostname), hostname);
  test.equal(parsed.checkHost('example.com'), undefined);
  const [from, to] = [Date.parse(parsed.validFrom), Date.parse(parsed.validTo)];
  test.ok(Math.abs(from - (Date.now() - DAY_MS)) < 60_000, parsed.validFrom);
  test.ok(Math.abs(to - (Date.now() + 365 * DAY_MS)) < 60_000, parsed.validTo);
  const other = makeCertificate();
  test.notSame([cert, key], [other.cert, other.key]);
  test.not(new X509Certificate(other.cert).serialNumber, parsed.serialNumber);
  tls.createServer({ cert, key });
  test.throws(() => tls.createServer({ cert, key: other.key }), /mismatch/);
  const far = new X509Certificate(makeCertificate(Date.UTC(2049, 11, 31)).cert);
  test.equal(new Date(far.validTo).toISOString(), '2050-12-31T00:00:00.000Z');
  test.end();
});

t.test('two hundred certificates are all well-formed', (test) => {
  for (let round = 0; round < 200; round += 1) {
    const { cert } = makeCertificate();
    const parsed = new X509Certificate(cert);
    if (!parsed.verify(parsed.publicKey) || parsed.serialNumber.length !== 32) test.fail(cert);
  }
  test.end();
});

t.test('who trusts the certificate gets in, others do not', async (test) => {
  const [sandbox, other] = [await start(test), await start(test)];
  const uri = uriOf(sandbox);
  test.equal((await (await trusting(sandbox)).call('core.ping'))['result'], 'pong');
  const byName = await Client.open(uri, {
    ca: sandbox.certificate ?? '',
    servername: 'localhost',
  });
  test.equal((await byName.call('core.ping'))['result'], 'pong');
  await test.rejects(Client.open(uri), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  await test.rejects(Client.open(uri, { ca: other.certificate ?? '' }), Error);
  const elsewhere = Client.open(uri, { ca: sandbox.certificate ?? '', servername: 'nas.example' });
  await test.rejects(elsewhere, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  await test.rejects(Client.open(uri.replace('wss:', 'ws:')), Error, 'no TLS at all');
  const careless = await Client.open(uri, { rejectUnauthorized: false });
  test.equal((await careless.call('core.ping'))['result'], 'pong', 'and it goes on listening');
});

t.test('a login works over TLS, and its session is told of as secure', async (test) => {
  const directory = fs.mkdtempSync('/tmp/m-');
  test.teardown(() => {
    fs.rmSync(directory, { recursive: true });
  });
  const sandbox = await start(test, { unix: path.join(directory, 's') });
  const root = await Client.open(`ws+unix:${sandbox.unixPath ?? ''}:/api/current`);
  await root.call('core.subscribe', 'auth.sessions');
  const client = await trusting(sandbox);
  test.match(await client.call('system.version'), { error: { data: { error: 207 } } });
  const login = { mechanism: 'PASSWORD_PLAIN', username: 'admin', password: 'wrong' };
  test.match(await client.call('auth.login_ex', login), { result: { response_type: 'AUTH_ERR' } });
  const answer = await client.call('auth.login_ex', { ...login, password: 'admin-pw' });
  test.match(answer, { result: { response_type: 'SUCCESS' } });
  test.match(await root.next(), {
    params: {
      collection: 'auth.sessions',
      fields: { origin: /^127\.0\.0\.1:\d+$/, secure_transport: true },
    },
  });
  test.match(await client.call('system.version'), { result: 'TrueNAS-27.0.0-SANDBOX' });
  const { result } = await client.call('test.bigstring', 1_000_000);
  test.equal(result, 'x'.repeat(1_000_000));
});

t.test('a connection from elsewhere is secure with TLS alone', (test) => {
  const middleware = new Middleware({ failedLoginDelayMs: 0, rateLimit: false, version: '' }, []);
  const nothing = () => undefined;
  const wire = { send: nothing, close: nothing, terminate: nothing, cut: nothing };
  for (const isTls of [false, true]) {
    const { origin } = middleware.open(wire, { host: '192.0.2.1', port: 4, isTls }, rpc.dialect);
    test.same(origin, { text: '192.0.2.1:4', address: '192.0.2.1', secure: isTls, isTls });
  }
  test.end();
});

t.test('the rules of ws: hold for wss:', async (test) => {
  const rateLimit = { calls: 3, windowMs: 60_000, delayMs: 5 };
  const sandbox = await start(test, { ws: 0, rateLimit });
  const plain = await Client.open(`ws://127.0.0.1:${sandbox.wsPort ?? 0}/api/current`);
  const secure = await trusting(sandbox);
  for (const client of [plain, secure, secure]) await client.call('core.ping');
  for (const client of [plain, secure])
    test.match(await client.call('core.ping'), { error: { data: { errname: 'EBUSY' } } });
  secure.socket.send('x'.repeat(8193));
  test.equal(await secure.closed, '1007 Anonymous connection max message length is 8 kB');
  const known = await trusting(sandbox);
  await known.call('auth.login', 'admin', 'admin-pw');
  known.socket.send('x'.repeat(65537));
  test.equal(await known.closed, '1009 Max message length is 64 kB');
  const dropped = await trusting(sandbox);
  sandbox.dropAll();
  test.equal(await dropped.closed, '1006');
  sandbox.setRefusing(502);
  await test.rejects(trusting(sandbox), /502/);
  sandbox.setRefusing(null);
  const last = await trusting(sandbox);
  await sandbox.close();
  test.equal(await last.closed, '1006');
  await test.rejects(trusting(sandbox), { code: 'ECONNREFUSED' });
});

t.test('a certificate of one’s own is used', async (test) => {
  const certificate = makeCertificate();
  const sandbox = await start(test, { certificate });
  test.equal(sandbox.certificate, certificate.cert);
  await trusting(sandbox);
  const without = await start(test, { wss: undefined, ws: 0, certificate });
  test.same([without.wssPort, without.certificate], [null, null]);
  const directory = fs.mkdtempSync('/tmp/m-');
  test.teardown(() => {
    fs.rmSync(directory, { recursive: true });
  });
  const broken = { cert: 'no certificate', key: 'no key' };
  await test.rejects(startSandbox({ unix: `${directory}/s`, wss: 0, certificate: broken }), /PEM/);
  test.same(fs.readdirSync(directory), [], 'nothing is left of it');
});

t.test('the library behind it is loaded for wss: alone', (test) => {
  const script = `
    const { startSandbox } = require('./dist/lib/sandbox/index.js');
    const isLoaded = () => Object.keys(require.cache).some((name) => name.includes('asn1js'));
    const run = async (options) => {
      await (await startSandbox(options)).close();
      console.log(isLoaded());
    };
    run({ ws: 0 }).then(() => run({ wss: 0 }));`;
  const cwd = ROOT;
  const output = execFileSync(process.execPath, ['-e', script], { cwd, encoding: 'utf8' });
  test.equal(output, 'false\ntrue\n');
  test.end();
});
