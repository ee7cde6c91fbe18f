/** Calls of one turn of the event loop leave in one write. */
import http from 'node:http';
import type net from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { makeHome } from '../../../support/midclt.js';
import { connectQuickly } from '../../../support/asked.js';

/** A server that echoes, and counts the pieces in which it is sent what it is sent. */
async function counting(t: Test) {
  const path = `${makeHome(t)}/mw.sock`;
  const pieces: Buffer[] = [];
  const sockets = new WebSocketServer({ noServer: true });
  const front = http.createServer();
  front.on('upgrade', (request, stream: net.Socket, head) => {
    stream.on('data', (chunk: Buffer) => pieces.push(chunk));
    sockets.handleUpgrade(request, stream, head, (socket) => {
      socket.on('message', (data: Buffer) => {
        const { id, params } = JSON.parse(data.toString()) as { id: string; params: unknown };
        socket.send(JSON.stringify({ jsonrpc: '2.0', id, result: params }));
      });
    });
  });
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    front.close();
  });
  await new Promise<void>((resolve) => front.listen(path, resolve));
  const connection = await connectQuickly(t, `ws+unix://${path}`);
  const call = (n: number) =>
    connection.call('test.echo', Buffer.from(`[${n}]`), { timeout: 10_000 });
  return { pieces, call };
}

t.test('those of one turn share a write, and all are answered', async (t) => {
  const { pieces, call } = await counting(t);
  for (let round = 1; round <= 3; round++) {
    pieces.length = 0;
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => call(n)));
    t.same(
      answers.map((answer) => answer.toString()),
      Array.from({ length: 50 }, (_, n) => `[${n}]`),
    );
    t.ok(pieces.length <= 2, `${pieces.length} pieces`);
  }
});

t.test('a lone one is sent at once, also after many', async (t) => {
  const { pieces, call } = await counting(t);
  await Promise.all(Array.from({ length: 10 }, (_, n) => call(n)));
  for (let round = 1; round <= 3; round++) {
    pieces.length = 0;
    t.equal((await call(round)).toString(), `[${round}]`);
    t.equal(pieces.length, 1);
  }
});
