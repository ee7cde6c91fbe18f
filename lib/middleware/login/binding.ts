/** Channel binding `tls-server-end-point` (RFC 5929). Brings asn1js: load it when it is needed. */
import { createHash } from 'node:crypto';
import { Constructed, fromBER, ObjectIdentifier, type AsnType } from 'asn1js';
import { LoginError } from './credential.js';

const RSA = '1.2.840.113549.1.1';
const ECDSA = '1.2.840.10045.4';
const NIST = '2.16.840.1.101.3.4';

/** Signature algorithm → its hash. RSASSA-PSS names its own in the parameters. */
const SIGNATURES: Readonly<Record<string, string>> = {
  [`${RSA}.4`]: 'md5',
  [`${RSA}.5`]: 'sha1',
  [`${RSA}.11`]: 'sha256',
  [`${RSA}.12`]: 'sha384',
  [`${RSA}.13`]: 'sha512',
  [`${RSA}.14`]: 'sha224',
  [`${RSA}.15`]: 'sha512-224',
  [`${RSA}.16`]: 'sha512-256',
  [`${ECDSA}.1`]: 'sha1',
  [`${ECDSA}.3.1`]: 'sha224',
  [`${ECDSA}.3.2`]: 'sha256',
  [`${ECDSA}.3.3`]: 'sha384',
  [`${ECDSA}.3.4`]: 'sha512',
  '1.2.840.10040.4.3': 'sha1', // DSA
  [`${NIST}.3.1`]: 'sha224',
  [`${NIST}.3.2`]: 'sha256',
  [`${NIST}.3.3`]: 'sha384',
  [`${NIST}.3.4`]: 'sha512',
  // ECDSA, then RSA, with SHA-3.
  [`${NIST}.3.9`]: 'sha3-224',
  [`${NIST}.3.10`]: 'sha3-256',
  [`${NIST}.3.11`]: 'sha3-384',
  [`${NIST}.3.12`]: 'sha3-512',
  [`${NIST}.3.13`]: 'sha3-224',
  [`${NIST}.3.14`]: 'sha3-256',
  [`${NIST}.3.15`]: 'sha3-384',
  [`${NIST}.3.16`]: 'sha3-512',
};

const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'md5',
  '1.3.14.3.2.26': 'sha1',
  [`${NIST}.2.1`]: 'sha256',
  [`${NIST}.2.2`]: 'sha384',
  [`${NIST}.2.3`]: 'sha512',
  [`${NIST}.2.4`]: 'sha224',
  [`${NIST}.2.5`]: 'sha512-224',
  [`${NIST}.2.6`]: 'sha512-256',
  [`${NIST}.2.7`]: 'sha3-224',
  [`${NIST}.2.8`]: 'sha3-256',
  [`${NIST}.2.9`]: 'sha3-384',
  [`${NIST}.2.10`]: 'sha3-512',
};

const RSASSA_PSS = `${RSA}.10`;

/** They hash within the signature, in a way of their own. */
const EDWARDS: Readonly<Record<string, string>> = {
  '1.3.101.112': 'Ed25519',
  '1.3.101.113': 'Ed448',
};

/**
 * The certificate (DER) hashed as its signature does it, but never by MD5 or SHA-1. Throws a `LOGIN`
 * error where there is no such hash.
 */
export function serverEndPoint(certificate: Buffer): Buffer {
  const hash = signatureHash(certificate);
  const strong = hash === 'md5' || hash === 'sha1' ? 'sha256' : hash;
  return createHash(strong).update(certificate).digest();
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature } (RFC 5280, 4.1). */
function signatureHash(certificate: Buffer): string {
  const [, algorithm] = partsOf(fromBER(certificate).result);
  const [identifier, parameters] = partsOf(algorithm);
  const id = oid(identifier);
  const hash = id === RSASSA_PSS ? pssHash(parameters) : SIGNATURES[id];
  if (hash !== undefined) return hash;
  const curve = EDWARDS[id];
  throw unbound(
    curve === undefined
      ? `is signed by an algorithm that is not known here (${id || 'unreadable'})`
      : `is signed with ${curve}, which has no hash to bind to (RFC 5929)`,
  );
}

/** RSASSA-PSS-params: `[0]` is the hash's AlgorithmIdentifier, SHA-1 where it is left out (RFC 4055, 3.1). */
function pssHash(parameters: AsnType | undefined): string | undefined {
  const first = partsOf(parameters)[0];
  if (first?.idBlock.tagClass !== CONTEXT || first.idBlock.tagNumber !== 0) return 'sha1';
  return HASHES[oid(partsOf(partsOf(first)[0])[0])];
}

const CONTEXT = 3;

function partsOf(value: AsnType | undefined): readonly AsnType[] {
  return value instanceof Constructed ? value.valueBlock.value : [];
}

function oid(value: AsnType | undefined): string {
  return value instanceof ObjectIdentifier ? value.getValue() : '';
}

function unbound(what: string) {
  return new LoginError(
    `no channel binding: the server's certificate ${what}. --no-channel-binding logs in without it`,
  );
}
