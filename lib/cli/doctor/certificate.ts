/** A server's certificate as `doctor` describes it: whose it is, how long it lasts, and why it is not trusted. */
import type { X509Certificate } from 'node:crypto';
import { shellWord } from '../../errors.js';
import type { Shown } from '../../middleware/channel/secure.js';
import { dayOf, hostWord, lineOf, namesOf, untrusted } from '../../middleware/unreachable.js';
import type { Target } from '../../middleware/uri.js';
import { commandFor, failed, ok, warning, type Context, type Found } from './check.js';

const DAY = 24 * 60 * 60 * 1000;
/** Days before its end at which a certificate should be renewed. */
const SOON = 21;

/** What there is to say of it to who is to connect to the target. */
export function verdict(context: Context, target: Target, shown: Shown): Found {
  const { certificate, distrust } = shown;
  const days = Math.floor((Date.parse(certificate.validTo) - Date.now()) / DAY);
  const text = description(certificate, days);
  const pin = target.verify ? target.pin() : null;
  if (pin !== null) {
    if (pin === certificate.fingerprint256)
      return ok(`the certificate is the one that you trust here. ${text}`);
    return failed(
      `the certificate is another than the one that you have trusted, sha256:${pin}: it was renewed, or somebody stands in between. ${text}`,
      `midclt trust ${shellWord(hostWord(target))}`,
    );
  }
  if (distrust !== null) {
    const why =
      untrusted(target, distrust, certificate) ?? `the certificate is not trusted (${distrust})`;
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
  const by = subject === issuer ? 'by itself' : `by ${lineOf(issuer)}`;
  const names = namesOf(subjectAltName).join(', ') || 'no name';
  const time = days >= 0 ? `in ${days} days` : `${-days} days ago`;
  return `${lineOf(subject) || 'It'}, issued ${by}, for ${names}; ends ${dayOf(validTo)} (${time}); sha256:${fingerprint256}`;
}

function howToTrust(context: Context, target: Target, { certificate, distrust }: Shown): string {
  const { host, port, pathname } = new URL(target.url);
  const name = namesOf(certificate.subjectAltName).find((each) => !each.includes('*'));
  if (distrust === 'ERR_TLS_CERT_ALTNAME_INVALID' && name !== undefined) {
    const named = name.includes(':') ? `[${name}]` : name;
    const at = port === '' ? '' : `:${port}`;
    return commandFor(context, ['doctor'], `wss://${named}${at}${pathname}`);
  }
  return `midclt trust ${shellWord(host)}`;
}
