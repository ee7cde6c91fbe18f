/** Stands between a daemon and a server on stream sockets: cuts them, holds them up, or swallows what they say. */
import net from 'node:net';
import type { Test } from 'tap';
import { until } from './midclt.js';

export interface SoakProxy {
  /** Where it listens, when that is a TCP port. */
  readonly port: number;
  /** Breaks every connection, wherever in a message it is. */
  cut(): void;
  /** Nothing gets through for so many milliseconds. */
  holdUp(milliseconds: number): Promise<void>;
  /** What is said for so many milliseconds is lost without a word; then every connection breaks. */
  swallow(milliseconds: number): Promise<void>;
}

/** `at` and `to`: the paths of Unix sockets, or ports of this machine (0: any free one). */
export async function startSoakProxy(
  t: Pick<Test, 'teardown'>,
  at: string | number,
  to: string | number,
): Promise<SoakProxy> {
  const streams = new Set<net.Socket>();
  let isDark = false;
  const server = net.createServer((client) => {
    const upstream = net.connect(
      typeof to === 'number' ? { port: to, host: '127.0.0.1' } : { path: to },
    );
    for (const [stream, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      streams.add(stream);
      stream.on('error', () => undefined);
      stream.on('close', () => {
        streams.delete(stream);
        // What was said before a proper end still gets there.
        if (stream.readableEnded) other.destroySoon();
        else other.destroy();
      });
      stream.pipe(other);
    }
    if (isDark) darken();
  });
  const darken = () => {
    for (const stream of streams) stream.unpipe().resume();
  };
  const cut = () => {
    for (const stream of streams) stream.destroy();
  };
  t.teardown(() => {
    server.close();
    cut();
  });
  if (typeof at === 'number') server.listen(at, '127.0.0.1');
  else server.listen(at);
  await until('the proxy to listen', () => server.listening);
  const address = server.address();
  const after = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    cut,
    holdUp: async (milliseconds) => {
      const held = [...streams];
      for (const stream of held) stream.pause();
      await after(milliseconds);
      for (const stream of held) stream.resume();
    },
    swallow: async (milliseconds) => {
      isDark = true;
      darken();
      await after(milliseconds);
      isDark = false;
      cut();
    },
  };
}
