/** F45: the budgets that all connections share. */
import t from 'tap';
import { LineLimit } from '../../../lib/stream/guard.js';
import { costOf, FREE, memoryOf, RequestMemory, ResultMemory } from '../../../lib/stream/memory.js';
import { TestClock, turn } from '../../support/stages.js';

const line = (size: number) => Buffer.from(`${'x'.repeat(size - 1)}\n`);

/** A guard whose lines are taken at once, and counted. */
function guardOn(memory: RequestMemory) {
  const guard = new LineLimit({ memory });
  const seen = { lines: 0, bytes: 0, ended: false };
  guard.on('data', (text: string) => {
    seen.lines += text.split('\n').length - 1;
    seen.bytes += text.length;
  });
  guard.on('end', () => (seen.ended = true));
  return { guard, seen };
}

t.test('a line for which there is no room waits until another request is over', async (t) => {
  const memory = new RequestMemory(100_000);
  const first = guardOn(memory);
  const second = guardOn(memory);
  const third = guardOn(memory);
  first.guard.write(line(90_000));
  await turn();
  second.guard.write(line(80_000).subarray(0, 60_000));
  second.guard.write(line(80_000).subarray(60_000));
  third.guard.write(line(30_000));
  third.guard.write(line(100));
  await turn();
  t.same([first.seen.lines, second.seen.lines, third.seen.lines], [1, 0, 0], 'in its turn');
  first.guard.over();
  await turn();
  t.same([second.seen.lines, second.seen.bytes], [1, 80_000]);
  t.equal(third.seen.lines, 2);
  second.guard.over();
  third.guard.over();
  third.guard.over();
  t.equal(memory.used, 0);
});

t.test('where nothing will give room back, the line is refused', async (t) => {
  const memory = new RequestMemory(100_000);
  const first = guardOn(memory);
  const second = guardOn(memory);
  first.guard.write(line(90_000).subarray(0, 80_000));
  second.guard.write(line(90_000).subarray(0, 80_000));
  await turn();
  t.notOk(first.guard.failure);
  t.match(second.guard.failure, { code: 'BUSY' });
  t.ok(second.seen.ended);
});

t.test('who waits is refused when the last complete request gives too little', async (t) => {
  const memory = new RequestMemory(100_000);
  const complete = guardOn(memory);
  const half = guardOn(memory);
  const waiting = guardOn(memory);
  complete.guard.write(line(50_000));
  half.guard.write(line(90_000).subarray(0, 60_000));
  await turn();
  waiting.guard.write(line(80_000));
  await turn();
  t.notOk(waiting.guard.failure);
  complete.guard.over();
  await turn();
  t.match(waiting.guard.failure, { code: 'BUSY' });
});

t.test('a connection that goes gives back what it had, and its place', async (t) => {
  const memory = new RequestMemory(100_000);
  const first = guardOn(memory);
  const second = guardOn(memory);
  const third = guardOn(memory);
  first.guard.write(line(95_000));
  await turn();
  second.guard.write(line(95_000));
  third.guard.write(line(95_000));
  await turn();
  second.guard.destroy();
  first.guard.destroy();
  await turn();
  t.same([second.seen.lines, third.seen.lines], [0, 1]);
  third.guard.destroy();
  t.equal(memory.used, 0);
});

t.test('small lines ask for nothing', async (t) => {
  const memory = new RequestMemory(0);
  const { guard, seen } = guardOn(memory);
  for (let i = 0; i < 100; i++) guard.write(line(FREE));
  await turn();
  t.equal(seen.lines, 100);
});

t.test('what a result takes comes back', async (t) => {
  const memory = new ResultMemory(100);
  t.ok(memory.take(60));
  t.notOk(memory.take(60));
  memory.give(60);
  t.ok(memory.take(100));
  t.ok(memory.take(0), 'a small one is always taken');
});

t.test('who waits two minutes in vain is told, once, and waits no more', async (t) => {
  const clock = new TestClock();
  const memory = new RequestMemory(100_000, clock);
  t.ok(memory.completed(0, 90_000));
  const order: string[] = [];
  const wait = (name: string, isServed: () => boolean) =>
    memory.wait(
      () => {
        order.push(name);
        return isServed();
      },
      () => order.push(`${name} too long`),
    );
  wait('first', () => false);
  clock.pass(60_000);
  const leave = wait('second', () => true);
  t.notOk(memory.takeUnfinished(1), 'others were first');
  clock.pass(59_999);
  memory.giveComplete(1);
  t.same(order, ['first'], 'the second is not asked before the first is served');
  clock.pass(1);
  t.same(order, ['first', 'first too long']);
  memory.giveComplete(1);
  t.same(order, ['first', 'first too long', 'second']);
  t.equal(clock.waiting, 0, 'nor does a clock run for who was served');
  leave();
  clock.pass(120_000);
  memory.giveComplete(1);
  t.equal(order.length, 3);
  t.ok(memory.takeUnfinished(1));
});

t.test('room goes to who waits for it, whoever gives it back', async (t) => {
  const memory = new RequestMemory(100, new TestClock());
  t.ok(memory.completed(0, 40));
  t.ok(memory.takeUnfinished(50));
  let taken = 0;
  const take = () => memory.takeUnfinished(30) && ++taken > 0;
  memory.wait(take, () => t.fail('too long'));
  memory.giveUnfinished(50);
  t.equal(taken, 1, 'an unfinished one');
  t.ok(memory.takeUnfinished(30));
  memory.wait(take, () => t.fail('too long'));
  memory.giveComplete(40);
  t.equal(taken, 2, 'a complete one');
  t.equal(memory.used, 90);
});

t.test('who gives room back while it is asked is not asked again', async (t) => {
  const memory = new RequestMemory(100, new TestClock());
  t.ok(memory.takeUnfinished(100));
  let asked = 0;
  const retry = () => {
    if (++asked < 5) memory.giveUnfinished(1);
    return true;
  };
  memory.wait(retry, () => t.fail('too long'));
  memory.giveUnfinished(1);
  t.same([asked, memory.used], [1, 98]);
});

t.test('who leaves is asked no more, and its clock stops', async (t) => {
  const clock = new TestClock();
  const memory = new RequestMemory(100, clock);
  t.ok(memory.completed(0, 100));
  const leave = memory.wait(
    () => t.fail('asked'),
    () => t.fail('too long'),
  );
  leave();
  memory.giveComplete(50);
  clock.pass(120_000);
  t.equal(clock.waiting, 0);
  t.equal(memory.used, 50);
});

t.test('an unfinished request becomes a complete one, at what it takes from then on', async (t) => {
  const memory = new RequestMemory(100);
  t.notOk(memory.willFree);
  t.ok(memory.takeUnfinished(60));
  t.notOk(memory.willFree, 'it may never be complete');
  t.notOk(memory.completed(60, 101));
  t.ok(memory.completed(60, 100));
  t.same([memory.used, memory.willFree], [100, true]);
  memory.giveComplete(100);
  t.same([memory.used, memory.willFree], [0, false]);
});

t.test('a quarter is for requests, the rest for results; a little of each is free', async (t) => {
  const { requests, results } = memoryOf(1001);
  t.same([requests.size, results.size], [250, 751]);
  t.same([0, FREE, FREE + 1].map(costOf), [0, 0, 1]);
});
