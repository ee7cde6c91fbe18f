/** What takes the better part of a minute: dead lines that look alive, and limits counted by the minute. */
import t from 'tap';
import {
  journalOf,
  logOf,
  startAdmin,
  startBusy,
  startBroken,
  statesOf,
  untilState,
} from '../support/faults.js';
import { startDaemon } from '../support/daemon.js';
import { makeHome, until } from '../support/midclt.js';
import { startSandboxProcess } from '../support/sandbox-process.js';
import { call, converse } from '../support/wire.js';

const MINUTE = 60_000;

t.setTimeout(600_000);
t.jobs = 8; // they wait, side by side

t.test('F20: a connection that goes nowhere any more is noticed and made anew', async (t) => {
  const daemon = await startBroken(t);
  const job = await converse(t, daemon.socket);
  job.send(call('test.job', '[1, 1, null, "kept"]', { job: true }));
  await until('the job to be known', () => job.lines.some((line) => line.includes('step 1/1')));
  const began = performance.now();
  daemon.proxy.stall();
  await untilState(daemon, 'waiting', 1, MINUTE);
  const took = (performance.now() - began) / 1000;
  t.ok(took >= 27 && took < 100, `after ${took} s`);
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
  t.match((await job.answer()).at(-1), { type: 'result', result: 'kept' });
  t.equal(daemon.sandbox.stats.logins, 2);
  t.equal(daemon.ran().length, 2);
});

t.test('F20: a silent connection is kept alive, and so is a busy one', async (t) => {
  const daemon = await startBroken(t);
  const run = await daemon.d(['-t', '100', 'call', 'test.sleep', '50']);
  t.match(run, { code: 0, stdout: '50.0\n' });
  t.same(statesOf(daemon), ['connecting', 'authenticating', 'ready']);
});

t.test('F40: a server that is stopped for the better part of a minute loses no call', async (t) => {
  const home = makeHome(t);
  const journal = `${home}/journal`;
  const unix = `${home}/mw.sock`;
  const sandbox = await startSandboxProcess(t, { unix, ws: 0, rateLimit: false, journal });
  const around = { home, uri: '', sandbox: sandbox as never };
  const daemons = await Promise.all([
    startAdmin(t, around, sandbox.wsPort!),
    startDaemon(t, { around, uri: `ws+unix://${unix}` }),
  ]);
  const asleep = await Promise.all(daemons.map(({ socket }) => converse(t, socket)));
  for (const each of asleep) each.send(call('test.sleep', '[1]', { timeout: null }));
  await until('both calls', () => journalOf(journal).length === 2);
  process.kill(sandbox.pid, 'SIGSTOP');
  const later = await Promise.all(daemons.map(({ socket }) => converse(t, socket)));
  for (const each of later) each.send(call('test.echo', '[1]', { timeout: null }));
  await new Promise((resolve) => setTimeout(resolve, 45_000)); // longer than silence and patience
  process.kill(sandbox.pid, 'SIGCONT');
  for (const each of asleep) t.match(await each.frame(), { type: 'result', result: 1 });
  for (const each of later) t.match(await each.frame(), { type: 'result', result: [1] });
  for (const daemon of daemons) t.equal(statesOf(daemon).at(-1), 'ready');
  t.equal(daemons.flatMap(statesOf).filter((state) => state === 'connecting').length, 2);
  t.equal(journalOf(journal).length, 4, 'each once');
});

t.test('F20: a stalled sandbox does not hold back a timeout', async (t) => {
  const daemon = await startBroken(t);
  daemon.sandbox.setStalled(true);
  const began = performance.now();
  t.match(await daemon.d(['-t', '1', 'call', 'test.echo', '1']), { code: 1, stderr: /timeout/i });
  t.ok(performance.now() - began < 15_000);
  daemon.sandbox.setStalled(false);
  t.match(await daemon.d(['call', 'test.echo', '2']), { code: 0 });
  t.equal(daemon.sandbox.stats.connections, 1);
});

