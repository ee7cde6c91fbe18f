/** Clients that die, give up, read nothing or ask for what the server would hang up for: it is their own affair. */
import net from 'node:net';
import t, { type Test } from 'tap';
import { wakeSleeper } from '../../support/daemon.js';
import { startBroken, untilState, type Broken } from '../../support/faults.js';
import { finished, spawnMidclt, until } from '../../support/midclt.js';
import { call, converse, residentMegabytes } from '../../support/wire.js';

/** A `midclt -d call …` to be killed. */
function start(daemon: Broken, args: readonly string[]) {
  return spawnMidclt(['-u', daemon.uri, '-U', 'admin', '-d', ...args], { home: daemon.home });
}

/** What the server says of a job. */
interface Progress {
  readonly state: string;
  readonly progress: { readonly description: string };
}

/** What was run of a method, by its first parameter. */
function firsts(daemon: Broken, method: string): unknown[] {
  return daemon
    .ran()
    .filter((each) => each.method === method)
    .map(({ params }) => params[0]);
}

/** The daemon has read all that came before: it answers this without the middleware. */
async function caughtUp(t: Test, daemon: Broken): Promise<void> {
  const client = await converse(t, daemon.socket);
  client.send('{"command":"dance"}\n');
  t.match(await client.frame(), { type: 'error' });
}

t.test('F16: a client killed in the queue leaves no call behind', async (t) => {
  const daemon = await startBroken(t, { args: ['--concurrency', '1'] });
  const busy = await converse(t, daemon.socket);
  busy.send(call('test.sleep', '[3600]'));
  await until('the sleep', () => daemon.ran().length === 1);
  const dead = await Promise.all([1, 2, 3].map(() => converse(t, daemon.socket)));
  for (const each of dead) each.send(call('test.echo', '["dead"]'));
  const living = await converse(t, daemon.socket);
  living.send(call('test.echo', '["alive"]'));
  await caughtUp(t, daemon);
  for (const each of dead) each.destroy();
  await caughtUp(t, daemon);
  t.same(firsts(daemon, 'test.echo'), [], 'all that in the queue');
  wakeSleeper(daemon.sandbox);
  t.match(await living.frame(), { type: 'result', result: ['alive'] });
  t.same(firsts(daemon, 'test.echo'), ['alive']);
});

t.test('F16: a client killed while there is no connection leaves no call behind', async (t) => {
  const daemon = await startBroken(t);
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  await untilState(daemon, 'waiting');
  const [dead, job, living] = await Promise.all([1, 2, 3].map(() => converse(t, daemon.socket)));
  dead!.send(call('test.echo', '["dead"]'));
  job!.send(call('test.job', '[1, 0, null, "dead"]', { job: true }));
  living!.send(call('test.echo', '["alive"]'));
  await caughtUp(t, daemon);
  dead!.destroy();
  job!.destroy();
  await caughtUp(t, daemon);
  await daemon.proxy.goOn();
  t.match(await living!.frame(), { type: 'result', result: ['alive'] });
  t.same(
    daemon.ran().map(({ params }) => params),
    [['alive']],
  );
});

t.test('F16: a client killed in flight gives its slot back when the answer comes', async (t) => {
  const daemon = await startBroken(t, { args: ['--concurrency', '1'] });
  const child = start(daemon, ['call', 'test.sleep', '1.5']);
  const gone = finished(child);
  await until('the sleep', () => daemon.ran().length === 1);
  child.kill('SIGKILL');
  t.match(await gone, { signal: 'SIGKILL' });
  const before = performance.now();
  const next = daemon.d(['call', 'test.echo', '1']);
  t.match(await next, { code: 0, stdout: '[1]\n' });
  t.ok(daemon.sandbox.stats.maxOutstanding === 1, 'not before');
  t.ok(performance.now() - before < 60_000); // far below the time that a call has
});

t.test(
  'F16: a timeout frees the client at once, the slot when the late answer comes',
  async (t) => {
    const daemon = await startBroken(t, { args: ['--concurrency', '1'] });
    t.match(await daemon.d(['ping']), { code: 0 }); // it is connected: the call is sent at once
    const client = await converse(t, daemon.socket);
    client.send(call('test.sleep', '[3600]', { timeout: 2 }));
    client.send(call('test.echo', '["next"]'));
    t.match(await client.frame(), { type: 'error', error: /^Call timeout$/ });
    await until('the sleep', () => firsts(daemon, 'test.sleep').length === 1);
    t.same(firsts(daemon, 'test.echo'), [], 'the slot is not free');
    wakeSleeper(daemon.sandbox);
    t.match(await client.frame(), { type: 'result', result: ['next'] }, 'its own answer');
  },
);

