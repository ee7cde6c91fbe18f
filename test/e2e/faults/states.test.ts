/** The connection heals by itself, and says when it can't. */
import t from 'tap';
import { KEY } from '../../support/login.js';
import {
  FAST,
  logOf,
  readMessage,
  serverWithJournal,
  startAdmin,
  startBetween,
  startBroken,
  statesOf,
  untilState,
} from '../../support/faults.js';
import { startDaemon } from '../../support/daemon.js';
import { makeHome, midclt, until } from '../../support/midclt.js';
import { startSandboxProcess } from '../../support/sandbox-process.js';
import { startSandbox } from '../../../lib/sandbox/index.js';
import { call, converse } from '../../support/wire.js';

t.jobs = 4; // they wait, side by side

t.test('F22: calls wait while the server is restarted, and are run once', async (t) => {
  const home = makeHome(t);
  const journal = `${home}/journal`;
  const sandbox = await startSandboxProcess(t, { ws: 0, rateLimit: false, journal });
  const around = { home, uri: '', sandbox: sandbox as never };
  const daemon = await startAdmin(t, around, sandbox.wsPort!);
  for (let round = 1; round <= 2; round++) {
    await sandbox.kill('SIGKILL');
    const waiting = [1, 2, 3].map((n) => daemon.d(['call', 'test.echo', `${n}`]));
    await untilState(daemon, 'waiting', round * 3);
    await sandbox.restart();
    for (const [index, run] of (await Promise.all(waiting)).entries())
      t.match(run, { code: 0, stdout: `[${index + 1}]\n`, stderr: '' });
    t.equal(await sandbox.ask('countOf', 'test.echo'), 3);
    t.equal((await sandbox.ask('stats')).logins, 1);
  }
});

t.test('F22: the pauses double from a tenth of a second, with jitter', async (t) => {
  const daemon = await startBroken(t);
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  await untilState(daemon, 'waiting', 7, 30_000);
  const log = logOf(daemon).slice(0, -1); // the last may be an attempt that is still under way
  const from = log.findIndex(({ event }) => event === 'waiting');
  const pauses = log.filter(({ event }) => event === 'waiting');
  for (const [index, { ms = NaN, why = '' }] of pauses.entries()) {
    t.ok(ms >= 0 && ms <= 100 * 2 ** index, `${ms} ms before the ${index + 1}. attempt`);
    t.match(why, index === 0 ? /lost/ : /ECONNREFUSED/);
  }
  t.ok(new Set(pauses.map(({ ms }) => ms)).size > 1);
  const events = log.slice(from).map(({ event }) => event);
  t.match(events.join(' '), /^waiting( connecting waiting)+( connecting)?$/);
});

t.test('F22: what stands before the server says 502 for a while', async (t) => {
  const daemon = await startBroken(t);
  daemon.sandbox.setRefusing(502);
  daemon.sandbox.dropAll();
  const run = daemon.d(['call', 'test.echo', '1']);
  await untilState(daemon, 'waiting', 4);
  t.match(logOf(daemon).findLast(({ event }) => event === 'waiting')?.why, /HTTP status 502/);
  daemon.sandbox.setRefusing(null);
  t.match(await run, { code: 0, stdout: '[1]\n' });
  t.equal(daemon.child.exitCode, null);
});

t.test('F22: a daemon asked to go does not wait for the server to come back', async (t) => {
  const daemon = await startBroken(t);
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  await untilState(daemon, 'waiting');
  const client = await converse(t, daemon.socket);
  client.send(call('test.echo', '[1]'));
  client.send('{"command":"dance"}\n');
  const stop = midclt(['-u', daemon.uri, '-U', 'admin', 'daemon-stop'], daemon);
  t.match(await client.frame(), { type: 'error', error: /shutting down/ });
  t.match(await stop, { code: 0 });
  t.same(await daemon.exited, { code: 0, signal: null });
  t.same(daemon.ran(), []);
});

