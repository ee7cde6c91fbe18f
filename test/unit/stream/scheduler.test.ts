import t from 'tap';
import { Cancellation } from '../../../lib/cancellation.js';
import { Scheduler, type Lease } from '../../../lib/stream/scheduler.js';
import type { SlotClass } from '../../../lib/stream/slots.js';

const never = new Cancellation();
const call = () => 'call' as const;

function wide(calls: number, jobs = calls): Scheduler {
  return new Scheduler({ calls, jobs, lookUps: 1 });
}

t.test('gives as many slots as it is wide, then first come, first served', async (t) => {
  const scheduler = wide(2);
  const order: number[] = [];
  const held: Lease[] = [];
  const wanted = [0, 1, 2, 3, 4].map(async (i) => {
    const lease = await scheduler.acquire(call, never, null);
    order.push(i);
    held.push(lease);
  });
  await Promise.resolve();
  await Promise.all(wanted.slice(0, 2));
  t.same([scheduler.active, scheduler.waiting], [2, 3]);
  while (order.length < 5) {
    held.shift()?.release();
    await wanted[order.length];
  }
  t.same(order, [0, 1, 2, 3, 4]);
  for (const lease of held) lease.release();
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('a lease released twice is one slot', async (t) => {
  const scheduler = wide(1);
  const lease = await scheduler.acquire(call, never, null);
  lease.release();
  lease.release();
  t.equal(scheduler.active, 0);
  const next = await scheduler.acquire(call, never, null);
  lease.release();
  t.equal(scheduler.active, 1);
  next.release();
});

t.test('F16: a slot is free when the request and all its calls are over', async (t) => {
  const scheduler = wide(1);
  for (const isAnsweredFirst of [true, false]) {
    const lease = await scheduler.acquire(call, never, null);
    const [one, two] = [lease.share(), lease.share()];
    const ends = isAnsweredFirst ? [one, two, lease.release] : [lease.release, two, one];
    for (const end of ends) {
      t.equal(scheduler.active, 1);
      end();
      end();
    }
    t.equal(scheduler.active, 0);
  }
});

t.test('F37: calls that may start a job are fewer, and hold up no others', async (t) => {
  const scheduler = wide(4, 2);
  const order: string[] = [];
  const held: Lease[] = [];
  const want = (name: string, slotClass: SlotClass) =>
    scheduler
      .acquire(() => slotClass, never, null)
      .then((lease) => {
        order.push(name);
        held.push(lease);
      });
  for (let i = 1; i <= 4; i++) void want(`job ${i}`, 'job');
  void want('call 1', 'call');
  void want('call 2', 'call');
  void want('call 3', 'call');
  void want('look-up 1', 'look-up');
  await new Promise((resolve) => setImmediate(resolve));
  t.same(order, ['job 1', 'job 2', 'call 1', 'call 2', 'look-up 1']);
  held[2]?.release();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(order.at(-1), 'call 3', 'which came after job 3, for which there is no room');
  held[0]?.release();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(order.at(-1), 'job 3');
  for (const lease of held) lease.release();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(order.at(-1), 'job 4');
  held.at(-1)?.release();
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('F37: a call that turns out to start no job makes room for one that may', async (t) => {
  const scheduler = wide(4, 1);
  const first = await scheduler.acquire(() => 'job', never, null);
  t.ok(scheduler.isShortOfJobs);
  let granted = 0;
  const job = scheduler.acquire(() => 'job', never, null).then((lease) => (granted++, lease));
  first.isNoJob();
  first.isNoJob();
  await job;
  t.ok(scheduler.isShortOfJobs);
  let needed: SlotClass = 'job';
  const learning = scheduler.acquire(() => needed, never, null).then((lease) => (granted++, lease));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(granted, 1);
  needed = 'call';
  scheduler.reconsider();
  (await learning).release();
  (await job).release();
  first.release();
  t.same([scheduler.active, scheduler.isShortOfJobs], [0, false]);
});

t.test('what is answered here waits for nothing', async (t) => {
  const scheduler = wide(1);
  await scheduler.acquire(call, never, null);
  t.ok(scheduler.tryAcquire('none'));
  t.equal(scheduler.tryAcquire('call'), null);
  t.equal(scheduler.active, 1);
});

t.test('who goes away while waiting is passed over', async (t) => {
  const scheduler = wide(1);
  const lease = await scheduler.acquire(call, never, null);
  const gone = new Cancellation();
  const first = scheduler.acquire(call, gone, null);
  const second = scheduler.acquire(call, never, null);
  gone.cancel();
  await t.rejects(first, { code: 'CLOSED' });
  lease.release();
  (await second).release();
  await t.rejects(scheduler.acquire(call, gone, null), { code: 'CLOSED' });
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('patience ends with an error that says nothing was sent', async (t) => {
  const scheduler = wide(1);
  const lease = await scheduler.acquire(call, never, null);
  const waking = setInterval(() => undefined, 1000); // who waits keeps no process alive
  t.teardown(() => {
    clearInterval(waking);
  });
  await t.rejects(scheduler.acquire(call, never, 20), {
    code: 'TIMEOUT',
    message: 'Call timeout: waited 0.02 s for a free slot; the call was not sent',
  });
  t.equal(scheduler.waiting, 0);
  lease.release();
  (await scheduler.acquire(call, never, 20)).release();
});
