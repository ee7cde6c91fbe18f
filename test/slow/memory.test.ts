/** F28 and F29: what the daemon's memory costs at most, whatever its clients do. Linux. */
import net from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { socketsOf, startDaemon, type RunningDaemon } from '../support/daemon.js';
import { statusIn, until } from '../support/midclt.js';
import { call, converse, residentMegabytes, type Frame } from '../support/wire.js';

const MEGABYTE = 1024 * 1024;
const KEEP_PING = '{"command":"ping","keep":true}\n';

/** A daemon that has done some work, so that what a first time costs is not measured. */
async function warmDaemon(t: Test): Promise<RunningDaemon> {
  const daemon = await startDaemon(t);
  const bare = socketsOf(daemon.child.pid!);
  const warm = await converse(t, daemon.socket);
  warm.send(KEEP_PING.repeat(3000));
  for (let i = 0; i < 3000; i++) await warm.frame();
  warm.destroy();
  await until('it to be gone', () => socketsOf(daemon.child.pid!) === bare);
  return daemon;
}

/** Megabytes that the daemon has at most more than at first, while `during` runs. */
async function growth(daemon: RunningDaemon, during: () => Promise<void>): Promise<number> {
  const pid = daemon.child.pid!;
  const before = residentMegabytes(pid);
  let peak = before;
  const look = () => (peak = Math.max(peak, residentMegabytes(pid)));
  const watch = setInterval(look, 10);
  try {
    await during();
  } finally {
    clearInterval(watch);
    look();
  }
  return Math.round(peak - before);
}

interface Client {
  readonly socket: net.Socket;
  readonly frames: Frame[];
  gone: boolean;
}

async function connect(t: Test, daemon: RunningDaemon, reads = true): Promise<Client> {
  const socket = net.connect({ path: daemon.socket, allowHalfOpen: true });
  const client: Client = { socket, frames: [], gone: false };
  let text = '';
  t.teardown(() => socket.destroy());
  socket.on('error', () => (client.gone = true)).on('end', () => (client.gone = true));
  if (!reads) socket.pause();
  else
    socket.on('data', (chunk) => {
      const lines = (text + chunk.toString()).split('\n');
      text = lines.pop() ?? '';
      client.frames.push(...lines.map((line) => JSON.parse(line) as Frame));
    });
  await once(socket, 'connect');
  return client;
}

/** Writes until all is taken, the daemon takes no more for `patience` milliseconds, or has closed. */
async function press(client: Client, chunk: Buffer, times: number, patience: number) {
  for (let i = 0; i < times && !client.gone; i++) {
    const taken = new Promise((resolve) => client.socket.write(chunk, resolve));
    const blocked = new Promise((resolve) => setTimeout(resolve, patience, 'blocked'));
    if ((await Promise.race([taken, blocked])) === 'blocked') return;
  }
}

async function serves(t: Test, daemon: RunningDaemon): Promise<void> {
  const other = await converse(t, daemon.socket);
  other.send(call('test.echo', '[1]', undefined, { close: true }));
  t.match(await other.frame(), { type: 'result', result: [1] });
}

t.test('F29: 1,023 silent connections, one at work, and 500 that are refused', async (t) => {
  const daemon = await warmDaemon(t);
  const pid = daemon.child.pid!;
  const bare = socketsOf(pid);
  const worker = await converse(t, daemon.socket);
  const more = await growth(daemon, async () => {
    for (let i = 0; i < 1023; i++) await connect(t, daemon);
    await until('all to be accepted', () => socketsOf(pid) >= bare + 1024);
    const refused: Client[] = [];
    for (let i = 0; i < 500; i++) refused.push(await connect(t, daemon));
    await until('the refusals', () => refused.every(({ frames }) => frames.length === 1));
    for (const { frames } of refused) if (frames[0]?.type !== 'error') t.fail();
    worker.send(KEEP_PING);
    t.match(await worker.frame(), { result: 'pong' });
    await until('them to be closed', () => socketsOf(pid) <= bare + 1024);
  });
  t.ok(more < 20, `${more} MB more at most`);
});

t.test('F28: 200 connections with 2 MB of an unfinished line each', async (t) => {
  const daemon = await warmDaemon(t);
  const clients: Client[] = [];
  const more = await growth(daemon, async () => {
    for (let i = 0; i < 200; i++) clients.push(await connect(t, daemon));
    const begin = Buffer.from(call('test.echo', '["').slice(0, -3));
    for (const client of clients) client.socket.write(begin);
    await Promise.all(
      clients.map((client) => press(client, Buffer.alloc(128 * 1024, 'x'), 16, 10_000)),
    );
    await serves(t, daemon);
    await until('some to be refused', () => clients.some(({ gone }) => gone));
  });
  const refused = clients.filter(({ frames }) => frames.length > 0);
  t.ok(refused.length >= 120, `${refused.length} of 200 refused`);
  for (const { frames } of refused)
    t.match(frames, [{ type: 'error', error_type: 'ClientException', error: /unfinished/ }]);
  t.ok(more < 300, `${more} MB more at most; the lines alone were 400`);
  for (const { socket } of clients) socket.destroy();
  const again = await connect(t, daemon);
  await until('room again', async () => {
    again.socket.write(
      call('filesystem.nope', `["${'x'.repeat(MEGABYTE)}"]`, undefined, { keep: true }),
    );
    const count = again.frames.length;
    await until('an answer', () => again.frames.length > count);
    return !/unfinished/.test(again.frames.at(-1)?.error as string);
  });
});

