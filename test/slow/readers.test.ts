/** Clients that read slowly, not at all, or die: whatever they do costs nobody else anything. */
import net from 'node:net';
import t, { type Test } from 'tap';
import { startDaemon, type RunningDaemon } from '../support/daemon.js';
import { midclt, until } from '../support/midclt.js';

const big = `${JSON.stringify({ command: 'call', method: 'test.bigstring', params: [2_000_000] })}\n`;

/** A client that asks for `text` and reads nothing. */
async function deaf(t: Test, daemon: RunningDaemon, text: string, halfClose = false) {
  const socket = net.connect({ path: daemon.socket, allowHalfOpen: true });
  socket.pause();
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  await new Promise((resolve) => socket.write(text, resolve));
  if (halfClose) socket.end();
  return socket;
}

async function serves(t: Test, daemon: RunningDaemon): Promise<void> {
  const run = await daemon.d(['-t', '10', 'call', 'test.echo', '1']);
  t.match(run, { code: 0, stdout: '[1]\n', stderr: '' });
}

t.test('F29: clients that do not read hold no slot, half-closed or not', async (t) => {
  for (const halfClose of [false, true]) {
    const daemon = await startDaemon(t);
    for (let i = 0; i < 10; i++) await deaf(t, daemon, big.repeat(6), halfClose);
    await until('the first calls', () => daemon.sandbox.countOf('test.bigstring') >= 10);
    await serves(t, daemon);
  }
});

t.test('F16: a client that dies with answers unread leaves no slot behind', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  for (let i = 0; i < 3; i++) {
    const socket = await deaf(t, daemon, big.repeat(6));
    const before = daemon.sandbox.countOf('test.bigstring');
    await until('a call', () => daemon.sandbox.countOf('test.bigstring') > before || i > 0);
    socket.destroy();
    await serves(t, daemon);
  }
});

t.test(
  'F31: a client that does not read delays the end of the daemon for seconds only',
  async (t) => {
    const daemon = await startDaemon(t);
    await deaf(t, daemon, big);
    await until('the call', () => daemon.sandbox.countOf('test.bigstring') === 1);
    const stop = await midclt(['-u', daemon.uri, 'daemon-stop'], { home: daemon.home });
    t.match(stop, { code: 0, stderr: 'Daemon shutting down\n' });
    t.same(await daemon.exited, { code: 0, signal: null });
  },
);

t.test(
  'F29: progress for a slow reader is coalesced to the newest, the result is not lost',
  async (t) => {
    const daemon = await startDaemon(t);
    const steps = 4000;
    const job = { command: 'call', method: 'test.job', params: [steps, 0], kwargs: { job: true } };
    const socket = await deaf(t, daemon, `${JSON.stringify({ ...job, close: true })}\n`);
    const jobs = [
      'call',
      'core.get_jobs',
      '[["method", "=", "test.job"]]',
      '{"select": ["state"]}',
    ];
    await until(
      'the job to be over',
      async () => (await daemon.d(jobs)).stdout.includes('SUCCESS'),
      60_000,
    );
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.resume();
    await new Promise((resolve) => socket.on('end', resolve));
    const frames = Buffer.concat(chunks)
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; state?: string; result?: unknown });
    t.ok(frames.length < steps / 2, `${frames.length} frames for ${steps} steps`);
    t.match(frames.at(-1), { type: 'result', result: 'done' });
    t.match(frames.at(-2), { type: 'progress', state: 'SUCCESS', percent: 100 });
  },
);

t.test(
  'a client that reads slowly gets all that was answered before the daemon goes',
  async (t) => {
    for (const more of [{ keep: true }, { close: true }]) {
      const daemon = await startDaemon(t);
      const request = { command: 'call', method: 'test.bigstring', params: [1_000_000], ...more };
      const count = 'keep' in more ? 3 : 1;
      const socket = await deaf(t, daemon, `${JSON.stringify(request)}\n`.repeat(count));
      let bytes = 0;
      const ended = new Promise((resolve) => socket.on('end', resolve).on('close', resolve));
      // 20 ms a time, so that the daemon is asked to go long before the end.
      const sip = setInterval(
        () => (bytes += (socket.read(50_000) as Buffer | null)?.length ?? 0),
        20,
      );
      t.teardown(() => clearInterval(sip));
      await until('all to be computed', () => daemon.sandbox.countOf('test.bigstring') === count);
      daemon.child.kill('SIGTERM');
      t.same(await daemon.exited, { code: 0, signal: null });
      clearInterval(sip);
      socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
      socket.resume();
      await ended;
      t.ok(bytes > count * 1_000_000, `${bytes} bytes`);
    }
  },
);
