/** A thousand calls of many clients cost one login, and each broken connection one more. */
import t from 'tap';
import { startBroken, untilState, type Broken } from '../support/faults.js';
import { until } from '../support/midclt.js';
import { shellWithMidclt } from '../support/wire.js';

const CLIENTS = 20;
const CALLS = process.env.MIDCLT_TEST_LONG ? 50 : 10;
const TOTAL = CLIENTS * CALLS;

/** Clients that call in a loop, each process one call; all their lines, answers and errors. */
async function storm(daemon: Broken): Promise<string[]> {
  const loop = (client: number) =>
    `for i in $(seq ${CALLS}); do midclt -U admin call test.echo ${client} $i 2>&1 || true; done`;
  const runs = Array.from({ length: CLIENTS }, (_, client) =>
    shellWithMidclt(loop(client), daemon),
  );
  const finished = await Promise.all(runs);
  return finished.flatMap(({ stdout }) => stdout.trimEnd().split('\n'));
}

t.test(`F23: ${TOTAL} calls of ${CLIENTS} clients cost one login`, async (t) => {
  const daemon = await startBroken(t);
  const lines = await storm(daemon);
  t.equal(new Set(lines).size, TOTAL);
  t.same(
    lines.filter((line) => !/^\[\d+, \d+\]$/.test(line)),
    [],
  );
  t.equal(daemon.ran().length, TOTAL);
  const { logins, failedLogins, connections, maxOutstanding } = daemon.sandbox.stats;
  t.same({ logins, failedLogins, connections }, { logins: 1, failedLogins: 0, connections: 1 });
  t.ok(maxOutstanding <= 8, `${maxOutstanding} at once`);
});

t.test(`F23: with the connection cut twice meanwhile, three`, async (t) => {
  const daemon = await startBroken(t);
  const lines = storm(daemon);
  for (const share of [0.3, 0.6]) {
    await until('calls', () => daemon.ran().length >= TOTAL * share, 60_000);
    // In the midst of an answer: then there is a call for sure that has been run.
    daemon.proxy.cutAfter(share < 0.5 ? 10 : 0, 'client');
    await untilState(daemon, 'ready', share < 0.5 ? 2 : 3);
  }
  const lost = (await lines).filter((line) => !/^\[\d+, \d+\]$/.test(line));
  t.equal((await lines).length, TOTAL, 'each has an answer or an error');
  t.same(
    lost.filter((line) => !/was lost .*the outcome of test.echo is unknown$/.test(line)),
    [],
  );
  t.ok(lost.length >= 1 && lost.length <= 2 * 8, `${lost.length} lost`);
  const ran = daemon.ran().map(({ params }) => params.join());
  t.equal(new Set(ran).size, ran.length, 'none was run twice');
  t.ok(ran.length >= TOTAL - lost.length, 'who got an answer was run');
  const { logins, connections } = daemon.sandbox.stats;
  t.same({ logins, connections }, { logins: 3, connections: 3 });
});
