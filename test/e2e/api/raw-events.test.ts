/** Events of `nas.raw`: texts, by their types and when the program runs. */
import t from 'tap';
import { connect } from '../../../lib/index.js';
import { startSandbox } from '../../../lib/sandbox/kit/index.js';

t.test('raw events have texts, and null for an id that there is not', async (t) => {
  const sandbox = await startSandbox();
  t.teardown(() => sandbox.close());
  const nas = await connect({ uri: sandbox.uri });
  t.teardown(() => nas.close());
  const events = nas.raw.subscribe('pool.query');
  const next = events.next();
  await sandbox.subscribed('pool.query');
  sandbox.emit('pool.query', { n: 1 });
  sandbox.emit('pool.query', { n: 2n ** 64n }, { id: 7 });
  const first = (await next).value;
  if (!first || first.gap) throw new Error('an event is missing');
  t.equal(first.id, null);
  t.equal(first.fields.text, '{"n": 1}');
  const second = (await events.next()).value;
  if (!second || second.gap) throw new Error('an event is missing');
  t.equal(second.id?.text, '7');
  t.equal(second.fields.text, '{"n": 18446744073709551616}');
  await events.return();
});
