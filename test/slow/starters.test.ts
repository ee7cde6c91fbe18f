/** Many daemons started at once. Rounds: `MIDCLT_TEST_ROUNDS`, 4 unless set. */
import fs from 'node:fs';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { spawnMidclt, until } from '../support/midclt.js';

const ROUNDS = Number(process.env.MIDCLT_TEST_ROUNDS ?? 4);
const STARTERS = 10;

t.test('F1: of many starters over a stale socket one serves, the others say so', async (t) => {
  const first = await startDaemon(t);
  first.child.kill('SIGKILL');
  await first.exited;
  for (let round = 0; round < ROUNDS; round++) {
    const starters = Array.from({ length: STARTERS }, () =>
      spawnMidclt(['-u', first.uri, 'daemon'], { home: first.home }),
    );
    t.teardown(() => starters.forEach((starter) => starter.kill('SIGKILL')));
    const outcomes = new Map<number, string>();
    starters.forEach((starter, i) => {
      starter.stdout.on('data', (chunk: Buffer) => outcomes.set(i, chunk.toString()));
      starter.stderr.on('data', (chunk: Buffer) => outcomes.set(i, chunk.toString()));
    });
    await until('each to have said something', () => outcomes.size === STARTERS, 30_000);
    const texts = [...outcomes.values()];
    const serving = [...outcomes].find(([, text]) => text.startsWith('Accepting'))?.[0] ?? -1;
    t.equal(texts.filter((text) => text.startsWith('Accepting')).length, 1);
    t.equal(texts.filter((text) => text.includes('already running')).length, STARTERS - 1);
    t.match(await first.d(['ping']), { code: 0, stdout: 'pong\n' });
    const pid = String(starters[serving]?.pid);
    await until('the pid file to name it', () => read(first.pidFile) === pid, 3000);
    starters[serving]?.kill('SIGKILL');
    await until('it to be gone', () => starters[serving]?.signalCode !== null);
  }
});

function read(file: string): string | null {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
}
