/** What docs/TESTING.md promises of `midclt/sandbox` where a connection, a value or an option is out of the ordinary. */
import t, { type Test } from 'tap';
import { connect } from '../../../lib/index.js';
import { startSandbox, type SandboxOptions } from '../../../lib/sandbox/kit/index.js';
import { failureOf } from '../../support/api.js';

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
