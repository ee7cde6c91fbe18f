/** `midclt types`: where the types go, and what is told of servers that say less. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { BINARY, midclt, shell } from '../../support/midclt.js';

t.jobs = 4;

/** Runs it at a sandbox of this version. */
async function at(t: Test, version: string) {
  const { uri, home, sandbox } = await surroundings(t, { version });
  return {
    ...{ uri, home, sandbox },
    run: (args: readonly string[]) => midclt(['-u', uri, ...args], { home }),
  };
}

/** The lines of an interface. */
function partOf(text: string, name: string): string {
  return new RegExp(`^export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(text)?.[1] ?? '';
}

t.test('to stdout, the same over a daemon and without one', async (t) => {
  const around = await at(t, '27.0.0');
  const direct = await around.run(['types']);
  t.match(direct, { code: 0, stderr: '', stdout: 'Server: TrueNAS-27.0.0, ' });
  t.match(partOf(direct.stdout, 'Events'), 'has told of no events');
  const { d } = await startDaemon(t, { around });
  t.same(await d(['types', '-o', '-']), direct);
  const { stdout } = await d(['types', '--bigint']);
  t.match(partOf(direct.stdout, 'PoolEntry'), '  id: number;');
  t.match(partOf(stdout, 'PoolEntry'), '  id: number | bigint;');
  const closed = await shell(`"$NODE" "$BIN" -u "${around.uri}" types | head -1`, {
    home: around.home,
    env: { NODE: process.execPath, BIN: BINARY },
  });
  t.match(closed, { code: 0, stderr: '', stdout: '/* eslint-disable */\n' }, 'whose reader leaves');
});

t.test('into a file that all may read, in place of one that was there', async (t) => {
  const { run, uri, home, sandbox } = await at(t, '25.10.1');
  fs.mkdirSync(`${home}/src`);
  fs.writeFileSync(`${home}/src/truenas.d.ts`, 'old', { mode: 0o600 });
  for (const target of ['src', 'src/truenas.d.ts', 'nas.ts']) {
    t.match(await run(['types', '-o', target]), { code: 0, stdout: '', stderr: '' });
  }
  const text = fs.readFileSync(`${home}/src/truenas.d.ts`, 'utf8');
  t.equal(fs.readFileSync(`${home}/nas.ts`, 'utf8'), text);
  t.match(partOf(text, 'Events'), /Updates on job changes.*\n {2}"core.get_jobs": unknown;/);
  t.notMatch(text, home, 'nothing of where the server is');
  const program = { NODE: process.execPath, BIN: BINARY };
  await shell(`umask 027; "$NODE" "$BIN" -u "${uri}" types -o src`, { home, env: program });
  t.equal(fs.statSync(`${home}/src/truenas.d.ts`).mode & 0o777, 0o640);
  t.same(fs.readdirSync(`${home}/src`), ['truenas.d.ts']);

  t.match(await run(['types', '-o', 'no/where.ts']), {
    code: 1,
    stderr: /^Error: Cannot write no\//,
  });
  t.match(await run(['types', '-o', '/dev/full']), {
    code: 1,
    stderr: /^Error: Cannot write \/dev\/full: /,
  });
  t.match(await run(['types', 'x']), { code: 2, stderr: /unrecognized arguments: x/ });
  await sandbox.close();
  t.match(await run(['types', '-o', 'nas.ts']), { code: 1, stderr: /^Error: / });
  t.equal(fs.readFileSync(`${home}/nas.ts`, 'utf8'), text, 'as it was');
});

t.test('24.10 describes parameters alone, and few of them', async (t) => {
  const { run } = await at(t, '24.10.2');
  const { stdout, code } = await run(['types']);
  t.equal(code, 0);
  const methods = partOf(stdout, 'Methods');
  t.match(methods, 'action?: "START" | "STOP" | "PAUSE",');
  t.notMatch(methods, /result: (?!unknown \/\*)/);
  t.match(methods, /"test.echo": \{\n {4}params: readonly unknown \/\*/);
  t.match(methods, /"pool.scrub": \{[^}]*job: true;/);
});
