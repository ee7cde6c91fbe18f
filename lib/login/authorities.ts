/** `--ca-file`: authorities that are trusted beside the usual ones. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MidcltError, systemReason } from '../errors.js';
import { stripControls } from '../text/terminal.js';

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** The file's certificates, PEM. Throws a `FILES` error if it can't be read, has none, or none that is valid by now. */
export function readAuthorities(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    throw refusal(`Cannot read the file of authorities ${file}: ${systemReason(error)}`);
  }
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0) {
    const kind = text.startsWith('0') ? ' (it looks like DER)' : '';
    const how = `'openssl x509 -inform der -in FILE' makes PEM of DER`;
    throw refusal(`${file} has no certificate as PEM (-----BEGIN CERTIFICATE-----)${kind}; ${how}`);
  }
  const certificates = found.map((pem, index) => {
    try {
      return new X509Certificate(pem);
    } catch (error) {
      const which = found.length === 1 ? 'The certificate' : `Certificate ${index + 1}`;
      throw refusal(`${which} in ${file} can't be read: ${systemReason(error)}`);
    }
  });
  const isOver = ({ validTo }: X509Certificate) => Date.parse(validTo) < Date.now();
  const [first] = certificates;
  if (first && certificates.every(isOver)) {
    const subject = stripControls(first.subject.replaceAll('\n', ', '));
    const many =
      certificates.length > 1 ? `, and so have the ${certificates.length - 1} others` : '';
    throw refusal(
      `The certificate of "${subject}" in ${file} has expired on ${new Date(first.validTo).toISOString().slice(0, 10)}${many}; get the one that has replaced it`,
    );
  }
  return `${found.join('\n')}\n`;
}

function refusal(message: string): MidcltError {
  return new MidcltError('FILES', message);
}
