/** The benchmarks work, whatever they measure here: no figure of theirs is looked at. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { BINARY, makeHome, until } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

const RUN = path.join(ROOT, 'bench/run.js');
const NAMES = ['startup', 'hop', 'large', 'batch', 'idle', 'shell', 'find', 'scale', 'fleet'];

/** They read /proc. */
const skip = process.platform !== 'linux' && 'needs Linux';

t.setTimeout(300_000); // they start a hundred processes

interface Line {
  readonly machine?: Record<string, unknown>;
  readonly bench?: string;
  readonly note?: string;
  readonly name?: string;
  readonly value?: number;
  readonly unit?: string;
  readonly ratio?: number | null;
  readonly goal?: string | null;
  readonly verdict?: string | null;
}

/** Starts the benchmarks with a directory of their own for what they leave. */
function startBench(t: Test, args: readonly string[]) {
  const directory = makeHome(t);
  const child = spawn(process.execPath, [RUN, ...args], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  t.teardown(() => child.kill('SIGTERM'));
  return { child, directory, ended, stdout: () => stdout, stderr: () => stderr };
}

/** The processes that have this directory as their home, or below it. */
function processesOf(directory: string): string[] {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && environmentOf(pid).includes(`HOME=${directory}`);
    } catch {
      return false; // it is gone, or another user's
    }
  });
}

function environmentOf(pid: string): string {
  return fs.readFileSync(`/proc/${pid}/environ`, 'utf8');
}

for (const name of NAMES) {
  t.test(`${name} prints its figures`, { skip }, async (t) => {
    const bench = startBench(t, ['--quick', '--json', name]);
    t.equal(await bench.ended, 0, bench.stderr());
    const lines = bench.stdout().trim().split('\n');
    const [first, ...rest] = lines.map((line) => JSON.parse(line) as Line);
    t.match(first!.machine, { node: process.version, cores: Number, quick: true });
    const rows = rest.filter((line) => line.note === undefined);
    t.ok(rows.length > 0);
    for (const row of rows) {
      t.equal(row.bench, name);
      t.match(row, { name: String, value: Number, unit: String });
      t.ok(
        row.goal === null ? row.verdict === null : /^(pass|short)$/.test(row.verdict!),
        row.name!,
      );
    }
    t.ok(
      rows.some((row) => row.goal !== null),
      'there is a goal',
    );
    t.same(fs.readdirSync(bench.directory), []);
    t.same(processesOf(bench.directory), []);
  });
}

t.test('a peer is measured beside it', { skip }, async (t) => {
  process.env.MIDCLT_PEER = `${process.execPath} ${BINARY}`;
  t.teardown(() => delete process.env.MIDCLT_PEER);
  const bench = startBench(t, ['--quick', 'startup', 'hop', 'peer']);
  t.equal(await bench.ended, 0, bench.stderr());
  t.match(bench.stdout(), /the peer .* ms/);
  t.match(bench.stdout(), /100 in flight, the peer, a connection a call .* calls\/s/);
  t.match(bench.stdout(), /× the peer +≤ 0\.4 × +(pass|short)/);
  for (const what of ['-d call', 'API key', 'to the first event', 'idle daemon', 'of the command'])
    t.match(bench.stdout(), new RegExp(`the peer, .*${what}.* (ms|MB)`));
  t.match(bench.stdout(), /midclt, a ping during another's call of 2 s .* ms .* × the peer/);
});

t.test('when interrupted they leave nothing behind', { skip }, async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const bench = startBench(t, ['hop']); // would take a minute
    await until('three processes', () => processesOf(bench.directory).length === 3, 60_000);
    bench.child.kill(signal);
    t.equal(await bench.ended, signal === 'SIGINT' ? 130 : 143);
    t.same(fs.readdirSync(bench.directory), []);
    t.same(processesOf(bench.directory), []);
  }
});

t.test('a wrong name is refused', { skip }, async (t) => {
  const bench = startBench(t, ['nonsense']);
  t.equal(await bench.ended, 2);
  t.match(bench.stderr(), /^usage: npm run bench/);
});
