/** Uploads and downloads of `connect` that fail or are given up: what they have opened is closed, and nothing crashes. */
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { failureOf, ways } from '../../support/api.js';
import { until } from '../../support/midclt.js';

t.test(
  'streams to upload that fail, or are no files, end the upload and nothing else',
  async (t) => {
    const { around, both } = await ways(t);
    const put = ['/mnt/x'];
    for (const { name, nas } of both) {
      const jobs = (...more: unknown[]) =>
        nas.call('core.get_jobs', [[['method', '=', 'filesystem.put'], ...more]]);
      const before = await jobs();
      const missing = fs.createReadStream('/nowhere');
      const upload = (data: unknown) =>
        failureOf(nas.upload('filesystem.put', put, data as Readable));
      t.match(
        await upload(missing),
        { code: 'FILES', message: /ENOENT/, outcomeUnknown: false },
        `${name}: missing`,
      );
      t.same(await jobs(), before, 'no job is started');
      const breaking = Readable.from(
        (async function* () {
          yield Buffer.from('some');
          await until('the job to read', async () => {
            const running = await jobs(['state', '=', 'RUNNING']);
            return (running as unknown[]).length > 0;
          });
          throw new Error('disk on fire');
        })(),
      );
      const broken = {
        code: 'FILES',
        message: /disk on fire; the job may have taken what came of the file for all of it$/,
        outcomeUnknown: true,
      };
      t.match(await upload(breaking), broken, `${name}: breaks`);
      t.match(await upload(Readable.from([{ a: 1 }])), { code: 'FILES' }, `${name}: objects`);
      const read = Readable.from(['x']);
      await buffer(read);
      t.match(await upload(read), { code: 'REQUEST' }, `${name}: read before`);
      const same = Readable.from(['x']);
      t.match(await upload([same, same]), { code: 'REQUEST' }, `${name}: twice`);
      t.match(await upload({ name: 'x', data: 5 }), { code: 'REQUEST' }, `${name}: number`);
      t.equal(await nas.upload('filesystem.put', put, Readable.from(['é', 'x'])), true);
      const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 3).fill(65);
      t.equal(await nas.upload('filesystem.put', put, { name: 'a"\r\nX: y', data: shared }), true);
      const { body } = await nas.download('filesystem.get', put);
      t.equal((await buffer(body)).toString(), 'AAA');
    }
    t.ok(around);
  },
);

t.test('what is given up in the midst lets go of its streams, files and sockets', async (t) => {
  const { around, both } = await ways(t);
  for (const { name, nas } of both) {
    const given = new AbortController();
    let pieces = 0;
    const endless = Readable.from(
      (async function* () {
        for (; ; pieces++) {
          yield Buffer.alloc(10_000);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })(),
    );
    const { signal } = given;
    const upload = failureOf(nas.upload('filesystem.put', ['/mnt/x'], endless, { signal }));
    await until('some of it to be sent', () => pieces > 5);
    given.abort(new RangeError('enough'));
    t.type(await upload, RangeError, name);
    t.ok(endless.destroyed);

    const open = () => fs.readdirSync('/proc/self/fd').length;
    const before = open();
    const file = `${around.home}/some`;
    fs.writeFileSync(file, 'x');
    for (let i = 0; i < 5; i++) {
      const refused = nas.upload('filesystem.put', ['/mnt/x'], [file, '/nowhere']);
      t.match(await failureOf(refused), { code: 'FILES' });
    }
    await until('the files to be closed', () => open() < before + 5);

    const slow = [50_000, { delay: 60 }] as const;
    const stop = AbortSignal.timeout(100);
    const buffered = nas.download('test.download', slow, { buffered: true, signal: stop });
    t.match(await failureOf(buffered), { name: 'TimeoutError' }, 'a buffered one, too');
  }
});
