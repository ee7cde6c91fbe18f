/** `ws:`, `wss:` and `ws+unix:` to an open WebSocket; keeps it alive and notices when it is dead. */
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { connectError, HttpAnswer } from '../unreachable.js';
import type { Target } from '../uri.js';
import { LargeTexts } from './large-texts.js';
import { steadyNow } from '../../timer.js';

/** Milliseconds for the whole of a handshake. */
const HANDSHAKE_TIMEOUT = 15_000;

/** In milliseconds. */
export interface Liveness {
  /** Of silence until the other side is asked for a sign of life. */
  readonly silence: number;
  /** That it has for the sign. */
  readonly patience: number;
  /** The same with calls in flight: a server that is only busy would cancel them when the line ends. */
  readonly busyPatience: number;
  /** Between two looks. The wall clock jumps when the machine was suspended: then it is asked at once. */
  readonly look: number;
}

/** nginx in front of the middleware cuts a connection that is silent for 60 s (25.04, 25.10). */
export const LIVENESS: Liveness = {
  silence: 20_000,
  patience: 10_000,
  busyPatience: 120_000,
  look: 2_000,
};

/** Milliseconds by which the wall clock may run away from the steady one between two looks. */
const JUMP = 2_000;

type Done = Parameters<(typeof import('./secure.js'))['openSecure']>[2];

/** The largest message taken. The server sets no limit of its own. */
const MAX_MESSAGE = 1024 * 1024 * 1024;

export interface Link {
  readonly socket: WebSocket;
  /** Which do not come as messages of the socket. */
  readonly largeTexts: Pick<LargeTexts, 'onText'>;
  /** The server's own certificate (DER); null without TLS. */
  readonly certificate: () => Buffer | null;
  /**
   * What is sent from now to the end of this turn of the event loop goes in one write. What is sent
   * alone does not wait for that, unless something came after it the last time.
   */
  readonly gather: (isAlone: boolean) => void;
  /** Notices from now on when the other side is dead; `isBusy` tells of calls in flight. */
  readonly keepAlive: (isBusy: () => boolean) => void;
}

/**
 * Resolves with an open WebSocket, to be resumed once it is listened to; rejects with a `CONNECT`
 * error that names the URI and the reason, also when `signal` aborts. With `isUnref` it keeps no process alive.
 */
export function openWebSocket(
  target: Target,
  liveness: Liveness,
  { isUnref = false }: { readonly isUnref?: boolean | undefined },
  signal: AbortSignal,
): Promise<Link> {
  return new Promise((resolve, reject) => {
    const { socketPath } = target;
    const largeTexts = new LargeTexts(MAX_MESSAGE);
    const { onread } = largeTexts;
    let secure: TLSSocket | null = null;
    const connect = () => net.connect({ path: socketPath ?? '', onread });
    // The request gets its connection when the server's certificate has been accepted.
    const connectSecurely = (_options: object, done: Done) => {
      const { openSecure } = require('./secure.js') as typeof import('./secure.js');
      secure = openSecure(target, { onread }, done);
      if (isUnref) secure?.unref();
    };
    const socket = new WebSocket(target.url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE,
      finishRequest: (request) => {
        largeTexts.follow(request);
        if (isUnref) request.on('socket', (stream) => stream.unref());
        request.end();
      },
      ...(socketPath === null ? { onread } : { createConnection: connect }),
      ...(target.scheme === 'wss' && { createConnection: connectSecurely as never }),
    });
    // While TLS is under way, it is not the request's yet.
    socket.once('close', () => secure?.destroy());
    socket.on('error', () => {
      largeTexts.stop();
    });
    const abort = () => {
      socket.terminate();
    };
    signal.addEventListener('abort', abort);
    const fail = (error: Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      reject(connectError(target, error));
    };
    // ws' own option begins anew with every byte that comes.
    const timer = setTimeout(() => {
      const seconds = HANDSHAKE_TIMEOUT / 1000;
      fail(new Error(`the WebSocket handshake was not answered within ${seconds} s`));
      socket.terminate();
    }, HANDSHAKE_TIMEOUT);
    if (isUnref) timer.unref();
    socket.once('error', fail);
    socket.once('unexpected-response', (_request, response) => {
      fail(new HttpAnswer(response.statusCode ?? 0, response.headers.location ?? null));
      socket.terminate();
    });
    let stream: net.Socket | null = null;
    socket.once('upgrade', (response) => {
      stream = response.socket;
    });
    socket.once('open', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      socket.pause(); // what came in one packet with the handshake waits for who listens
      resolve({
        socket,
        largeTexts,
        certificate: () => certificateOf(stream),
        gather: gatherer(stream),
        keepAlive: (isBusy) => {
          // Over a Unix socket the system tells of the other side's end; its silence says nothing.
          const asks = socketPath === null ? { liveness, isBusy } : null;
          keepAlive(socket, stream, liveness.look, asks);
        },
      });
    });
  });
}

/**
 * Pings after some silence; a connection without an answer is dead and ended as such. Any byte is a
 * sign of life: the pong itself waits behind a large message on a slow line.
 */
function keepAlive(
  socket: WebSocket,
  stream: net.Socket | null,
  look: number,
  asks: { readonly liveness: Liveness; readonly isBusy: () => boolean } | null,
): void {
  const offset = () => Date.now() - steadyNow();
  let known = offset();
  let received = -1;
  let lastSign = steadyNow();
  let asked: number | null = null;
  let isPatient = true;
  const timer = setInterval(() => {
    // Nothing comes behind a close frame, also where the end of the line doesn't.
    if (socket.readyState === socket.CLOSING) socket.terminate();
    if (!asks) return;
    const { liveness, isBusy } = asks;
    const now = steadyNow();
    const bytes = stream ? stream.bytesRead : NaN;
    const jumped = Math.abs(offset() - known) > JUMP;
    known = offset();
    if (bytes !== received) {
      received = bytes;
      lastSign = now;
      asked = null;
    }
    if (asked === null && (jumped || now - lastSign >= liveness.silence)) {
      asked = now;
      // A line that a suspended machine has come back to is more likely dead than slow.
      isPatient = !jumped;
      socket.ping();
    } else if (asked !== null) {
      const patience = isPatient && isBusy() ? liveness.busyPatience : liveness.patience;
      if (now - asked >= patience) socket.terminate();
    }
  }, look);
  timer.unref();
  socket.on('close', () => {
    clearInterval(timer);
  });
}

function gatherer(stream: net.Socket | null): Link['gather'] {
  let gathered = 0;
  let lastTime = 0;
  const write = () => {
    lastTime = gathered;
    gathered = 0;
    stream?.uncork();
  };
  return (isAlone) => {
    if (!stream || (isAlone && gathered === 0 && lastTime <= 1)) return;
    if (gathered === 0) {
      stream.cork();
      setImmediate(write);
    }
    gathered++;
  };
}

function certificateOf(stream: net.Socket | null): Buffer | null {
  const isSecure = (socket: net.Socket): socket is TLSSocket => 'encrypted' in socket;
  if (!stream || !isSecure(stream)) return null;
  // Node's `getPeerX509Certificate` leaves nothing to who asks again, as a second login does (seen in version 20).
  return (stream.getPeerCertificate() as { raw?: Buffer }).raw ?? null;
}
