/** Many clients, one daemon, and something that goes wrong each second. MIDCLT_SOAK_SECONDS makes it longer. */
import t, { type Test } from 'tap';
import { descriptors, startDaemon, type RunningDaemon } from '../support/daemon.js';
import { diceOf } from '../support/garbage.js';
import { makeHome, until } from '../support/midclt.js';
import { seededRandom } from '../support/random-json.js';
import { startSandboxProcess } from '../support/sandbox-process.js';
import { HABITS, SoakClient } from '../support/soak-clients.js';
import { FAULTS, type Fault, type Stage } from '../support/soak-faults.js';
import { Ledger } from '../support/soak-ledger.js';
import { startSoakProxy } from '../support/soak-proxy.js';
import { residentMegabytes } from '../support/wire.js';

const SECONDS = Number(process.env.MIDCLT_SOAK_SECONDS ?? 60);
t.setTimeout((SECONDS + 240) * 1000);

const { random, seed } = seededRandom();
t.comment(`seed ${seed}`);

interface Plan {
  readonly seconds: number;
  /** Milliseconds between two faults. */
  readonly every: number;
  readonly faults: readonly Fault[];
  /** Characters of a request, at most. */
  readonly size: number;
}

/** Runs 20 clients while the faults happen; afterwards nothing must have gone wrong, or be left. */
async function soak(
  t: Test,
  daemon: RunningDaemon,
  around: Pick<Stage, 'sandbox' | 'proxy'> & { readonly journal: string },
  plan: Plan,
): Promise<void> {
  const dice = diceOf(random);
  const ledger = new Ledger(dice);
  const clients = Array.from({ length: 20 }, (_, i) => {
    const habit = HABITS[i % HABITS.length]!;
    const size = Math.min(habit.size, plan.size);
    return new SoakClient(daemon.socket, { ...habit, size }, ledger, dice);
  });
  const runFor = async (milliseconds: number, trouble: () => Promise<void>) => {
    const end = performance.now() + milliseconds;
    const isOver = () => performance.now() > end;
    await Promise.all([
      ...clients.map((client) => client.run(isOver)),
      (async () => {
        while (!isOver()) await trouble();
      })(),
    ]);
  };
  const pid = daemon.child.pid!;
  const measure = () => ({ descriptors: descriptors(pid), megabytes: residentMegabytes(pid) });
  await runFor(3000, () => pause(100)); // a warm-up
  const before = measure();
  const happened = new Map<Fault, number>();
  await runFor(plan.seconds * 1000, async () => {
    const started = performance.now();
    const fault = dice.pick(plan.faults);
    happened.set(fault, (happened.get(fault) ?? 0) + 1);
    await FAULTS[fault]({ ...around, clients, ledger, dice });
    await pause(plan.every - (performance.now() - started));
  });
  t.comment(ledger.summary());
  t.comment([...happened].map(([fault, count]) => `${fault} ${count}`).join(', '));
  t.same(ledger.violations.slice(0, 20), [], 'every answer is the right one');
  t.same(ledger.unanswered(), [], 'every request has exactly one final frame');
  t.same(ledger.repeated(around.journal), [], 'no call reached the server twice');
  t.ok(ledger.entries.length > plan.seconds * 10, 'there was something to do');

  await until('the last connections to go', () => descriptors(pid) <= before.descriptors + 2).catch(
    () => undefined, // said below
  );
  const after = measure();
  t.comment(JSON.stringify({ before, after }));
  t.ok(after.descriptors <= before.descriptors + 2, 'no descriptor is left open');
  t.ok(after.megabytes < before.megabytes + 80, 'memory is where it was');
  const stopped = await daemon.d(['daemon-stop']);
  t.equal(stopped.code, 0, stopped.stderr);
  t.match(await daemon.exited, { code: 0, signal: null });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

t.test('F16–F27: 20 clients over a Unix socket, with a fault each second', async (t) => {
  t.setTimeout((SECONDS + 180) * 1000);
  const home = makeHome(t);
  const journal = `${home}/journal`;
  const sandbox = await startSandboxProcess(t, { unix: `${home}/mw.sock`, journal });
  const proxy = await startSoakProxy(t, `${home}/proxy.sock`, `${home}/mw.sock`);
  const daemon = await startDaemon(t, {
    around: { home, uri: `ws+unix://${home}/proxy.sock`, sandbox: undefined as never },
  });
  const faults = (Object.keys(FAULTS) as Fault[]).filter((fault) => fault !== 'sessions expire');
  const plan = { seconds: SECONDS, every: 1000, faults, size: Infinity };
  await soak(t, daemon, { sandbox, proxy, journal }, plan);
});

t.test('F21, F24, F25: 20 clients over a login, with what calls for another', async (t) => {
  const home = makeHome(t);
  const journal = `${home}/journal`;
  const sandbox = await startSandboxProcess(t, { ws: 0, rateLimit: false, journal });
  const proxy = await startSoakProxy(t, 0, sandbox.wsPort!);
  const daemon = await startDaemon(t, {
    around: { home, uri: '', sandbox: undefined as never },
    uri: `ws://127.0.0.1:${proxy.port}/api/current`,
    globals: ['-U', 'admin', '-P', 'admin-pw'],
    username: 'admin',
  });
  // With the first, eight logins: the daemon allows itself ten a minute. To a session that has expired
  // the server takes 8 kB, and closes the connection when there is more.
  const faults = ['sessions expire', 'the server is killed', 'the way is cut'] as const;
  const plan = { seconds: 20, every: 3000, faults, size: 2000 };
  await soak(t, daemon, { sandbox, proxy, journal }, plan);
});