t.test(
  'F22: a key that is refused on the way back ends the daemon, and all are told',
  async (t) => {
    const around = await serverWithJournal(t);
    const port = around.sandbox.wsPort!;
    const uri = `ws://127.0.0.1:${port}/api/current`;
    const globals = ['-U', 'admin', '-K', KEY, '--plain'];
    const daemon = await startDaemon(t, { around, uri, globals, username: 'admin' });
    await around.sandbox.close();
    const waiting = await Promise.all([1, 2, 3].map(() => converse(t, daemon.socket)));
    for (const client of waiting) {
      client.send('{"command":"dance"}\n');
      await client.frame(); // it is there
      client.send(call('test.echo', '[1]'));
    }
    await untilState(daemon, 'waiting', 3);
    const stricter = await startSandbox({
      ws: port,
      apiKeys: [],
      failedLoginDelayMs: 300,
      scram: FAST,
    });
    t.teardown(() => stricter.close());
    for (const client of waiting)
      t.match(await client.frame(), {
        type: 'error',
        error: /^Failed to login: Invalid API key/,
        error_type: 'ClientException',
      });
    const { code, signal } = await daemon.exited;
    t.same([code, signal], [1, null]);
    t.match(daemon.stderr(), /^Error: Failed to login: Invalid API key[^\n]*\n$/);
    t.equal(stricter.stats.failedLogins, 1, 'it is not tried again');
    t.equal(statesOf(daemon).at(-1), 'closed');
    t.ok(logOf(daemon).some(({ level, event }) => level === 'error' && event === 'daemon failed'));
    t.match(await daemon.d(['ping']), { code: 1, stderr: /No daemon/i });
  },
);

t.test('F21: a password that is refused at the re-login ends the daemon', async (t) => {
  let logins = 0;
  const daemon = await startBetween(t, {
    down: (message) => {
      const { result } = JSON.parse(message) as { result?: { response_type?: string } };
      if (result?.response_type !== 'SUCCESS') return message;
      logins += 1;
      return logins === 1 ? message : message.replace('"SUCCESS"', '"AUTH_ERR"');
    },
  });
  const asleep = await converse(t, daemon.socket);
  asleep.send(call('test.sleep', '[1.5]'));
  await until('the sleep', () => daemon.ran().length === 1);
  daemon.sandbox.expireSessions();
  const run = await daemon.d(['call', 'test.echo', '1']);
  t.match(run, { code: 1, stderr: /Failed to login: Invalid username or password/ });
  t.match(await asleep.frame(), { type: 'result', result: 1.5 }, 'what was under way is answered');
  t.match(await daemon.exited, { code: 1 });
  t.match(daemon.stderr(), /^Error: Failed to login: Invalid username or password\n$/);
  t.equal(logins, 2);
});

t.test('F22: a connection that is lost in the midst of a login is made again', async (t) => {
  let logins = 0;
  const daemon = await startBetween(t, {
    up: (message, { cut }) => {
      if (readMessage(message).method !== 'auth.login_ex') return message;
      logins += 1;
      if (logins === 1 || logins > 3) return message;
      cut();
      return null;
    },
  });
  daemon.sandbox.dropAll();
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
  t.equal(logins, 4);
  daemon.sandbox.expireSessions();
  logins = 1;
  t.match(await daemon.d(['call', 'test.echo', '2']), { code: 0, stdout: '[2]\n' });
  t.equal(logins, 4);
});

t.test('F22: a busy line that comes and goes takes nothing but what was under way', async (t) => {
  const daemon = await startBroken(t);
  daemon.proxy.delay(20);
  const outcomes = new Map<string, number>();
  const params: unknown[] = [];
  const client = async (name: number) => {
    const connection = await converse(t, daemon.socket);
    for (let i = 0; i < 40; i++) {
      connection.send(call('test.echo', `["${name} ${i}"]`));
      const { type, error, result } = await connection.frame();
      if (type === 'result') params.push((result as unknown[])[0]);
      const isLost = /outcome of test.echo is unknown$/.test(error as string);
      const outcome = type === 'result' ? 'answered' : isLost ? 'lost' : (error as string);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  const clients = Promise.all(Array.from({ length: 10 }, (_, name) => client(name)));
  for (let cuts = 1; cuts <= 4; cuts++) {
    await untilState(daemon, 'ready', cuts);
    const before = daemon.ran().length;
    await until('calls', () => daemon.ran().length >= before + 20);
    daemon.proxy.cut(cuts % 2 ? 'rst' : 'fin');
  }
  await clients;
  t.same([...outcomes.keys()].sort(), ['answered', 'lost'], JSON.stringify([...outcomes]));
  t.ok(outcomes.get('lost')! <= 4 * 8, 'no more than were under way');
  const ran = daemon.ran().map((each) => each.params[0]);
  t.equal(new Set(ran).size, ran.length, 'none was run twice');
  t.same(
    params.filter((each) => !ran.includes(each)),
    [],
    'who got an answer was run',
  );
  t.equal(daemon.sandbox.stats.logins, 5);
});
