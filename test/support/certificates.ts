/** Certificates as tests want them: of an authority or of one's own, for these names, valid from then to then. */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import net from 'node:net';
import {
  BitString,
  Boolean as Bool,
  Constructed,
  fromBER,
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
import type { Certificate } from '../../lib/sandbox/index.js';

const DAY = 24 * 60 * 60 * 1000;
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

export interface Issued extends Certificate {
  /** What it is as an authority. */
  readonly name: string;
  readonly privateKey: KeyObject;
  /** `AA:BB:…` */
  readonly fingerprint: string;
}

export interface Wish {
  readonly name?: string;
  /** Names of hosts and IPv4 addresses. Default: localhost and 127.0.0.1. */
  readonly names?: readonly string[];
  /** Days from now. */
  readonly from?: number;
  readonly to?: number;
  /** Default: itself. */
  readonly issuer?: Issued;
  readonly isAuthority?: boolean;
}

export function issue({
  name = 'a server',
  names = ['localhost', '127.0.0.1'],
  from = -1,
  to = 30,
  issuer,
  isAuthority = false,
}: Wish = {}): Issued {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const serial = randomBytes(16);
  serial[0] = 0x40;
  const alternatives = names.map((each) =>
    net.isIPv4(each)
      ? general(7, Buffer.from(each.split('.').map(Number)))
      : general(2, Buffer.from(each)),
  );
  const extensions = [
    extension('2.5.29.19', list(...(isAuthority ? [new Bool({ value: true })] : []))),
    ...(isAuthority ? [] : [extension('2.5.29.17', list(...alternatives))]),
  ];
  const body = list(
    tagged(0, new Integer({ value: 2 })),
    new Integer({ valueHex: serial }),
    algorithm(),
    distinguished(issuer?.name ?? name),
    list(time(from), time(to)),
    distinguished(name),
    fromBER(publicKey.export({ type: 'spki', format: 'der' })).result,
    tagged(3, list(...extensions)),
  );
  const valueHex = sign('sha256', Buffer.from(body.toBER()), issuer?.privateKey ?? privateKey);
  const der = Buffer.from(list(body, algorithm(), new BitString({ valueHex })).toBER());
  const lines = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  const digits = createHash('sha256').update(der).digest('hex').toUpperCase();
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...{ name, privateKey, fingerprint: digits.replace(/..(?=.)/g, '$&:') },
  };
}

function list(...value: AsnType[]): Sequence {
  return new Sequence({ value });
}

function oid(value: string): ObjectIdentifier {
  return new ObjectIdentifier({ value });
}

function algorithm(): Sequence {
  return list(oid(ECDSA_WITH_SHA256));
}

function distinguished(name: string): Sequence {
  return list(new SetOf({ value: [list(oid('2.5.4.3'), new Utf8String({ value: name }))] }));
}

function time(days: number): UTCTime {
  return new UTCTime({ valueDate: new Date(Date.now() + days * DAY) });
}

function tagged(tagNumber: number, value: AsnType): Constructed {
  return new Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] });
}

function general(tagNumber: number, valueHex: Buffer): Primitive {
  return new Primitive({ idBlock: { tagClass: 3, tagNumber }, valueHex });
}

function extension(id: string, value: AsnType): Sequence {
  return list(oid(id), new OctetString({ valueHex: value.toBER() }));
}
