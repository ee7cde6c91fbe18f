/** F49: a key's file is there whole or not at all, whatever becomes of who writes it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { keyFileOf, writeKeyFile } from '../../../lib/profiles/keys.js';
import { makeHome } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

t.test('F49: who is killed before the key is on the disk leaves none', async (t) => {
  const home = makeHome(t);
  const file = keyFileOf(`${home}/profiles.toml`, 'nas1');
  const script = `
    const fs = require('node:fs');
    fs.fsyncSync = () => process.kill(process.pid, 'SIGKILL');
    require(${JSON.stringify(path.join(ROOT, 'dist/lib/profiles/keys.js'))}).writeKeyFile(${JSON.stringify(file)}, '1-key');
  `;
  t.equal(spawnSync(process.execPath, ['-e', script]).signal, 'SIGKILL');
  t.notOk(fs.existsSync(file));
  writeKeyFile(file, '1-other');
  t.equal(fs.readFileSync(file, 'utf8'), '1-other\n');
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  t.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
  t.throws(
    () => {
      writeKeyFile(file, '1-third');
    },
    { code: 'FILES', message: /There is a key in .* already/ },
  );
  t.equal(fs.readFileSync(file, 'utf8'), '1-other\n', 'never in the place of another');
  t.equal(
    fs.readdirSync(path.dirname(file)).filter((name) => name !== 'nas1').length,
    1,
    'the draft of the dead one',
  );
});