t.test('F28: floods of tiny bad lines from clients that do not read', async (t) => {
  const daemon = await warmDaemon(t);
  const more = await growth(daemon, async () => {
    const flood = Buffer.from('x\n'.repeat(64 * 1024));
    const clients = await Promise.all(Array.from({ length: 50 }, () => connect(t, daemon, false)));
    await Promise.all(clients.map((client) => press(client, flood, 100, 300)));
    await serves(t, daemon);
  });
  t.ok(more < 80, `${more} MB more at most`);
});

t.test('F29: a client that reads none of its 50 MB results', async (t) => {
  const daemon = await warmDaemon(t);
  const more = await growth(daemon, async () => {
    const deaf = await connect(t, daemon, false);
    deaf.socket.write(call('test.bigstring', '[50000000]').repeat(8));
    await until('the first', () => daemon.sandbox.countOf('test.bigstring') > 0, 30_000);
    for (let i = 0; i < 20; i++) await serves(t, daemon);
  });
  const asked = daemon.sandbox.countOf('test.bigstring');
  t.ok(asked <= 3, `${asked} of 8 were sent to the middleware`);
  t.ok(more < 300, `${more} MB more at most`);
});

t.test('F29: the progress of many jobs for a client that does not read', async (t) => {
  const daemon = await warmDaemon(t);
  const steps = 1000;
  const more = await growth(daemon, async () => {
    for (let i = 0; i < 20; i++) {
      const deaf = await connect(t, daemon, false);
      deaf.socket.write(call('test.job', `[${steps}, 0]`, { job: true }));
    }
    const ended = async () => {
      const { stdout } = await daemon.d([
        'call',
        'core.get_jobs',
        '[["state", "=", "SUCCESS"]]',
        '{"count": true}',
      ]);
      return Number(stdout) === 20;
    };
    await until('the jobs to end', ended, 60_000);
  });
  t.ok(more < 40, `${more} MB more at most for ${20 * steps} frames`);
});

t.test('F45: 120 clients with 8 MB of complete requests each that wait for a slot', async (t) => {
  const daemon = await warmDaemon(t);
  const holders = await Promise.all(Array.from({ length: 8 }, () => converse(t, daemon.socket)));
  for (const holder of holders) holder.send(call('test.sleep', '[600]', { timeout: null }));
  await until('the slots to be taken', () => daemon.sandbox.countOf('test.sleep') === 8);
  const line = Buffer.from(call('filesystem.file_receive', `["${'x'.repeat(2_000_000)}"]`));
  const clients: Client[] = [];
  const pid = daemon.child.pid!;
  const bare = socketsOf(pid);
  const before = residentMegabytes(pid);
  const more = await growth(daemon, async () => {
    for (let i = 0; i < 120; i++) clients.push(await connect(t, daemon, false));
    await Promise.all(clients.map((client) => press(client, line, 4, 1000)));
    const status = await daemon.d(['daemon-status']);
    t.match(status, { code: 0 }, 'it answers meanwhile');
  });
  t.ok(more < 450, `${more} MB more at most; the requests were 960`);
  for (const { socket } of clients) socket.destroy();
  await until('their descriptors to be free', () => socketsOf(pid) <= bare, 20_000);
  const other = await converse(t, daemon.socket);
  other.send('{"command":"ping"}\n');
  t.match(await other.frame(), { result: 'pong' });
  t.comment(`${before} MB before, ${residentMegabytes(pid)} MB after they have gone`);
  t.equal(daemon.sandbox.countOf('filesystem.file_receive'), 0, 'none of theirs is run');
});

t.test('F45: results that 20 clients do not read are bounded in all', async (t) => {
  const daemon = await warmDaemon(t);
  const size = 50_000_000;
  const line = Buffer.from(call('test.bigstring', `[${size}]`));
  const clients: Client[] = [];
  const more = await growth(daemon, async () => {
    for (let i = 0; i < 20; i++) clients.push(await connect(t, daemon, false));
    for (const { socket } of clients) socket.write(Buffer.concat([line, line, line]));
    const done = async () => {
      const status = statusIn(await daemon.d(['daemon-status', '--json']));
      return status?.calls.in_flight === 0 && status.calls.served >= 20;
    };
    await until('one call of each', done, 60_000);
  });
  t.ok(more < 750, `${more} MB more at most; the results were 3,000`);
  const answers = clients.map(async ({ socket }) => {
    let text = '';
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      if (text.length < 500) text += chunk.toString('latin1', 0, 500);
      bytes += chunk.length;
    });
    socket.resume();
    await until('an answer', () => bytes > 0 && (bytes > size || text.includes('\n')), 60_000);
    socket.destroy();
    return text;
  });
  const texts = await Promise.all(answers);
  const refused = texts.filter((text) => text.startsWith('{"type":"error"'));
  t.ok(refused.length > 5 && refused.length < 20, `${refused.length} of 20 refused`);
  for (const text of refused)
    t.match(text, /no room for a result of 50000002 bytes.*--memory.*was run/);
});
