/** The client, and what talks to a daemon, on real sockets in this process. */
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import * as api from '../../../lib/index.js';
import { Client, JsonText, MidcltError, sendToDaemon } from '../../../lib/index.js';
import { startSandbox } from '../../../lib/sandbox/index.js';
import { connectClient, ownSurroundings, runScript } from '../../support/api.js';
import { startDaemon } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';

t.test('a client calls, and the text of a result is exact', async (t) => {
  const client = await connectClient(t, await ownSurroundings(t));
  const text = '[18446744073709551615, 2.0, NaN, "\\ud83d"]';
  const result = await client.call('test.echo', { json: text });
  t.ok(result instanceof JsonText);
  t.equal(result.text, text);
  t.equal((await client.call('system.ready')).value(), true);
  t.same(
    (await client.call('test.echo', [result, { a: [null] }])).text,
    `[${text}, {"a": [null]}]`,
  );
  t.equal(await client.ping(), 'pong');
  t.equal(await client.ping(null), 'pong');
});

t.test('a job is waited for, and its progress heard of', async (t) => {
  const client = await connectClient(t, await ownSurroundings(t));
  const heard: api.Progress[] = [];
  const options = { job: true, timeout: 5, callback: (each: api.Progress) => heard.push(each) };
  t.equal((await client.call('test.job', [2, 0.05], options)).value(), 'done');
  t.match(heard.at(-1), { percent: 100, description: 'step 2/2', state: 'SUCCESS' });
  t.ok(heard.some(({ percent, state }) => percent === 50 && state === 'RUNNING'));
  t.equal(
    (await client.call('test.echo', [1], { job: true })).text,
    '[1]',
    'a method that is no job',
  );
  const fail = () => {
    throw new RangeError('mine');
  };
  await t.rejects(client.call('test.job', [1, 0], { job: true, callback: fail }), RangeError);
  t.equal(await client.ping(), 'pong', 'the connection goes on');
});

t.test('many calls share the connection; concurrency bounds them', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around, { concurrency: 2 });
  const calls = Array.from({ length: 30 }, (_, i) => client.call('test.echo', [i]));
  t.same(
    (await Promise.all(calls)).map(String),
    Array.from({ length: 30 }, (_, i) => `[${i}]`),
  );
  const slow = Promise.all([client.call('test.sleep', [0.4]), client.call('test.sleep', [0.4])]);
  const started = performance.now();
  await client.call('test.echo');
  t.ok(performance.now() - started > 200, 'the third waits for a slot');
  await slow;
  t.equal(around.sandbox.stats.connections, 1);
});

t.test("the middleware's errors reject with their code, trace and extra", async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const error = await client.call('test.fail', [2, 'gone', [1]]).then(String, (e: unknown) => e);
  t.ok(error instanceof MidcltError);
  const { code, message, trace, extra } = error as MidcltError;
  t.same(
    { code, message, extra: extra?.value() },
    { code: 'CALL', message: '[ENOENT] gone', extra: [1] },
  );
  t.match(trace?.value(), { class: 'CallError', formatted: /^Traceback/ });
  await t.rejects(client.call('test.validation'), {
    code: 'CALL',
    message: /^\[EINVAL\] thing_create/,
  });
  // For what is to take longer alone: on a busy machine anything may.
  const hasty = await connectClient(t, around, { callTimeout: 0.2 });
  await t.rejects(hasty.call('test.sleep', [30]), { code: 'TIMEOUT', message: 'Call timeout' });
  await t.rejects(hasty.call('test.sleep', [30], { timeout: 0.1 }), { code: 'TIMEOUT' });
  t.equal((await hasty.call('test.sleep', [0.3], { timeout: null })).text, '0.3');
});

t.test('what is wrong is refused before it is sent', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const before = around.sandbox.received.length;
  await t.rejects(client.call('test.echo', [undefined]), { code: 'REQUEST' });
  await t.rejects(client.call('test.echo', [{ $date: 'x' }]), {
    code: 'REQUEST',
    message: /\$date/,
  });
  await t.rejects(client.call('test.echo', ['x'.repeat(70_000)]), {
    code: 'REQUEST',
    message: /65536/,
  });
  await t.rejects(client.call('test.echo', [], { timeout: -1 }), {
    code: 'REQUEST',
    message: /timeout/,
  });
  await t.rejects(client.call('', []), { code: 'REQUEST' });
  t.equal(around.sandbox.received.length, before);
});

