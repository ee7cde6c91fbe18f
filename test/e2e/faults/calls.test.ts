/** Calls on a connection that breaks: what was not sent waits, what was sent is never sent twice. */
import t, { type Test } from 'tap';
import {
  logOf,
  notLoggedIn,
  readMessage,
  startBetween,
  startBroken,
  statesOf,
  untilState,
  type Broken,
} from '../../support/faults.js';
import { midclt, until } from '../../support/midclt.js';
import { call, converse } from '../../support/wire.js';

const LOST = {
  type: 'error',
  error: /^The connection to the middleware was lost .*outcome of test\.sleep is unknown/,
  error_type: 'ClientException',
};

/** Several calls in flight, the line breaks as `breakIt` does, and a later call shows it healed. */
async function loses(t: Test, daemon: Broken, breakIt: () => void | Promise<void>) {
  const before = daemon.ran().length;
  const asleep = await Promise.all([1, 2, 3, 4].map(() => converse(t, daemon.socket)));
  for (const [index, each] of asleep.entries()) each.send(call('test.sleep', `[60.${index}]`));
  await until('the calls', () => daemon.ran().length === before + asleep.length);
  await breakIt();
  for (const each of asleep) t.match(await each.frame(), LOST);
  const later = await daemon.d(['call', 'test.echo', `"after ${before}"`]);
  t.match(later, { code: 0, stdout: `["after ${before}"]\n` });
  const ran = daemon.ran().slice(before);
  const slept = ran.filter(({ method }) => method === 'test.sleep').map(({ params }) => params[0]);
  t.same(slept.sort(), [60, 60.1, 60.2, 60.3], 'nothing was sent twice');
}

t.test(
  'F24: what is in flight when the connection is cut fails, its outcome unknown',
  async (t) => {
    const daemon = await startBroken(t);
    const { proxy, sandbox } = daemon;
    await loses(t, daemon, () => proxy.cut('rst'));
    await loses(t, daemon, () => proxy.cut('fin'));
    await loses(t, daemon, () => sandbox.dropAll());
    await loses(t, daemon, () => sandbox.cutMidMessage());
    await loses(t, daemon, () => sandbox.closeAll(1012, 'restart'));
    await loses(t, daemon, () => {
      proxy.cutAfter(5, 'client');
      void daemon.d(['-t', '1', 'call', 'test.big', '10000']);
    });
    t.match(await daemon.d(['ping']), { code: 0, stdout: 'pong\n' });
    t.equal(daemon.child.exitCode, null);
  },
);

t.test('F24: a request cut in its middle is not sent again, for all anybody knows', async (t) => {
  const daemon = await startBroken(t);
  daemon.proxy.cutAfter(2000, 'server');
  const long = await daemon.d(['call', 'test.echo', 'x'.repeat(50_000)]);
  t.match(long, { code: 1, stdout: '', stderr: /was lost .*outcome of test.echo is unknown/ });
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
  t.same(daemon.ran(), [{ method: 'test.echo', params: [1], connection: 2 }]);
});

t.test('F24: what queued behind the lost calls is sent when there is a connection', async (t) => {
  const daemon = await startBroken(t, { args: ['--concurrency', '2'] });
  const asleep = await Promise.all([1, 2].map(() => converse(t, daemon.socket)));
  for (const each of asleep) each.send(call('test.sleep', '[60]'));
  await until('the calls', () => daemon.ran().length === 2);
  const queued = await Promise.all(Array.from({ length: 10 }, () => converse(t, daemon.socket)));
  for (const [index, each] of queued.entries()) each.send(call('test.echo', `[${index}]`));
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  for (const each of asleep) t.match(await each.frame(), LOST);
  await untilState(daemon, 'waiting', 3);
  t.equal(daemon.ran().length, 2);
  await daemon.proxy.goOn();
  const frames = await Promise.all(queued.map((each) => each.frame()));
  t.same(
    frames,
    queued.map((_each, index) => ({ type: 'result', result: [index] })),
  );
  t.equal(daemon.ran().length, 12, 'each once');
});

t.test('F22: a long call waits for the login like a short one', async (t) => {
  const daemon = await startBroken(t);
  await daemon.proxy.refuse();
  daemon.proxy.cut('fin');
  await untilState(daemon, 'waiting');
  const long = daemon.d(['call', 'test.echo', 'x'.repeat(60_000)]);
  const ping = daemon.d(['ping']);
  await untilState(daemon, 'waiting', 2);
  await daemon.proxy.goOn();
  t.match(await long, { code: 0, stderr: '' });
  t.match(await ping, { code: 0, stdout: 'pong\n' });
  t.equal(daemon.sandbox.stats.logins, 2);
});

t.test('F24: a call without a daemon says as much', async (t) => {
  const daemon = await startBroken(t);
  const run = midclt(['-u', daemon.uri, '-U', 'admin', 'call', 'test.sleep', '60'], {
    home: daemon.home,
    env: { MIDCLT_PASSWORD: 'admin-pw' },
  });
  await until('the call', () => daemon.ran().length === 1);
  daemon.proxy.cut('rst');
  t.match(await run, { code: 1, stdout: '', stderr: /outcome of test.sleep is unknown/ });
  t.equal(daemon.ran().length, 1);
});

