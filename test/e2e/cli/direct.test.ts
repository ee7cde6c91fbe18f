/** The same commands through a daemon and without one, over each transport: nothing may differ. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { surroundings, type Surroundings } from '../../support/daemon.js';
import { midclt, spawnMidclt, until, type Finished } from '../../support/midclt.js';

/** What a user may ask; `stdin` is given to the command. */
const TABLE: readonly { readonly args: readonly string[]; readonly stdin?: string }[] = [
  { args: ['ping'] },
  { args: ['call', 'core.ping'] },
  { args: ['call', 'system.ready'] },
  { args: ['call', 'system.version'] },
  { args: ['call', 'test.ints'] },
  { args: ['call', 'test.types'] },
  { args: ['call', 'test.echo', '18446744073709551615', '2.0', 'NaN', '-5', 'x y', '"\\ud83d"'] },
  { args: ['call', 'test.echo', '-', '-'], stdin: '{"b": [1.0,\n 2], "a": "é"}\n' },
  { args: ['call', 'test.raw', '"a\\u00e9\\ud83d\\ude00\\ud83d"'] },
  { args: ['call', 'test.raw', 'false'] },
  { args: ['call', 'test.raw', '[1,  2 ]'] },
  { args: ['call', 'test.bigstring', '300000'] },
  { args: ['call', 'test.fail', '2', 'some reason', '{"a": 1}'] },
  { args: ['call', '-q', 'test.fail', '2', 'some reason'] },
  { args: ['call', 'test.validation'] },
  { args: ['call', 'test.validation', 'true'] },
  { args: ['call', 'test.raise_', 'notfound'] },
  { args: ['call', 'test.raise_', 'exception'] },
  { args: ['call', 'test.unserializable'] },
  { args: ['call', 'nosuch.method'] },
  { args: ['-t', '1', 'call', 'test.sleep', '3'] },
  { args: ['call', '-j', 'test.job', '2', '0.05'] },
  { args: ['call', '-j', '-jp', 'description', 'test.job', '2', '0.05'] },
  { args: ['call', '-j', 'test.job', '1', '0.05', 'callerror'] },
  { args: ['call', '-j', 'test.job', '1', '0.05', 'validation'] },
  { args: ['call', '-j', '-jp', 'description', 'test.job_transient', '2', '0.1', 'null', 'kept'] },
  { args: ['call', '-j', 'core.ping'] },
  { args: ['call', 'test.echo', 'x'.repeat(70_000)] },
  { args: ['call'] },
  { args: ['call', '--nosuch', 'x'] },
];

/** The length of a request depends on the number of the call before it. */
function same({ code, stdout, stderr }: Finished): object {
  return { code, stdout, stderr: stderr.replace(/Request of \d+/, 'Request of N') };
}

async function answers(home: string, globals: readonly string[]): Promise<object[]> {
  const found: object[] = [];
  for (const { args, stdin } of TABLE) {
    found.push(same(await midclt([...globals, ...args], { home, input: stdin ?? '' })));
  }
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
      stderr: /^Error: SSL certificate verification failed .*NODE_EXTRA_CA_CERTS.*--insecure.*\n$/,
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
    stderr: /Cannot connect to ws\+unix:\/\/\/run\/middleware\/middlewared.sock/,
  });
});

t.test('leaves no connection behind and ends as soon as it is done', async (t) => {
  const { home, uri, sandbox } = await surroundings(t);
  const started = performance.now();
  t.match(await midclt(['-u', uri, 'call', 'core.ping'], { home }), { code: 0 });
  t.ok(performance.now() - started < 15_000);
  await until('the connection to go', () => sandbox.stats.open === 0);
});
