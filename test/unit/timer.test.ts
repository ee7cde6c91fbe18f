/** One timer for many deadlines. */
import t, { type Test } from 'tap';
import { Alarm, steadyNow } from '../../lib/timer.js';
import { until } from '../support/midclt.js';

/** An alarm for the deadlines of a set, which notes what it rang for; its timer keeps no process alive. */
function alarmed(t: Test) {
  const deadlines = new Set<number>();
  const rung: { deadline: number; at: number }[] = [];
  let rings = 0;
  const alarm = new Alarm((now) => {
    rings += 1;
    for (const deadline of [...deadlines].sort((a, b) => a - b)) {
      if (deadline > now) return deadline;
      deadlines.delete(deadline);
      rung.push({ deadline, at: now });
    }
    return Infinity;
  });
  t.teardown(() => {
    alarm.stop();
  });
  const add = (ms: number): number => {
    const deadline = steadyNow() + ms;
    deadlines.add(deadline);
    alarm.by(deadline);
    return deadline;
  };
  return { alarm, deadlines, rung, rings: () => rings, add };
}

t.test('rings for each deadline, the nearest first, and never too early', async (t) => {
  const { rung, add } = alarmed(t);
  const [late, early, middle] = [add(60), add(10), add(30)];
  await until('three', () => rung.length === 3);
  t.same(
    rung.map(({ deadline }) => deadline),
    [early, middle, late],
  );
  t.ok(rung.every(({ deadline, at }) => at >= deadline));
});

t.test('a deadline that is lifted is one ring for nothing', async (t) => {
  const { deadlines, rung, rings, add } = alarmed(t);
  deadlines.delete(add(10));
  await until('the ring for nothing', () => rings() === 1);
  t.same(rung, []);
  const kept = add(10);
  await until('the other', () => rung.length === 1);
  t.equal(rung[0]!.deadline, kept);
});

t.test('many deadlines in their order are one timer', async (t) => {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const { deadlines, alarm, add } = alarmed(t);
  for (let i = 0; i < 1000; i++) add(60_000 + i);
  const after = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  t.ok(after <= before + 1, `${after - before} timers`);
  t.equal(deadlines.size, 1000);
  alarm.stop();
});

t.test('no deadline, or one beyond what a timer can wait for, does not ring', async (t) => {
  const { rings, add, alarm } = alarmed(t);
  alarm.by(Infinity);
  add(2 ** 40);
  await until('others', () => true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(rings(), 0);
});

t.test('once stopped it is silent until it is asked again', async (t) => {
  const { alarm, rung, rings, add } = alarmed(t);
  add(5);
  alarm.stop();
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(rings(), 0);
  add(5);
  await until('both', () => rung.length === 2);
});
