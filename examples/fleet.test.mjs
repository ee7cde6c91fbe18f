// Tests fleet.mjs, as scripts of your own can be tested: node --test fleet.test.mjs
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CallError, query, startSandbox } from 'midclt/sandbox';

const SCRIPT = fileURLToPath(new URL('fleet.mjs', import.meta.url));

/** A NAS with these pools, until the test ends. */
async function startNas(t, pools) {
  const sandbox = await startSandbox({
    methods: { 'pool.query': (params) => query(pools, params) },
  });
  t.after(() => sandbox.close());
  return sandbox;
}

/** Runs the script. Not by execFileSync: the sandbox answers in this process, which that would stop. */
async function fleet(t, systems, ...args) {
  const directory = await mkdtemp(join(tmpdir(), 'fleet-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'systems.txt');
  await writeFile(file, systems.map((words) => `${words.join(' ')}\n`).join(''));
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, file, ...args], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

const TANK = { id: 1, name: 'tank', status: 'ONLINE', size: 4 * 2 ** 40, allocated: 2 ** 40 };
const DUMP = { id: 2, name: 'dump', status: 'DEGRADED', size: 2 ** 40, allocated: 2 ** 39 };

test('pools are sorted, and their sizes are readable', async (t) => {
  const office = await startNas(t, [TANK, DUMP]);
  const { code, stdout } = await fleet(t, [['office', office.uri]]);
  assert.equal(code, 0);
  assert.deepEqual(stdout.split('\n'), [
    'SYSTEM  POOL  STATUS    TIB   USED',
    'office  dump  DEGRADED  1.00  50 %',
    'office  tank  ONLINE    4.00  25 %',
    '',
  ]);
  assert.equal(office.calls.length, 1);
});

test('a system that is down is told, and the others are reported', async (t) => {
  const office = await startNas(t, [TANK]);
  const broken = await startSandbox({
    methods: {
      'pool.query': () => {
        throw new CallError('The pools are being imported', 'EBUSY');
      },
    },
  });
  t.after(() => broken.close());
  const down = await startSandbox({ faults: { refuse: 503 } });
  t.after(() => down.close());
  const systems = Object.entries({ office, broken, down }).map(([name, { uri }]) => [name, uri]);
  const { code, stdout, stderr } = await fleet(t, systems, '--csv');
  assert.equal(code, 1);
  assert.equal(
    stdout,
    'system,pool,status,size,allocated\noffice,tank,ONLINE,4398046511104,1099511627776\n',
  );
  assert.match(stderr, /^broken: \[EBUSY\] The pools are being imported$/m);
  assert.match(stderr, /^down: .*503/m);
});
