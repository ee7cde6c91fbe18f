/** What a test can let go wrong with the sandbox's transfers. */
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { contentAt } from '../../../../lib/sandbox/files/content.js';
import {
  LISTENERS,
  type Listener,
  ask,
  data,
  file,
  sha256,
  startFiles,
} from '../../../support/files.js';
import { until } from '../../../support/midclt.js';

const MEGABYTE = contentAt(0, 1_000_000);

t.test('transfers go wrong when they are told to', async (t) => {
  const { sandbox, download, upload, ended, result } = await startFiles(t);
  const fetch = async (listener: Listener) =>
    ask(sandbox, listener, (await download('test.download', [1_000_000]))[1]);

  await t.test('they are refused', async (t) => {
    for (const status of [403, 404, 410, 502]) {
      sandbox.setFileFault({ refuse: status });
      t.match(await (await fetch('ws')).answer, { status });
      t.match(await upload([data('test.upload'), file(300_000)]), { status });
    }
    sandbox.setFileFault(null);
    t.match(await (await fetch('ws')).answer, { status: 200, bytes: 1_000_000 });
  });

  await t.test('they are cut', async (t) => {
    sandbox.setFileFault({ cutAfter: 100_001 });
    for (const listener of LISTENERS)
      t.match(await (await fetch(listener)).answer, {
        status: 200,
        bytes: 100_001,
        isWhole: false,
      });
    t.match(await upload([data('test.upload'), file(1_000_000)]), { status: null });
    sandbox.setFileFault(null);
  });

  await t.test('they stall, and may be cut then', async (t) => {
    sandbox.setFileFault({ stallAfter: 100_001 });
    const stalled = await Promise.all(LISTENERS.map(fetch));
    const uploaded = upload([data('test.upload'), file(1_000_000)]);
    for (const { received } of stalled)
      await until('the stall', () => received() === 100_001 || null);
    t.equal(await result('core.ping'), 'pong');
    sandbox.setFileFault(null);
    for (const { answer } of stalled)
      t.match(await answer, { bytes: 1_000_000, sha256: sha256(MEGABYTE), isWhole: true });
    t.match(await uploaded, { status: 200 });

    sandbox.setFileFault({ stallAfter: 5 });
    const again = await fetch('ws');
    await until('the stall', () => again.received() === 5 || null);
    sandbox.cutTransfers();
    t.match(await again.answer, { bytes: 5, isWhole: false });
    sandbox.setFileFault(null);
  });

  await t.test('a stalled sandbox sends nothing', async (t) => {
    const [id, path] = await download('test.download', [40_000, { delay: 0.01, chunk: 1000 }]);
    const { answer, received } = ask(sandbox, 'ws', path);
    await until('some content', () => received() > 0);
    sandbox.setStalled(true);
    await setTimeout(50); // for what was on its way
    const before = received();
    await setTimeout(100);
    t.equal(received(), before);
    sandbox.setStalled(false);
    t.match(await answer, { bytes: 40_000, isWhole: true });
    t.match(await ended(id), { state: 'SUCCESS' });
  });

  await t.test('their name is another', async (t) => {
    sandbox.setFileFault({ filename: '../../etc/passwd' });
    const { headers } = await (await fetch('ws')).answer;
    t.equal(headers['content-disposition'], 'attachment; filename="../../etc/passwd"');
    sandbox.setFileFault(null);
  });

  await t.test('dropped WebSockets leave them alone, unless told', async (t) => {
    const slow = async () =>
      ask(
        sandbox,
        'ws',
        (await download('test.download', [50_000, { delay: 0.01, chunk: 1000 }]))[1],
      );
    const { answer, received } = await slow();
    await until('some content', () => received() > 0);
    sandbox.dropAll();
    t.match(await answer, { bytes: 50_000, isWhole: true });
  });
});

t.test('transfers can be dropped with the WebSockets', async (t) => {
  const { sandbox, download } = await startFiles(t);
  const [, path] = await download('test.download', [1e12]);
  const { answer, received } = ask(sandbox, 'ws', path);
  await until('some content', () => received() > 0);
  sandbox.dropAll(true);
  t.match(await answer, { status: 200, isWhole: false });
});