t.test('connecting rejects with what went wrong', async (t) => {
  const { home } = await ownSurroundings(t);
  const tcp = await startSandbox({ ws: 0, failedLoginDelayMs: 0 });
  t.teardown(() => tcp.close());
  const uri = `ws://127.0.0.1:${tcp.wsPort}/api/current`;
  await t.rejects(Client.connect({ uri: `ws+unix://${home}/none` }), { code: 'CONNECT' });
  await t.rejects(Client.connect({ uri: 'x y' }), { code: 'REQUEST' });
  await t.rejects(Client.connect({ uri, username: 'admin' }), {
    code: 'REQUEST',
    message: /password/,
  });
  await t.rejects(Client.connect({ uri, username: 'admin', password: 'no' }), { code: 'LOGIN' });
  const otp = { uri, username: 'otp', password: 'otp-pw' };
  for (const more of [{}, { otp: '' }, { otp: null }, { otp: '1' }, { otp: async () => '1' }]) {
    await t.rejects(Client.connect({ ...otp, ...more }), { code: 'LOGIN', message: /one-time/ });
  }
  const failing = () => Promise.reject(new Error('no code today'));
  await t.rejects(Client.connect({ ...otp, otp: failing }), { message: /no code today/ });
  for (const code of ['123456', async () => '123456']) {
    await (await Client.connect({ ...otp, otp: code })).close();
  }
  await t.rejects(Client.connect({ uri, concurrency: 0 }), { code: 'REQUEST' });
  await t.rejects(Client.connect({ uri, callTimeout: NaN }), { code: 'REQUEST' });
  const client = await Client.connect({ uri, username: 'admin', password: 'admin-pw' });
  t.equal((await client.call('system.ready')).text, 'true');
  await client.close();
});

t.test('closing and losing the connection', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const inFlight = t.rejects(client.call('test.sleep', [30]), { code: 'LOST' });
  await until('the call to be there', () => around.sandbox.countOf('test.sleep') > 0);
  await client.close();
  await inFlight;
  await client.close();
  await t.rejects(client.call('core.ping'), { code: 'CLOSED' });
  await t.rejects(client.ping(), { code: 'CLOSED' });
  const other = await connectClient(t, around);
  const lost = t.rejects(other.call('test.sleep', [30]), { code: 'LOST' });
  const job = other.call('test.job', [3, 0.2], { job: true });
  await until('the job to be there', () => around.sandbox.countOf('test.job') > 0);
  await until('the call to be there', () => around.sandbox.countOf('test.sleep') > 1);
  await other.ping(); // behind the job's id, without which nobody could follow it
  around.sandbox.dropAll();
  await lost;
  t.equal((await job).text, '"done"', 'the job is followed on');
  t.equal(await other.ping(), 'pong');
});

t.test('sendToDaemon resolves with the final frame, or rejects if there is none', async (t) => {
  const around = await ownSurroundings(t);
  const { uri } = around;
  const call = (method: string, params: api.Params = [], kwargs = {}) =>
    ({ command: 'call', method, params, kwargs }) as const;
  await t.rejects(sendToDaemon(call('x'), uri), { code: 'NO_DAEMON' });
  t.equal(await api.isDaemonRunning(uri), false);
  const daemon = await startDaemon(t, { around });
  t.equal(await api.isDaemonRunning(uri), true);
  t.equal(await api.isDaemonRunning(uri, 'someone'), false);
  t.equal(api.getDaemonSocketPath(uri), daemon.socket);
  t.equal(api.getDaemonPidPath(uri), daemon.pidFile);
  const answer = await sendToDaemon(call('test.raw', ['[NaN, 2.0]']), uri);
  t.same(answer, { type: 'result', result: new JsonText('[NaN, 2.0]') });
  const failed = await sendToDaemon(call('test.fail', [2, 'gone', { a: 1 }]), uri);
  t.match(failed, { type: 'error', error: '[ENOENT] gone', error_type: 'ClientException' });
  t.same(failed.type === 'error' && failed.extra?.value(), { a: 1 });
  const slow = await sendToDaemon(call('test.sleep', [5], { timeout: 0.1 }), uri);
  t.match(slow, { type: 'error', error: 'Call timeout', trace: null, extra: null });
  const heard: unknown[] = [];
  const job = await sendToDaemon(
    call('test.job', [2, 0.05], { job: true }),
    uri,
    null,
    (progress) => heard.push(progress.description),
  );
  t.match(job, { type: 'result', result: { text: '"done"' } });
  t.ok(heard.includes('step 2/2'));
  t.match(await sendToDaemon({ command: 'ping', timeout: 5 }, uri), { result: { text: '"pong"' } });
  const dance = { command: 'dance' } as unknown as api.DaemonRequest;
  t.match(await sendToDaemon(dance, uri), { error_type: 'ValueError' });
  await t.rejects(sendToDaemon(call('x', { json: '[' }), uri), { code: 'REQUEST' });
  t.match(await sendToDaemon({ command: 'stop' }, uri), {
    result: { text: '"Daemon shutting down"' },
  });
  t.match(await daemon.exited, { code: 0 });
});

