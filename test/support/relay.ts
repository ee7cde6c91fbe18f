/** Somebody between a client and a server, who reads and changes what they say. */
import https from 'node:https';
import net from 'node:net';
import type { Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { Certificate } from '../../lib/sandbox/index.js';
import { until } from './midclt.js';

export interface Relay {
  readonly port: number;
  /** What the server sent, before it was changed. */
  readonly heard: readonly string[];
}

export interface RelayOptions {
  /** Where it passes messages on to. */
  readonly to: string;
  /** For TLS on its own side. */
  readonly certificate?: Certificate;
  /** Change a message on its way up, or down; null keeps it here. */
  readonly up?: (message: string, between: Between) => string | null;
  readonly down?: (message: string, between: Between) => string | null;
}

/** One connection, as who sits in its middle can use it. */
export interface Between {
  /** Say something that nobody said. */
  readonly toServer: (message: string) => void;
  readonly toClient: (message: string) => void;
  /** Ends it without a close frame, both ways. */
  readonly cut: () => void;
}

/** Relays WebSocket messages until the test ends. */
export async function startRelay(t: Test, options: RelayOptions): Promise<Relay> {
  const same = (message: string) => message;
  const { to, certificate, up = same, down = same } = options;
  const heard: string[] = [];
  const http = certificate ? https.createServer({ ...certificate }) : null;
  const server = http
    ? new WebSocketServer({ server: http })
    : new WebSocketServer({ host: '127.0.0.1', port: 0 });
  http?.listen(0, '127.0.0.1');
  server.on('connection', (client) => {
    const upstream = new WebSocket(to, { rejectUnauthorized: false });
    const opened = new Promise((resolve) => upstream.once('open', resolve));
    const between: Between = {
      toServer: (message) => upstream.send(message),
      toClient: (message) => client.send(message),
      cut: () => {
        client.terminate();
        upstream.terminate();
      },
    };
    client.on('message', (data: Buffer) => {
      void opened.then(() => {
        const message = up(data.toString(), between);
        if (message !== null) upstream.send(message);
      });
    });
    upstream.on('message', (data: Buffer) => {
      heard.push(data.toString());
      const message = down(data.toString(), between);
      if (message !== null) client.send(message);
    });
    client.on('close', () => upstream.terminate());
    upstream.on('close', () => client.terminate());
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
    http?.close();
  });
  const listener = http ?? server;
  await until('the relay to listen', () => listener.address() !== null);
  return { port: (listener.address() as net.AddressInfo).port, heard };
}
