import t from 'tap';
import { exchange, startDaemon, wakeSleeper } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';
import { converse } from '../../support/wire.js';

const call = (method: string, params: unknown[], more = {}) =>
  `${JSON.stringify({ command: 'call', method, params, ...more })}\n`;

t.test('50 clients at once each get their own answers', async (t) => {
  const daemon = await startDaemon(t);
  const rounds = 20;
  const clients = Array.from({ length: 50 }, async (_, client) => {
    const requests = Array.from({ length: rounds }, (_, i) =>
      call('test.echo', [`${client}/${i}`], { id: `${client}/${i}` }),
    );
    const { frames } = await exchange(daemon.socket, requests.join(''), { halfClose: true });
    const expected = Array.from({ length: rounds }, (_, i) => ({
      type: 'result',
      id: `${client}/${i}`,
      result: [`${client}/${i}`],
    }));
    return JSON.stringify(frames) === JSON.stringify(expected);
  });
  t.same(
    (await Promise.all(clients)).filter((own) => !own),
    [],
  );
  t.equal(daemon.sandbox.countOf('test.echo'), 50 * rounds);
  t.ok(daemon.sandbox.stats.maxOutstanding <= 8, 'eight at a time, no more');
});

t.test('50 processes at once over one login', async (t) => {
  const daemon = await startDaemon(t);
  const runs = Array.from({ length: 50 }, async (_, i) => {
    const { code, stdout } = await daemon.d(['call', 'test.echo', String(i)]);
    return code === 0 && stdout === `[${i}]\n`;
  });
  t.same(
    (await Promise.all(runs)).filter((own) => !own),
    [],
  );
  t.equal(daemon.sandbox.stats.connections, 1);
});

t.test('F17: with one slot the server never has two calls, jobs included', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const work = Array.from({ length: 12 }, (_, i) =>
    i % 3 === 0
      ? call('test.job', [2, 0.05], { kwargs: { job: true }, id: i })
      : call('test.sleep', [0.05], { id: i }),
  );
  const pings = Array.from({ length: 4 }, () => '{"command":"ping"}\n');
  const answers = await Promise.all(
    [...work, ...pings].map((line) => exchange(daemon.socket, line, { halfClose: true })),
  );
  t.same(
    answers.filter(({ frames }) => frames.at(-1)?.type !== 'result'),
    [],
  );
  t.equal(daemon.sandbox.stats.maxBusy, 1);
  t.equal(daemon.sandbox.stats.calls - daemon.sandbox.countOf('core.subscribe'), 16);
});

t.test('F17: with one slot a job is waited for also when its client is gone', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const gone = exchange(daemon.socket, call('test.job', [6, 0.1], { kwargs: { job: true } }), {
    halfClose: false,
  });
  await until('the job to run', () => daemon.sandbox.countOf('test.job') > 0);
  const next = exchange(daemon.socket, call('core.ping', []), { halfClose: true });
  t.match((await next).frames, [{ result: 'pong' }]);
  t.equal(daemon.sandbox.stats.maxBusy, 1);
  await gone;
});

t.test('F18: with one slot such a job keeps the daemon, too', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1', '--lifetime', '3'] });
  const asker = await converse(t, daemon.socket);
  const ask = async (members: string) => {
    asker.send(`{${members},"keep":true}\n`);
    return asker.frame();
  };
  const gone = await converse(t, daemon.socket);
  const since = performance.now();
  gone.send(call('test.job', [1, 8], { kwargs: { job: true } }));
  await until('the job to run', () => gone.lines.length > 0);
  gone.destroy();
  await until('the daemon to see it go', async () => {
    const { result } = (await ask('"command":"status"')) as { result: { clients: number } };
    return result.clients === 1;
  });
  t.match(await ask('"command":"stop","if_idle":true'), { error: 'The daemon is busy' });
  t.match(await daemon.exited, { code: 0 });
  t.ok(performance.now() - since > 8000, 'it went when the job had ended');
});

