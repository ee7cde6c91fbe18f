/** Against a daemon like the Python one: blanks after colons, one answer a connection. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { makeHome, midclt, until } from '../../support/midclt.js';

/** Answers each connection's first request and closes it; in pieces of `size` bytes. */
async function pythonDaemon(t: Test, result: (request: string) => string, size = Infinity) {
  const home = makeHome(t);
  fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
  const seen: string[] = [];
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes('\n')) return;
      seen.push(text);
      const frame = Buffer.from(`${result(text)}\n`);
      socket.removeAllListeners('data');
      void (async () => {
        for (let at = 0; at < frame.length; at += size) {
          socket.write(frame.subarray(at, at + size));
          if (size < Infinity) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        socket.end();
      })();
    });
  });
  server.listen(`${home}/.midclt/daemon-local.sock`);
  t.teardown(() => server.close());
  await until('the socket', () => fs.existsSync(`${home}/.midclt/daemon-local.sock`));
  return { home, seen };
}

t.test('calls, pings and errors, whatever pieces the answer comes in', async (t) => {
  for (const size of [1, 7, 28, 29, Infinity]) {
    const { home } = await pythonDaemon(t, () => '{"type": "result", "result": true}', size);
    const run = await midclt(['-d', 'call', 'system.ready'], { home });
    t.match(run, { code: 0, stdout: 'True\n', stderr: '' }, `${size} bytes a piece`);
  }
  const failing =
    '{"type": "error", "error": "[ENOENT] x", "error_type": "ClientException", "trace": {"formatted": "T"}, "extra": {"a": 1}}';
  const { home } = await pythonDaemon(t, () => failing);
  t.match(await midclt(['-d', 'call', 'x.y'], { home }), {
    code: 1,
    stdout: '',
    stderr: "[ENOENT] x\nT\n{'a': 1}\n",
  });
});

t.test('a batch opens a connection for each request and loses none', async (t) => {
  const echo = (request: string) =>
    `{"type": "result", "result": ${(JSON.parse(request) as { params: number[] }).params[0]}}`;
  for (const parallel of ['1', '4']) {
    const { home, seen } = await pythonDaemon(t, echo);
    const lines = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ command: 'call', method: 'm.n', params: [i] }),
    );
    const run = await midclt(['-d', 'batch', '--parallel', parallel], {
      home,
      input: `${lines.join('\n')}\n`,
    });
    const expected = lines.map((_, i) => `{"type": "result", "result": ${i}}\n`).join('');
    t.match(run, { code: 0, stderr: '' });
    t.equal(run.stdout, expected);
    t.equal(seen.length, 20);
  }
});

t.test('daemon-stop and calls get an error for an answer that is no frame', async (t) => {
  const { home } = await pythonDaemon(t, () => 'hello');
  for (const args of [['daemon-stop'], ['-d', 'ping'], ['-d', 'call', 'x']]) {
    t.match(await midclt(args, { home }), {
      code: 1,
      stderr: 'Error: The daemon answered something that is no frame\n',
    });
  }
});
