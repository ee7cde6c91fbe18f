/** TLS to a server that shows by its certificate who it is, before anything is sent to it. Brings Node's TLS: load it when it is needed. */
import { X509Certificate } from 'node:crypto';
import { isIP, type OnReadOpts } from 'node:net';
import tls, { type ConnectionOptions, type SecureContext, type TLSSocket } from 'node:tls';
import { connectError, type TlsError } from '../unreachable.js';
import type { Target } from '../uri.js';

const HTTPS = 443;
/** Milliseconds. */
const TIMEOUT = 15_000;

/**
 * Calls `done` with a connection over which nothing has been sent yet, once the server's certificate is accepted: by its
 * authority and name, or where one is pinned for the host because it is that one. Else with why there is none. The socket
 * that it returns is for who wants to give it up before that; null: it could not be made.
 *
 * There is never a session to resume, in which no certificate would be shown.
 */
export function openSecure(
  target: Target,
  more: { readonly onread?: OnReadOpts },
  done: (error: Error | null, socket?: TLSSocket) => void,
): TLSSocket | null {
  let pinned: string | null;
  let socket: TLSSocket;
  try {
    pinned = target.verify ? target.pin() : null;
    // Of what is pinned no authority is asked, and neither is anything else.
    socket = tls.connect({ ...more, ...optionsOf(target, target.verify && pinned === null) });
  } catch (error) {
    process.nextTick(done, error);
    return null;
  }
  let certificate: X509Certificate | undefined;
  // Before Node refuses it and forgets it.
  socket.prependListener('secure', () => {
    certificate = shownBy(socket);
  });
  const fail = (error: TlsError) => {
    socket.off('secureConnect', accept);
    done(Object.assign(error, certificate && { certificate }));
  };
  const accept = () => {
    socket.off('error', fail);
    const shown = shownBy(socket);
    if (pinned === null || shown?.fingerprint256 === pinned) {
      done(null, socket);
      return;
    }
    socket.on('error', () => undefined);
    socket.destroy();
    const error: TlsError = new Error('the certificate is not the one that is pinned');
    done(Object.assign(error, { code: 'ERR_TLS_PINNED', pinned, certificate: shown }));
  };
  socket.once('error', fail).once('secureConnect', accept);
  return socket;
}

/** Node's `getPeerX509Certificate` leaves nothing to who asks again, Node itself among them (seen in version 20). */
function shownBy(socket: TLSSocket): X509Certificate | undefined {
  const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
  return raw && new X509Certificate(raw);
}

function optionsOf(target: Target, verify: boolean): ConnectionOptions {
  const { hostname, port } = new URL(target.url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    ...{ host, port: Number(port) || HTTPS, rejectUnauthorized: verify },
    servername: isIP(host) ? '' : host,
    ...(target.ca !== null && { secureContext: contextWith(target.ca) }),
  };
}

/** The authorities of Node's own, of its options and of NODE_EXTRA_CA_CERTS, and these: the option `ca` would replace them. */
function contextWith(ca: string): SecureContext {
  const secure = tls.createSecureContext();
  (secure.context as { addCACert: (pem: string) => void }).addCACert(ca);
  return secure;
}

/** What a server shows, be it a certificate that nobody has reason to trust. */
export interface Shown {
  readonly certificate: X509Certificate;
  /** Why it is not trusted without a pin, as an error's code; null: it is. */
  readonly distrust: string | null;
}

/** Makes a TLS connection, sends nothing over it, and looks. Rejects with a `CONNECT` error. */
export function certificateOf(target: Target): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(optionsOf(target, false));
    const fail = (error: Error) => {
      reject(connectError(target, error));
    };
    const timer = setTimeout(() => {
      socket.destroy(new Error(`the TLS handshake was not answered within ${TIMEOUT / 1000} s`));
    }, TIMEOUT);
    socket.on('error', fail).on('close', () => {
      clearTimeout(timer);
    });
    socket.once('secureConnect', () => {
      const certificate = shownBy(socket);
      // Node declares an error, and gives the code of one.
      const why = socket.authorizationError as unknown;
      if (certificate) resolve({ certificate, distrust: why ? codeOf(why) : null });
      else fail(new Error('the server shows no certificate'));
      socket.destroy();
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error ? ((error as TlsError).code ?? error.message) : String(error);
}
