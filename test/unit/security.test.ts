/** What SECURITY.md names is there. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT } from '../support/root.js';

const textOf = (file: string) => fs.readFileSync(path.join(ROOT, file), 'utf8');

t.test('SECURITY.md names tests and failures that there are', async (t) => {
  const text = textOf('SECURITY.md');
  const files = [...text.matchAll(/`(test\/[\w./-]+)`/g)].map(([, file = '']) => file);
  t.ok(new Set(files).size > 15);
  t.same(
    files.filter((file) => !fs.existsSync(path.join(ROOT, file))),
    [],
  );
  const numbers = new Set(text.match(/\bF\d{1,2}\b/g));
  const rows = textOf('docs/FAILURES.md');
  t.same(
    [...numbers].filter((number) => !rows.includes(`| ${number} `)),
    [],
  );
  // A row that names failures names tests that make them happen.
  for (const row of text.split('\n').filter((line) => line.includes('`test/'))) {
    const tests = [...row.matchAll(/`(test\/[\w./-]+)`/g)].map(([, file = '']) => textOf(file));
    for (const number of row.match(/\bF\d{1,2}\b/g) ?? [])
      t.ok(
        tests.some((each) => each.includes(number)),
        `${number} in ${row.slice(0, 40)}`,
      );
  }
});

t.test(
  'the tree: no registry in the lock file, and scripts at an install of esbuild alone',
  async (t) => {
    const { packages } = JSON.parse(textOf('package-lock.json')) as {
      packages: Record<string, Record<string, unknown>>;
    };
    const [, ...others] = Object.entries(packages);
    t.ok(others.length > 100);
    t.notMatch(textOf('package-lock.json'), /"resolved"|https?:\/\/[^"]*registry/);
    t.same(
      others.filter(([, entry]) => typeof entry.integrity !== 'string').map(([name]) => name),
      [],
    );
    t.same(
      others.filter(([, entry]) => entry.hasInstallScript).map(([name]) => name),
      ['node_modules/esbuild'],
    );
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    for (const name of ['preinstall', 'install', 'postinstall']) t.notOk(scripts[name], name);
    t.notOk(fs.existsSync(path.join(ROOT, 'binding.gyp')), 'for which npm would run node-gyp');
  },
);
