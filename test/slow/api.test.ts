/** The Node API over and over: what was opened, called, failed, aborted and closed leaves nothing; and results that no string holds. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { WebSocketServer } from 'ws';
import {
  Client,
  connect,
  getDaemonDir,
  getDaemonSocketPath,
  sendToDaemon,
} from '../../lib/index.js';
import { failureOf, ownSurroundings, runScript } from '../support/api.js';
import { startDaemon } from '../support/daemon.js';

t.setTimeout(600_000);

const TIMES = Number(process.env.MIDCLT_TEST_API_TIMES ?? 10_000);
/** Mebibytes that V8's heap may come and go. */
const NOISE = 12;

const script = (uri: string, options: string, times: number) => `
import { connect } from 'midclt';
import fs from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
process.on('unhandledRejection', (error) => { console.log('unhandled', error); process.exitCode = 9; });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const use = async () => {
  await pause(2000); // whoever closes waits a second for the other side
  for (let i = 0; i < 5; i++) { gc(); await pause(50); }
  return { heap: process.memoryUsage().heapUsed / 2 ** 20, descriptors: fs.readdirSync('/proc/self/fd').length };
};
const ignore = () => undefined;
const signal = new AbortController().signal; // one that lives as long as the program
async function once() {
  const nas = await connect({ uri: '${uri}', ${options} });
  await nas.call('test.echo', [1], { signal });
  await nas.call('no.such', [], { signal }).catch(ignore);
  const stop = new AbortController();
  const asleep = nas.call('test.sleep', [60], { signal: stop.signal }).catch(ignore);
  stop.abort();
  await asleep;
  const job = nas.job('test.job', [1, 0, 'callerror'], { signal });
  for await (const progress of job) progress.state;
  for await (const event of nas.subscribe('test.ticker:{"interval": 0.001}', { signal })) break;
  const left = nas.call('test.sleep', [60]).catch(ignore);
  await nas.close();
  await left;
}
async function many(times) {
  let next = 0;
  const work = async () => { while (next++ < times) await once(); };
  await Promise.all([work(), work(), work(), work()]);
}
await many(${Math.ceil(times / 10)});
const before = await use();
await many(${times});
const after = await use();
console.log(JSON.stringify({ heap: after.heap - before.heap, descriptors: after.descriptors - before.descriptors }));
`;

t.test(`${TIMES} times a connection of its own, and fewer through the daemon`, async (t) => {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  const ways = [
    ['', TIMES],
    ['daemon: true, autostart: false', Math.ceil(TIMES / 10)],
  ] as const;
  for (const [options, times] of ways) {
    const run = await runScript(script(around.uri, options, times), around.home);
    t.equal(run.code, 0, run.stdout.slice(-2000));
    const { heap, descriptors } = JSON.parse(run.stdout) as { heap: number; descriptors: number };
    t.comment(`${times} times: ${heap.toFixed(1)} MiB, ${descriptors} descriptors`);
    t.ok(heap < NOISE, `${heap} MiB of the heap`);
    t.ok(descriptors <= 1, `${descriptors} descriptors`);
  }
});

const HUGE = 0x1fffffe8 + 1000;

t.test('a result that no string can hold is an error, and a stream', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const { id } = JSON.parse(data.toString()) as { id: string };
      socket.send(`{"jsonrpc": "2.0", "id": "${id}", "result": "`, { fin: false, binary: false });
      const piece = Buffer.alloc(2 ** 20, 'x');
      for (let left = HUGE - 2; left > 0; left -= piece.length) {
        socket.send(piece.subarray(0, left), { fin: false, binary: false });
      }
      socket.send('"}', { fin: true, binary: false });
    });
  });
  const { port } = server.address() as { port: number };
  const uri = `ws://127.0.0.1:${port}/api/current`;
  const tooLong = { code: 'TOO_LONG', message: /has \d+ bytes.*stream\(\)/ };
  const nas = await connect({ uri });
  t.match(await failureOf(nas.call('x')), tooLong);
  let bytes = 0;
  for await (const piece of nas.stream('x')) bytes += (piece as Buffer).length;
  t.equal(bytes, HUGE);
  await nas.close();
  const client = await Client.connect({ uri });
  t.match(await failureOf(client.call('x')), tooLong, 'of a client, too');
  await client.close();
});

t.test('so is one that comes from a daemon', async (t) => {
  const { uri } = await ownSurroundings(t);
  getDaemonDir();
  const daemon = net.createServer((socket) => {
    socket.once('data', () => {
      socket.write('{"type":"result","result":"');
      const piece = Buffer.alloc(2 ** 20, 'x');
      for (let left = HUGE - 2; left > 0; left -= piece.length) {
        socket.write(piece.subarray(0, left));
      }
      socket.end('"}\n');
    });
  });
  t.teardown(() => daemon.close());
  daemon.listen(getDaemonSocketPath(uri));
  await once(daemon, 'listening');
  const sent = sendToDaemon({ command: 'call', method: 'x' }, uri);
  t.match(await failureOf(sent), { code: 'TOO_LONG', message: /"x" has \d+ bytes/ });
});
