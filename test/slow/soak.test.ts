/** Every transport side by side, its clients, and something that goes wrong each second. MIDCLT_SOAK_SECONDS makes it longer. */
import t from 'tap';
import { descriptors } from '../support/daemon.js';
import { diceOf } from '../support/garbage.js';
import { until } from '../support/midclt.js';
import { seededRandom } from '../support/random-json.js';
import { pause } from '../support/soak-clients.js';
import { FAULTS, pickFault } from '../support/soak-faults.js';
import { keepFigures, rowOf, tableOf, type Row } from '../support/soak-figures.js';
import { NOTHING_DONE, runProcesses } from '../support/soak-processes.js';
import { measure, startStage, TRANSPORTS, type Stage } from '../support/soak-stage.js';
import { listenToTickers } from '../support/soak-subscribers.js';

const SECONDS = Number(process.env.MIDCLT_SOAK_SECONDS ?? 60);
t.setTimeout((SECONDS + 300) * 1000);

const { random, seed } = seededRandom();
t.comment(`seed ${seed}`);

/** A long soak asks at leisure: it is to last, not to load the machine. */
const isLong = SECONDS > 300;
const CLIENTS = 5;
const THINKS = isLong ? 600 : 60;
const PROCESSES = isLong ? 4000 : 1500;

/** Milliseconds between two looks at what the servers have run. */
const LOOK = 5000;
/** Calls that a lost connection can leave with an unknown outcome: those that have a slot. */
const SLOTS = 10;

const faults = new Map<string, number>();

async function harass(stage: Stage, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const started = performance.now();
    const fault = pickFault(stage);
    faults.set(fault, (faults.get(fault) ?? 0) + 1);
    await FAULTS[fault]!(stage);
    await pause(stage.transport.every - (performance.now() - started));
  }
}

/** What all of a stage do, until `isOver`; then nobody is left but those who listen to events. */
async function play(stage: Stage, isOver: () => boolean, isQuiet: boolean) {
  const done = { ...NOTHING_DONE };
  let ticks = 0;
  const { clients, daemon, ledger } = stage;
  const onTick = () => ticks++;
  const looking = setInterval(() => {
    stage.journal.read();
  }, LOOK);
  await Promise.all([
    ...clients.map((client) => client.run(isOver)),
    ...(isQuiet
      ? []
      : [
          harass(stage, isOver),
          runProcesses(stage, done, isOver, PROCESSES),
          listenToTickers(daemon.socket, ledger, isOver, onTick, THINKS * 3),
        ]),
  ]);
  clearInterval(looking);
  return { done, ticks };
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
  const stages = await Promise.all(TRANSPORTS.map((each) => startStage(t, each, dice, size)));
  const atTheEnd = (milliseconds: number) => {
    const end = performance.now() + milliseconds;
    return () => performance.now() > end;
  };
  const warm = atTheEnd(3000);
  await Promise.all(stages.map((stage) => play(stage, warm, true)));
  const before = stages.map(measure);
  const isOver = atTheEnd(SECONDS * 1000);
  const listening = stages.map(({ listeners }) =>
    Promise.all(listeners.map((listener) => listener.run())),
  );
  const played = await Promise.all(stages.map((stage) => play(stage, isOver, false)));
  await Promise.all(stages.map(lastEvent));
  await Promise.all(listening);

  const rows: Row[] = [];
  for (const [i, stage] of stages.entries()) {
    const { daemon, ledger, journal, listeners, pid, transport } = stage;
    const was = before[i]!;
    const { done, ticks } = played[i]!;
    journal.read();
    ledger.compare();
    for (const listener of listeners) listener.compare(journal.emitted);
    await until('connections to go', () => descriptors(pid) <= was.descriptors + 2).catch(
      () => undefined, // said below
    );
    const is = measure(stage);
    const status = await daemon.d(['daemon-status', '--json']);
    const { middleware } = JSON.parse(status.stdout) as { middleware: { logins: number } };
    rows.push(rowOf(stage, done, { ticks, logins: middleware.logins }, was, is));
    const { name } = transport;
    t.same(ledger.violations.slice(0, 20), [], `${name}: everything is as it should be`);
    t.equal(ledger.violations.length, 0, `${name}: nothing else is wrong`);
    t.ok(
      ledger.counts.unknown <= ledger.losses * SLOTS + ledger.forgotten + done.downloads,
      `${name}: of each lost connection a few outcomes are unknown`,
    );
    t.ok(ledger.sent > SECONDS * 3, `${name}: there was something to do`);
    t.ok(is.descriptors <= was.descriptors + 2, `${name}: no descriptor is left open`);
    t.ok(is.megabytes < was.megabytes + 80, `${name}: memory is where it was`);
    const stopped = await daemon.d(['daemon-stop']);
    t.equal(stopped.code, 0, stopped.stderr);
    t.match(await daemon.exited, { code: 0, signal: null });
  }
  const all = { rows, faults, seconds: SECONDS, seed };
  for (const line of tableOf(all)) t.comment(line);
  keepFigures(all);
});
