/** The HTTP servers, the WebSockets that come in by them, and the gate that lets all of them stall. */
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import type { Middleware, Peer, Protocol } from '../middleware.js';
import type { Transport } from '../session.js';
import type { Certificate } from './certificate.js';
import { isFilePath, serveFile } from './files.js';
import { legacy, rpc } from './dialects.js';

/** API versions there is a path for, beside `current`. */
const VERSIONS = ['v25.04.0', 'v25.04.1', 'v25.04.2', 'v25.10.0', 'v25.10.1', 'v26.0.0', 'v27.0.0'];

/** The largest message in bytes, after inflation; the real server refuses 4 MiB itself. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024 - 1;

/** The longest path of a Unix socket in bytes (Linux). The system would cut a longer one silently. */
const MAX_SOCKET_PATH = 107;

/** The header of a text message of 1024 bytes, and 512 of them. */
const HALF_FRAME = Buffer.concat([Buffer.from([0x81, 126, 4, 0]), Buffer.alloc(512, '{"half": ')]);

/** Where to listen: a Unix socket's path, or TCP (port 0: any free one), with TLS if there is a certificate. */
export type Address =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly certificate?: Certificate };

/** A listening HTTP server with WebSockets at `/api/current`, `/api/vNN.NN.N` and `/websocket`. */
export interface Listener {
  /** The TCP port, null on a Unix socket. */
  readonly port: number | null;
  /** Stops listening and ends what is open; a Unix socket's file is gone then. */
  close(): Promise<void>;
}

/** What the listeners of a sandbox share. */
interface Surroundings {
  readonly middleware: Middleware;
  readonly gate: Gate;
  /** While it returns an HTTP status, handshakes are answered with that. */
  readonly refusal: () => number | null;
}

/** Rejects with the system's error (EADDRINUSE, EACCES, …), or TLS's about the certificate. */
export async function listen(surroundings: Surroundings, address: Address): Promise<Listener> {
  const { gate, refusal } = surroundings;
  const certificate = 'path' in address ? undefined : address.certificate;
  const isTls = certificate !== undefined;
  const peerOf = ({ remoteAddress = '', remotePort = 0 }: net.Socket): Peer | null =>
    'path' in address ? null : { host: remoteAddress, port: remotePort, isTls };
  const unstalled = (): Promise<void> =>
    new Promise((resolve) => {
      gate.pass(resolve);
    });
  const { middleware } = surroundings;
  const answerLater: http.RequestListener = (request, response) => {
    const path = pathOf(request);
    gate.pass(() => {
      if (!isFilePath(path)) answer(path, response);
      else {
        const peer = peerOf(request.socket);
        void serveFile({ middleware, request, response, peer, unstalled }, path);
      }
    });
  };
  const server =
    certificate === undefined
      ? http.createServer(answerLater)
      : https.createServer({ cert: certificate.cert, key: certificate.key }, answerLater);
  server.requestTimeout = 0; // an upload takes as long as it takes
  const sockets = new WebSocketServer<typeof SandboxSocket>({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: true,
    allowSynchronousEvents: false, // a call that ends at once gives its slot back before the next is read
    maxPayload: MAX_MESSAGE_BYTES,
    autoPong: false, // a stalled sandbox sends none
    WebSocket: SandboxSocket,
  });
  const upgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
    const protocol = protocolAt(pathOf(request));
    const status = refusal();
    if (status !== null || protocol === null) {
      refuse(socket, status ?? 404);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      serve(surroundings, protocol, webSocket, socket, peerOf(request.socket));
    });
  };
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined); // a client may leave before its handshake is answered
    gate.pass(() => {
      upgrade(request, socket, head);
    });
  });
  const connections = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  if ('path' in address) await reclaim(address.path);
  await bound(server, address);
  const bind = server.address();
  return {
    port: bind !== null && typeof bind === 'object' ? bind.port : null,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of connections) socket.destroy();
      }),
  };
}

