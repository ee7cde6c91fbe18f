/** Faults that come between two steps of one thing. */
import t from 'tap';
import {
  notLoggedIn,
  readMessage,
  serverWithJournal,
  startBetween,
  startBroken,
  untilState,
} from '../../support/faults.js';
import { startDaemon, statusOf } from '../../support/daemon.js';
import { startRelay } from '../../support/relay.js';
import { finished, spawnMidclt, until } from '../../support/midclt.js';
import { call, converse } from '../../support/wire.js';

t.jobs = 12;

t.test('F21: a job started on an expired session is followed', async (t) => {
  const daemon = await startBroken(t);
  t.match(await daemon.d(['call', '-j', 'test.job', '1', '0.1']), { code: 0 });
  daemon.sandbox.expireSessions();
  const run = await daemon.d(['call', '-j', 'test.job', '2', '0.5', 'null', '"second"']);
  t.match(run, { code: 0, stdout: 'second\n' });
});

t.test('F25: a transient job is followed on when half of its look-up is lost', async (t) => {
  let cuts = 0;
  const daemon = await startBetween(t, {
    down: (message, { cut }) => {
      // The id of core.job_wait's own job; core.get_jobs has answered before.
      const { result } = JSON.parse(message) as { result?: unknown };
      if (cuts > 0 || result !== 2) return message;
      cuts += 1;
      cut();
      return null;
    },
  });
  const run = await daemon.d(['call', '-j', 'test.job_transient', '3', '5', 'null', '"kept"']);
  t.equal(cuts, 1);
  t.match(run, { code: 0, stdout: 'kept\n' });
});

