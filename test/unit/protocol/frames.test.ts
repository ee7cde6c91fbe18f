import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { VERSION } from '../../../lib/protocol/frames.js';
import { ROOT } from '../../support/root.js';

t.test('the version in the program is the package’s', async (t) => {
  const text = fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8');
  t.equal(VERSION, (JSON.parse(text) as { version: string }).version);
});
