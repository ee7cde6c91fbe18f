/** A TCP line between a client and a server that breaks in every way a line can. */
import net from 'node:net';
import type { Test } from 'tap';
import { reset } from './reset.js';

export interface TcpProxy {
  readonly port: number;
  /** Connections taken so far. */
  readonly accepted: number;
  /** Of those, how many are open. */
  readonly open: number;
  /** Bytes passed on to clients so far. */
  readonly told: number;
  /** Ends every connection, both ways: with a reset, or with an orderly end. */
  cut(how: 'rst' | 'fin'): void;
  /** Lets so many more bytes through to the client, or to the server, then resets that connection. */
  cutAfter(bytes: number, to: 'client' | 'server'): void;
  /**
   * What is open now goes nowhere any more, though it stays open: bytes are swallowed, ends are not
   * told. Later connections are served, unless `later` is set: then nothing is until `goOn`.
   */
  stall(later?: boolean): void;
  /** Milliseconds that everything takes from now on, each way. */
  delay(milliseconds: number): void;
  /** Connections are refused: nobody listens. Those that are open go on. */
  refuse(): Promise<void>;
  /** Serves again. What was swallowed is lost, and its connections are reset. */
  goOn(): Promise<void>;
}

interface Line {
  readonly client: net.Socket;
  readonly server: net.Socket;
  isStalled: boolean;
  /** Bytes that may still pass to each side. */
  readonly left: { client: number; server: number };
}

/** Listens at a port of its own and passes bytes on to `to`, until the test ends. */
export async function startTcpProxy(t: Pick<Test, 'teardown'>, to: number): Promise<TcpProxy> {
  const lines = new Set<Line>();
  let accepted = 0;
  let told = 0;
  let latency = 0;
  let stallsLater = false;

  const cutOff = (line: Line): void => {
    lines.delete(line);
    reset(line.client);
    reset(line.server);
  };
  const soon = (action: () => void): void => {
    if (latency === 0) action();
    else setTimeout(action, latency);
  };
  const serve = (client: net.Socket): void => {
    accepted += 1;
    const server = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
    const left = { client: Infinity, server: Infinity };
    const line: Line = { client, server, isStalled: stallsLater, left };
    lines.add(line);
    const pass = (from: net.Socket, side: 'client' | 'server'): void => {
      const into = line[side];
      from.on('data', (chunk: Buffer) => {
        if (line.isStalled) return;
        soon(() => {
          if (line.isStalled || into.destroyed) return;
          const part = chunk.subarray(0, line.left[side]);
          line.left[side] -= part.length;
          if (side === 'client') told += part.length;
          const isCut = line.left[side] <= 0;
          if (!into.write(part) && !isCut) {
            from.pause();
            into.once('drain', () => from.resume());
          }
          if (isCut) into.end(() => setImmediate(cutOff, line));
        });
      });
      from.on('end', () => {
        soon(() => {
          if (!line.isStalled) into.end();
        });
      });
      from.on('error', () => {
        if (!line.isStalled) cutOff(line);
      });
      from.on('close', () => {
        if (into.destroyed) lines.delete(line);
      });
    };
    pass(client, 'server');
    pass(server, 'client');
  };

  let listener: net.Server;
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      listener = net.createServer({ allowHalfOpen: true }, serve);
      listener.once('error', reject);
      listener.listen(port, '127.0.0.1', resolve);
    });
  await listen(0);
  const { port } = listener!.address() as net.AddressInfo;
  t.teardown(() => {
    for (const line of [...lines]) cutOff(line);
    listener.close();
  });

  return {
    port,
    get accepted() {
      return accepted;
    },
    get open() {
      return lines.size;
    },
    get told() {
      return told;
    },
    cut: (how) => {
      for (const line of [...lines]) {
        if (how === 'rst') {
          cutOff(line);
          continue;
        }
        line.client.end();
        line.server.end();
      }
    },
    cutAfter: (bytes, to) => {
      for (const { left } of lines) left[to] = bytes;
    },
    stall: (later = false) => {
      stallsLater = later;
      for (const line of lines) line.isStalled = true;
    },
    delay: (milliseconds) => {
      latency = milliseconds;
    },
    refuse: () =>
      new Promise((resolve) => {
        // Its callback waits for the connections; who connects now is refused all the same.
        listener.close();
        setImmediate(resolve);
      }),
    goOn: async () => {
      stallsLater = false;
      for (const line of [...lines]) if (line.isStalled) cutOff(line);
      if (!listener.listening) await listen(port);
    },
  };
}