t.test('F16: a slot whose late answer never comes is free after the loss', async (t) => {
  const daemon = await startBroken(t, { args: ['--concurrency', '1'] });
  t.match(await daemon.d(['-t', '1', 'call', 'test.sleep', '60']), { code: 1 });
  daemon.proxy.cut('rst');
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0, stdout: '[1]\n' });
});

t.test('F16: Ctrl-C in a job says its id, and the job goes on', async (t) => {
  const daemon = await startBroken(t);
  const child = start(daemon, ['call', '-j', 'test.job', '60', '1']);
  let shown = '';
  child.stderr.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const run = finished(child);
  await until('its progress', () => shown.includes('step 1/60'));
  child.kill('SIGINT');
  t.match(await run, { signal: 'SIGINT', stdout: '', stderr: /\bJob 1 goes on at the server/ });
  const client = await converse(t, daemon.socket);
  const step = async () => {
    client.send(call('core.get_jobs', '[[["id", "=", 1]]]', {}, { keep: true }));
    const [found] = (await client.frame()).result as [Progress];
    if (found.state !== 'RUNNING') throw new Error(`the job is ${found.state}`);
    return Number(/^step (\d+)\//.exec(found.progress.description)?.[1]);
  };
  const before = await step();
  await until('it to go on', async () => (await step()) > before + 1);
});

t.test('F26: what the server would hang up for is refused to that client alone', async (t) => {
  const daemon = await startBroken(t);
  const asleep = await converse(t, daemon.socket);
  asleep.send(call('test.sleep', '[4]'));
  const { client, id } = await job(t, daemon);
  const echo = (param: string | Buffer) => {
    const [head, tail] = call('test.echo', '["@"]').split('"@"');
    return Buffer.concat([Buffer.from(head!), Buffer.from(param), Buffer.from(tail!)]);
  };
  const bad: readonly (string | Buffer)[] = [
    `"${'x'.repeat(65_536)}"`,
    Buffer.from([0x22, 0xff, 0xfe, 0x22]),
    '['.repeat(5000) + ']'.repeat(5000),
    '"a\u0001b"',
    '9'.repeat(4301),
    '{"$date": "x"}',
    '{"$set": [[1]]}',
    'nan',
  ];
  for (const [index, param] of bad.entries()) {
    const rude = await converse(t, daemon.socket);
    rude.send(echo(param));
    t.match(await rude.frame(), { type: 'error' }, `the ${index}. is refused`);
    rude.send(echo('"fine"'));
    t.match(await rude.frame(), { type: 'result', result: ['fine'] });
  }
  t.match(await asleep.frame(), { type: 'result', result: 4 });
  t.match((await client.answer()).at(-1), { type: 'result', result: 'done' }, `job ${id}`);
  t.equal(daemon.sandbox.stats.connections, 1);
  t.equal(daemon.sandbox.stats.logins, 1);
  t.same(new Set(firsts(daemon, 'test.echo')), new Set(['fine']));
});

async function job(t: Test, daemon: Broken) {
  const client = await converse(t, daemon.socket);
  client.send(call('test.job', '[4, 1]', { job: true }, { job_id: true }));
  return { client, id: (await client.frame()).job_id as number };
}

t.test('F29: who reads nothing keeps nobody else waiting', async (t) => {
  const daemon = await startBroken(t, { args: ['--concurrency', '4'] });
  const deaf = Array.from({ length: 6 }, () => net.connect(daemon.socket).pause());
  for (const socket of deaf) {
    t.teardown(() => socket.destroy());
    socket.write(call('test.bigstring', '[8000000]').repeat(20));
  }
  await until('a call of each', () => daemon.sandbox.countOf('test.bigstring') >= deaf.length);
  const { client } = await job(t, daemon);
  for (let i = 0; i < 10; i++)
    t.match(await daemon.d(['-t', '20', 'call', 'test.echo', `${i}`]), { code: 0 });
  const big = await daemon.d(['-t', '20', 'call', 'test.bigstring', '5000000']);
  t.equal(big.stdout.length, 5_000_001);
  t.match((await client.answer()).at(-1), { type: 'result', result: 'done' });
  t.ok(daemon.sandbox.countOf('test.bigstring') < 20, 'they hold their own requests back');
  const memory = residentMegabytes(daemon.child.pid!);
  t.ok(memory < 400, `${memory} MB`);
  t.equal(daemon.sandbox.stats.connections, 1);
});
