/** The same commands through a daemon and without one, over each transport: nothing may differ. */
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { makeCertificate } from '../../../lib/sandbox/wire/certificate.js';
import { eachRow, same, TABLE } from '../../support/commands.js';
import { surroundings, type Surroundings } from '../../support/daemon.js';
import { midclt, spawnMidclt, until } from '../../support/midclt.js';

t.setTimeout(900_000); // a few hundred processes, on a busy machine

async function answers(home: string, globals: readonly string[]): Promise<object[]> {
  const found: object[] = [];
  await eachRow(async ({ args, stdin }, i) => {
    found[i] = same(await midclt([...globals, ...args], { home, input: stdin ?? '' }));
  });
  return found;
}

async function daemonOn(
  t: Test,
  { home }: Surroundings,
  globals: readonly string[],
): Promise<void> {
  const child = spawnMidclt([...globals, 'daemon'], { home });
  t.teardown(() => child.kill('SIGKILL'));
  let ready = '';
  child.stdout.on('data', (chunk: Buffer) => (ready += chunk.toString()));
  await until('the daemon to be ready', () => ready.includes('Accepting'));
}

t.test('stdout, stderr and exit code are the same over every way in', async (t) => {
  const around = await surroundings(t, { ws: 0, wss: 0, rateLimit: false });
  const { home, uri, sandbox } = around;
  const login = ['-U', 'admin', '-P', 'admin-pw'];
  const ws = ['-u', `ws://127.0.0.1:${sandbox.wsPort}/api/current`, ...login];
  const wss = ['-u', `wss://127.0.0.1:${sandbox.wssPort}/api/current`, ...login, '--insecure'];
  const unix = ['-u', uri];
  const ways: Record<string, readonly string[]> = { unix, ws, wss };
  for (const globals of Object.values(ways)) await daemonOn(t, around, globals);
  const reference = await answers(home, unix);
  const codes = (reference as { code: number }[]).map(({ code }) => code);
  t.same([...new Set(codes)].sort(), [0, 1, 2], 'the table has successes and failures');
  for (const [name, globals] of Object.entries(ways)) {
    for (const daemon of [[], ['-d']]) {
      const found = await answers(home, [...globals, ...daemon]);
      TABLE.forEach(({ args }, i) => {
        const what = `${name} ${daemon.join('')} ${args.join(' ').slice(0, 60)}`;
        t.same(found[i], reference[i], JSON.stringify(what));
      });
    }
  }
});

t.test('wss: a certificate that cannot be verified is refused, with both ways out', async (t) => {
  const { home, sandbox } = await surroundings(t, { wss: 0, rateLimit: false });
  const globals = ['-u', `wss://127.0.0.1:${sandbox.wssPort}/api/current`];
  for (const command of ['ping', 'daemon']) {
    const refused = await midclt([...globals, command], { home });
    t.match(refused, {
      code: 1,
      stdout: '',
      stderr:
        /^Error: SSL certificate verification failed .*midclt trust .*--ca-file.*--insecure.*\n$/,
    });
  }
  t.match(await midclt([...globals, '--insecure', 'ping'], { home }), {
    code: 0,
    stdout: 'pong\n',
  });
  fs.writeFileSync(`${home}/ca.pem`, sandbox.certificate ?? '');
  const trusted = await midclt([...globals, 'ping'], {
    home,
    env: { NODE_EXTRA_CA_CERTS: `${home}/ca.pem` },
  });
  t.match(trusted, { code: 0, stdout: 'pong\n', stderr: '' });
});

t.test('the default is the socket of this machine', async (t) => {
  const { home } = await surroundings(t);
  const run = await midclt(['call', 'core.ping'], { home });
  t.match(run, {
    code: 1,
    stderr:
      /Cannot connect to ws\+unix:\/\/\/run\/middleware\/middlewared.sock.* '-u HOST -U USER'; 'midclt login NAME'/,
  });
});

t.test('leaves no connection behind and ends as soon as it is done', async (t) => {
  const { home, uri, sandbox } = await surroundings(t);
  const started = performance.now();
  t.match(await midclt(['-u', uri, 'call', 'core.ping'], { home }), { code: 0 });
  t.ok(performance.now() - started < 15_000);
  await until('the connection to go', () => sandbox.stats.open === 0);
});

t.test('the server hears that a connection is closed, and is not waited for', async (t) => {
  const { home } = await surroundings(t);
  const socket = `${home}/middleware`;
  const servers: Record<string, http.Server> = {
    [`ws+unix://${socket}`]: http.createServer().listen(socket),
    ws: http.createServer().listen(0, '127.0.0.1'),
    wss: https.createServer({ ...makeCertificate() }).listen(0, '127.0.0.1'),
  };
  const check = async ([scheme, server]: [string, http.Server]) => {
    const closes: number[] = [];
    const middleware = new WebSocketServer({ server, perMessageDeflate: false });
    t.teardown(() => {
      for (const client of middleware.clients) client.terminate();
      server.close();
    });
    middleware.on('connection', (client) => {
      client.on('close', (code) => closes.push(code));
      client.on('message', (data: Buffer) => {
        const { id, method } = JSON.parse(data.toString()) as { id: string; method: string };
        const result = JSON.stringify(method.repeat(20_000));
        if (method !== 'test.none')
          client.send(`{"jsonrpc": "2.0", "result": ${result}, "id": "${id}"}`);
      });
    });
    await until('the server to listen', () => server.listening);
    const address = server.address();
    const uri = typeof address === 'string' ? scheme : `${scheme}://127.0.0.1:${address?.port}/`;
    const runs: Record<number, readonly string[]> = {
      0: ['call', 'test.result'],
      1: ['-t', '5', 'call', 'test.none'], // time enough to connect
    };
    for (const [code, rest] of Object.entries(runs)) {
      const run = await midclt(['-u', uri, '--insecure', ...rest], { home });
      t.equal(run.code, Number(code), `${uri} ${rest.join(' ')}`);
      await until('the close', () => closes.length > 0);
      t.same(closes.splice(0), [1000], `${uri} ${rest.join(' ')}`);
    }
  };
  await Promise.all(Object.entries(servers).map(check));
});
