/** F39: calls that were given up and never end hold no slot for good. */
import t, { type Test } from 'tap';
import { startBroken, type Broken } from '../../support/faults.js';
import { until } from '../../support/midclt.js';
import { call, converse, type Conversation } from '../../support/wire.js';

t.jobs = 4; // they wait, side by side

const GIVEN_UP = { type: 'error', error: 'Call timeout', error_type: 'ClientException' };

/** Takes every slot with a call of so many seconds, and has each given up. */
async function fill(t: Test, daemon: Broken, seconds: number, slots = 8): Promise<void> {
  const before = daemon.ran().length;
  const clients = await Promise.all(
    Array.from({ length: slots }, () => converse(t, daemon.socket)),
  );
  const sleep = call('test.sleep', `[${seconds}]`, { timeout: 1 }, { keep: true, not_sent: true });
  // Half of them wait until the server has told that the method starts no job: on a busy machine that may take all of
  // their time, and they are never sent. What was sent is of unknown outcome, and is run sooner or later.
  for (let callers = clients; callers.length > 0;) {
    for (const client of callers) client.send(sleep);
    const unsent: Conversation[] = [];
    for (const client of callers) {
      const frame = await client.frame();
      t.match(frame, GIVEN_UP);
      if (frame.outcome !== 'unknown') unsent.push(client);
    }
    callers = unsent;
  }
  await until('all of them to run', () => daemon.ran().length >= before + slots);
  t.equal(daemon.ran().length, before + slots, 'each once');
}

/** Answers the calls for an hour, when the test wants them to end. */
function endAll({ sandbox }: Broken): void {
  for (const text of sandbox.received) {
    if (!text.includes('"test.sleep", "params": [3600]')) continue;
    const { id } = JSON.parse(text) as { id: unknown };
    sandbox.sendRaw(JSON.stringify({ jsonrpc: '2.0', id, result: 3600 }));
  }
}

t.test('F39: a call is made while all slots are held by calls that never end', async (t) => {
  const daemon = await startBroken(t);
  const { sandbox } = daemon;
  for (let round = 1; round <= 3; round++) {
    await fill(t, daemon, 3600);
    t.equal(sandbox.stats.connections, round, 'nobody waits yet');
    const run = await daemon.d(['-t', '60', 'call', 'test.echo', `${round}`]);
    t.match(run, { code: 0, stdout: `[${round}]\n`, stderr: '' });
    t.equal(sandbox.stats.connections, round + 1, 'over a fresh WebSocket');
    // Two old ones at most, and the one in use.
    await until('the oldest to go', () => sandbox.stats.open === Math.min(round + 1, 3));
  }
  t.match(await daemon.d(['ping']), { code: 0, stdout: 'pong\n' });
  t.equal(sandbox.stats.logins, 4);
});

t.test(
  'F39: an old WebSocket goes when its calls end, and what it says still counts',
  async (t) => {
    const daemon = await startBroken(t);
    const { sandbox } = daemon;
    const follower = await converse(t, daemon.socket);
    follower.send(call('test.job', '[60, 0.5]', { job: true }));
    await follower.frame();
    await fill(t, daemon, 3600);
    const ping: Conversation = await converse(t, daemon.socket);
    t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
    t.equal(sandbox.stats.open, 2, 'it is still there');
    ping.send('{"command":"ping"}\n');
    t.match(await ping.frame(), { result: 'pong' });
    endAll(daemon);
    await until('the old one to be closed', () => sandbox.stats.open === 1);
    const frames = await follower.answer();
    t.match(frames.at(-1), { type: 'result', result: 'done' }, 'the job is followed on');
    t.equal(new Set(frames.map((frame) => JSON.stringify(frame))).size, frames.length, 'told once');
    t.equal(sandbox.countOf('test.job'), 1);
  },
);

t.test('F39: calls that are not given up keep their slots and their WebSocket', async (t) => {
  const daemon = await startBroken(t);
  const { sandbox } = daemon;
  const slow = await converse(t, daemon.socket);
  slow.send(call('test.sleep', '[2]'));
  await until('the slow one', () => sandbox.countOf('test.sleep') === 1);
  await fill(t, daemon, 3600, 7);
  const waiting = daemon.d(['call', 'test.echo', '1']);
  t.match(await slow.frame(), { type: 'result', result: 2 });
  t.match(await waiting, { code: 0, stdout: '[1]\n' });
  t.equal(sandbox.stats.connections, 1, 'a slot came free');
});

t.test('F39: with one slot, the call behind one that never ends is made', async (t) => {
  const daemon = await startBroken(t, { args: ['--concurrency', '1'] });
  const first = await converse(t, daemon.socket);
  first.send(call('test.sleep', '[3600]', { timeout: 2 }));
  await until('the sleep', () => daemon.ran().length === 1);
  const second = daemon.d(['call', 'test.echo', '1']);
  t.match(await first.frame(), GIVEN_UP);
  t.match(await second, { code: 0, stdout: '[1]\n' });
  t.match(await daemon.d(['ping']), { code: 0 });
});