t.test('F23: the eleventh login within a minute waits for the next', async (t) => {
  const daemon = await startBroken(t);
  const began = performance.now();
  for (let logins = 2; logins <= 10; logins++) {
    daemon.sandbox.expireSessions();
    t.match(await daemon.d(['call', 'test.echo', `${logins}`]), { code: 0 });
    t.equal(daemon.sandbox.stats.logins, logins);
  }
  daemon.sandbox.expireSessions();
  const last = await daemon.d(['call', 'test.echo', '11']);
  t.match(last, { code: 0, stdout: '[11]\n' });
  const took = (performance.now() - began) / 1000;
  t.ok(took > 50 && took < 150, `${took} s`);
  t.equal(daemon.sandbox.stats.logins, 11);
  t.equal(daemon.ran().length, 10, 'each once');
});

t.test('F23: a refusal for too many logins is waited out for a minute', async (t) => {
  const rateLimit = { calls: 2, windowMs: MINUTE, delayMs: 100 };
  const daemon = await startBroken(t, { rateLimit });
  daemon.sandbox.dropAll();
  await untilState(daemon, 'ready', 2);
  daemon.sandbox.dropAll();
  const waiting = daemon.d(['call', 'test.echo', '1']);
  const pause = await until('the refusal', () => logOf(daemon).find(({ ms = 0 }) => ms > 20_000));
  t.match(pause, { event: 'waiting', why: /Rate Limit Exceeded/ });
  t.ok(pause.ms! > MINUTE - 5000 && pause.ms! <= MINUTE, `${pause.ms} ms`);
  t.match(await waiting, { code: 0, stdout: '[1]\n' });
  t.equal(daemon.sandbox.countOf('auth.login_ex'), 4, 'asked once in that minute');
});

t.test('F23: so is one at the login of an expired session', async (t) => {
  const rateLimit = { calls: 1, windowMs: MINUTE, delayMs: 100 };
  const daemon = await startBroken(t, { rateLimit });
  daemon.sandbox.expireSessions();
  const began = performance.now();
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
  const took = (performance.now() - began) / 1000;
  t.ok(took >= 59, `${took} s`);
  t.equal(daemon.sandbox.countOf('auth.login_ex'), 3);
});

t.test('F23: the minute after a refusal is kept when the connection is lost in it', async (t) => {
  const rateLimit = { calls: 1, windowMs: 60_000, delayMs: 100 };
  const daemon = await startBroken(t, { rateLimit });
  daemon.sandbox.expireSessions();
  const run = daemon.d(['call', 'test.echo', '1']);
  await until('the second login', () => daemon.sandbox.countOf('auth.login_ex') === 2);
  await until('its refusal', () =>
    logOf(daemon).some(({ event }) => event === 'login refused for now'),
  );
  daemon.proxy.cut('rst');
  t.match(await run, { code: 0, stdout: '[1]\n' });
  t.equal(daemon.sandbox.countOf('auth.login_ex'), 3, 'asked once more, not twice');
});

const isLong = process.env.MIDCLT_TEST_LONG !== undefined;
t.test(
  'F22: who gives no timeout waits two minutes, and is told why',
  { skip: !isLong },
  async (t) => {
    const daemon = await startBroken(t);
    await daemon.proxy.refuse();
    daemon.proxy.cut('rst');
    await untilState(daemon, 'waiting');
    const patient = daemon.d(['-t', '240', 'call', 'test.echo', 'patient']);
    const began = performance.now();
    const { code, stderr } = await daemon.d(['call', 'test.echo', '1']);
    const took = (performance.now() - began) / 1000;
    t.ok(took >= 119 && took < 180, `${took} s`);
    t.match({ code, stderr }, { code: 1, stderr: /waited 120 s .*ECONNREFUSED.*was not sent\n$/ });
    await daemon.proxy.goOn();
    t.match(await patient, { code: 0, stdout: '["patient"]\n' }, 'its own timeout is longer');
  },
);

t.test('F27: a server that stays busy is not waited for for ever', { skip: !isLong }, async (t) => {
  const daemon = await startBusy(t);
  const client = await converse(t, daemon.socket);
  client.send(call('test.echo', '[1]', { timeout: 1 }));
  await until('an answer', () => client.lines.length > 0, 125_000);
  t.match(await client.frame(), { type: 'error' });
});
