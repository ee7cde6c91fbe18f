/** SCRAM as a server does it (RFC 5802): credentials, messages, proofs. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** The server's is SHA-512; the RFCs have examples for the others. */
export type ScramHash = 'sha512' | 'sha256' | 'sha1';

/** What a server stores of a password: a proof can be checked with it, and not made. */
export interface ScramCredentials {
  readonly hash: ScramHash;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
  /** What a server tells of a password once, and does not store. */
  readonly clientKey?: Buffer;
}

/** A client's first message: its channel binding's flag and type, its user and key, its nonce. */
export interface ClientFirst {
  readonly header: string;
  readonly flag: 'n' | 'y' | 'p';
  /** The type of channel binding; empty without the flag `p`. */
  readonly bindingType: string;
  readonly bare: string;
  readonly username: string;
  readonly keyId: number;
  readonly nonce: Buffer;
}

export interface ClientFinal {
  readonly binding: Buffer;
  readonly nonce: string;
  readonly proof: Buffer;
  readonly withoutProof: string;
}

/** What the server does wrong, for tests of a client's checks. */
export interface ScramFaults {
  /** The server's signature is not the key's. */
  readonly badSignature?: boolean;
  /** The server's nonce does not begin with the client's. */
  readonly nonceTamper?: boolean;
  /** The number of iterations told to the client, in place of the keys' own. */
  readonly lowIterations?: number;
}

const SIZES: Readonly<Record<ScramHash, number>> = { sha512: 64, sha256: 32, sha1: 20 };

/** The length in bytes of either side's part of a nonce. */
const NONCE_BYTES = 32;

const pbkdf2Async = promisify(pbkdf2);

/** `password` is not normalized: API keys are ASCII. */
export async function deriveCredentials(
  password: string,
  salt: Buffer,
  iterations: number,
  hash: ScramHash = 'sha512',
): Promise<ScramCredentials> {
  const salted = await pbkdf2Async(password, salt, iterations, SIZES[hash], hash);
  const clientKey = hmac(hash, salted, 'Client Key');
  const serverKey = hmac(hash, salted, 'Server Key');
  return { hash, storedKey: digest(hash, clientKey), serverKey, clientKey };
}

/** Whether a client's `proof` over the login's messages was made with the password. */
export function isProof(
  { hash, storedKey }: ScramCredentials,
  message: string,
  proof: Buffer,
): boolean {
  const signature = hmac(hash, storedKey, message);
  if (proof.length !== signature.length) return false;
  const clientKey = signature.map((byte, index) => byte ^ (proof[index] ?? 0));
  return timingSafeEqual(digest(hash, clientKey), storedKey);
}

export function serverSignature({ hash, serverKey }: ScramCredentials, message: string): Buffer {
  return hmac(hash, serverKey, message);
}

/** Null for text that is no client's first message, or names no key. */
export function parseClientFirst(text: string): ClientFirst | null {
  const [, flag = '', bindingType = '', bare = '', name = '', nonce = ''] =
    /^(n|y|p=([\w.-]+)),,(n=([^,]+),r=([^,]+))$/.exec(text) ?? [];
  const [, username, keyId] = /^(.+):([1-9]\d{0,8})$/.exec(name) ?? [];
  const bytes = fromBase64(nonce);
  if (username === undefined || bytes?.length !== NONCE_BYTES) return null;
  return {
    header: `${flag},,`,
    flag: flag.charAt(0) as ClientFirst['flag'],
    bindingType,
    bare,
    username: username.replaceAll('=2C', ',').replaceAll('=3D', '='),
    keyId: Number(keyId),
    nonce: bytes,
  };
}

/** Null for text that is no client's final message. */
export function parseClientFinal(text: string): ClientFinal | null {
  const [, withoutProof = '', c = '', nonce = '', p = ''] =
    /^(c=([^,]+),r=([^,]+)),p=([^,]+)$/.exec(text) ?? [];
  const [binding, proof] = [fromBase64(c), fromBase64(p)];
  return binding === null || proof === null ? null : { binding, nonce, proof, withoutProof };
}

/** The server's side of one login, from the client's first message to its final one. */
export class ScramExchange {
  readonly serverFirst: string;
  private readonly nonce: string;

  constructor(
    private readonly first: ClientFirst,
    salt: Buffer,
    iterations: number,
    private readonly faults: ScramFaults = {},
  ) {
    const start = faults.nonceTamper === true ? randomBytes(NONCE_BYTES) : first.nonce;
    // The bytes of both are joined and encoded then: to join the base64 texts would give another one.
    this.nonce = Buffer.concat([start, randomBytes(NONCE_BYTES)]).toString('base64');
    const told = faults.lowIterations ?? iterations;
    this.serverFirst = `r=${this.nonce},s=${salt.toString('base64')},i=${told}`;
  }

  /**
   * The server's final message; null when the proof, the nonce or the channel binding is wrong.
   * `endPoint` is the `tls-server-end-point` of the server's certificate, null without one.
   */
  finish(text: string, credentials: ScramCredentials, endPoint: Buffer | null): string | null {
    const final = parseClientFinal(text);
    const binding = this.expectedBinding(endPoint);
    if (final === null || binding === null) return null;
    if (final.nonce !== this.nonce || !final.binding.equals(binding)) return null;
    const message = `${this.first.bare},${this.serverFirst},${final.withoutProof}`;
    if (!isProof(credentials, message, final.proof)) return null;
    const signature = serverSignature(credentials, message);
    if (this.faults.badSignature === true) signature[0] = (signature[0] ?? 0) ^ 1;
    return `v=${signature.toString('base64')}`;
  }

  /**
   * The channel binding that the client must send; null refuses it. The flag `y` means that the client believes the
   * server can't bind. This server can, so somebody between them has changed what it said.
   */
  private expectedBinding(endPoint: Buffer | null): Buffer | null {
    const { flag, bindingType, header } = this.first;
    if (flag === 'n') return Buffer.from(header);
    const isKnown = flag === 'p' && bindingType === 'tls-server-end-point' && endPoint !== null;
    return isKnown ? Buffer.concat([Buffer.from(header), endPoint]) : null;
  }
}

function hmac(hash: ScramHash, key: Buffer, data: string): Buffer {
  return createHmac(hash, key).update(data).digest();
}

function digest(hash: ScramHash, data: Uint8Array): Buffer {
  return createHash(hash).update(data).digest();
}

/** Null for text that is not the canonical base64 of its bytes. */
function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : null;
}
