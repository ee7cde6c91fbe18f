/** Downloads of the sandbox, over each of its listeners. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { contentAt } from '../../../../lib/sandbox/files/content.js';
import { LISTENERS, ask, connect, data, file, sha256, startFiles } from '../../../support/files.js';
import { until } from '../../../support/midclt.js';
import { talk } from '../../../support/web-socket.js';

const MEGABYTE = contentAt(0, 1_000_000);

t.test('a download', async (t) => {
  const { sandbox, call, result, download, ended } = await startFiles(t);

  await t.test('is fetched once, over each listener', async (t) => {
    for (const listener of LISTENERS) {
      const [id, path] = await download('test.download', [MEGABYTE.length]);
      t.match(path, new RegExp(`^/_download/${id}\\?auth_token=[\\w-]{64}$`));
      const answer = await ask(sandbox, listener, path).answer;
      t.match(answer, { status: 200, sha256: sha256(MEGABYTE), isWhole: true });
      t.match(answer.headers, {
        'content-disposition': 'attachment; filename="f.bin"',
        'transfer-encoding': 'chunked',
      });
      t.notOk('content-length' in answer.headers);
      t.match(await ended(id), {
        state: 'SUCCESS',
        result: { bytes: MEGABYTE.length },
        message_ids: ['id of core.download'],
      });
      t.match(await ask(sandbox, listener, path).answer, { status: 401, bytes: 0 });
    }
    t.equal(sandbox.stats.downloads, 3);
  });

  await t.test('is asked for over the legacy wire', async (t) => {
    const legacy = await talk(t, `ws+unix:${sandbox.unixPath}:/websocket`);
    await legacy.ask({ msg: 'connect', version: '1', support: ['1'] });
    const params = ['test.download', [5], 'ž "x".bin'];
    const reply = await legacy.ask({ msg: 'method', id: '1', method: 'core.download', params });
    const [, path] = reply.result as [number, string];
    const answer = await ask(sandbox, 'unix', path).answer;
    t.match(answer, { status: 200, bytes: 5 });
    const name = Buffer.from(answer.headers['content-disposition'] ?? '', 'latin1').toString();
    t.equal(name, 'attachment; filename="ž "x".bin"');
  });

  await t.test('is refused with a bad path, token or job', async (t) => {
    const [id, path] = await download('test.download', [5]);
    const [other] = await download('test.download', [5]);
    for (const [wrong, status] of [
      ['/_download/x', 404],
      [`/_download/${id}`, 401],
      [`/_download/${id}?auth_token=nonsense`, 401],
      [path.replace(String(id), String(other)), 401],
      [path, 401], // its token was taken by the one before
    ] as const)
      t.match(await ask(sandbox, 'unix', wrong).answer, { status, bytes: 0 }, wrong);
  });

  await t.test('of a job that fails in the middle ends properly, and short', async (t) => {
    for (const size of [0, 70_000]) {
      const [id, path] = await download('test.download', [1_000_000, { fail: size }]);
      t.match(await ask(sandbox, 'ws', path).answer, { status: 200, bytes: size, isWhole: true });
      const error = `[EIO] failed on purpose after ${size} bytes`;
      t.match(await ended(id), { state: 'FAILED', error });
    }
    const [id, path] = await download('filesystem.get', ['/none']);
    t.match(await ask(sandbox, 'ws', path).answer, { status: 200, bytes: 0, isWhole: true });
    t.match(await ended(id), { state: 'FAILED', error: '[ENOENT] /none is not a file' });
  });

  await t.test('of an aborted job ends properly, too', async (t) => {
    const [id, path] = await download('test.download', [1e9, { delay: 0.01, chunk: 10 }]);
    const { answer, received } = ask(sandbox, 'ws', path);
    await until('some content', () => received() > 0);
    await result('core.job_abort', [id]);
    t.match(await answer, { status: 200, isWhole: true });
    t.match(await ended(id), { state: 'ABORTED' });
  });

  await t.test('whose client leaves fails its job', async (t) => {
    const [id, path] = await download('test.download', [1e12]);
    const { request, received } = ask(sandbox, 'ws', path);
    await until('some content', () => received() > 0);
    request.destroy();
    t.match(await ended(id), { state: 'FAILED', error: '[Errno 32] Broken pipe' });
  });

  await t.test('that is buffered is what is there', async (t) => {
    const [id, path] = await download('test.download', [1_000_000], true);
    t.match(await ended(id), { state: 'SUCCESS' }, 'nobody reads yet');
    t.match(await ask(sandbox, 'ws', path).answer, { status: 200, sha256: sha256(MEGABYTE) });
    const [, early] = await download('test.download', [5, { delay: 10 }], true);
    t.match(await ask(sandbox, 'ws', early).answer, { status: 200, bytes: 0, isWhole: true });
  });

  await t.test('of what is no job, or not allowed, is refused', async (t) => {
    const reason = async (client: typeof call, ...params: unknown[]) =>
      (await client('core.download', [...params, 'f'])).error;
    t.match(await reason(call, 'core.ping', []), {
      code: -32001,
      data: { error: 22, reason: "'str' object has no attribute 'id'" },
    });
    t.match(await reason(call, 'test.nope', []), { code: -32001, data: { error: 201 } });
    t.match(await reason(call, 'test.download', ['x']), { code: -32602 });
    t.match(await reason(call, 'test.download', [5, { refuse: true }]), {
      code: -32001,
      data: { reason: '[EINVAL] refused on purpose' },
    });
    const reader = await connect(t, sandbox, 'reader');
    t.match(await reason(reader.call, 'config.save', []), { code: -32001, data: { error: 13 } });
    t.match(await reason(reader.call, 'test.download', [5]), undefined);
    t.match(await call('test.download', [5]), {
      error: { code: -32001, data: { reason: "Pipe 'output' is not open" } },
    });
  });

  await t.test("has a job's logs", async (t) => {
    const reader = await connect(t, sandbox, 'reader');
    const id = (await reader.result('test.job_logged', [25])) as number;
    const job = await ended(id);
    const lines = Array.from({ length: 25 }, (_, index) => `line ${index + 1}\n`);
    const shown = [...lines.slice(0, 10), '... 5 more lines ...\n', ...lines.slice(15)].join('');
    t.match(job, { logs_path: `/var/log/jobs/${id}.log`, logs_excerpt: shown });
    const path = (await reader.result('core.job_download_logs', [id, 'log'])) as string;
    t.equal((await ask(sandbox, 'ws', path).answer).text, lines.join(''));
    const silent = await result('test.job', [0]);
    t.match(await call('core.job_download_logs', [silent, 'log']), {
      error: { data: { reason: '[EFAULT] This job does not have logs' } },
    });
  });

  await t.test('is what these methods of a NAS give', async (t) => {
    for (const [method, params] of [
      ['config.save', [{ secretseed: true }]],
      ['system.debug', []],
      ['pool.dataset.export_keys', ['tank/secret']],
      ['filesystem.get', ['/test/100000']],
    ] as const) {
      const [id, path] = await download(method, [...params]);
      const answer = await ask(sandbox, 'wss', path).answer;
      t.ok(answer.bytes > 50 && answer.isWhole, `${method}: ${answer.bytes}`);
      t.match(await ended(id), { state: 'SUCCESS' });
    }
  });
});

t.test('config.save gives an archive that tar reads', async (t) => {
  const { home, sandbox, download } = await startFiles(t);
  const [, path] = await download('config.save', []);
  const { text } = await ask(sandbox, 'unix', path).answer;
  const { request, answer } = ask(sandbox, 'unix', (await download('config.save', []))[1]);
  const chunks: Buffer[] = [];
  request.on('response', (response) => response.on('data', (chunk: Buffer) => chunks.push(chunk)));
  await answer;
  fs.writeFileSync(`${home}/config.tar`, Buffer.concat(chunks));
  t.match(text, /^freenas-v1\.db\0/);
  t.equal(execFileSync('tar', ['tf', `${home}/config.tar`]).toString(), 'freenas-v1.db\n');
});

t.test('a download that is not fetched in time is gone', async (t) => {
  const { sandbox, download, ended } = await startFiles(t, { files: { fetchWithinMs: 50 } });
  const [id, path] = await download('test.download', [1e9]);
  t.match(await ended(id), { state: 'FAILED', error: '[Errno 32] Broken pipe' });
  t.match(await ask(sandbox, 'ws', path).answer, { status: 410 });
});

t.test('tokens are bound to an address, and expire', async (t) => {
  const { sandbox, download, upload, token } = await startFiles(t);
  const admin = await connect(t, sandbox, 'admin');
  const [, theirs] = (await admin.result('core.download', ['test.download', [5], 'f'])) as string[];
  t.match(await ask(sandbox, 'unix', theirs!).answer, { status: 401 }, 'another address');
  t.match(await ask(sandbox, 'ws', theirs!).answer, { status: 200 });
  const [, path] = await download('test.download', [5]);
  const late = await token();
  const taken = /auth_token=(.*)/.exec((await download('test.download', [5]))[1])?.[1];
  t.match(await upload([data('test.upload'), file(5)], `Token ${taken}`), { status: 403 });
  sandbox.expireTokens();
  t.match(await ask(sandbox, 'unix', path).answer, { status: 401 });
  t.match(await upload([data('test.upload'), file(5)], late), {
    status: 403,
    text: 'Invalid token',
  });
});

t.test('tokens can expire at once', async (t) => {
  const { sandbox, download } = await startFiles(t, { tokens: { expireAtOnce: true } });
  t.match(await ask(sandbox, 'ws', (await download('test.download', [5]))[1]).answer, {
    status: 401,
  });
});
