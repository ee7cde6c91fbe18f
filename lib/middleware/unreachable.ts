/** Why there is no connection to a middleware, and what to do about it, in one line. */
import type { X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { DEFAULT_PATHNAME, uriOf } from '../files/address.js';
import { MidcltError, shellWord, systemReason } from '../errors.js';
import { stripControls } from '../text/terminal.js';
import { DEFAULT_URI, parseTarget, type Target } from './uri.js';

/** Why a certificate is not accepted: with the certificate, where it is known, and the one that is pinned. */
export type TlsError = NodeJS.ErrnoException & {
  certificate?: X509Certificate | undefined;
  pinned?: string;
};

/** What answers instead of a WebSocket. */
export class HttpAnswer extends Error {
  constructor(
    readonly status: number,
    readonly location: string | null,
  ) {
    super(`HTTP status ${status} instead of a WebSocket`);
  }
}

/** As a `CONNECT` error that names the middleware. One of ours stays as it is. */
export function connectError(target: Target, error: Error): MidcltError {
  if (error instanceof MidcltError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (target.scheme === 'wss' && isVerification(code)) {
    const text = `SSL certificate verification failed for ${target.uri}: ${distrusted(target, error)}`;
    return new MidcltError('CONNECT', text, { cause: error });
  }
  const hint = hintOf(target, error);
  // Several addresses tried: Node reports them as one error with an empty message.
  const cause = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const reason = isPlain(cause) ? `what answers does not speak TLS` : systemReason(cause);
  const text = `Cannot connect to ${target.uri}: ${reason}${hint === null ? '' : `. ${hint}`}`;
  return new MidcltError('CONNECT', text, { cause: error });
}

/** Was there no connection because the server's certificate is not trusted? Not where another one is pinned. */
export function isDistrust(error: unknown): boolean {
  if (!(error instanceof MidcltError) || !(error.cause instanceof Error)) return false;
  const { code, pinned } = error.cause as TlsError;
  return error.code === 'CONNECT' && isVerification(code) && pinned === undefined;
}

/** The codes of a certificate that is not trusted, not valid now, or another host's. Those of OpenSSL itself tell of a handshake that failed. */
function isVerification(code = ''): boolean {
  return (
    !code.startsWith('ERR_SSL_') && /CERT|SELF_SIGNED|UNABLE_TO_|SIGNATURE|ERR_TLS_/.test(code)
  );
}

/** The host of a `wss:` target as commands take it, and as pins are kept: with its port unless that is 443. */
export function hostWord({ url }: Target): string {
  return new URL(url).host;
}

const INSECURE = 'or pass --insecure to skip verification (not for production)';

/** What is wrong with a certificate, and what to do about that. */
function distrusted(target: Target, error: TlsError): string {
  const { code = '', certificate, pinned } = error;
  const trust = `'midclt trust ${shellWord(hostWord(target))}'`;
  if (pinned !== undefined) {
    const shown = certificate ? `sha256:${certificate.fingerprint256}` : 'none';
    return (
      `the server's certificate is another than the one that you have trusted: ${shown} in place of sha256:${pinned}. ` +
      `If it was renewed, ${trust} trusts the new one; if not, somebody may stand in between, which --insecure would pass over`
    );
  }
  const why = untrusted(target, code, certificate) ?? error.message;
  const remedy = REMEDIES[code];
  const remedies =
    remedy === undefined
      ? `Accept exactly this one with ${trust}, trust its authority with --ca-file FILE`
      : `${remedy}, accept exactly this one with ${trust}`;
  return `${why} (${code}). ${remedies}, ${INSECURE}`;
}

/** What else could be done. */
const REMEDIES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'Renew it on the server',
  CERT_NOT_YET_VALID: 'Set the clocks of server and client right',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Connect by a name that it has',
};

/** Why a certificate is not trusted, by an error's code; null: nobody has words for it. */
export function untrusted(
  { url }: Target,
  code: string,
  certificate: X509Certificate | undefined,
): string | null {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `the certificate has expired${certificate ? ` on ${dayOf(certificate.validTo)}` : ''}`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate is not valid ${certificate ? `before ${dayOf(certificate.validFrom)}` : 'yet'}`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const names = certificate ? namesOf(certificate.subjectAltName) : [];
      const whose = names.length === 0 ? 'has no name of a host' : `is for ${listed(names)}`;
      return `the certificate ${whose}, and not for ${new URL(url).hostname}`;
    }
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'the certificate is self-signed';
    default: {
      if (!UNKNOWN_ISSUER.has(code)) return null;
      const issuer = certificate ? ` "${lineOf(certificate.issuer)}"` : '';
      return `the certificate was issued by an authority${issuer} that is not known here`;
    }
  }
}

const UNKNOWN_ISSUER = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** How many names a message tells. */
const MOST_NAMES = 8;

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** The names of hosts and the addresses that a certificate is for. A name with odd characters is in quotes, and left out. */
export function namesOf(alternatives: string | undefined): string[] {
  const each = (alternatives ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):([^",]+)(?=, |$)/g);
  return [...each].map(([, name = '']) => {
    // Node writes `0:0:0:0:0:0:0:1`.
    return isIPv6(name) ? new URL(`ws://[${name}]`).hostname.slice(1, -1) : lineOf(name);
  });
}

