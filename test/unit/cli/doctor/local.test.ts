/** What `doctor` says of a Node that the tests don't run on. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { nodeOptions, nodeVersion } from '../../../../lib/cli/doctor/local.js';
import { ROOT } from '../../../support/root.js';

t.test('an old Node fails', async (t) => {
  for (const version of ['16.20.2', '18.20.4', '20.18.3']) {
    const found = nodeVersion(version, '/usr/bin/node');
    t.match(found, { state: 'failed', message: /too old: 20\.19 or newer/ }, version);
    t.ok(found.advice);
  }
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.1.0', '100.0.0'])
    t.equal(nodeVersion(version, '/usr/bin/node').state, 'ok', version);
  const text = fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8');
  t.match(text, /"node": ">=20\.19"/, 'as the package says');
});

t.test('options of Node that hurt are named, and no value', async (t) => {
  for (const text of ['--inspect=0.0.0.0:9229', '-r ./hook.js', '--max-old-space-size=100']) {
    const found = nodeOptions(`--no-warnings ${text}`);
    t.match(found, { state: 'warning', advice: 'unset NODE_OPTIONS' }, text);
    t.notMatch(found.message, /9229|hook|=100|no-warnings/);
  }
  for (const text of ['', ' ', '--no-warnings']) t.equal(nodeOptions(text).state, 'ok', text);
});
