/** The wire before JSON-RPC: what users see is the same. */
import t from 'tap';
import { API_KEYS } from '../../lib/sandbox/index.js';
import { same } from '../support/commands.js';
import { startDaemon, surroundings } from '../support/daemon.js';
import { startServer } from '../support/login.js';
import { midclt, until, type Finished } from '../support/midclt.js';

const SAME: readonly (readonly string[])[] = [
  ['ping'],
  ['call', 'core.ping'],
  ['call', 'system.version'],
  ['call', 'test.ints'],
  ['call', 'test.types'],
  ['call', 'test.echo', '18446744073709551615', '2.0', 'NaN', 'x y', '"\\ud83d"'],
  ['call', 'test.bigstring', '300000'],
  ['call', 'test.fail', '2', 'some reason', '{"a": 1}'],
  ['call', 'test.validation'],
  ['-t', '4', 'call', 'test.sleep', '60'],
  ['call', '-j', 'test.job', '2', '0.05'],
  ['call', '-j', '-jp', 'description', 'test.job', '2', '0.05'],
  ['call', '-j', 'test.job', '1', '0.05', 'callerror'],
  ['call', '-j', 'test.job', '1', '0.05', 'validation'],
  ['call', '-j', '-jp', 'description', 'test.job_transient', '2', '1', 'null', 'kept'],
  ['call', '-j', 'core.ping'],
];

async function inTurn<T>(actions: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  for (const action of actions) results.push(await action());
  return results;
}

t.test('what is printed is what JSON-RPC gives, with and without a daemon', async (t) => {
  const around = await surroundings(t, { wss: 0, rateLimit: false });
  const { home, uri, sandbox } = around;
  const legacy = `${uri}:/websocket`;
  const daemon = await startDaemon(t, { around, uri: legacy });
  const wss = `wss://127.0.0.1:${sandbox.wssPort}/websocket`;
  const login = ['-U', 'admin', '-P', 'admin-pw', '--insecure'];
  for (const args of SAME) {
    const ask = async (...globals: string[]) => same(await midclt([...globals, ...args], { home }));
    const ways = [
      () => ask('-u', uri),
      () => ask('-u', legacy),
      () => ask('-u', legacy, '-d'),
      () => ask('-u', wss, ...login),
    ];
    // On this wire no job names its request: those of one method come one at a time.
    const [expected, ...found] = args.includes('-j')
      ? await inTurn(ways)
      : await Promise.all(ways.map((way) => way()));
    for (const [i, way] of ['', '-d ', 'wss '].entries())
      t.same(found[i], expected, JSON.stringify(`${way}${args.join(' ')}`));
  }
  t.match(await daemon.d(['call', 'nosuch.method']), {
    code: 1,
    stdout: '',
    stderr: /^\[ENOMETHOD\] Service 'nosuch' not found\n/,
  });
  const long = await daemon.d(['call', 'test.echo', 'x'.repeat(70_000)]);
  t.match(long, { code: 1, stderr: /^Request of \d+ characters for test.echo/ });
  t.match(await daemon.d(['call', 'core.ping']), { code: 0 }, 'the connection is still there');
});

t.test('jobs of one method at a time are told apart', async (t) => {
  const around = await surroundings(t);
  const daemon = await startDaemon(t, { around, uri: `${around.uri}:/websocket` });
  const names = Array.from({ length: 12 }, (_, i) => `job-${i}`);
  const runs = await Promise.all(
    names.map((name) => daemon.d(['call', '-j', 'test.job', '1', '0.2', 'null', name])),
  );
  t.same(
    runs.map(({ stdout }) => stdout.trim()),
    names,
  );
  const merged = await Promise.all(
    names.slice(0, 4).map(() => daemon.d(['call', '-j', 'test.job_locked', 'same', '0.2'])),
  );
  for (const { code, stdout } of merged) t.match({ code, stdout }, { code: 0, stdout: 'same\n' });
});

t.test('a job is followed on after a lost connection', async (t) => {
  const around = await surroundings(t);
  const daemon = await startDaemon(t, { around, uri: `${around.uri}:/websocket` });
  const runs: Promise<Finished>[] = [
    daemon.d(['call', '-j', 'test.job', '4', '0.3', 'null', 'outlived']),
    daemon.d(['call', '-j', 'test.job_transient', '4', '0.3', 'null', 'it, too']),
  ];
  const { sandbox } = around;
  const isCalled = (method: string) => sandbox.countOf(method) > 0;
  await until('the jobs to run', () => isCalled('test.job') && isCalled('core.job_wait'));
  // Behind the answers to those calls: a call whose answer is lost is not followed.
  t.match(await daemon.d(['ping']), { code: 0 });
  sandbox.dropAll();
  const [job, transient] = await Promise.all(runs);
  t.match(job, { code: 0, stdout: 'outlived\n' });
  t.match(transient, { code: 0, stdout: 'it, too\n' });
});

t.test('logins: passwords with and without a code, keys with --plain', async (t) => {
  const server = await startServer(t);
  const { home } = server;
  const ws = server.ws.replace('/api/current', '/websocket');
  const [admin] = API_KEYS;
  const key = `${admin!.id}-${admin!.key}`;
  const login = (...args: string[]) => midclt(['-u', ws, ...args, 'call', 'auth.me'], { home });
  const admitted = /^\{"pw_name": "admin"/;
  t.match(await login('-U', 'admin', '-P', 'admin-pw'), { code: 0, stdout: admitted });
  t.match(await login('-K', key, '--plain'), { code: 0, stdout: admitted }, 'a key needs no name');
  t.match(await login('-U', 'otp', '-P', 'otp-pw', '--otp', '123456'), { code: 0 });
  const refused: [string[], RegExp][] = [
    [['-U', 'admin', '-P', 'wrong'], /Invalid username or password$/m],
    [['-U', 'otp', '-P', 'otp-pw', '--otp', '000000'], /Invalid username or password or one-time/],
    [['-K', `${admin!.id}-wrong`, '--plain'], /Invalid API key$/m],
    [['-K', key], /does not know SCRAM; --plain sends/],
  ];
  for (const [args, stderr] of refused) {
    const run = await login(...args);
    t.match(run, { code: 1, stdout: '', stderr: /^Error: Failed to login: / });
    t.match(run.stderr, stderr);
  }
});
