/** Jobs that go on at the server while the connection to it does not. */
import t, { type Test } from 'tap';
import {
  serverWithJournal,
  startAdmin,
  startBroken,
  statesOf,
  untilState,
} from '../../support/faults.js';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { makeHome, until } from '../../support/midclt.js';
import { startSandboxProcess } from '../../support/sandbox-process.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';
import { talk } from '../../support/web-socket.js';
import { call, converse, type Conversation, type Frame } from '../../support/wire.js';

t.jobs = 4; // they wait, side by side

const JOB = { job: true };

/** Starts a job and waits until it shows this step. */
async function follow(t: Test, daemon: RunningDaemon, params: string, step = 'step 1/') {
  const client = await converse(t, daemon.socket);
  client.send(call('test.job', params, JOB, { job_id: true }));
  const id = await shows(client, step);
  return { client, id };
}

/** Waits for a progress frame with this in its description; its job's id. */
async function shows(client: Conversation, text: string): Promise<number> {
  for (;;) {
    const frame = await client.frame();
    if (frame.type !== 'progress') throw new Error(`ended: ${JSON.stringify(frame)}`);
    if (String(frame.description).startsWith(text)) return frame.job_id as number;
  }
}

/** The frames up to the final one, however long the job takes. */
async function rest(client: Conversation): Promise<Frame[]> {
  const isFinal = (line: string) => !line.startsWith('{"type":"progress"');
  await until('the end of the job', () => client.lines.some(isFinal), 60_000);
  return client.answer();
}

t.test('F25: jobs are followed on after a reconnect: progress and result', async (t) => {
  const daemon = await startBroken(t);
  const jobs = await Promise.all(
    ['"a"', '"b"', '"c"'].map((result) => follow(t, daemon, `[8, 2, null, ${result}]`)),
  );
  daemon.proxy.cut('rst');
  await untilState(daemon, 'ready', 2);
  daemon.proxy.cut('fin');
  await untilState(daemon, 'ready', 3);
  for (const [index, { client }] of jobs.entries()) {
    const frames = await rest(client);
    t.match(frames.at(-1), { type: 'result', result: 'abc'[index] });
    const percents = frames.slice(0, -1).map(({ percent }) => percent as number);
    t.same(
      percents,
      percents.toSorted((a, b) => a - b),
      'percent never falls',
    );
    t.ok(percents.length > 1, 'progress went on');
  }
  t.equal(daemon.ran().length, 3, 'none was started twice');
});

t.test('F25: a job is followed on when the session expires under it', async (t) => {
  const daemon = await startBroken(t);
  const { client } = await follow(t, daemon, '[5, 0.5, null, "kept"]');
  daemon.sandbox.expireSessions();
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0 });
  t.match((await rest(client)).at(-1), { type: 'result', result: 'kept' });
  t.equal(daemon.sandbox.stats.connections, 1);
  t.equal(daemon.sandbox.stats.logins, 2);
});

t.test('F25: jobs that ended while the connection was away have their results', async (t) => {
  const daemon = await startBroken(t);
  const good = await follow(t, daemon, '[1, 0.8, null, {"n": 9007199254740993}]');
  const bad = await follow(t, daemon, '[1, 0.8, "callerror"]');
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  const other = await talk(t, `ws+unix:${daemon.home}/mw.sock:/api/current`);
  await until('the jobs to end', async () => {
    const filter = [['state', 'in', ['SUCCESS', 'FAILED']]];
    const params = [filter, { count: true }];
    const { result } = await other.ask({
      jsonrpc: '2.0',
      id: 'x',
      method: 'core.get_jobs',
      params,
    });
    return result === 2;
  });
  await daemon.proxy.goOn();
  const [frame] = (await rest(good.client)).slice(-1);
  t.match(frame, { type: 'result' });
  t.match(good.client.lines.at(-1), /"result": ?\{"n": 9007199254740993\}\}$/);
  t.match((await rest(bad.client)).at(-1), {
    type: 'error',
    error: '[EIO] job failed on purpose',
    extra: { hint: 'extra data' },
  });
});

