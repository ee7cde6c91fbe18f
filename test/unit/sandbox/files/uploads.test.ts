/** Uploads to the sandbox, over each of its listeners. */
import t from 'tap';
import { contentAt } from '../../../../lib/sandbox/files/content.js';
import { API_KEYS } from '../../../../lib/sandbox/index.js';
import {
  type FormPart,
  type JobFields,
  LISTENERS,
  ask,
  connect,
  data,
  file,
  post,
  sha256,
  startFiles,
} from '../../../support/files.js';
import { until } from '../../../support/midclt.js';

t.test('an upload', async (t) => {
  const { sandbox, call, result, download, ended, token, upload } = await startFiles(t, {
    files: { capacity: 1_000_000 },
  });
  const jobOf = ({ text }: { text: string }) => (JSON.parse(text) as { job_id: number }).job_id;

  await t.test('has one to five files, over each listener', async (t) => {
    for (const listener of LISTENERS) {
      const parts = [data('test.upload'), file(300_000), file(0), file(5)];
      const answer = await post(sandbox, listener, parts, await token());
      t.match(answer, { status: 200, headers: { 'content-type': 'application/json' } });
      const job = await ended(jobOf(answer));
      const sizes = [300_000, 0, 5];
      const files = sizes.map((bytes) => ({ bytes, sha256: sha256(contentAt(0, bytes)) }));
      t.same(job.result, files);
      t.same(job.message_ids, []);
      t.match(job.credentials, { type: 'TOKEN', data: { username: 'root' } });
    }
    const five = await upload([data('test.upload'), ...Array.from({ length: 5 }, () => file(9))]);
    t.equal(((await ended(jobOf(five))).result as unknown[]).length, 5);
    t.equal(sandbox.stats.uploads, 4);
    t.equal(sandbox.countOf('test.upload'), 4);
  });

  await t.test('is refused without a credential, or with a bad one', async (t) => {
    const parts = [data('test.upload'), file(5)];
    const admin = API_KEYS.find(({ username }) => username === 'admin')!;
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    for (const [authorization, status] of [
      ['', 401],
      ['Token nonsense', 403],
      [basic('admin:wrong'), 401],
      [basic('noapi:noapi-pw'), 401],
      [basic('admin:admin-pw'), 200],
      [`Bearer ${admin.id}-${admin.key}`, 200],
      [`Bearer ${admin.id}-wrong`, 401],
    ] as const)
      t.match(await upload(parts, authorization), { status }, authorization);
    const once = await token();
    t.match(await upload(parts, once), { status: 200 });
    t.match(await upload(parts, once), { status: 403 });
    const config = [data('config.upload'), file(5)];
    t.match(await upload(config, basic('reader:reader-pw')), { status: 403 });
  });

  await t.test('is refused with other parts', async (t) => {
    for (const [parts, status, text] of [
      [[], 405, 'No part found on payload'],
      [[file(5)], 405, '"data" part must be the first on payload'],
      [[data('test.upload')], 405, '"file" not found as second part on payload'],
      [[data('test.upload'), ['x', 'y']], 405, '"file" not found as second part on payload'],
      [[data('test.upload'), file(5), ['x', 'y']], 405, "Unknown payload part 'x'"],
      [
        [data('test.upload'), ...Array.from({ length: 6 }, () => file(9))],
        405,
        'Too many uploaded files',
      ],
      [[['data', '{'], file(5)], 400, /^Expecting property name/],
      [[['data', '{}'], file(5)], 422, ''],
      [[data('test.nope'), file(5)], 422, "[ENOMETHOD] Method 'nope' not found in 'test'"],
      [[data('test.upload', [{ refuse: true }]), file(5)], 412, '[EINVAL] refused on purpose'],
      [[data('test.upload', [5]), file(5)], 500, /^\[EINVAL\] options: /],
      [[data('core.ping'), file(5)], 500, "'str' object has no attribute 'id'"],
    ] as readonly [FormPart[], number, string | RegExp][])
      t.match(await upload(parts), { status, text }, `${status} ${text}`);
    const { request, answer } = ask(sandbox, 'ws', '/_upload', { method: 'POST' });
    request.end('x');
    t.match(await answer, { status: 500 });
    t.match(await call('test.upload'), { error: { data: { reason: "Pipe 'input' is not open" } } });
    t.same((await ended((await result('test.upload_optional')) as number)).result, []);
  });

  await t.test('is read to its end when the job reads no more', async (t) => {
    const answer = await upload([
      data('test.upload', [{ fail: 1000 }]),
      file(1_000_000),
      file(1_000_000),
    ]);
    t.match(answer, { status: 200 });
    const error = '[EIO] failed on purpose after 1000 bytes';
    t.match(await ended(jobOf(answer)), { state: 'FAILED', error });
  });

  await t.test('waits for the job to read', async (t) => {
    const since = performance.now();
    const parts = [data('test.upload', [{ delay: 0.05 }]), file(1_000_000)];
    t.match(await upload(parts), { status: 200 });
    const tookMs = performance.now() - since;
    t.ok(tookMs > 200, `pieces of about 64 kB took ${tookMs.toFixed(0)} ms`);
  });

  await t.test('that breaks off is a short file to the job', async (t) => {
    const headers = {
      authorization: await token(),
      'content-type': 'multipart/form-data; boundary=B',
    };
    const { request } = ask(sandbox, 'ws', '/_upload', { method: 'POST', headers });
    const [, call] = data('test.upload');
    const part = (name: string) => `--B\r\nContent-Disposition: form-data; name="${name}"`;
    const served = sandbox.stats.uploads;
    request.write(`${part('data')}\r\n\r\n${call.toString()}\r\n`);
    request.write(`${part('file')}; filename="x"\r\n\r\n${'x'.repeat(100_000)}`);
    const newest = async () =>
      ((await result('core.get_jobs', [[], { order_by: ['-id'], limit: 1 }])) as JobFields[])[0];
    await until('the job', async () => (await newest())?.state === 'RUNNING');
    request.destroy();
    await until('its end', async () => (await newest())?.state === 'SUCCESS');
    t.equal(sandbox.stats.uploads, served, 'it does not count');
    const [found] = (await newest())?.result as { bytes: number }[];
    t.ok(found!.bytes > 0 && found!.bytes <= 100_000, `${found!.bytes}`);
  });

  await t.test('is stored, and its job not seen by other users', async (t) => {
    const put = jobOf(await upload([data('filesystem.put', ['/a']), file(300_000)]));
    t.match(await ended(put), { state: 'SUCCESS', result: true });
    const more = [data('filesystem.put', ['/a', { append: true }]), file(5)];
    await ended(jobOf(await upload(more)));
    const [, path] = await download('filesystem.get', ['/a']);
    t.match(await ask(sandbox, 'unix', path).answer, { bytes: 300_005 });
    const large = jobOf(await upload([data('filesystem.put', ['/b']), file(900_000)]));
    t.match(await ended(large), { error: '[ENOSPC] No space left on device' });
    const sink = jobOf(await upload([data('filesystem.put', ['/dev/null']), file(2_000_000)]));
    t.match(await ended(sink), { state: 'SUCCESS' });
    t.match(await ended(jobOf(await upload([data('config.upload'), file(5)]))), {
      state: 'SUCCESS',
    });
    const reader = await connect(t, sandbox, 'reader');
    const basic = `Basic ${Buffer.from('reader:reader-pw').toString('base64')}`;
    const theirs = jobOf(await upload([data('test.upload'), file(5)], basic));
    t.same(await reader.result('core.get_jobs', [[['id', 'in', [put, theirs]]]]), []);
  });
});
