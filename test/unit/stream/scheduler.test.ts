import t from 'tap';
import { Cancellation } from '../../../lib/cancellation.js';
import { NO_LEASE, Scheduler, type Lease } from '../../../lib/stream/scheduler.js';
import type { SlotClass } from '../../../lib/stream/slots.js';
import { TestClock, turn } from '../../support/stages.js';

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
  await turn();
  t.same(order, ['job 1', 'job 2', 'call 1', 'call 2', 'look-up 1']);
  held[2]?.release();
  await turn();
  t.equal(order.at(-1), 'call 3', 'which came after job 3, for which there is no room');
  held[0]?.release();
  await turn();
  t.equal(order.at(-1), 'job 3');
  for (const lease of held) lease.release();
  await turn();
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
  await turn();
  t.equal(granted, 1);
  needed = 'call';
  scheduler.reconsider();
  (await learning).release();
  (await job).release();
  first.release();
  t.same([scheduler.active, scheduler.isShortOfJobs], [0, false]);
});

t.test('F37: a slot that becomes free does not make it look at all who wait', async (t) => {
  const scheduler = wide(4, 1);
  const many = 2000;
  let asked = 0;
  let granted = 0;
  const held: Lease[] = [scheduler.tryAcquire('job')!];
  const jobs = Array.from({ length: many }, async () => {
    const lease = await scheduler.acquire(() => (asked++, 'job'), never, null);
    held.push(lease);
    granted++;
  });
  await turn();
  asked = 0;
  for (let i = 0; i < many; i++) {
    scheduler.tryAcquire('call')!.release();
    held.shift()!.release();
    await turn();
  }
  await Promise.all(jobs);
  t.equal(granted, many);
  t.ok(asked <= 4 * many, `${asked} times`);
  held[0]?.release();
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('F37: who turns out to need another slot keeps the order', async (t) => {
  const scheduler = wide(3, 1);
  const order: string[] = [];
  const held = [1, 2].map(() => scheduler.tryAcquire('call')!);
  const job = scheduler.tryAcquire('job')!;
  let isJob = true;
  const want = (name: string, slotClass: () => SlotClass) =>
    scheduler.acquire(slotClass, never, null).then((lease) => {
      order.push(name);
      lease.release();
    });
  const all = [
    want('a', () => (isJob ? 'job' : 'call')),
    want('b', call),
    want('c', () => 'job'),
    want('d', () => (isJob ? 'call' : 'job')),
    want('e', call),
  ];
  await turn();
  isJob = false;
  scheduler.reconsider();
  for (const lease of held) lease.release();
  await turn();
  t.same(order, ['a', 'b', 'e'], 'd needs the slot of a job by now, and c came before it');
  job.release();
  await Promise.all(all);
  t.same(order, ['a', 'b', 'e', 'c', 'd']);
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test(
  'F37: a call that may be a job after all, as nobody has said, is none of the calls',
  async (t) => {
    const scheduler = wide(2, 1);
    const held = scheduler.tryAcquire('call')!;
    const job = scheduler.tryAcquire('job')!;
    let needed: SlotClass = 'call';
    const waiting = scheduler.acquire(() => needed, never, null);
    needed = 'job';
    held.release();
    t.same([scheduler.active, scheduler.waiting], [1, 1]);
    job.release();
    t.ok(scheduler.isShortOfJobs);
    (await waiting).release();
    t.same([scheduler.active, scheduler.waiting], [0, 0]);
  },
);

t.test('what is answered here waits for nothing', async (t) => {
  const scheduler = wide(1);
  await scheduler.acquire(call, never, null);
  t.equal(scheduler.tryAcquire('none'), NO_LEASE);
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
  const clock = new TestClock();
  const scheduler = new Scheduler({ calls: 1, jobs: 1, lookUps: 1 }, undefined, clock);
  const lease = await scheduler.acquire(call, never, null);
  const short = scheduler.acquire(call, never, 20);
  const long = scheduler.acquire(call, never, 50);
  const endless = scheduler.acquire(call, never, null);
  clock.pass(19);
  await turn();
  t.equal(scheduler.waiting, 3);
  clock.pass(1);
  await t.rejects(short, {
    code: 'TIMEOUT',
    message: 'Call timeout: waited 0.02 s for a free slot; the call was not sent',
    outcomeUnknown: false,
  });
  t.equal(scheduler.waiting, 2);
  clock.pass(30);
  await t.rejects(long, { code: 'TIMEOUT', message: /waited 0.05 s/ });
  clock.pass(10 ** 9);
  lease.release();
  (await endless).release();
  (await scheduler.acquire(call, never, 20)).release();
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

/** With what was told of being stuck. */
function stuckable(calls: number, jobs = calls) {
  const clock = new TestClock();
  const stuck: number[] = [];
  const scheduler = new Scheduler(
    { calls, jobs, lookUps: 1 },
    () => {
      stuck.push(clock.now());
    },
    clock,
  );
  const take = () => scheduler.tryAcquire('call')!;
  return { clock, stuck, scheduler, take };
}

t.test(
  'F39: says so when somebody waits for slots that calls given up have held for long',
  async (t) => {
    const { clock, stuck, scheduler, take } = stuckable(2);
    const [one, two] = [take(), take()];
    const ends = [one.share(), two.share()];
    const client = new Cancellation();
    const waiting = scheduler.acquire(call, client, null);
    waiting.catch(() => undefined);
    one.giveUp();
    one.giveUp();
    clock.pass(60_000);
    t.same(stuck, [], 'one call may still end');
    two.giveUp();
    clock.pass(9_999);
    t.same(stuck, []);
    clock.pass(1);
    t.equal(stuck.length, 1);
    clock.pass(60_000);
    t.equal(stuck.length, 1, 'once');
    one.release();
    two.release();
    t.equal(scheduler.active, 2, 'they may run on at the server');
    for (const end of ends) end();
    (await waiting).release();
    t.equal(scheduler.active, 0);
  },
);

t.test('F39: is told to who comes later, and not to who can do without', async (t) => {
  const { clock, stuck, scheduler, take } = stuckable(1);
  const lease = take();
  lease.giveUp();
  clock.pass(60_000);
  t.same(stuck, [], 'nobody waits');
  (await scheduler.acquire(() => 'look-up', never, null)).release();
  clock.pass(60_000);
  t.same(stuck, []);
  const waiting = scheduler.acquire(call, never, null);
  clock.pass(0);
  t.equal(stuck.length, 1);
  lease.release();
  (await waiting).release();
});

t.test('F39: a call that ends after all is a slot like another', async (t) => {
  const { clock, stuck, scheduler, take } = stuckable(1);
  const lease = take();
  const waiting = scheduler.acquire(call, never, null);
  lease.giveUp();
  clock.pass(9_000);
  lease.release();
  lease.giveUp();
  const next = await waiting;
  const other = scheduler.acquire(call, never, null);
  clock.pass(60_000);
  t.same(stuck, []);
  next.release();
  (await other).release();
  t.equal(scheduler.active, 0);
});

t.test('F37, F39: jobs may be stuck alone; one that is none is stuck no more', async (t) => {
  const { clock, stuck, scheduler } = stuckable(2, 1);
  const lease = scheduler.tryAcquire('job')!;
  lease.giveUp();
  const job = scheduler.acquire(() => 'job', never, null);
  clock.pass(5_000);
  lease.isNoJob();
  const next = await job;
  const other = scheduler.acquire(() => 'job', never, null);
  clock.pass(60_000);
  t.same(stuck, []);
  lease.release();
  next.giveUp();
  clock.pass(10_000);
  t.equal(stuck.length, 1);
  next.release();
  (await other).release();
  t.equal(scheduler.active, 0);
});

t.test('what is said of a lease that is back counts for nothing', async (t) => {
  const { clock, stuck, scheduler } = stuckable(1);
  const first = scheduler.tryAcquire('job')!;
  first.release();
  first.giveUp();
  const second = scheduler.tryAcquire('job')!;
  first.isNoJob();
  t.equal(scheduler.tryAcquire('job'), null);
  const waiting = scheduler.acquire(call, never, null);
  clock.pass(60_000);
  t.same(stuck, []);
  second.release();
  (await waiting).release();
  t.equal(scheduler.active, 0);
});

t.test('F37: a look-up is not held up by calls, also where it came after them', async (t) => {
  const scheduler = wide(1);
  const held = scheduler.tryAcquire('call')!;
  const lookUp = scheduler.tryAcquire('look-up')!;
  const order: string[] = [];
  const later = (slotClass: SlotClass) =>
    scheduler.acquire(() => slotClass, never, null).then((lease) => (order.push(slotClass), lease));
  const waiting = [later('call'), later('look-up'), later('look-up')];
  lookUp.release();
  await turn();
  t.same(order, ['look-up']);
  (await waiting[1])?.release();
  held.release();
  for (const lease of await Promise.all(waiting)) lease.release();
  t.same(order, ['look-up', 'look-up', 'call']);
  t.same([scheduler.active, scheduler.waiting], [0, 0]);
});

t.test('F34: a client that outlives many waits gathers no listeners', async (t) => {
  const scheduler = wide(1);
  const client = new Cancellation();
  for (let i = 0; i < 3; i++) {
    const held = scheduler.tryAcquire('call')!;
    const waiting = scheduler.acquire(call, client, null);
    t.equal(client.listenerCount, 1);
    held.release();
    (await waiting).release();
    t.equal(client.listenerCount, 0);
  }
});

t.test(
  'F34: a client that leaves just as it gets its slot takes nobody else from the queue',
  async (t) => {
    const scheduler = wide(1);
    const client = new Cancellation();
    const held = scheduler.tryAcquire('call')!;
    // Called before the wait's own: it gives the slot to who is about to be told that the client has gone.
    client.on(held.release);
    const waiting = scheduler.acquire(call, client, null);
    const next = scheduler.acquire(call, never, null);
    client.cancel();
    t.equal(scheduler.waiting, 1);
    (await waiting).release();
    (await next).release();
    t.same([scheduler.active, scheduler.waiting], [0, 0]);
  },
);
