import t from 'tap';
import { Crowd } from '../../lib/steps.js';
import { turn } from '../support/stages.js';

t.test('of a crowd some are served in a turn, the others later and in order', async (t) => {
  const crowd = new Crowd(3);
  const done: number[] = [];
  const come = (from: number, to: number) => {
    for (let i = from; i <= to; i++) crowd.take(() => done.push(i));
  };
  come(1, 2);
  t.same(done, [1, 2], 'at once, where there is room');
  come(3, 8);
  t.same(done, [1, 2, 3]);
  await turn();
  t.same(done, [1, 2, 3, 4, 5, 6]);
  come(9, 10);
  t.same(done, [1, 2, 3, 4, 5, 6], 'nobody passes those who wait');
  await turn();
  t.same(done, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await turn();
  come(11, 12);
  t.same(done, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

t.test('work of a crowd that brings more work waits its turn, too', async (t) => {
  const crowd = new Crowd(2);
  let done = 0;
  const again = () => {
    done++;
    if (done < 10) crowd.take(again);
  };
  crowd.take(again);
  t.equal(done, 2);
  await turn();
  await turn();
  t.ok(done < 10, `${done} in three turns`);
  while (done < 10) await turn();
});
