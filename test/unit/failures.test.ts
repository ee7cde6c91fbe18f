import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT } from '../support/root.js';

function numbersIn(text: string): Set<string> {
  return new Set(text.match(/\bF\d{1,2}\b/g) ?? []);
}

t.test(
  'every failure that tests name has its row in docs/FAILURES.md, and every row a test',
  async (t) => {
    const rows = fs
      .readFileSync(path.join(ROOT, 'docs/FAILURES.md'), 'utf8')
      .split('\n')
      .map((line) => /^\| (F\d+) /.exec(line)?.[1])
      .filter((row) => row !== undefined);
    const tests = fs
      .readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => fs.readFileSync(path.join(ROOT, 'test', name), 'utf8'));
    const named = numbersIn(tests.join('\n'));
    t.equal(new Set(rows).size, rows.length, 'no number is given twice');
    t.same(
      [...named].filter((number) => !rows.includes(number)),
      [],
      'without a row',
    );
    t.same(
      rows.filter((number) => !named.has(number)),
      [],
      'without a test',
    );
  },
);
