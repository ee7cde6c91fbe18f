import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT } from '../support/root.js';

interface Test {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
}

const figures = JSON.parse(fs.readFileSync(path.join(ROOT, 'test/proof.json'), 'utf8')) as {
  readonly tests: { readonly files: readonly { file: string; tests: readonly Test[] }[] };
};

t.test('docs/PROOF.md is what its figures say', async (t) => {
  const script = path.join(ROOT, 'scripts/proof.js');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
});

t.test('it has the tests of each failure, which are there and have passed', async (t) => {
  const text = fs.readFileSync(path.join(ROOT, 'docs/PROOF.md'), 'utf8');
  const rows = [...text.matchAll(/^\| \[F(\d+)\].*\| ([\d,]+) passed, (\d+) failed +\|$/gm)];
  const numbers = fs
    .readFileSync(path.join(ROOT, 'docs/FAILURES.md'), 'utf8')
    .match(/^\| F\d+/gm)!
    .map((row) => row.slice('| F'.length));
  t.same(
    rows.map(([, number]) => number),
    numbers,
  );
  t.same(
    rows.filter(([, , passed, failed]) => passed === '0' || failed !== '0').map(([row]) => row),
    [],
  );
  const missing = figures.tests.files.filter(({ file }) => !fs.existsSync(path.join(ROOT, file)));
  t.same(missing, [], 'files that are no more');
});
