/** The order in which messages are handed on, while large ones are still being checked. */
import t from 'tap';
import { Scan } from '../../../../lib/json/members.js';
import { Intake } from '../../../../lib/middleware/channel/intake.js';
import { until } from '../../../support/midclt.js';

const LARGE = `"${'x'.repeat(30 * 1024 * 1024)}"`;
const answer = (id: string, result = '1') =>
  new Scan(Buffer.from(`{"jsonrpc": "2.0", "result": ${result}, "id": "${id}"}`));
const event = (id: string, fields = '1') =>
  new Scan(Buffer.from(`{"jsonrpc": "2.0", "method": "${id}", "params": ${fields}}`));

function start() {
  const seen: string[] = [];
  let paused = 0;
  const intake = new Intake({
    onMessage: ({ members, wrongAt }) => {
      const name = String(members.get('id') ?? members.get('method'));
      seen.push(wrongAt === null ? name : `${name} wrong`);
    },
    pause: () => {
      paused = 1;
    },
    resume: () => {
      paused = 0;
    },
  });
  return { intake, seen, isPaused: () => paused === 1 };
}

t.test('small messages are handed on at once', async (t) => {
  const { intake, seen, isPaused } = start();
  intake.push(answer('a'));
  intake.push(event('b'));
  t.same(seen, ['"a"', '"b"']);
  let isOver = false;
  intake.finish(() => (isOver = true));
  t.ok(isOver);
  t.notOk(isPaused());
});

t.test('what comes behind a large answer does not wait for it', async (t) => {
  const { intake, seen, isPaused } = start();
  intake.push(answer('large', LARGE));
  t.notOk(isPaused());
  intake.push(event('b'));
  intake.push(answer('c'));
  t.same(seen, ['"b"', '"c"']);
  intake.push(answer('second', LARGE));
  t.ok(isPaused(), 'a second one is too much');
  let isOver = false;
  intake.finish(() => (isOver = true));
  t.notOk(isOver);
  await until('the end', () => isOver);
  t.same(seen.slice(2), ['"large"', '"second"']);
  t.notOk(isPaused());
});

t.test('what comes behind a large event keeps its place', async (t) => {
  const { intake, seen, isPaused } = start();
  intake.push(event('large', LARGE));
  t.ok(isPaused());
  intake.push(answer('b'));
  intake.push(answer('also large', LARGE));
  intake.push(event('wrong', '[}'));
  intake.push(event('c'));
  t.same(seen, []);
  let isOver = false;
  intake.finish(() => (isOver = true));
  await until('the end', () => isOver);
  t.same(seen, ['"large"', '"b"', '"also large"', '"wrong" wrong', '"c"']);
  t.notOk(isPaused());
});
