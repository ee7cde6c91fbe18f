import t from 'tap';
import {
  Backoff,
  LoginBudget,
  DEFAULT_POLICY,
} from '../../../../lib/middleware/login/reconnect-policy.js';
import { randomOf, seededRandom } from '../../../support/random-json.js';

const BOUNDS = { shortest: 100, longest: 15_000 };

t.test('F22: pauses double up to the longest, which the next ones keep', async (t) => {
  const backoff = new Backoff(BOUNDS, () => 1);
  t.same(
    Array.from({ length: 11 }, () => backoff.next()),
    [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000],
  );
  backoff.reset();
  t.equal(backoff.next(), 100);
});

t.test('F22: a thousand failures on, a pause is still a number', async (t) => {
  const backoff = new Backoff({ shortest: 1, longest: Number.MAX_SAFE_INTEGER }, () => 1);
  for (let i = 0; i < 5000; i++) backoff.next();
  t.equal(backoff.next(), Number.MAX_SAFE_INTEGER);
  t.equal(new Backoff({ shortest: 100, longest: 50 }, () => 1).next(), 50);
});

t.test('F22: pauses have full jitter', async (t) => {
  const { seed } = seededRandom();
  t.comment(`seed ${seed}`);
  const pauses = Array.from({ length: 2000 }, (_, i) => {
    const backoff = new Backoff(BOUNDS, randomOf(seed + i));
    for (let failures = 0; failures < 5; failures++) backoff.next();
    return backoff.next(); // of at most 3.2 s
  });
  t.equal(pauses.filter((pause) => pause < 0 || pause > 3200).length, 0);
  t.equal(pauses.filter((pause) => !Number.isInteger(pause)).length, 0, 'timers want integers');
  for (let part = 0; part < 4; part++) {
    const inPart = pauses.filter((pause) => Math.floor(pause / 800.01) === part).length;
    t.ok(inPart > 400 && inPart < 600, `${inPart} of 2000 in quarter ${part + 1}`);
  }
});

t.test('F23: ten login messages in a window and no more', async (t) => {
  let now = 1000;
  const budget = new LoginBudget(60_000, () => now);
  for (let i = 0; i < 10; i++) {
    t.equal(budget.wait(1), 0);
    budget.spend(1);
    now += 100;
  }
  t.equal(budget.wait(1), 59_000, 'until the first is a window ago');
  t.equal(budget.wait(2), 59_100, 'two need the second gone as well');
  now += 58_999;
  t.equal(budget.wait(1), 1);
  now += 1;
  t.equal(budget.wait(1), 0);
  t.equal(budget.wait(2), 100);
  budget.spend(1);
  t.equal(budget.wait(1), 100);
});

t.test('F23: what SCRAM spends, two at a time, is five logins', async (t) => {
  let now = 0;
  const budget = new LoginBudget(60_000, () => now);
  let logins = 0;
  for (; budget.wait(2) === 0; logins++) budget.spend(2);
  t.equal(logins, 5);
  budget.spend(1);
  now = 60_000;
  t.equal(budget.wait(2), 0);
});

t.test('F23: whatever comes when, no window has more than ten of them', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`seed ${seed}`);
  let now = 0;
  const budget = new LoginBudget(DEFAULT_POLICY.window, () => now);
  const spent: number[] = [];
  for (let i = 0; i < 3000; i++) {
    const cost = random() < 0.5 ? 1 : 2;
    for (let wait; (wait = budget.wait(cost)) > 0;) {
      if (wait > DEFAULT_POLICY.window) t.fail(`waits ${wait} ms`);
      now += wait;
    }
    budget.spend(cost);
    for (let each = 0; each < cost; each++) spent.push(now);
    now += random() < 0.2 ? random() * 30_000 : random() * 500;
  }
  const most = Math.max(
    ...spent.map((start, i) => spent.slice(i, i + 20).filter((at) => at < start + 60_000).length),
  );
  t.equal(most, 10, 'half of what the server takes from an address, used to the full');
});
