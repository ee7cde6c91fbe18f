/** What `connect` is told beside `daemon: true` counts there, too. */
import t from 'tap';
import { Client, connect, type ConnectOptions } from '../../../lib/index.js';
import { failureOf, ownSurroundings, runScript } from '../../support/api.js';
import { startDaemon } from '../../support/daemon.js';

t.test('callTimeout is for the calls that name none, also where a daemon runs', async (t) => {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  const nas = await connect({ uri: around.uri, daemon: true, autostart: false, callTimeout: 0.2 });
  t.teardown(() => nas.close());
  t.match(await failureOf(nas.call('test.sleep', [30])), { code: 'TIMEOUT' });
  t.equal(await nas.call('test.sleep', [0.5], { timeout: null }), 0.5);
  t.equal(await nas.call('test.sleep', [0.5], { timeout: 30 }), 0.5);
  // Time enough to start a job, not for the whole of it.
  const some = await connect({ uri: around.uri, daemon: true, autostart: false, callTimeout: 4 });
  t.teardown(() => some.close());
  const job = some.job('test.job', [1, 5]);
  const followed = some.follow((await job.id) ?? 0);
  t.equal(await job, 'done', 'of a job it is for its start');
  t.equal(await followed, 'done');
  const patient = await connect({ uri: around.uri, daemon: true, callTimeout: Infinity });
  t.equal(await patient.call('test.sleep', [0.1]), 0.1);
  await patient.close();
});

t.test('a URI in place of the options is refused, not taken for none', async (t) => {
  const around = await ownSurroundings(t);
  const wrong: unknown[] = ['wss://admin:admin-pw@nas2', null, 5, new URL(around.uri), []];
  for (const options of wrong) {
    const begin = options as ConnectOptions;
    for (const failure of [failureOf(connect(begin)), failureOf(Client.connect(begin))]) {
      const found = await failure;
      t.match(found, { code: 'REQUEST', message: /^The options must be an object, .*\{ uri: / });
      t.notMatch(String(found), 'admin-pw');
    }
  }
  t.equal(around.sandbox.stats.connections, 0);
});

t.test('options that make no sense are refused', async (t) => {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  const wrong: ConnectOptions[] = [
    { callTimeout: -5 },
    { callTimeout: NaN },
    { concurrency: 0 },
    { callTimeout: 'x' as unknown as number },
  ];
  for (const options of wrong) {
    for (const daemon of [false, true]) {
      const failure = await failureOf(connect({ uri: around.uri, daemon, ...options }));
      t.match(failure, { code: 'REQUEST', message: /positive/ }, JSON.stringify(options));
    }
  }
});

t.test('keepAlive keeps the process until close()', async (t) => {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  for (const daemon of [false, true]) {
    const run = (rest: string) =>
      runScript(
        `import { connect } from 'midclt';
         const nas = await connect({ uri: '${around.uri}', daemon: ${daemon}, keepAlive: true });
         await nas.ping();
         ${rest}`,
        around.home,
      );
    const closed = "setTimeout(() => { console.log('timer'); nas.close(); }, 300).unref();";
    t.match(await run(closed), { code: 0, stdout: 'timer\n' }, 'until then');
    t.match(await run('await nas.close();'), { code: 0, stdout: '' }, 'and no longer');
  }
  const failed = await runScript(
    `import { connect } from 'midclt';
     const options = { daemon: true, autostart: false, keepAlive: true };
     await connect({ uri: 'ws+unix:///nowhere', ...options }).catch(({ code }) => console.log(code));`,
    around.home,
  );
  t.match(failed, { code: 0, stdout: 'NO_DAEMON\n' }, 'nor after an attempt that failed');
});
