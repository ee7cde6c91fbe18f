/** What docs/TESTING.md promises of `midclt/sandbox` where a connection, a value or an option is out of the ordinary. */
import path from 'node:path';
import t, { type Test } from 'tap';
import { connect, JsonText } from '../../../lib/index.js';
import { query, startSandbox, type SandboxOptions } from '../../../lib/sandbox/kit/index.js';
import { failureOf } from '../../support/api.js';
import { makeHome } from '../../support/midclt.js';

async function begin(t: Test, options: SandboxOptions = {}) {
  const sandbox = await startSandbox(options);
  const nas = await connect({ uri: sandbox.uri });
  t.teardown(async () => {
    await nas.close();
    await sandbox.close();
  });
  return { sandbox, nas };
}

t.test('after drop() nobody is subscribed until somebody subscribes again', async (t) => {
  const { sandbox, nas } = await begin(t, {
    methods: {
      'pool.drops': (_params, { drop, signal }) => {
        drop();
        return signal.aborted;
      },
    },
  });
  const events = nas.subscribe('alert.list');
  const first = events.next();
  await sandbox.subscribed('alert.list');
  sandbox.emit('alert.list', { n: 0 });
  t.match(await first, { value: { fields: { n: 0 } } });
  sandbox.drop();
  t.equal(sandbox.emit('alert.list'), 0);
  await sandbox.subscribed('alert.list');
  t.equal(sandbox.emit('alert.list', { n: 1 }), 1);
  t.match(await events.next(), { value: { gap: true } });
  t.match(await events.next(), { value: { fields: { n: 1 } } });
  t.match(await failureOf(nas.call('pool.drops')), { code: 'LOST', outcomeUnknown: true });
  await sandbox.subscribed('alert.list');
  t.equal(sandbox.emit('alert.list', { n: 2 }), 1, 'the same after a drop() of a function');
  t.match(await events.next(), { value: { gap: true } });
  t.match(await events.next(), { value: { fields: { n: 2 } } });
  await events.return();
});

t.test('who waits for a subscription hears that the sandbox is closed', async (t) => {
  const { sandbox } = await begin(t);
  const waiting = sandbox.subscribed('alert.list');
  void sandbox.subscribed('pool.query'); // it is no unhandled rejection
  await sandbox.close();
  const message = 'The sandbox was closed before anybody subscribed to alert.list';
  t.match(await failureOf(waiting), { message });
  t.match(await failureOf(sandbox.subscribed('alert.list')), { message }, 'also afterwards');
});

t.test('a Date keeps its milliseconds', async (t) => {
  const { nas } = await begin(t, {
    methods: { 'pool.date': () => new Date(1234), 'pool.echo': (params) => params },
  });
  t.equal((await nas.raw.call('pool.date')).text, '{"$date": 1234}');
  t.equal((await nas.raw.call('pool.echo', [new Date(-1)])).text, '[{"$date": -1}]');
});

t.test('a relative path of the Unix socket becomes absolute in the URI', async (t) => {
  const home = makeHome(t);
  const relative = path.relative(process.cwd(), `${home}/rel.sock`);
  const { sandbox, nas } = await begin(t, { unix: relative });
  t.equal(sandbox.uri, `ws+unix://${home}/rel.sock`);
  t.match(await nas.call('system.version'), 'TrueNAS-');
});

t.test('drop() of an upload breaks it, and its client gets no answer', async (t) => {
  let uploads = 0;
  const { nas } = await begin(t, {
    uploads: {
      'pool.put': (_params, { drop }) => {
        uploads += 1;
        drop();
        return 'x';
      },
    },
  });
  for (let round = 1; round <= 5; round += 1) {
    const failure = await failureOf(nas.upload('pool.put', [], Buffer.alloc(round * 50_000)));
    t.match(failure, { outcomeUnknown: true });
    t.equal(uploads, round);
  }
});

t.test('refuse: 0 lets connections in again', async (t) => {
  const { sandbox } = await begin(t);
  sandbox.setFaults({ refuse: 503 });
  t.match(await failureOf(connect({ uri: sandbox.uri })), { code: 'CONNECT' });
  sandbox.setFaults({ refuse: 0 });
  await (await connect({ uri: sandbox.uri })).close();
});

t.test('query() passes a JsonText on', async (t) => {
  const rows = [
    { id: 1, a: new JsonText('2.0') },
    { id: 2, a: null },
  ];
  const { nas } = await begin(t, { methods: { 'pool.query': (params) => query(rows, params) } });
  t.equal((await nas.raw.call('pool.query', [[['id', '=', 1]]])).text, '[{"id": 1, "a": 2.0}]');
});

t.test('a job whose function drops its connection goes on, and is found again', async (t) => {
  const { nas, sandbox } = await begin(t, {
    jobs: {
      'pool.scrub': (_params, { drop }) => {
        drop();
        return 'x';
      },
    },
  });
  t.equal(await nas.job('pool.scrub'), 'x');
  t.equal(sandbox.calls.length, 1, 'it ran once');
});
