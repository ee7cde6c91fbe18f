/** Every transport side by side, its clients, and something that goes wrong each second. MIDCLT_SOAK_SECONDS makes it longer. */
import t from 'tap';
import { descriptors } from '../support/daemon.js';
import { diceOf } from '../support/garbage.js';
import { until } from '../support/midclt.js';
import { seededRandom } from '../support/random-json.js';
import { pause } from '../support/soak-clients.js';
import { hasEnded } from '../../lib/files/paths.js';
import { pickFault } from '../support/soak-faults.js';
import { keepFigures, rowOf, tableOf } from '../support/soak-figures.js';
import { runProcesses } from '../support/soak-processes.js';
import {
  measure,
  newTally,
  startStage,
  TRANSPORTS,
  type Stage,
  type Tally,
} from '../support/soak-stage.js';
import { listenToTickers } from '../support/soak-subscribers.js';
import { watchForHalts } from '../support/soak-troubles.js';

const SECONDS = Number(process.env.MIDCLT_SOAK_SECONDS ?? 60);
t.setTimeout((SECONDS + 300) * 1000);

const { random, seed } = seededRandom();
t.comment(`seed ${seed}`);

/** A long soak asks at leisure: it is to last, not to load the machine. */
const isLong = SECONDS > 300 || Boolean(process.env.MIDCLT_TEST_LONG);
const CLIENTS = 5;
const THINKS = isLong ? 600 : 60;
const PROCESSES = isLong ? 4000 : 1500;

/** Milliseconds between two looks at what the servers have run. */
const LOOK = 5000;
/** Calls that a lost connection can leave with an unknown outcome: those that have a slot. */
const SLOTS = 10;
/** Requests that a client has sent at once, at most. */
const AHEAD = 6;
/** Megabytes: what a crowd and lines of many megabytes leave in a heap that has room. */
const GROWTH = 150;

const faults = new Map<string, number>();

async function harass(stage: Stage, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    if (stage.transport.isMortal !== true && hasEnded(stage.pid))
      throw new Error(stage.ledger.violations.at(-1));
    const started = performance.now();
    const { name, act } = pickFault(stage, isLong);
    faults.set(name, (faults.get(name) ?? 0) + 1);
    await stage.ledger.troubles.undergo(name, stage.pid, () => act(stage));
    await pause(stage.transport.every - (performance.now() - started));
  }
}

/** What all of a stage do, until `isOver`; then nobody is left but those who listen to events. */
async function play(stage: Stage, tally: Tally, isOver: () => boolean): Promise<void> {
  const { clients, daemon, ledger } = stage;
  const onTick = () => {
    tally.ticks++;
  };
  const looking = setInterval(() => {
    stage.journal.read();
  }, LOOK);
  await Promise.all([
    ...clients.map((client) => client.run(isOver)),
    harass(stage, isOver),
    watchForHalts(daemon.socket, ledger.troubles, isOver),
    runProcesses(stage, tally.done, isOver, PROCESSES),
    listenToTickers(daemon.socket, ledger, isOver, onTick, THINKS * 3),
  ]);
  clearInterval(looking);
}

/** The last event reaches all who listen, and then they leave. */
async function lastEvent({ ledger, listeners, daemon, journal }: Stage): Promise<void> {
  await until('the last event to be heard', async () => {
    const entry = ledger.ask({}, 0, ['emit']);
    const { code } = await daemon.d(['call', 'test.emit', ...emitted(entry.line)]);
    if (code !== 0) throw new Error('no event can be sent');
    ledger.settle(entry, 'answered');
    await pause(100);
    journal.read();
    const last = journal.emitted.at(-1);
    return listeners.every((listener) => listener.last === last);
  }).catch((error: unknown) => {
    ledger.violate(String(error));
  });
  for (const listener of listeners) listener.leave();
}

function emitted(line: string): string[] {
  const { params } = JSON.parse(line) as { readonly params: readonly unknown[] };
  return params.map((param) => JSON.stringify(param));
}

t.test('F2–F47: every transport at once, with a fault each second', async (t) => {
  t.setTimeout((SECONDS + 240) * 1000);
  const dice = diceOf(random);
  const size = { clients: CLIENTS, thinks: THINKS };
  let isEnding = false;
  const stages = await Promise.all(
    TRANSPORTS.map((each) => startStage(t, each, dice, size, () => isEnding)),
  );
  const atTheEnd = (milliseconds: number) => {
    const end = performance.now() + milliseconds;
    return () => performance.now() > end;
  };
  const tallies = stages.map(newTally);
  const sample = () => {
    for (const [i, stage] of stages.entries()) {
      const measured = measure(stage);
      if (measured) tallies[i]!.samples.push(measured);
    }
  };
  const warm = atTheEnd(3000);
  await Promise.all(stages.flatMap(({ clients }) => clients.map((client) => client.run(warm))));
  sample();
  const since = performance.now();
  const figures = (logins: readonly number[]) => ({
    rows: stages.map((stage, i) => rowOf(stage, tallies[i]!, logins[i] ?? 0)),
    ...{ faults, seed, seconds: Math.round((performance.now() - since) / 1000) },
  });
  const sampling = setInterval(() => {
    sample();
    keepFigures(figures([]));
  }, 60_000);
  const isOver = atTheEnd(SECONDS * 1000);
  const listening = stages.flatMap(({ listeners }) => listeners.map((listener) => listener.run()));
  await Promise.all(stages.map((stage, i) => play(stage, tallies[i]!, isOver)));
  await Promise.all(stages.map(lastEvent));
  await Promise.all(listening);
  clearInterval(sampling);

  isEnding = true;
  const logins: number[] = [];
  for (const [i, stage] of stages.entries()) {
    const { daemon, ledger, journal, listeners } = stage;
    journal.read();
    ledger.compare();
    for (const listener of listeners) listener.compare(journal.emitted);
    await ledger.explained();
    const before = tallies[i]!.samples[0]!;
    await until('connections to go', () => descriptors(stage.pid) <= before.descriptors + 2).catch(
      () => undefined, // said below
    );
    const status = await daemon.d(['daemon-status', '--json']);
    const { middleware } = JSON.parse(status.stdout) as { middleware: { logins: number } };
    logins.push(middleware.logins);
  }
  sample();
  const all = figures(logins);
  for (const line of tableOf(all)) t.comment(line);
  keepFigures(all);
  for (const [i, { daemon, ledger, transport }] of stages.entries()) {
    const { done, samples } = tallies[i]!;
    const [before, after] = [samples.at(0)!, samples.at(-1)!];
    const { name } = transport;
    // A daemon that is killed leaves all that its clients have sent it.
    const deaths = ledger.troubles.count('death') * CLIENTS * AHEAD;
    const halts = ledger.troubles.count('halt') * AHEAD;
    const most = ledger.losses * SLOTS + deaths + halts + ledger.forgotten + done.downloads;
    t.same(ledger.violations.slice(0, 20), [], `${name}: everything is as it should be`);
    t.ok(
      ledger.counts.unknown <= most,
      `${name}: of each lost connection a few outcomes are unknown`,
    );
    t.ok(ledger.sent > SECONDS, `${name}: there was something to do`);
    t.ok(after.descriptors <= before.descriptors + 2, `${name}: no descriptor is left open`);
    t.ok(after.megabytes < before.megabytes + GROWTH, `${name}: memory is where it was`);
    const stopped = await daemon.d(['daemon-stop']);
    t.equal(stopped.code, 0, stopped.stderr);
    if (transport.isMortal !== true) t.match(await daemon.exited, { code: 0, signal: null });
  }
});
