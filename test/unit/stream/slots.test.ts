import t from 'tap';
import { TakenSlots, type SlotClass } from '../../../lib/stream/slots.js';
import { TestClock } from '../../support/stages.js';

const CLASSES: readonly SlotClass[] = ['call', 'job', 'look-up', 'none'];

function slots(calls: number, jobs: number, lookUps: number) {
  const clock = new TestClock();
  const taken = new TakenSlots({ calls, jobs, lookUps }, clock);
  return { clock, taken, room: () => CLASSES.filter((each) => taken.hasRoom(each)) };
}

t.test('each class takes its kinds, and no other', async (t) => {
  const { taken, room } = slots(2, 1, 1);
  t.same(room(), ['call', 'job', 'look-up', 'none']);
  taken.take('job');
  t.same(room(), ['call', 'look-up', 'none'], 'no second job');
  taken.take('call');
  t.same(room(), ['look-up', 'none']);
  taken.take('look-up');
  taken.take('none');
  t.same(room(), ['none']);
  t.equal(taken.count, 3);
  taken.free('call', false);
  t.same(room(), ['call', 'none'], 'still no job');
  taken.free('job', false);
  taken.free('look-up', false);
  taken.free('none', false);
  t.same([room().length, taken.count], [4, 0]);
});

t.test('a call that is no job makes room for one, and remains a call', async (t) => {
  const { taken, room } = slots(2, 1, 0);
  taken.take('job');
  taken.freeJob(false);
  t.same(room(), ['call', 'job', 'none']);
  t.equal(taken.count, 1);
});

t.test('F39: is stuck since all of a kind were given up, until one of them ends', async (t) => {
  const { taken, clock } = slots(2, 1, 1);
  const stuck = () => CLASSES.map((each) => taken.stuckSince(each));
  const never = Infinity;
  taken.take('job');
  taken.take('call');
  clock.pass(5);
  const since = clock.now();
  taken.giveUp('job');
  t.same(stuck(), [never, since, never, never], 'one call may still end');
  clock.pass(5);
  taken.giveUp('call');
  t.same(stuck(), [clock.now(), since, never, never]);
  clock.pass(5);
  taken.free('call', true);
  t.same(stuck(), [never, since, never, never]);
  taken.freeJob(true);
  t.same(stuck(), [never, never, never, never]);
  taken.free('call', true);
  taken.take('call');
  taken.take('call');
  taken.giveUp('call');
  t.equal(taken.stuckSince('call'), never, 'those that ended count no more');
  taken.giveUp('call');
  t.equal(taken.stuckSince('call'), clock.now(), 'but those that are given up again do');
});

t.test('who ends in time is not counted as given up', async (t) => {
  const { taken } = slots(1, 1, 1);
  taken.take('look-up');
  taken.free('look-up', false);
  taken.take('look-up');
  t.equal(taken.stuckSince('look-up'), Infinity);
  taken.giveUp('look-up');
  t.not(taken.stuckSince('look-up'), Infinity);
});
