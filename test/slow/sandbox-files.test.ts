/** Files of any size go through the sandbox in constant memory, at the pace of who reads them. */
import { once } from 'node:events';
import fs from 'node:fs';
import t from 'tap';
import { contentAt } from '../../lib/sandbox/files/content.js';
import { ask, connect } from '../support/files.js';
import { makeHome, until } from '../support/midclt.js';
import { startSandboxProcess } from '../support/sandbox-process.js';

const SIZE = Number(process.env.MIDCLT_TEST_FILE_BYTES ?? 1e9);

t.setTimeout(600_000);

t.test(`${SIZE / 1e9} GB each way`, async (t) => {
  const sandbox = await startSandboxProcess(t, { unix: `${makeHome(t)}/mw.sock`, wss: 0 });
  const { result } = await connect(t, sandbox);
  const peak = () =>
    Number(/VmHWM:\s*(\d+) kB/.exec(fs.readFileSync(`/proc/${sandbox.pid}/status`, 'utf8'))?.[1]) /
    1024;
  for (const listener of ['unix', 'wss'] as const) {
    const reply = await result('core.download', ['test.download', [SIZE], 'f']);
    const since = performance.now();
    const answer = await ask(sandbox, listener, (reply as [number, string])[1]).answer;
    t.match(answer, { bytes: SIZE, isWhole: true });
    const seconds = (performance.now() - since) / 1000;
    t.comment(`down, ${listener}: ${seconds.toFixed(1)} s, peak ${peak().toFixed(0)} MB`);
  }

  const token = await result('auth.generate_token', [300, {}, false, true]);
  const headers = {
    authorization: `Token ${token as string}`,
    'content-type': 'multipart/form-data; boundary=B',
  };
  const since = performance.now();
  const { request, answer } = ask(sandbox, 'unix', '/_upload', { method: 'POST', headers });
  const head = (name: string) => `--B\r\nContent-Disposition: form-data; name="${name}"`;
  request.write(`${head('data')}\r\n\r\n{"method": "test.upload"}\r\n`);
  request.write(`${head('file')}; filename="x"\r\n\r\n`);
  const piece = contentAt(0, 250_000);
  for (let sent = 0; sent < SIZE; sent += piece.length)
    if (!request.write(piece)) await once(request, 'drain');
  request.end('\r\n--B--\r\n');
  const { status, text } = await answer;
  t.equal(status, 200);
  const { job_id } = JSON.parse(text) as { job_id: number };
  const job = await until('the job', async () => {
    const found = await result('core.get_jobs', [[['id', '=', job_id]], { get: true }]);
    return (found as { state: string }).state === 'SUCCESS' ? found : null;
  });
  t.match(job, { result: [{ bytes: SIZE }] });
  const seconds = (performance.now() - since) / 1000;
  t.comment(`up, unix: ${seconds.toFixed(1)} s, peak ${peak().toFixed(0)} MB`);
  t.ok(peak() < 200, `${peak()} MB`);
});
