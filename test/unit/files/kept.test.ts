/** Files that people edit: one edit at a time. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { editKept } from '../../../lib/files/kept.js';
import { makeHome } from '../../support/midclt.js';

t.test('an edit waits for those before it, as many as there are', async (t) => {
  const file = path.join(makeHome(t), 'kept.toml');
  const lock = `${file}.lock`;
  fs.writeFileSync(file, 'before');
  fs.writeFileSync(lock, '');
  const edit = editKept(file, 'things', () => 'after');
  // Together they take longer than one may.
  for (let others = 4; others > 0; others--) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    fs.writeFileSync(`${lock}.next`, '');
    fs.renameSync(`${lock}.next`, lock);
    t.equal(fs.readFileSync(file, 'utf8'), 'before');
  }
  fs.rmSync(lock);
  await edit;
  t.equal(fs.readFileSync(file, 'utf8'), 'after');
  t.same(fs.readdirSync(path.dirname(file)), ['kept.toml']);
});
