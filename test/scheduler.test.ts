import t from 'tap';
import { Cancellation } from '../lib/cancellation.js';
import { Scheduler, type Slot } from '../lib/stream/scheduler.js';

const never = new Cancellation();

t.test('gives as many slots as it is wide, then first come, first served', async (t) => {
  const scheduler = new Scheduler(2);
  const order: number[] = [];
  const held: Slot[] = [];
  const wanted = [0, 1, 2, 3, 4].map(async (i) => {
    const slot = await scheduler.acquire(never, null);
    order.push(i);
    held.push(slot);
  });
  await Promise.resolve();
  await Promise.all(wanted.slice(0, 2));
  t.same([scheduler.active, scheduler.waiting], [2, 3]);
  while (order.length < 5) {
    held.shift()?.release();
    await wanted[order.length];
  }
  t.same(order, [0, 1, 2, 3, 4]);
  for (const slot of held) slot.release();
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('a slot released twice is one slot', async (t) => {
  const scheduler = new Scheduler(1);
  const slot = await scheduler.acquire(never, null);
  slot.release();
  slot.release();
  t.equal(scheduler.active, 0);
  const next = await scheduler.acquire(never, null);
  slot.release();
  t.equal(scheduler.active, 1);
  next.release();
});

t.test('who goes away while waiting is passed over', async (t) => {
  const scheduler = new Scheduler(1);
  const slot = await scheduler.acquire(never, null);
  const gone = new Cancellation();
  const first = scheduler.acquire(gone, null);
  const second = scheduler.acquire(never, null);
  gone.cancel();
  await t.rejects(first, { code: 'CLOSED' });
  slot.release();
  (await second).release();
  await t.rejects(scheduler.acquire(gone, null), { code: 'CLOSED' });
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('patience ends with an error that says nothing was sent', async (t) => {
  const scheduler = new Scheduler(1);
  const slot = await scheduler.acquire(never, null);
  const waking = setInterval(() => undefined, 1000); // who waits keeps no process alive
  t.teardown(() => {
    clearInterval(waking);
  });
  await t.rejects(scheduler.acquire(never, 20), {
    code: 'TIMEOUT',
    message: 'Call timeout: waited 0.02 s for a free slot; the call was not sent',
  });
  t.equal(scheduler.waiting, 0);
  slot.release();
  (await scheduler.acquire(never, 20)).release();
});
