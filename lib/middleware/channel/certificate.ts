/** What certificate a server shows, be it one that nobody has reason to trust. */
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { connectError, type Target } from '../uri.js';

/** As the server wrote it: not to be printed as it is. */
export interface PeerCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly validUntil: string;
  /** SHA-256, in pairs of hexadecimal digits. */
  readonly fingerprint: string;
}

const HTTPS = 443;
/** Milliseconds. */
const TIMEOUT = 10_000;

/** Makes a TLS connection that nothing is sent over, and looks. Rejects with a `CONNECT` error. */
export function peerCertificate(target: Target): Promise<PeerCertificate> {
  const { hostname, port } = new URL(target.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host, port: Number(port) || HTTPS, rejectUnauthorized: false },
      servername: isIP(host) ? '' : host,
    });
    const timer = setTimeout(() => {
      socket.destroy(new Error('the TLS handshake takes too long'));
    }, TIMEOUT);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      const certificate = socket.getPeerX509Certificate();
      if (certificate) {
        const { subject, issuer, validTo, fingerprint256 } = certificate;
        const line = (names: string | undefined) => names?.replaceAll('\n', ', ') || '-';
        resolve({
          ...{ subject: line(subject), issuer: line(issuer), validUntil: validTo },
          fingerprint: fingerprint256,
        });
      } else reject(connectError(target, new Error('the server shows no certificate')));
      socket.destroy();
    });
    socket.on('error', (error: Error) => {
      clearTimeout(timer);
      reject(connectError(target, error));
    });
  });
}
