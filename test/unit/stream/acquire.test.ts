import t from 'tap';
import { Cancellation } from '../../../lib/cancellation.js';
import { acquire, type Client, type Want } from '../../../lib/stream/acquire.js';
import type { SlotClass } from '../../../lib/stream/slots.js';
import { TestGate, rest } from '../../support/stages.js';

const want = (slotClass: SlotClass, patience: number | null = null): Want => ({
  slotClass: () => slotClass,
  patience,
});

/** A client that is asked whether it is alive, and answers as the test says. */
function clientOf(answer: () => true | Promise<boolean> = () => true) {
  const client = {
    cancellation: new Cancellation(),
    asked: 0,
    isAlive: () => {
      client.asked++;
      return answer();
    },
  };
  return client satisfies Client;
}

t.test('what is answered here waits for nothing, and asks nobody', async (t) => {
  const gate = new TestGate({ calls: 0, lookUps: 0 });
  gate.isOpen = false;
  const client = clientOf();
  client.cancellation.cancel();
  const lease = acquire(want('none'), client, gate);
  t.notOk(lease instanceof Promise);
  t.same([client.asked, gate.waiting.length, gate.scheduler.waiting], [0, 0, 0]);
});

t.test('a request that need not wait has its lease at once', async (t) => {
  const gate = new TestGate({ calls: 2 });
  const client = clientOf();
  const lease = acquire(want('call'), client, gate);
  if (lease instanceof Promise) throw new Error('it waits');
  t.same([gate.scheduler.active, client.asked], [1, 1]);
  lease.release();
  t.equal(gate.scheduler.active, 0);
});

t.test('first a slot, then something to send it over, last of all the client', async (t) => {
  const gate = new TestGate();
  const first = await acquire(want('call'), clientOf(), gate);
  gate.isOpen = false;
  const client = clientOf();
  let lease = null;
  const acquired = Promise.resolve(acquire(want('call'), client, gate)).then((it) => (lease = it));
  await rest();
  t.same([gate.scheduler.waiting, gate.waiting.length, client.asked], [1, 0, 0]);
  first.release();
  await rest();
  t.same([gate.scheduler.waiting, gate.waiting.length, client.asked], [0, 1, 0]);
  t.equal(gate.waiting[0]?.client, client.cancellation);
  gate.wake();
  await rest();
  t.same([gate.waiting.length, client.asked, lease], [2, 1, null], 'it was shut again meanwhile');
  gate.open();
  (await acquired).release();
  t.equal(client.asked, 2);
  t.equal(gate.scheduler.active, 0);
});

t.test('is asked again what may have changed while the client was asked', async (t) => {
  const gate = new TestGate();
  const answers: ((alive: boolean) => void)[] = [];
  const client = clientOf(() => new Promise((resolve) => answers.push(resolve)));
  let lease = null;
  const acquired = Promise.resolve(acquire(want('call'), client, gate)).then((it) => (lease = it));
  gate.isOpen = false;
  answers[0]?.(true);
  await rest();
  t.same([gate.waiting.length, lease], [1, null]);
  gate.open();
  await rest();
  t.same([client.asked, lease], [2, null]);
  answers[1]?.(true);
  (await acquired).release();
});

t.test('F16: a client that has gone gets none, and leaves none behind', async (t) => {
  const gone = { code: 'CLOSED', message: 'The client went away; the request was not sent' };
  const gate = new TestGate();
  const before = clientOf();
  before.cancellation.cancel();
  t.throws(() => acquire(want('call'), before, gate), gone);
  t.equal(before.asked, 0);
  await t.rejects(
    Promise.resolve(
      acquire(
        want('call'),
        clientOf(() => Promise.resolve(false)),
        gate,
      ),
    ),
    gone,
  );
  t.equal(gate.scheduler.active, 0, 'found by asking');

  const first = await acquire(want('call'), clientOf(), gate);
  const client = clientOf();
  const waiting = Promise.resolve(acquire(want('call'), client, gate));
  client.cancellation.cancel();
  await t.rejects(waiting, gone);
  t.same([gate.scheduler.waiting, client.cancellation.listenerCount], [0, 0]);
  first.release();
  t.equal(gate.scheduler.active, 0, 'while it waited for a slot');

  gate.isOpen = false;
  const shut = Promise.resolve(acquire(want('call'), clientOf(), gate));
  await rest();
  t.equal(gate.scheduler.active, 1);
  gate.fail(new Error('gone'));
  await t.rejects(shut, { message: 'gone' });
  t.equal(gate.scheduler.active, 0, 'while there was nothing to send it over');
});

t.test('what was waited for a slot is taken off what is left', async (t) => {
  const gate = new TestGate();
  const first = await acquire(want('call'), clientOf(), gate);
  gate.isOpen = false;
  const patient = Promise.resolve(acquire(want('call', 1000), clientOf(), gate));
  const endless = Promise.resolve(acquire(want('call'), clientOf(), gate));
  gate.clock.pass(300);
  first.release();
  await rest();
  t.match(gate.waiting, [{ patience: 700, waited: 300 }]);
  gate.clock.pass(5000);
  gate.wake();
  await rest();
  t.match(gate.waiting[1], { patience: 0, waited: 5300 });
  gate.open();
  (await patient).release();
  gate.isOpen = false;
  gate.wake();
  await rest();
  gate.open();
  (await endless).release();
  t.ok(gate.waiting.slice(2).every(({ patience }) => patience === null));
});

t.test('F16: whose time is up while it waits for a slot holds none', async (t) => {
  const gate = new TestGate();
  const first = await acquire(want('call'), clientOf(), gate);
  const client = clientOf();
  const late = Promise.resolve(acquire(want('call', 1000), client, gate));
  gate.clock.pass(999);
  await rest();
  t.equal(gate.scheduler.waiting, 1);
  gate.clock.pass(1);
  await t.rejects(late, { code: 'TIMEOUT', message: /waited 1 s for a free slot/ });
  first.release();
  t.same([gate.scheduler.active, gate.scheduler.waiting, client.asked], [0, 0, 0]);
});

t.test('F37: is told when only calls that may start a job are in its way', async (t) => {
  const gate = new TestGate({ calls: 3, jobs: 1 });
  let told = 0;
  const job = { ...want('job'), onShortOfJobs: () => told++ };
  const first = await acquire(job, clientOf(), gate);
  t.equal(told, 0);
  const second = Promise.resolve(acquire(job, clientOf(), gate));
  t.equal(told, 1);
  const others = [
    await acquire(want('call'), clientOf(), gate),
    await acquire(want('call'), clientOf(), gate),
  ];
  const third = Promise.resolve(acquire(job, clientOf(), gate));
  t.equal(told, 1, 'not where there is no room for anything');
  first.release();
  (await second).release();
  (await third).release();
  for (const lease of others) lease.release();
  gate.isOpen = false;
  const free = Promise.resolve(acquire(job, clientOf(), gate));
  t.equal(told, 1, 'nor where there is a slot for it');
  gate.open();
  (await free).release();
  t.equal(gate.scheduler.active, 0);
});
