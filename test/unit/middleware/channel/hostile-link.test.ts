/** F36: servers that break the connection itself, at its opening and at its end. */
import { createHash } from 'node:crypto';
import net from 'node:net';
import t, { type Test } from 'tap';
import { noLog } from '../../../../lib/logger.js';
import { Connection } from '../../../../lib/middleware/connection.js';
import { parseTarget } from '../../../../lib/middleware/uri.js';
import { connectQuickly } from '../../../support/asked.js';
import { frame, startHostileServer } from '../../../support/hostile-server.js';
import { until } from '../../../support/midclt.js';
import { reset } from '../../../support/reset.js';

t.jobs = 4; // they wait, side by side

const NONE = Buffer.from('[]');
const SALT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CLOSE_1001 = frame(0x88, Buffer.from([0x03, 0xe9]));

/** A server that takes each handshake and hands over the connection, with the answer yet to be sent. */
async function bareServer(t: Test, onHandshake: (stream: net.Socket, head: Buffer) => void) {
  const times: number[] = [];
  const streams = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (stream) => {
    let asked = '';
    streams.add(stream);
    stream.on('error', () => undefined);
    stream.on('data', (chunk) => {
      if (asked.endsWith('\r\n\r\n')) return;
      asked += chunk.toString('latin1');
      if (!asked.endsWith('\r\n\r\n')) return;
      times.push(performance.now());
      const key = /^sec-websocket-key: (.*)\r$/im.exec(asked)?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}${SALT}`).digest('base64');
      onHandshake(
        stream,
        Buffer.from(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
        ),
      );
    });
  });
  t.teardown(() => {
    server.close();
    for (const stream of streams) stream.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const uri = `ws://127.0.0.1:${port}/api/current`;
  return { uri, times };
}

t.test('F36: no frame, in one packet with the handshake, crashes nothing', async (t) => {
  let handshakes = 0;
  const { uri, times } = await bareServer(t, (stream, head) => {
    handshakes += 1;
    if (handshakes > 1) stream.end(Buffer.concat([head, Buffer.from([0xff, 0xff])]));
    else stream.write(head, () => setImmediate(() => stream.destroy()));
  });
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  process.prependListener('uncaughtException', onError);
  t.teardown(() => process.off('uncaughtException', onError));
  const connection = await connectQuickly(t, uri);
  await until('the connection to be made anew', () => times.length >= 3);
  connection.close();
  t.same(errors, []);
});

t.test('F36: a message in one packet with the handshake is not lost', async (t) => {
  const { uri } = await bareServer(t, (stream, head) => {
    const early = frame(0x81, '{"jsonrpc": "2.0", "method": "early", "params": {}}');
    stream.write(Buffer.concat([head, early]));
  });
  const connection = new Connection({ target: parseTarget(uri), credential: null, log: noLog });
  t.teardown(() => {
    connection.close();
  });
  const heard: string[] = [];
  connection.on('notification', (method) => heard.push(method));
  await connection.open();
  await until('the message', () => heard.length > 0);
  t.same(heard, ['early']);
});

t.test('F36: nothing is sent over a connection the server has closed', async (t) => {
  let closed = 0;
  const { uri, times } = await bareServer(t, (stream, head) => {
    stream.write(head);
    if (times.length > 1) return;
    // A close frame, and never an end: ws waits 30 s for that.
    setImmediate(() => {
      stream.write(CLOSE_1001, () => (closed += 1));
    });
  });
  const connection = await connectQuickly(t, uri);
  await until('the close', () => closed === 1);
  const call = connection
    .call('core.ping', NONE, { timeout: 1000 })
    .catch((error: unknown) => error);
  await until('another connection', () => times.length === 2 && connection.state === 'ready');
  t.match(await call, { code: /TIMEOUT|CLOSED/ }, 'it was not sent, or over the second');
});

const closers: Record<string, (stream: net.Socket, head: Buffer) => void> = {
  'an end': (stream, head) => {
    stream.end(head);
  },
  'a reset': (stream, head) => {
    stream.write(head, () => {
      reset(stream);
    });
  },
  'a close frame': (stream, head) => {
    stream.end(Buffer.concat([head, CLOSE_1001]));
  },
  'an end without a handshake': (stream) => {
    stream.destroy();
  },
  'another status': (stream) => {
    stream.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
  },
};

t.test('F36: a server that closes over and over is left in peace', async (t) => {
  const count = async (close: (stream: net.Socket, head: Buffer) => void) => {
    let first = true;
    const { uri, times } = await bareServer(t, (stream, head) => {
      if (!first) close(stream, head);
      else stream.write(head, () => setTimeout(() => stream.destroy(), 10));
      first = false;
    });
    const connection = new Connection({ target: parseTarget(uri), credential: null, log: noLog });
    t.teardown(() => {
      connection.close();
    });
    await connection.open();
    await new Promise((resolve) => setTimeout(resolve, 4000)); // counts what comes in that time
    return times.length;
  };
  const counts = await Promise.all(Object.values(closers).map(count));
  // Pauses of up to 0.1, 0.2, 0.4… s: about seven attempts, whatever the dice say.
  for (const [i, name] of Object.keys(closers).entries()) {
    const connections = counts[i] ?? 0;
    t.ok(connections >= 3 && connections <= 20, `${name}: ${connections} connections in 4 s`);
  }
});

t.test('F23: a login refused for too many of them is not repeated at once', async (t) => {
  let asked = 0;
  const refusal =
    '{"code": -32001, "message": "x", "data": {"error": 16, "reason": "[EBUSY] Rate Limit Exceeded"}}';
  const { uris, connections } = await startHostileServer(t, {
    onRequest: ({ say, socket, answer }, { id, method }) => {
      if (method !== 'auth.login_ex') return;
      asked += 1;
      if (asked > 1) say(`{"jsonrpc": "2.0", "error": ${refusal}, "id": "${id}"}`);
      else {
        answer(id, '{"response_type": "SUCCESS"}');
        setTimeout(() => socket.terminate(), 10);
      }
    },
  });
  const connection = new Connection({
    target: parseTarget(uris.jsonrpc),
    credential: { kind: 'password', username: 'a', password: 'b' },
    log: noLog,
  });
  t.teardown(() => {
    connection.close();
  });
  await connection.open();
  await until('the refusal', () => connection.facts.lastError?.includes('Rate Limit'));
  await new Promise((resolve) => setTimeout(resolve, 2000)); // counts what comes in that time
  t.equal(asked, 2);
  t.equal(connections.length, 2);
  t.equal(connection.state, 'waiting');
  await t.rejects(connection.ready(null, 20), { code: 'TIMEOUT', message: /Rate Limit Exceeded/ });
});
