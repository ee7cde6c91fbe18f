/** F41 and F16: an answer is over when its reader's socket has taken it, and a reader who is gone gets none. */
import net from 'node:net';
import t, { type Test } from 'tap';
import { startDaemon, type RunningDaemon, wakeSleeper } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';
import { call, converse, shellWithMidclt } from '../../support/wire.js';

t.jobs = 5; // they wait, side by side

const SIZE = 5_000_000;
const BIG = call('test.bigstring', `[${SIZE}]`, undefined, { close: true });

/** A client with the big answer under way that reads nothing until it is told to. */
async function slowReader(t: Test, daemon: RunningDaemon) {
  const socket = net.connect({ path: daemon.socket, allowHalfOpen: true });
  socket.pause();
  t.teardown(() => socket.destroy());
  const before = daemon.sandbox.countOf('test.bigstring');
  await new Promise((resolve) => socket.write(BIG, resolve));
  await until('the call', () => daemon.sandbox.countOf('test.bigstring') > before);
  const asker = await converse(t, daemon.socket);
  await until('its answer to be with the daemon', async () => {
    asker.send('{"command":"status","keep":true}\n');
    const { result } = (await asker.frame()) as { result: { calls: { in_flight: number } } };
    return result.calls.in_flight === 0;
  });
  asker.destroy();
  const readAll = async () => {
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    const ended = new Promise((resolve) => socket.on('end', resolve));
    socket.resume();
    await ended;
    return bytes;
  };
  return { socket, readAll };
}

t.test('F41: an answer read slowly is whole although the daemon was to be idle', async (t) => {
  // The command must have begun within the lifetime, also on a busy machine.
  const daemon = await startDaemon(t, { args: ['--lifetime', '10'] });
  const run = await shellWithMidclt(
    `midclt call test.bigstring ${SIZE} | (sleep 16; wc -c)`,
    daemon,
  );
  t.match(run, { stdout: new RegExp(`^\\s*${SIZE + 1}\\s*$`), stderr: '' });
  t.same(await daemon.exited, { code: 0, signal: null }, 'then it goes');
});

t.test('F41: a stop for idle daemons alone is refused while an answer is read', async (t) => {
  const daemon = await startDaemon(t);
  const reader = await slowReader(t, daemon);
  const asker = await converse(t, daemon.socket);
  const stop = () => {
    asker.send('{"command":"stop","if_idle":true,"keep":true}\n');
    return asker.frame();
  };
  t.match(await stop(), { type: 'error', error: 'The daemon is busy' });
  t.ok((await reader.readAll()) > SIZE);
  t.match(await stop(), { type: 'result' });
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`F41: after ${signal} an answer that nobody reads for seconds is whole`, async (t) => {
    const daemon = await startDaemon(t);
    const reader = await slowReader(t, daemon);
    daemon.child.kill(signal);
    // Five seconds in which not a byte is taken: what is tested is that they pass.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    t.ok((await reader.readAll()) > SIZE);
    t.same(await daemon.exited, { code: 0, signal: null });
  });
}

t.test(
  'F16: a killed client whose requests were not all read yet gets none of them run',
  async (t) => {
    const daemon = await startDaemon(t, { args: ['--concurrency', '2'] });
    const holders = await Promise.all([converse(t, daemon.socket), converse(t, daemon.socket)]);
    for (const holder of holders) holder.send(call('test.sleep', '[3600]', { timeout: null }));
    await until('both slots to be taken', () => daemon.sandbox.countOf('test.sleep') === 2);
    const victim = await shellWithMidclt(
      `"$NODE" -e '
      const socket = require("net").connect(process.env.SOCK, () => {
        const line = JSON.stringify({ command: "call", method: "test.echo", params: ["x".repeat(500)] });
        socket.write((line + "\\n").repeat(4000));
        setTimeout(() => process.kill(process.pid, "SIGKILL"), 300);
      });'`.replace('process.env.SOCK', JSON.stringify(daemon.socket)),
      daemon,
    );
    t.match(victim.stdout, '');
    const asker = await converse(t, daemon.socket);
    await until('the daemon to see it go', async () => {
      asker.send('{"command":"status","keep":true}\n');
      const { result } = (await asker.frame()) as { result: { clients: number } };
      return result.clients === 3;
    });
    t.equal(daemon.sandbox.countOf('test.sleep'), 2);
    for (const place of [0, 1]) wakeSleeper(daemon.sandbox, place);
    for (const holder of holders) t.match(await holder.frame(), { type: 'result' });
    t.match(await daemon.d(['call', 'core.ping']), { code: 0 });
    t.equal(daemon.sandbox.countOf('test.echo'), 0);
  },
);
