import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { checkSocketPath, getDaemonDir, getDaemonIdentifier } from '../../../lib/files/paths.js';
import { makeHome } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

t.test('identifiers are those of the original', async (t) => {
  const file = path.join(ROOT, 'test/vectors/identifiers.json');
  const cases = JSON.parse(fs.readFileSync(file, 'utf8')) as {
    uri: string | null;
    username: string | null;
    identifier: string;
  }[];
  for (const { uri, username, identifier } of cases) {
    t.equal(getDaemonIdentifier(uri, username), identifier, `${uri} ${username}`);
  }
});

t.test('F11: HOME counts only where the effective user owns it', async (t) => {
  const home = makeHome(t);
  t.equal(getDaemonDir({ HOME: home }), `${home}/.midclt`);
  t.equal(getDaemonDir({ HOME: `${home}/` }), `${home}/.midclt`);
  const fallback = `${os.userInfo().homedir}/.midclt`;
  t.equal(getDaemonDir({}), fallback, 'not set, as in cron');
  t.equal(getDaemonDir({ HOME: 'relative' }), fallback);
  t.equal(getDaemonDir({ HOME: `${home}/missing` }), fallback);
  if (process.getuid?.() === 0) {
    fs.chownSync(home, 65534, 65534);
    t.equal(getDaemonDir({ HOME: home }), fallback, "another user's");
  }
});

t.test('MIDCLT_HOME comes before HOME, whoever owns it, and is absolute', async (t) => {
  t.equal(getDaemonDir({ HOME: '/root', MIDCLT_HOME: '/srv/x//' }), '/srv/x');
  t.equal(getDaemonDir({ MIDCLT_HOME: '/' }), '/');
  t.equal(getDaemonDir({ HOME: makeHome(t), MIDCLT_HOME: '' }).endsWith('/.midclt'), true);
  t.throws(() => getDaemonDir({ HOME: '/root', MIDCLT_HOME: 'x' }), {
    code: 'FILES',
    message: 'MIDCLT_HOME must be an absolute path: x',
  });
});

t.test('F8: an over-long path is refused by its bytes', async (t) => {
  const limit = process.platform === 'linux' ? 107 : 103;
  t.doesNotThrow(() => {
    checkSocketPath(`/${'a'.repeat(limit - 1)}`);
  });
  t.throws(
    () => {
      checkSocketPath(`/${'é'.repeat(Math.ceil(limit / 2))}`);
    },
    { code: 'FILES', message: /bytes; the system takes .* Set MIDCLT_HOME/ },
  );
});