t.test('F25: a transient job is followed on as well', async (t) => {
  const daemon = await startBroken(t);
  const client = await converse(t, daemon.socket);
  client.send(call('test.job_transient', '[4, 2, null, "kept"]', JOB));
  await shows(client, 'step '); // whichever it is at when it is looked up
  daemon.proxy.cut('rst');
  t.match((await rest(client)).at(-1), { type: 'result', result: 'kept' });
});

t.test('F25: a job aborted by somebody while the connection was away', async (t) => {
  const daemon = await startBroken(t);
  const { client, id } = await follow(t, daemon, '[60, 1]');
  await daemon.proxy.refuse();
  daemon.proxy.cut('rst');
  const other = await talk(t, `ws+unix:${daemon.home}/mw.sock:/api/current`);
  await other.ask({ jsonrpc: '2.0', id: 'x', method: 'core.job_abort', params: [id] });
  await daemon.proxy.goOn();
  t.match((await rest(client)).at(-1), { type: 'error', error: `Job ${id} was aborted` });
});

t.test('F25: who may not see the job any more is told its id', async (t) => {
  const around = await serverWithJournal(t);
  const proxy = await startTcpProxy(t, around.sandbox.wsPort!);
  const daemon = await startDaemon(t, {
    around,
    uri: `ws://127.0.0.1:${proxy.port}/api/current`,
    globals: ['-U', 'reader'],
    username: 'reader',
    env: { MIDCLT_PASSWORD: 'reader-pw' },
  });
  const { client, id } = await follow(t, daemon, '[60, 1]');
  proxy.cut('rst');
  const [frame] = (await rest(client)).slice(-1);
  t.match(frame, { type: 'error', error_type: 'ClientException' });
  t.match(frame?.error, new RegExp(`job ${id} .*administrators only; its outcome is unknown$`));
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0 });
});

t.test(
  'F25: a job that a restarted server has forgotten ends in an error with its id',
  async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandboxProcess(t, { ws: 0, rateLimit: false });
    const around = { home, uri: '', sandbox: sandbox as never };
    const daemon = await startAdmin(t, around, sandbox.wsPort!);
    const { client, id } = await follow(t, daemon, '[60, 1]');
    const run = daemon.d(['call', '-j', 'test.job', '60', '1']);
    await until('the second job', async () => (await sandbox.ask('countOf', 'test.job')) === 2);
    await sandbox.restart();
    const [frame] = (await rest(client)).slice(-1);
    t.match(frame, { type: 'error', error_type: 'ClientException' });
    t.match(frame?.error, new RegExp(`job ${id} .*its outcome is unknown$`));
    t.match(await run, { code: 1, stdout: '', stderr: /job 2 .*its outcome is unknown\n$/ });
  },
);

for (const [wire, path] of [
  ['JSON-RPC', '/api/current'],
  ['legacy', '/websocket'],
] as const) {
  t.test(`F25: after a restart another job may have the number (${wire})`, async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandboxProcess(t, {
      ws: 0,
      unix: `${home}/mw.sock`,
      rateLimit: false,
    });
    const proxy = await startTcpProxy(t, sandbox.wsPort!);
    const daemon = await startDaemon(t, {
      around: { home, uri: '', sandbox: sandbox as never },
      uri: `ws://127.0.0.1:${proxy.port}${path}`,
      globals: ['-U', 'admin'],
      username: 'admin',
      env: { MIDCLT_PASSWORD: 'admin-pw' },
    });
    const { client, id } = await follow(t, daemon, '[60, 1, null, "mine"]');
    const started = Date.now(); // at the latest
    t.equal(id, 1);
    await proxy.refuse();
    await sandbox.restart();
    // Times in jobs are whole seconds: one that began in the same second looks like the other.
    await until('the next second', () => Date.now() - started > 1100);
    const other = await talk(t, `ws+unix:${home}/mw.sock:/api/current`);
    const params = [2, 1.5, null, 'not mine'];
    t.match(await other.ask({ jsonrpc: '2.0', id: 'x', method: 'test.job', params }), {
      result: 1,
    });
    await proxy.goOn();
    const [frame] = (await rest(client)).slice(-1);
    t.match(frame, { type: 'error', error: /job 1 .*its outcome is unknown$/ });
    t.ok(statesOf(daemon).length > 3);
    t.match(await daemon.d(['call', '-j', 'test.job', '1', '0.1', 'null', '"new"']), {
      code: 0,
      stdout: 'new\n',
    });
  });
}
