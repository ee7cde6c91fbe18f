import t from 'tap';
import { Cancellation } from '../../../lib/cancellation.js';
import { MidcltError } from '../../../lib/errors.js';
import { ReadyQueue } from '../../../lib/middleware/state.js';

const waiting = () => new ReadyQueue(() => 'the connection (it is down)');

t.test('F22: all who wait go on at once, in their order', async (t) => {
  const line = waiting();
  const order: number[] = [];
  const all = [1, 2, 3].map((i) => line.add(null, null).then(() => order.push(i)));
  t.equal(line.size, 3);
  line.release();
  await Promise.all(all);
  t.same(order, [1, 2, 3]);
  t.equal(line.size, 0);
});

t.test('F23: who waited too long is told why and that nothing was sent', async (t) => {
  const line = waiting();
  await t.rejects(line.add(null, 20), {
    code: 'TIMEOUT',
    message: 'Call timeout: waited 0 s for the connection (it is down); the call was not sent',
    outcomeUnknown: false,
  });
  t.equal(line.size, 0);
});

t.test('F16: who goes away leaves nothing behind', async (t) => {
  const line = waiting();
  const client = new Cancellation();
  const gone = line.add(client, 60_000);
  const other = line.add(null, null);
  client.cancel();
  await t.rejects(gone, { code: 'CLOSED', message: /not sent/ });
  t.equal(client.listenerCount, 0);
  t.equal(line.size, 1);
  await t.rejects(line.add(client, null), { code: 'CLOSED' }, 'nor comes back');
  line.release();
  await other;
});

t.test('F34: a client that outlives many waits gathers no listeners', async (t) => {
  const line = waiting();
  const client = new Cancellation();
  for (let i = 0; i < 100; i++) {
    const wait = line.add(client, 60_000);
    line.release();
    await wait;
  }
  t.equal(client.listenerCount, 0);
});

t.test('once it is stopped nobody waits, now or later', async (t) => {
  const line = waiting();
  const error = new MidcltError('SHUTDOWN', 'going');
  const before = line.add(null, null);
  line.stop(error);
  await t.rejects(before, error);
  await t.rejects(line.add(null, null), error);
  t.equal(line.size, 0);
});

t.test('who stops the waiting undoes that for those who come later, and nobody else', async (t) => {
  const line = waiting();
  const [first, second] = [new MidcltError('SHUTDOWN', 'one'), new MidcltError('SHUTDOWN', 'two')];
  const undoFirst = line.stop(first);
  const undoSecond = line.stop(second);
  await t.rejects(line.add(null, null), second);
  undoSecond();
  undoSecond();
  await t.rejects(line.add(null, null), first);
  undoFirst();
  const after = line.add(null, null);
  line.release();
  await after;
});
