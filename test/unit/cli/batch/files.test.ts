import fs from 'node:fs';
import t from 'tap';
import { RequestFile } from '../../../../lib/cli/batch/request-file.js';

const never = () => {
  throw new Error('it failed');
};

t.test('lines are written together, whole at the end, and soon without one', async (t) => {
  const path = `${t.testdir()}/f`;
  const file = new RequestFile(path, { append: false, late: false }, never);
  t.equal(fs.statSync(path).mode & 0o777, 0o600);
  file.add(1, 'a\xff');
  t.equal(fs.readFileSync(path, 'latin1'), '');
  while (fs.statSync(path).size === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let number = 2; number < 3000; number++) file.add(number, 'x'.repeat(99));
  t.ok(fs.statSync(path).size > 200_000, 'no more than some wait');
  file.close();
  t.equal(fs.readFileSync(path, 'latin1'), `a\xff\n${`${'x'.repeat(99)}\n`.repeat(2998)}`);
  t.same(file.missing, []);
});

t.test('one that is made late is emptied early, and added to when the batch goes on', (t) => {
  const path = `${t.testdir({ f: 'old\n' })}/f`;
  new RequestFile(path, { append: true, late: true }, never).close();
  t.equal(fs.readFileSync(path, 'utf8'), 'old\n');
  const more = new RequestFile(path, { append: true, late: true }, never);
  more.add(7, 'new');
  more.close();
  t.equal(fs.readFileSync(path, 'utf8'), 'old\nnew\n');
  new RequestFile(path, { append: false, late: true }, never).close();
  t.equal(fs.readFileSync(path, 'utf8'), '');
  new RequestFile(`${path}2`, { append: false, late: true }, never).close();
  t.notOk(fs.existsSync(`${path}2`));
  t.end();
});

t.test('what can no longer be written is known by its numbers', (t) => {
  let failures = 0;
  const options = { append: false, late: false };
  const file = new RequestFile('/dev/full', options, () => failures++);
  file.add(3, 'x'.repeat(70_000));
  file.add(5, 'x');
  t.match(file.failure, { code: 'FILES', message: /^Cannot write \/dev\/full: .*ENOSPC/ });
  file.add(6, 'x');
  file.close();
  t.same(file.missing, [3, 5, 6]);
  t.equal(failures, 1);
  t.end();
});
