/** A bare WebSocket client: texts out, texts in, in their order. */
import type { Test } from 'tap';
import { WebSocket, type ClientOptions } from 'ws';
import { until } from './midclt.js';

export type Message = Record<string, unknown>;

export interface Talk {
  readonly socket: WebSocket;
  /** What came and was not taken by `next` yet; binary messages as `<hex>`. */
  readonly pending: readonly string[];
  /** `CODE REASON`, or null while it is open. */
  readonly closing: () => string | null;
  readonly send: (message: string | object) => void;
  /** The next message as it came. Throws when the connection is closed instead. */
  readonly text: () => Promise<string>;
  /** The next message, parsed. */
  readonly next: () => Promise<Message>;
  readonly ask: (message: string | object) => Promise<Message>;
  readonly closed: () => Promise<string>;
}

/** Connects; the test's end disconnects. */
export async function talk(t: Test, url: string, options: ClientOptions = {}): Promise<Talk> {
  const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
  const pending: string[] = [];
  let closing: string | null = null;
  t.teardown(() => socket.terminate());
  socket.on('message', (data: Buffer, isBinary) => {
    pending.push(isBinary ? `<${data.toString('hex')}>` : data.toString());
  });
  socket.on('close', (code, reason) => (closing = `${code} ${reason.toString()}`.trimEnd()));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('error', () => undefined); // the close says it
  const text = async () => {
    await until('a message', () => {
      if (pending.length > 0) return true;
      if (closing !== null) throw new Error(`closed: ${closing}`);
      return false;
    });
    return pending.shift()!;
  };
  const send = (message: string | object) => {
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  };
  const next = async () => JSON.parse(await text()) as Message;
  return {
    socket,
    pending,
    closing: () => closing,
    send,
    text,
    next,
    ask: (message) => {
      send(message);
      return next();
    },
    closed: () => until('the end of the connection', () => closing),
  };
}