t.test('sendToDaemon says when the daemon goes away or is none', async (t) => {
  const { home, uri } = await ownSurroundings(t);
  fs.mkdirSync(`${home}/.midclt`);
  const answers = ['', 'HTTP/1.1 400 Bad Request\n'];
  const server = net.createServer((socket) => socket.end(answers.shift() ?? ''));
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(api.getDaemonSocketPath(uri), resolve));
  await t.rejects(sendToDaemon({ command: 'ping' }, uri), { code: 'LOST' });
  await t.rejects(sendToDaemon({ command: 'ping' }, uri), { code: 'PROTOCOL' });
});

t.test('the commands print as the CLI does', async (t) => {
  const around = await ownSurroundings(t);
  const daemon = await startDaemon(t, { around });
  const run = (code: string) =>
    runScript(
      `import { callViaDaemon, pingViaDaemon, stopDaemon } from 'midclt';
       const uri = ${JSON.stringify(around.uri)};
       const call = (method, params, more) => callViaDaemon({ uri, method, params, ...more });
       ${code}`,
      around.home,
    ).then(({ stdout }) => stdout);
  t.equal(
    await run(`console.log(await call('test.echo', [2n ** 64n, 'é']))`),
    '[18446744073709551616, "\\u00e9"]\n0\n',
  );
  t.equal(await run(`console.log(await call('test.raw', ['"a\\u00e9"']))`), 'aé\n0\n');
  t.match(
    await run(`console.log(await call('test.fail', [2, 'x']))`),
    /^\[ENOENT\] x\nTraceback[^]*\n1\n$/,
  );
  t.equal(await run(`console.log(await call('test.fail', [2, 'x'], { quiet: true }))`), '1\n');
  t.equal(
    await run(`console.log(await call('test.sleep', [5], { timeout: 1 }))`),
    'Call timeout\n1\n',
  );
  t.match(await run(`console.log(await call('x', [undefined]))`), /^Error: .*undefined\n1\n$/);
  t.equal(
    await run(
      `console.log(await call('test.job', [2, 0.05], { job: true, jobPrint: 'description' }))`,
    ),
    'step 1/2\nstep 2/2\ndone\n0\n',
  );
  const many = await run(
    `for (let i = 0; i < 15; i++) await call('test.job', [1, 0], { job: true, jobPrint: 'description' });`,
  );
  t.equal(many, 'step 1/1\ndone\n'.repeat(15), 'and leave no listeners behind');
  t.equal(await run(`console.log(await pingViaDaemon({ uri }))`), 'pong\n0\n');
  t.equal(await run(`console.log(await stopDaemon(uri))`), 'Daemon shutting down\ntrue\n');
  t.match(await daemon.exited, { code: 0 });
  t.equal(
    await run(`console.log(await stopDaemon(uri))`),
    'No daemon is currently running\nfalse\n',
  );
  t.match(
    await run(`console.log(await pingViaDaemon({ uri }))`),
    /^Error: No daemon is running.*\n1\n$/,
  );
  t.match(await run(`console.log(await call('x'))`), /^Error: No daemon is running.*\n1\n$/);
});
