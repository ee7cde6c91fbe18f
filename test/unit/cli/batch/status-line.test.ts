import t from 'tap';
import { StatusLine, type Progress } from '../../../../lib/cli/batch/status-line.js';

function lineOf(columns?: number) {
  const state = { now: 0, done: 0, failed: 0, unknown: 0, part: null as number | null, text: '' };
  const out = { columns, write: (text: string) => (state.text += text) };
  const progress = (): Progress => ({ ...state });
  return { state, line: new StatusLine(out, progress, () => state.now) };
}

t.test('done, failed, the rate of the last seconds, and the time left', (t) => {
  const { state, line } = lineOf();
  line.start();
  Object.assign(state, { now: 1000, done: 1500, failed: 2, part: 0.001 });
  line.draw();
  t.equal(
    state.text,
    '\r\x1b[2K1,500 done, 2 failed, 1,500/s',
    'of what it began with nothing is known',
  );
  state.text = '';
  line.end();
  t.equal(state.text, '\r\x1b[2K1,500 done, 2 failed in 0:01, 1,500/s\n');
  Object.assign(state, { unknown: 3, text: '' });
  line.draw();
  t.equal(
    state.text,
    '\r\x1b[2K1,500 done, 2 failed, 3 of unknown outcome, 1,500/s',
    'these are told apart, as they are at the end',
  );
  t.end();
});

t.test('the time left', (t) => {
  const { state, line } = lineOf();
  state.part = 0;
  line.start();
  for (const [now, part, expected] of [
    [1000, 0.25, '25%, 0:03 left'],
    [2000, 0.2501, '25%, 0:06 left'],
    [100_000, 0.26, '26%, 4:45 left'],
    [200_000, 0.03, '3%, 1:47:47 left'],
    [200_001, 1, '100%, 0:00 left'],
  ] as const) {
    Object.assign(state, { now, part, text: '' });
    line.draw();
    t.equal(state.text, `\r\x1b[2K0 done, 0 failed, 0/s, ${expected}`);
  }
  line.end();
  t.end();
});

t.test('it leaves no trace of a short batch, makes room, and fits', async (t) => {
  const short = lineOf();
  short.line.start();
  short.line.erase();
  short.line.end();
  t.equal(short.state.text, '');

  const { state, line } = lineOf(10);
  line.start();
  line.draw();
  line.erase();
  line.erase();
  t.equal(state.text, '\r\x1b[2K0 done, 0\r\x1b[2K');
  await line.aside(() => Promise.resolve());
  line.end();
});