t.test('F21: calls on an expired session share one login, and each is run once', async (t) => {
  const daemon = await startBroken(t);
  const { sandbox } = daemon;
  const asleep = await converse(t, daemon.socket);
  for (let round = 1; round <= 3; round++) {
    asleep.send(call('test.sleep', '[0.5]'));
    await until('the sleep', () => sandbox.countOf('test.sleep') === round);
    sandbox.expireSessions();
    const clients = await Promise.all(Array.from({ length: 7 }, () => converse(t, daemon.socket)));
    for (const [index, each] of clients.entries()) each.send(call('test.echo', `[${index}]`));
    const frames = await Promise.all(clients.map((each) => each.frame()));
    t.same(
      frames,
      clients.map((_each, index) => ({ type: 'result', result: [index] })),
    );
    t.same(await asleep.frame(), { type: 'result', result: 0.5 }, 'what runs is not disturbed');
    t.equal(sandbox.stats.logins, 1 + round);
    t.equal(daemon.ran().length, 8 * round);
  }
  t.equal(sandbox.stats.connections, 1);
});

t.test('F21: a refusal that a new login does not cure is the answer', async (t) => {
  let refusals = 0;
  const daemon = await startBetween(t, {
    up: (message, { toClient }) => {
      const { id, method } = readMessage(message);
      if (method !== 'test.echo') return message;
      refusals += 1;
      toClient(notLoggedIn(id));
      return null;
    },
  });
  const run = await daemon.d(['call', 'test.echo']);
  t.match(run, { code: 1, stderr: /^\[ENOTAUTHENTICATED\] Not authenticated\n/ });
  t.equal(refusals, 2, 'sent once more');
  t.equal(daemon.sandbox.stats.logins, 2);
  t.match(await daemon.d(['call', 'test.sleep', '0']), { code: 0 });
});

t.test('F21: a method that raises the same number by itself runs once', async (t) => {
  const daemon = await startBroken(t);
  for (const wire of ['/api/current', '/websocket']) {
    const before = daemon.ran().length;
    const uri = `ws://127.0.0.1:${daemon.proxy.port}${wire}`;
    const call = ['call', 'test.fail', '207', 'No token of yours'];
    const run = await midclt(['-u', uri, '-U', 'admin', ...call], {
      home: daemon.home,
      env: { MIDCLT_PASSWORD: 'admin-pw' },
    });
    t.match(run, { code: 1, stderr: /^\[ENOTAUTHENTICATED\] No token of yours\n/ });
    t.equal(daemon.ran().length, before + 1);
  }
  const run = await daemon.d(['call', 'test.fail', '207', 'No token of yours']);
  t.match(run, { code: 1, stderr: /^\[ENOTAUTHENTICATED\] No token of yours\n/ });
  t.equal(daemon.ran().length, 3);
  t.equal(daemon.sandbox.stats.logins, 3, 'nobody logged in again');
});

t.test('F27: a refusal for too many calls is waited out, and no client sees it', async (t) => {
  let refusals = 0;
  const daemon = await startBetween(t, {
    up: (message, { toClient }) => {
      const { id, method } = readMessage(message);
      if (method !== 'test.echo' || refusals === 2) return message;
      refusals += 1;
      const text = 'Maximum number of concurrent calls (20) has exceeded';
      toClient(`{"jsonrpc":"2.0","error":{"code":-32000,"message":"${text}"},"id":"${id}"}`);
      return null;
    },
  });
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n', stderr: '' });
  t.equal(refusals, 2);
  t.equal(daemon.ran().length, 1);
  t.equal(daemon.sandbox.stats.logins, 1);
});

t.test('F27: a hundred clients at once never have more than the width under way', async (t) => {
  const daemon = await startBroken(t);
  const clients = await Promise.all(Array.from({ length: 100 }, () => converse(t, daemon.socket)));
  for (const [index, each] of clients.entries())
    each.send(call('test.sleep', '[0.02]', {}, { id: index }));
  const frames = await Promise.all(clients.map((each) => each.frame()));
  t.same(
    frames,
    clients.map((_each, id) => ({ type: 'result', id, result: 0.02 })),
  );
  t.ok(daemon.sandbox.stats.maxOutstanding <= 8, `${daemon.sandbox.stats.maxOutstanding}`);
});

t.test('F22: each change of state is logged once, in its order', async (t) => {
  const daemon = await startBroken(t);
  const ATTEMPT = ['connecting', 'authenticating', 'ready'];
  await untilState(daemon, 'ready'); // the log is written a moment after it is so
  t.same(statesOf(daemon), ATTEMPT);
  daemon.proxy.cut('rst');
  await untilState(daemon, 'ready', 2);
  t.same(statesOf(daemon), [...ATTEMPT, 'waiting', ...ATTEMPT]);
  daemon.sandbox.expireSessions();
  t.match(await daemon.d(['call', 'test.echo']), { code: 0 });
  daemon.child.kill('SIGTERM');
  t.match(await daemon.exited, { code: 0 });
  const again = ['authenticating', 'ready', 'closed'];
  t.same(statesOf(daemon), [...ATTEMPT, 'waiting', ...ATTEMPT, ...again]);
  const lost = logOf(daemon).filter(({ event }) => event === 'connection lost');
  t.equal(lost.length, 1);
});