/** A name of a certificate, which has a line for each part, in one. */
export function lineOf(name: string): string {
  return stripControls(name.replaceAll('\n', ', '));
}

/** `Jan  2 00:00:00 2026 GMT` as `2026-01-02`. */
export function dayOf(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? lineOf(time) : date.toISOString().slice(0, 10);
}

/** Null: there is nothing to say. */
function hintOf(target: Target, error: Error): string | null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && target.uri === DEFAULT_URI)
    return "Is this a TrueNAS? Another machine's middleware is asked with '-u HOST -U USER'; 'midclt login NAME' keeps it under a name";
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'Is the middleware running there?';
  if (error instanceof HttpAnswer) return statusHint(target, error);
  if (isPlain(error)) {
    return `Without TLS it would be '-u ${other(target, 'ws')}', where others can read what is sent`;
  }
  const alert = alertHint(error);
  if (alert !== null) return alert;
  const isRiddle = (code ?? '').startsWith('HPE_') || error.message === 'socket hang up';
  return target.scheme === 'ws' && isRiddle ? tlsHint(target) : null;
}

/** The error of a TLS handshake that is answered by something else. */
function isPlain(error: Error): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP|wrong version number|packet length too long|http request/i.test(
    `${code ?? ''} ${message}`,
  );
}

/** What the alert means with which a server has refused a TLS handshake, by an error's code; null: it is none, or says it all. */
export function alertHint(error: Error): string | null {
  const { code = '' } = error as NodeJS.ErrnoException;
  const [, alert] = /^ERR_SSL_.*_ALERT_(.*)$/.exec(code) ?? [];
  switch (alert) {
    case 'CERTIFICATE_REQUIRED':
    case 'BAD_CERTIFICATE': // as some call it where none is shown
      return 'What answers wants a certificate of the client, and midclt has none to show: give an address with -u that asks for none';
    case 'HANDSHAKE_FAILURE':
      return 'What answers has no cipher in common with this Node, or it wants a certificate of the client, which midclt has none of';
    case 'PROTOCOL_VERSION':
      return `What answers has no version of TLS in common with Node ${process.versions.node}`;
    default:
      return null;
  }
}

function tlsHint(target: Target): string {
  return `If that port is one for TLS, it is '-u ${other(target, 'wss')}'`;
}

/** The same with another scheme, as a word to type. */
function other({ uri }: Target, scheme: 'ws' | 'wss'): string {
  return shellWord(uri.replace(/^wss?:/i, `${scheme}:`));
}

function statusHint(target: Target, { status, location }: HttpAnswer): string | null {
  if (status >= 300 && status < 400 && location !== null) return redirectHint(target, location);
  switch (status) {
    case 400:
    case 426:
      if (target.scheme === 'ws') return tlsHint(target);
      return 'A proxy in between may not let WebSockets through (Upgrade)';
    case 401:
    case 403:
      return 'The web server or a proxy before the middleware does not let this machine in; its list of allowed addresses may say who may';
    case 404:
      return pathHint(target);
    case 502:
    case 503:
    case 504:
      return 'The web server runs, and the middleware behind it does not: it is starting, or has failed. Try again in a minute';
    default:
      return null;
  }
}

function redirectHint(target: Target, location: string): string | null {
  let to: URL;
  try {
    to = new URL(location, target.url.replace(/^ws/, 'http'));
    to.username = to.password = to.hash = '';
  } catch {
    return null;
  }
  const shown = `It redirects to ${stripControls(to.href)}`;
  try {
    const { uri } = parseTarget(uriOf(to.href));
    return uri === target.uri ? shown : `${shown}; try '-u ${shellWord(uri)}'`;
  } catch {
    return shown;
  }
}

/** A middleware before 25.04 has another path. */
const LEGACY_PATHNAME = '/websocket';

function pathHint({ scheme, socketPath, url }: Target): string {
  const { host, pathname } = new URL(url);
  const isDefault = pathname === DEFAULT_PATHNAME;
  const path = isDefault ? LEGACY_PATHNAME : DEFAULT_PATHNAME;
  const uri =
    scheme === 'ws+unix' ? `ws+unix://${socketPath ?? ''}:${path}` : `${scheme}://${host}${path}`;
  const whose = isDefault ? 'A TrueNAS before 25.04 has' : 'The middleware is at';
  return `${whose} ${path}: try '-u ${shellWord(uri)}'`;
}