t.test(
  'F25: a job whose look-up finds another under its number is not taken for a result',
  async (t) => {
    let cuts = 0;
    const daemon = await startBetween(t, {
      up: (message, { cut }) => {
        if (cuts > 0 || readMessage(message).method !== 'core.get_jobs') return message;
        cuts += 1;
        cut();
        return null;
      },
      // As after a restart: the number is another session's job's.
      down: (message) =>
        message.replace(/"message_ids": \["[^\]]*\]/, '"message_ids": ["other-1"]'),
    });
    const run = await daemon.d(['call', '-j', 'test.job_transient', '1', '60', 'null', '"kept"']);
    t.equal(cuts, 1);
    t.match(run, { code: 1, stdout: '', stderr: /\b1\b.*outcome is unknown/ });
  },
);

t.test(
  'F21: a method that was refused in vain once can be again, and is sent once more',
  async (t) => {
    let refusals = 0;
    const daemon = await startBetween(t, {
      up: (message, { toClient }) => {
        const { id, method } = readMessage(message);
        if (method !== 'test.echo' || refusals === 2) return message;
        refusals += 1;
        toClient(notLoggedIn(id));
        return null;
      },
    });
    t.match(await daemon.d(['call', 'test.echo']), { code: 1 });
    t.match(await daemon.d(['call', 'test.echo']), { code: 0 });
    daemon.sandbox.expireSessions();
    for (let i = 0; i < 3; i++) t.match(await daemon.d(['call', 'test.echo', `${i}`]), { code: 0 });
  },
);

t.test('F16: a client killed before its job was sent leaves no job behind', async (t) => {
  let held: (() => void) | null = null;
  const daemon = await startBetween(t, {
    up: (message, { toServer }) => {
      if (readMessage(message).method !== 'core.subscribe') return message;
      held = () => toServer(message);
      return null;
    },
  });
  const dead = await converse(t, daemon.socket);
  dead.send(call('test.job', '[1, 0, null, "dead"]', { job: true }));
  await until('the subscription', () => held);
  dead.destroy();
  t.match(await daemon.d(['call', 'test.echo', '"noticed"']), { code: 0 });
  held!();
  t.match(await daemon.d(['call', '-j', 'test.job', '1', '0', 'null', '"alive"']), { code: 0 });
  t.same(
    daemon.ran().map(({ params }) => params.at(-1)),
    ['noticed', 'alive'],
  );
});

t.test('F16: a client killed while its refused call waits for the login', async (t) => {
  let logins = 0;
  let held: (() => void) | null = null;
  const daemon = await startBetween(t, {
    up: (message, { toServer }) => {
      if (readMessage(message).method !== 'auth.login_ex') return message;
      logins += 1;
      if (logins === 1) return message;
      held = () => toServer(message);
      return null;
    },
  });
  daemon.sandbox.expireSessions();
  const dead = await converse(t, daemon.socket);
  dead.send(call('test.echo', '["dead"]'));
  await until('the login', () => held);
  dead.destroy();
  const living = await converse(t, daemon.socket);
  living.send('{"command":"dance"}\n');
  await living.frame(); // by then the daemon knows
  living.send(call('test.echo', '["alive"]'));
  held!();
  await living.frame();
  t.same(
    daemon.ran().map(({ params }) => params[0]),
    ['alive'],
  );
});

t.test('F16: a client killed while its call is refused as too many', async (t) => {
  let refusals = 0;
  let isBusy = true;
  const daemon = await startBetween(t, {
    up: (message, { toClient }) => {
      const { id, method } = readMessage(message);
      if (method !== 'test.echo' || !isBusy) return message;
      refusals += 1;
      toClient(`{"jsonrpc":"2.0","error":{"code":-32000,"message":"busy"},"id":"${id}"}`);
      return null;
    },
  });
  const dead = await converse(t, daemon.socket);
  dead.send(call('test.echo', '["dead"]'));
  await until('a refusal', () => refusals > 0);
  dead.destroy();
  const other = await converse(t, daemon.socket);
  other.send('{"command":"dance"}\n');
  await other.frame();
  const before = refusals;
  other.send(call('test.echo', '["alive"]'));
  await until('its refusals', () => refusals >= before + 4);
  isBusy = false;
  await other.frame();
  t.match(await daemon.d(['call', 'test.sleep', '3']), { code: 0 });
  t.same(
    daemon
      .ran()
      .filter(({ method }) => method === 'test.echo')
      .map(({ params }) => params[0]),
    ['alive'],
  );
});

t.test('F16: Ctrl-C in a job that was never sent does not say that it goes on', async (t) => {
  const daemon = await startBroken(t);
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  await untilState(daemon, 'waiting');
  const args = ['-u', daemon.uri, '-U', 'admin', '-d', 'call', '-j', 'test.job', '1', '0'];
  const child = spawnMidclt(args, daemon);
  const run = finished(child);
  // It has its handlers by then.
  await until('it to wait', async () => (await statusOf(daemon.socket)).calls.queued === 1);
  child.kill('SIGINT');
  t.notMatch((await run).stderr, /goes on at the server/);
});

t.test('F22: a call made while the connection is closing waits for the next', async (t) => {
  const daemon = await startBroken(t);
  t.match(await daemon.d(['ping']), { code: 0 }); // it is logged in, and has all answers
  const { told } = daemon.proxy;
  daemon.proxy.delay(1500);
  daemon.sandbox.closeAll(1012, 'restart');
  // The end of the line comes 3 s after it.
  await until('the close frame', () => daemon.proxy.told > told);
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
});

t.test(
  'F25: a job that a look-up does not find after a loss is not said to have ended',
  async (t) => {
    let cuts = 0;
    const around = await serverWithJournal(t);
    const relay = await startRelay(t, {
      to: `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`,
      up: (message, { cut }) => {
        if (cuts > 0 || readMessage(message).method !== 'core.get_jobs') return message;
        cuts += 1;
        cut();
        return null;
      },
    });
    const daemon = await startDaemon(t, {
      around,
      uri: `ws://127.0.0.1:${relay.port}/api/current`,
      globals: ['-U', 'reader'],
      username: 'reader',
      env: { MIDCLT_PASSWORD: 'reader-pw' },
    });
    const run = await daemon.d(['call', '-j', 'test.job_transient', '30', '1']);
    t.match(run, { code: 1, stdout: '', stderr: /job 1\b.*outcome is unknown/i });
    t.notMatch(run.stderr, /ended/);
  },
);
