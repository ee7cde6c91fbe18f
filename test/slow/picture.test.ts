/** The picture in the README is what the program prints. */
import path from 'node:path';
import t from 'tap';
import { makeHome, missing, shell } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

t.test(
  'docs/terminal.svg shows what the program prints',
  { skip: missing('script') },
  async (t) => {
    const command = `"${process.execPath}" "${path.join(ROOT, 'scripts/picture.js')}" --check`;
    t.match(await shell(command, { home: makeHome(t) }), { code: 0, stdout: '', stderr: '' });
  },
);