/** One WebSocket's life as a session. */
function serve(
  { middleware, gate }: Surroundings,
  protocol: Protocol,
  socket: SandboxSocket,
  stream: Duplex,
  peer: Peer | null,
): void {
  const whenOpen = (action: () => void): void => {
    gate.pass(() => {
      if (socket.readyState === WebSocket.OPEN) action();
    });
  };
  const transport: Transport = {
    send: (data) => {
      whenOpen(() => {
        socket.send(data);
      });
    },
    close: (code, reason) => {
      whenOpen(() => {
        socket.closeWith(code, reason);
      });
    },
    terminate: () => {
      socket.terminate();
    },
    cut: () => {
      stream.write(HALF_FRAME, () => stream.destroy());
    },
  };
  gate.add(socket);
  const session = middleware.open(transport, peer, protocol.dialect);
  protocol.opened(middleware, session);
  socket.on('message', (data: Buffer, isBinary) => {
    whenOpen(() => {
      if (isBinary) transport.close(1003, 'Invalid websocket message type: <WSMsgType.BINARY: 2>');
      else protocol.receive(middleware, session, data.toString('utf8'));
    });
  });
  socket.on('ping', (data) => {
    whenOpen(() => {
      socket.pong(data);
    });
  });
  socket.on('error', () => undefined); // a broken frame; ws closes the connection by itself
  socket.on('close', () => {
    gate.remove(socket);
    middleware.closed(session);
  });
}

/** ws's own socket, except that it answers any close with 1000, as the real server does. */
class SandboxSocket extends WebSocket {
  /** ws calls this with a code and a reason (or neither) to answer a close, with a code alone to report a broken frame. */
  override close(code?: number, data?: string | Buffer): void {
    const isAnswer = code === undefined || data !== undefined;
    super.close(isAnswer ? 1000 : code);
  }

  closeWith(code: number, reason: string): void {
    super.close(code, reason);
  }
}

/** Plain HTTP: the list of versions; a WebSocket path without an upgrade is a bad request. */
function answer(path: string, response: http.ServerResponse): void {
  if (path === '/api/versions') {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    response.end(JSON.stringify(VERSIONS));
    return;
  }
  const isKnown = protocolAt(path) !== null;
  response.writeHead(isKnown ? 400 : 404, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(isKnown ? 'No WebSocket UPGRADE hdr: None\n' : '404: Not Found\n');
}

function refuse(socket: Duplex, status: number): void {
  const reason = http.STATUS_CODES[status] ?? 'Refused';
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function pathOf(request: http.IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}

function protocolAt(path: string): Protocol | null {
  if (path === '/websocket') return legacy;
  const version = /^\/api\/([^/]+)$/.exec(path)?.[1] ?? '';
  return version === 'current' || VERSIONS.includes(version) ? rpc : null;
}

function bound(server: net.Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const where = 'path' in address ? address : { host: address.host, port: address.port };
    server.listen(where, () => {
      server.removeListener('error', reject);
      if ('path' in address) fs.chmodSync(address.path, 0o600);
      resolve();
    });
  });
}

/** Removes the socket file of a sandbox that has ended. One that still answers keeps its file, and to listen fails. */
async function reclaim(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
    throw Object.assign(new Error(`the socket path is longer than ${MAX_SOCKET_PATH} bytes`), {
      code: 'ENAMETOOLONG',
    });
  const isSocket = fs.lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  if (isSocket && (await isStale(path))) fs.rmSync(path, { force: true });
}

function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED');
    });
  });
}

/** A WebSocket, which can stop reading for a while. */
interface Pausable {
  pause(): void;
  resume(): void;
}

/** While it is shut nothing is read or done. What was held back is done in its order afterwards. */
export class Gate {
  private readonly sockets = new Set<Pausable>();
  private readonly held: (() => void)[] = [];
  private isShut = false;
  private isDraining = false;

  /** Runs the action: now, or after the stall. */
  pass(action: () => void): void {
    if (this.isShut || this.held.length > 0) this.held.push(action);
    else action();
  }

  add(socket: Pausable): void {
    this.sockets.add(socket);
    if (this.isShut) socket.pause();
  }

  remove(socket: Pausable): void {
    this.sockets.delete(socket);
  }

  shut(): void {
    this.isShut = true;
    for (const socket of this.sockets) socket.pause();
  }

  open(): void {
    this.isShut = false;
    for (const socket of this.sockets) socket.resume();
    if (!this.isDraining) void this.drain();
  }

  /** Runs one action in each turn of the event loop, as if the messages were read now. */
  private async drain(): Promise<void> {
    this.isDraining = true;
    while (!this.isShut && this.held.length > 0) {
      this.held[0]?.();
      this.held.shift(); // only now, so that actions it causes are held behind the others
      await turn();
    }
    this.isDraining = false;
  }
}
