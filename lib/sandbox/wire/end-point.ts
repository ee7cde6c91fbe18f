/** The channel binding `tls-server-end-point`. This file brings asn1js: load it when it is needed. */
import { X509Certificate, createHash } from 'node:crypto';
import { Constructed, ObjectIdentifier, Sequence, fromBER, type AsnType } from 'asn1js';

/** Hashes by the object identifiers of signature algorithms, MD5 and SHA-1 raised to SHA-256. */
const SIGNATURE_HASHES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256', // RSA with MD5
  '1.2.840.113549.1.1.5': 'sha256', // RSA with SHA-1
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.10045.4.1': 'sha256', // ECDSA with SHA-1
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};

const RSA_PSS = '1.2.840.113549.1.1.10';

/** The hashes RSA-PSS names in its parameters; SHA-1, its default, raised. */
const PSS_HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha256', // SHA-1
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.4': 'sha224',
};

/**
 * The hash of a certificate (the first, of several in the PEM) that channel bindings are made of
 * (RFC 5929, 4.1); null when its signature names none, as EdDSA's doesn't.
 */
export function endPointOf(pem: string): Buffer | null {
  const { raw } = new X509Certificate(pem);
  const [, algorithm] = membersOf(fromBER(raw).result); // of Certificate (RFC 5280, 4.1)
  const [id, parameters] = membersOf(algorithm);
  const hash = idOf(id) === RSA_PSS ? pssHash(parameters) : SIGNATURE_HASHES[idOf(id)];
  return hash === undefined ? null : createHash(hash).update(raw).digest();
}

/** Of RSASSA-PSS-params (RFC 4055, 3.1), `hashAlgorithm` is [0]. */
function pssHash(parameters: AsnType | undefined): string | undefined {
  const named = membersOf(parameters).find(({ idBlock }) => idBlock.tagNumber === 0);
  if (named === undefined) return 'sha256';
  return PSS_HASHES[idOf(membersOf(membersOf(named)[0])[0])];
}

function membersOf(value: AsnType | undefined): readonly AsnType[] {
  const isList = value instanceof Sequence || value instanceof Constructed;
  return isList ? value.valueBlock.value : [];
}

function idOf(value: AsnType | undefined): string {
  return value instanceof ObjectIdentifier ? value.getValue() : '';
}
