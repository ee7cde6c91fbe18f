/**
 * The certificate for `wss:`, and the channel binding `tls-server-end-point` of one. This file brings asn1js, a library
 * of 130 kB: load it when it is needed.
 */
import {
  X509Certificate,
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import * as os from 'node:os';
import {
  BitString,
  Boolean as Bool,
  Constructed,
  fromBER,
  GeneralizedTime,
  Integer,
  ObjectIdentifier,
  OctetString,
  Primitive,
  Sequence,
  Set as SetOf,
  UTCTime,
  Utf8String,
  type AsnType,
} from 'asn1js';

/** A certificate and its private key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

const OIDS = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
};

/** Tags of a GeneralName (RFC 5280, 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/** 127.0.0.1 and ::1. */
const LOOPBACK = [Buffer.from([127, 0, 0, 1]), Buffer.from([...Array<number>(15).fill(0), 1])];

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
 * A self-signed certificate of this machine, its own authority: a client that has it as its `ca`
 * accepts it. ECDSA P-256 with SHA-256; valid from a day before `now` (ms) to a year after.
 */
export function makeCertificate(now = Date.now()): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const signed = toBeSigned(publicKey, now);
  const signature = sign('sha256', Buffer.from(signed.toBER()), privateKey);
  const certificate = sequence(signed, algorithm(), new BitString({ valueHex: signature }));
  return {
    cert: pem(certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** TBSCertificate (RFC 5280, 4.1). */
function toBeSigned(publicKey: KeyObject, now: number): Sequence {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return sequence(
    tagged(0, new Integer({ value: 2 })), // version 3
    new Integer({ valueHex: serialNumber() }),
    algorithm(),
    name(), // issuer
    sequence(time(now - DAY_MS), time(now + 365 * DAY_MS)),
    name(), // subject
    fromBER(spki).result,
    tagged(3, extensions(spki)),
  );
}

function algorithm(): Sequence {
  return sequence(oid(OIDS.ecdsaWithSha256));
}

function name(): Sequence {
  const value = new Utf8String({ value: 'midclt sandbox' });
  return sequence(new SetOf({ value: [sequence(oid(OIDS.commonName), value)] }));
}

/** Up to 2049 this type, then that one (RFC 5280, 4.1.2.5). */
function time(ms: number): UTCTime {
  const valueDate = new Date(ms);
  const Time = valueDate.getUTCFullYear() < 2050 ? UTCTime : GeneralizedTime;
  return new Time({ valueDate });
}

/** Random and positive, and DER's shortest form: the first byte is neither 0 nor over 0x7f. */
function serialNumber(): Buffer {
  const serial = randomBytes(16);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}

function extensions(spki: Buffer): Sequence {
  const identifier = createHash('sha256').update(spki).digest(); // RFC 7093, 2 (4)
  const usage = new BitString({ valueHex: Buffer.from([0b1000_0100]), unusedBits: 2 });
  return sequence(
    extension(OIDS.basicConstraints, sequence(new Bool({ value: true })), true), // it signs itself
    extension(OIDS.keyUsage, usage, true), // digitalSignature, keyCertSign
    extension(OIDS.extendedKeyUsage, sequence(oid(OIDS.serverAuth))),
    extension(OIDS.subjectAltName, alternativeNames()),
    extension(OIDS.subjectKeyIdentifier, new OctetString({ valueHex: identifier })),
  );
}

function extension(id: string, value: AsnType, isCritical = false): Sequence {
  const critical = isCritical ? [new Bool({ value: true })] : [];
  return sequence(oid(id), ...critical, new OctetString({ valueHex: value.toBER() }));
}

function alternativeNames(): Sequence {
  const hostname = os.hostname();
  // A host may have a name that a certificate can't have: `my_nas`, `müller`.
  const isName = hostname
    .split('.')
    .every((label) => /^[a-z\d](?:[a-z\d-]*[a-z\d])?$/i.test(label));
  const names = new Set(['localhost', ...(isName ? [hostname] : [])]);
  return sequence(
    ...[...names].map((each) => generalName(DNS_NAME, Buffer.from(each))),
    ...LOOPBACK.map((each) => generalName(IP_ADDRESS, each)),
  );
}

function generalName(tag: number, value: Buffer): Primitive {
  return new Primitive({ idBlock: { tagClass: 3, tagNumber: tag }, valueHex: value });
}

function sequence(...value: AsnType[]): Sequence {
  return new Sequence({ value });
}

/** EXPLICIT [tag]. */
function tagged(tag: number, value: AsnType): Constructed {
  return new Constructed({ idBlock: { tagClass: 3, tagNumber: tag }, value: [value] });
}

function oid(value: string): ObjectIdentifier {
  return new ObjectIdentifier({ value });
}

function pem(certificate: Sequence): string {
  const lines = Buffer.from(certificate.toBER())
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`;
}

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
