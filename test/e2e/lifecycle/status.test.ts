/** What `daemon-status` says, whatever the daemon is at. */
import t from 'tap';
import type { StatusReport } from '../../../lib/protocol/status.js';
import { ground, type Ground } from '../../support/lifecycle.js';
import { KEY } from '../../support/login.js';
import { until } from '../../support/midclt.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function report({ run }: Ground, ...globals: string[]): Promise<StatusReport> {
  const { code, stdout, stderr } = await run([...globals, 'daemon-status', '--json']);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as StatusReport;
}

t.test('it counts calls, failures and their latency, and says who and where it is', async (t) => {
  const place = await ground(t);
  const { admin, ws, pid } = place;
  const before = Date.now();
  for (let i = 0; i < 3; i++) t.match(await admin(['call', 'test.echo', `${i}`]), { code: 0 });
  t.match(await admin(['call', 'test.fail']), { code: 1 });
  const login = ['-u', ws, '-U', 'admin'];
  const status = await report(place, ...login);
  t.match(status, {
    pid: pid(ws, 'admin'),
    version: '0.1.0',
    protocol: 1,
    started: ISO,
    uri: ws,
    username: 'admin',
    phase: 'accepting',
    lifetime: 600,
    clients: 1,
    middleware: {
      uri: ws,
      state: 'ready',
      since: ISO,
      last_error: null,
      logins: 1,
      reconnects: 0,
      can_log_in_again: true,
      one_time_code: false,
    },
    calls: { failed: 1, in_flight: 0, queued: 0 },
    jobs: { followed: 0 },
  });
  t.comment(JSON.stringify(status.calls));
  t.ok([3, 4].includes(status.calls.served), 'the failed one may count');
  const { p50, p90, p99 } = status.calls.latency!;
  t.ok(p50 >= 0 && p50 <= p90 && p90 <= p99, `${p50} ${p90} ${p99}`);
  t.ok(status.memory > 10e6 && status.memory < 500e6, `${status.memory} bytes`);
  t.ok(status.uptime >= 0 && status.uptime < 120);
  t.ok(Date.parse(status.started) >= before && Date.parse(status.middleware.since) >= before);

  const { code, stdout, stderr } = await place.run([...login, 'daemon-status']);
  t.match({ code, stderr }, { code: 0, stderr: '' });
  for (const line of [
    `pid +${pid(ws, 'admin')}`,
    'version +0\\.1\\.0',
    'uptime +\\d\\d:\\d\\d:\\d\\d',
    `URI +${ws}`,
    'user +admin',
    'middleware +ready since \\d{4}-',
    'last error +-',
    'logins +1, reconnects 0',
    'calls +\\d served, 1 failed',
    'now +0 in flight, 0 queued, 0 jobs followed',
    'clients +1',
    'latency +p50 [\\d.]+ ms, p90 [\\d.]+ ms, p99 [\\d.]+ ms',
    'memory +\\d+ MB',
  ])
    t.match(stdout, new RegExp(`^${line}$|^${line}`, 'm'), line.replace(/\d{4,}/g, 'N'));
});

t.test('it answers at once while all slots are busy, and counts who waits', async (t) => {
  const place = await ground(t);
  const { d, run, uri, sandbox } = place;
  t.match(await run(['-u', uri, 'daemon', '--detach', '--concurrency', '2']), { code: 0 });
  const slow = Array.from({ length: 2 }, () => d(['call', 'test.sleep', '15']));
  await until('both slots to be taken', () => sandbox.countOf('test.sleep') === 2);
  const waiting = Array.from({ length: 2 }, () => d(['call', 'test.echo', '1']));
  const status = await until('the others to wait', async () => {
    const now = await report(place, '-u', uri);
    return now.calls.queued === 2 ? now : null;
  });
  t.match(status, { calls: { in_flight: 2, queued: 2 }, clients: 5 });
  for (const call of slow) t.match(await call, { code: 0, stdout: '15.0\n' });
  for (const call of waiting) t.match(await call, { code: 0, stdout: '[1]\n' });
  t.match(await report(place, '-u', uri), { calls: { in_flight: 0, queued: 0 }, clients: 1 });
});

t.test('it counts the jobs it follows', async (t) => {
  const place = await ground(t);
  t.match(await place.d(['ping']), PONG);
  const job = place.d(['call', '-j', 'test.job_abortable', '60', '1']);
  await until('a job', async () => (await report(place, '-u', place.uri)).jobs.followed === 1);
  t.match(await place.d(['call', 'core.job_abort', '1']), { code: 0 });
  t.match(await job, { code: 1, stderr: /Job 1 was aborted/ });
  t.match(await report(place, '-u', place.uri), { jobs: { followed: 0 } });
});

t.test(
  'it answers at once while the middleware is away, and tells since when and why',
  async (t) => {
    const place = await ground(t);
    const { admin, ws, sandbox } = place;
    const login = ['-u', ws, '-U', 'admin'];
    t.match(await admin(['ping']), PONG);
    const up = await report(place, ...login);
    sandbox.setRefusing(502);
    sandbox.dropAll();
    const down = await until('it to wait', async () => {
      const now = await report(place, ...login);
      const isDown = now.middleware.state === 'waiting' && now.middleware.last_error !== null;
      return isDown ? now : null;
    });
    t.match(down.middleware, { since: ISO, last_error: /./ });
    t.ok(Date.parse(down.middleware.since) >= Date.parse(up.middleware.since));
    const text = await place.run([...login, 'daemon-status']);
    t.match(text, { code: 0, stdout: /^middleware +(waiting|connecting) since/m, stderr: '' });
    t.match(await place.run(['daemon-list']), { code: 0, stdout: /waiting|connecting/ });
    const call = admin(['call', 'core.ping']);
    await until('a call to wait', async () => (await report(place, ...login)).calls.queued === 1);
    sandbox.setRefusing(null);
    t.match(await call, PONG);
    const again = await report(place, ...login);
    t.match(again.middleware, { state: 'ready', reconnects: 1, logins: 2 });
    t.equal(again.pid, up.pid);
  },
);

t.test('no secret is in it, however one logged in', async (t) => {
  const place = await ground(t);
  const login = ['-u', place.ws, '-U', 'admin'];
  for (const [secret, env] of [
    ['admin-pw', { MIDCLT_PASSWORD: 'admin-pw' }],
    [KEY.slice(2), { MIDCLT_API_KEY: KEY }],
  ] as const) {
    t.match(await place.run([...login, '-d', 'ping'], { env }), PONG);
    place.sandbox.dropAll();
    for (const args of [
      [...login, 'daemon-status', '--json'],
      [...login, 'daemon-status'],
      ['daemon-list', '--json'],
      ['daemon-list'],
    ]) {
      const { code, stdout, stderr } = await place.run(args);
      t.equal(code, 0);
      t.match(stdout, 'admin');
      t.notOk((stdout + stderr).includes(secret));
    }
    t.match(await place.run([...login, 'daemon-stop']), { code: 0 });
  }
});
