/** A server's certificate as `doctor` describes it: whose it is, how long it lasts, and why it is not trusted. */
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { shellWord } from '../../errors.js';
import type { Target } from '../../middleware/uri.js';
import { commandFor, failed, ok, warning, type Context, type Found } from './check.js';

/** What a server shows, be it a certificate that nobody has reason to trust. */
export interface Shown {
  readonly certificate: X509Certificate;
  /** Why it is not trusted, as an error's code; null: it is. */
  readonly distrust: string | null;
}

const DAY = 24 * 60 * 60 * 1000;
/** Days before its end at which a certificate should be renewed. */
const SOON = 21;

/** Makes a TLS connection, sends nothing over it, and looks. */
export function certificateOf({ url }: Target, port: number): Promise<Shown> {
  const tls = require('node:tls') as typeof import('node:tls');
  const { X509Certificate } = require('node:crypto') as typeof import('node:crypto');
  const { hostname } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    const servername = isIP(host) ? '' : host;
    const socket = tls.connect({ host, port, servername, rejectUnauthorized: false });
    socket.on('error', reject);
    socket.once('secureConnect', () => {
      const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
      // Node declares an error, and gives the code of one.
      const why = socket.authorizationError as unknown;
      if (raw) {
        resolve({ certificate: new X509Certificate(raw), distrust: why ? codeOf(why) : null });
      } else reject(new Error('the server shows no certificate'));
      socket.destroy();
    });
  });
}

function codeOf(why: unknown): string {
  return why instanceof Error
    ? ((why as NodeJS.ErrnoException).code ?? why.message)
    : (why as string);
}

/** What there is to say of it to who is to connect to the target. */
export function verdict(context: Context, target: Target, shown: Shown): Found {
  const { certificate, distrust } = shown;
  const { hostname } = new URL(target.url);
  const days = Math.floor((Date.parse(certificate.validTo) - Date.now()) / DAY);
  const text = description(certificate, days);
  if (distrust !== null) {
    const why = reason(distrust, certificate, hostname);
    if (!target.verify) return warning(`${why}; it is NOT verified (--insecure). ${text}`, null);
    return failed(`${why}. ${text}`, howToTrust(context, target, shown));
  }
  if (!target.verify)
    return warning(
      `the certificate could be trusted, and is NOT verified (--insecure). ${text}`,
      commandFor(
        { ...context, args: { ...context.args, insecure: false } },
        ['doctor'],
        target.uri,
      ),
    );
  if (days < SOON)
    return warning(
      `the certificate ends soon, in ${days} days: renew it on the server. ${text}`,
      null,
    );
  return ok(`the certificate is trusted. ${text}`);
}

function description(certificate: X509Certificate, days: number): string {
  const { subject, issuer, subjectAltName, validTo, fingerprint256 } = certificate;
  const by = subject === issuer ? 'by itself' : `by ${oneLine(issuer)}`;
  const names = namesOf(subjectAltName).join(', ') || 'no name';
  const time = days >= 0 ? `in ${days} days` : `${-days} days ago`;
  return `${oneLine(subject) || 'It'}, issued ${by}, for ${names}; ends ${dayOf(validTo)} (${time}); sha256:${fingerprint256}`;
}

function reason(code: string, certificate: X509Certificate, hostname: string): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `the certificate expired on ${dayOf(certificate.validTo)}: renew it on the server`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate is not valid before ${dayOf(certificate.validFrom)}: a clock may be wrong`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate is not for ${hostname}, but for other names`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'the certificate is self-signed, and not trusted here';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'the authority that issued the certificate is not known here';
    default:
      return `the certificate is not trusted (${code})`;
  }
}

function howToTrust(context: Context, target: Target, { certificate, distrust }: Shown): string {
  const url = new URL(target.url);
  const again = ['doctor'];
  if (distrust === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const name = namesOf(certificate.subjectAltName).find((each) => !each.includes('*'));
    if (name !== undefined) {
      const host = name.includes(':') ? `[${name}]` : name;
      const port = url.port === '' ? '' : `:${url.port}`;
      return commandFor(context, again, `wss://${host}${port}${url.pathname}`);
    }
  }
  const isUnknown = /SELF_SIGNED|UNABLE_TO/.test(distrust ?? '');
  if (!isUnknown) {
    return commandFor({ ...context, args: { ...context.args, insecure: true } }, again, target.uri);
  }
  const at = `${url.hostname}:${url.port || 443}`;
  const file = `~/${url.hostname.replace(/[^\w.-]/g, '')}.pem`;
  return `openssl s_client -connect ${shellWord(at)} -showcerts </dev/null >${file} 2>/dev/null; NODE_EXTRA_CA_CERTS=${file} ${commandFor(context, again)}`;
}

/** The names of hosts and the addresses that a certificate is for. */
function namesOf(alternatives: string | undefined): string[] {
  const each = (alternatives ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):([^",]+)(?=, |$)/g);
  return [...each].map(([, name = '']) => name);
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}

function dayOf(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toISOString().slice(0, 10);
}
