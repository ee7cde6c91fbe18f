/** A server that may send anything: whole messages, or bytes that are no frame at all. */
import net from 'node:net';
import type { Test } from 'tap';
import { WebSocketServer, type WebSocket } from 'ws';
import { until } from './midclt.js';

/** A request as it came over either wire. */
export interface Heard {
  readonly id: string;
  readonly method: string;
  readonly params: unknown[];
}

/** One connection, in the words of its wire. */
export interface Victim {
  readonly socket: WebSocket;
  readonly isLegacy: boolean;
  /** A text message; nothing when the connection is gone. */
  readonly say: (text: string | Buffer) => void;
  /** Bytes past the WebSocket: a frame, or none. */
  readonly raw: (bytes: Buffer) => void;
  /** The proper answer to a request, `result` in JSON. */
  readonly answer: (id: string, result: string) => void;
  /** An event of `core.get_jobs`, `fields` in JSON. */
  readonly event: (fields: string, kind?: 'added' | 'changed') => void;
}

export interface HostileServer {
  readonly port: number;
  /** `ws:` at `/api/current` and at `/websocket`. */
  readonly uris: { readonly jsonrpc: string; readonly legacy: string };
  /** When each connection was made, in milliseconds of `performance.now()`. */
  readonly connections: readonly number[];
}

export interface Behaviour {
  readonly onRequest?: (victim: Victim, heard: Heard) => void;
  /** In place of the proper answer to a subscription; false gives that. */
  readonly onSubscribe?: (victim: Victim, id: string) => boolean;
  /** In place of HTTP for files: a connection, the head of whose request has come. */
  readonly onFile?: (stream: net.Socket, head: string) => void;
  /** The connection was just made. */
  readonly onOpen?: (victim: Victim) => void;
}

export async function startHostileServer(t: Test, behaviour: Behaviour): Promise<HostileServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  const connections: number[] = [];
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', (socket, request) => {
    connections.push(performance.now());
    socket.on('error', () => undefined);
    const victim = victimOf(socket, request.url === '/websocket', request.socket);
    behaviour.onOpen?.(victim);
    socket.on('message', (data: Buffer) => {
      const { msg, id, method, name, params } = JSON.parse(data.toString()) as Record<
        string,
        unknown
      >;
      if (msg === 'connect') victim.say('{"msg": "connected", "session": "s"}');
      else if (
        (msg === 'sub' || method === 'core.subscribe') &&
        behaviour.onSubscribe?.(victim, id as string) === true
      )
        return;
      else if (msg === 'sub') victim.say(JSON.stringify({ msg: 'ready', subs: [id] }));
      else if (method === 'core.subscribe') victim.answer(id as string, '"a-subscription"');
      else if (typeof id === 'string') {
        const heard = { id, method: (method ?? name) as string, params: params as unknown[] };
        behaviour.onRequest?.(victim, heard);
      }
    });
  });
  await until('the server to listen', () => server.address() !== null);
  const own = server.address() as net.AddressInfo;
  const port = behaviour.onFile ? await before(t, own.port, behaviour.onFile) : own.port;
  const at = (path: string) => `ws://127.0.0.1:${port}${path}`;
  return { port, connections, uris: { jsonrpc: at('/api/current'), legacy: at('/websocket') } };
}

/** Listens in front of the server, and keeps what asks for files from it. Resolves with the port. */
async function before(
  t: Test,
  port: number,
  onFile: NonNullable<Behaviour['onFile']>,
): Promise<number> {
  const streams = new Set<net.Socket>();
  const front = net.createServer((stream) => {
    streams.add(stream);
    stream.on('error', () => undefined);
    let text = '';
    const onData = (data: Buffer) => {
      text += data.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      stream.off('data', onData);
      if (/^GET \/_download|^POST/.test(text)) {
        const [head = ''] = text.split('\r\n\r\n', 1);
        // What came of the body with it comes again.
        stream.pause();
        stream.unshift(Buffer.from(text.slice(head.length + 4), 'latin1'));
        onFile(stream, head);
        stream.resume();
        return;
      }
      const behind = net.connect(port, '127.0.0.1');
      streams.add(behind);
      behind.on('error', () => stream.destroy());
      behind.write(text, 'latin1');
      stream.pipe(behind).pipe(stream);
    };
    stream.on('data', onData);
  });
  t.teardown(() => {
    for (const stream of streams) stream.destroy();
    front.close();
  });
  front.listen(0, '127.0.0.1');
  await until('the front to listen', () => front.listening);
  return (front.address() as net.AddressInfo).port;
}

function victimOf(socket: WebSocket, isLegacy: boolean, stream: net.Socket): Victim {
  const say = (text: string | Buffer) => {
    if (socket.readyState === socket.OPEN) socket.send(text, { binary: false });
  };
  return {
    socket,
    isLegacy,
    say,
    raw: (bytes) => {
      if (!stream.destroyed) stream.write(bytes);
    },
    answer: (id, result) => {
      const members = `"id": ${JSON.stringify(id)}, "result": ${result}`;
      say(isLegacy ? `{"msg": "result", ${members}}` : `{"jsonrpc": "2.0", ${members}}`);
    },
    event: (fields, kind = 'changed') => {
      const members = `"collection": "core.get_jobs", "id": 1, "fields": ${fields}`;
      say(
        isLegacy
          ? `{"msg": "${kind}", ${members}}`
          : `{"jsonrpc": "2.0", "method": "collection_update", "params": {"msg": "${kind}", ${members}}}`,
      );
    },
  };
}

/** The bytes of a server's frame. `first` has the FIN bit, the reserved bits and the opcode. */
export function frame(first: number, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload as string);
  const { length } = body;
  const head =
    length < 126
      ? Buffer.from([first, length])
      : length < 65_536
        ? Buffer.from([first, 126, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([first, 127, 0, 0, 0, 0]), uint32(length)]);
  return Buffer.concat([head, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
