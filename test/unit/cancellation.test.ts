import t from 'tap';
import { Cancellation } from '../../lib/cancellation.js';

t.test('who listens is told once, in order', async (t) => {
  const client = new Cancellation();
  const heard: number[] = [];
  const listeners = [1, 2, 3].map((n) => () => heard.push(n));
  for (const listener of listeners) client.on(listener);
  client.off(listeners[1]!);
  t.equal(client.isCancelled, false);
  client.cancel();
  client.cancel();
  t.same(heard, [1, 3]);
  t.equal(client.isCancelled, true);
  t.equal(client.listenerCount, 0);
});

t.test('a listener may take others, or itself, off the list', async (t) => {
  const client = new Cancellation();
  let heard = 0;
  const once = () => {
    heard += 1;
    client.off(once);
  };
  client.on(once);
  client.cancel();
  t.equal(heard, 1);
});