t.test('F17: with eight slots a long call delays nobody, and neither do jobs', async (t) => {
  const daemon = await startDaemon(t);
  const slow = exchange(daemon.socket, call('test.sleep', [3600]), { halfClose: true });
  const jobs = Array.from({ length: 20 }, () =>
    exchange(daemon.socket, call('test.job', [10, 0.4], { kwargs: { job: true } }), {
      halfClose: true,
    }),
  );
  await until('the long call to run', () => daemon.sandbox.countOf('test.sleep') > 0);
  await until('all jobs to be started', () => daemon.sandbox.countOf('test.job') === 20);
  for (let i = 0; i < 100; i++) {
    const { frames } = await exchange(daemon.socket, call('core.ping', [], { close: true }));
    if (frames[0]?.result !== 'pong') t.fail('no pong');
  }
  wakeSleeper(daemon.sandbox);
  t.match((await slow).frames, [{ result: 3600 }]);
  const results = (await Promise.all(jobs)).map(({ frames }) => frames.at(-1)?.result);
  t.same(results, Array(20).fill('done'));
});

t.test('F17: ping and stop do not wait when all slots are taken', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '2'] });
  const asleep = [1, 2].map(() =>
    exchange(daemon.socket, call('test.sleep', [3600]), { halfClose: true }),
  );
  await until('both slots to be taken', () => daemon.sandbox.countOf('test.sleep') === 2);
  const waiting = [1, 2].map(() =>
    exchange(daemon.socket, call('test.echo', []), { halfClose: true }),
  );
  const asker = await converse(t, daemon.socket);
  await until('the others to wait', async () => {
    asker.send('{"command":"status","keep":true}\n');
    const { result } = (await asker.frame()) as { result: { calls: { queued: number } } };
    return result.calls.queued === 2;
  });
  asker.destroy();
  const ping = await exchange(daemon.socket, '{"command":"ping","close":true}\n');
  t.match(ping.frames, [{ result: 'pong' }]);
  const stop = await exchange(daemon.socket, '{"command":"stop"}\n');
  t.match(stop.frames, [{ result: 'Daemon shutting down' }]);
  t.equal(daemon.sandbox.countOf('test.echo'), 0, 'all that before the first sleep was over');
  for (const place of [0, 1]) wakeSleeper(daemon.sandbox, place);
  const results = (await Promise.all([...asleep, ...waiting])).map(({ frames }) => frames[0]?.type);
  t.same(results, Array(4).fill('result'), 'what was waiting for a slot already is answered');
  t.same(await daemon.exited, { code: 0, signal: null });
});

t.test('F27: clients never see the limit of the server', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '8'] });
  const calls = Array.from({ length: 60 }, () =>
    exchange(daemon.socket, call('test.sleep', [0.05]) + '{"command":"ping"}\n', {
      halfClose: true,
    }),
  );
  const frames = (await Promise.all(calls)).flatMap((answer) => answer.frames);
  t.same(
    frames.filter((frame) => frame.type !== 'result'),
    [],
  );
  const { maxOutstanding } = daemon.sandbox.stats;
  t.ok(maxOutstanding >= 8 && maxOutstanding <= 10, `eight calls and two pings: ${maxOutstanding}`);
});

t.test('F16: a queued request of a client that is gone is never sent', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const busy = exchange(daemon.socket, call('test.sleep', [3600]), { halfClose: true });
  await until('the slot to be taken', () => daemon.sandbox.countOf('test.sleep') === 1);
  const { connect } = await import('node:net');
  const gone = connect(daemon.socket, () => {
    gone.write(call('test.echo', ['never']), () => gone.destroy());
  });
  await new Promise((resolve) => gone.on('close', resolve));
  const asker = await converse(t, daemon.socket);
  await until('the daemon to see it go', async () => {
    asker.send('{"command":"status","keep":true}\n');
    const { result } = (await asker.frame()) as { result: { clients: number } };
    return result.clients === 2;
  });
  asker.destroy();
  wakeSleeper(daemon.sandbox);
  t.match((await busy).frames, [{ result: 3600 }]);
  t.match(await daemon.d(['call', 'core.ping']), { stdout: 'pong\n' });
  t.equal(daemon.sandbox.countOf('test.echo'), 0);
});
