/** Jobs that take longer than the patience of other clients. */
import t from 'tap';
import { startDaemon } from '../support/daemon.js';

const isLong = process.env.MIDCLT_TEST_LONG !== undefined;
t.setTimeout(500_000);

t.test(
  'F19: a job of more than five minutes is followed to its end',
  { skip: !isLong },
  async (t) => {
    const daemon = await startDaemon(t);
    const run = await daemon.d([
      'call',
      '-j',
      '-jp',
      'description',
      'test.job',
      '4',
      '80',
      'null',
      'at last',
    ]);
    t.match(run, {
      code: 0,
      stdout: 'at last\n',
      stderr: 'step 1/4\nstep 2/4\nstep 3/4\nstep 4/4\n',
    });
  },
);

t.test('F19: the timeout of a call is not one of its job', async (t) => {
  const daemon = await startDaemon(t);
  const run = await daemon.d(['-t', '4', 'call', '-j', 'test.job', '2', '2.5', 'null', 'at last']);
  t.match(run, { code: 0, stdout: 'at last\n' });
});
