/** SCRAM (RFC 5802) from the client's side, for any of its hashes. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { LoginError, type ScramKeys } from './credential.js';

/** As node:crypto names them. */
export type ScramHash = 'sha1' | 'sha256' | 'sha512';

export interface ScramOptions {
  readonly hash: ScramHash;
  readonly username: string;
  readonly secret: { readonly password: string } | ScramKeys;
  /** The data of `tls-server-end-point`; null asks for no channel binding. */
  readonly binding: Buffer | null;
  /** Iterations that are accepted: fewer give the key away, more keep this machine busy. */
  readonly iterations: { readonly least: number; readonly most: number };
  /** Printable ASCII without a comma; made here unless given. */
  readonly nonce?: string;
}

/** RFC 5929, section 4. */
const BINDING_NAME = 'tls-server-end-point';

const derive = promisify(pbkdf2);

/**
 * One login: {@link first}, then {@link answer} to the server's first message, then {@link verify}
 * its final one. They throw or reject with a `LOGIN` error for a server that breaks the rules.
 */
export class ScramClient {
  /** The client's first message. */
  readonly first: string;
  private readonly nonce: string;
  private readonly header: string;
  private readonly firstBare: string;
  private expected: Buffer | null = null;

  constructor(private readonly options: ScramOptions) {
    this.nonce = options.nonce ?? randomBytes(32).toString('base64');
    this.header = options.binding === null ? 'n,,' : `p=${BINDING_NAME},,`;
    this.firstBare = `n=${saslName(options.username)},r=${this.nonce}`;
    this.first = this.header + this.firstBare;
  }

  /** Resolves with the client's final message. The key is derived off this thread. */
  async answer(serverFirst: string): Promise<string> {
    const { hash, secret, binding, iterations } = this.options;
    const challenge = parseServerFirst(serverFirst);
    if (!continues(challenge.nonce, this.nonce)) {
      throw protocolError("the server's nonce does not continue the one it was sent");
    }
    const { count } = challenge;
    if (count < iterations.least || count > iterations.most) {
      throw protocolError(
        `the server wants ${count} iterations; between ${iterations.least} and ${iterations.most} are accepted`,
      );
    }
    const keys =
      'password' in secret
        ? await deriveKeys(hash, secret.password, challenge.salt, count)
        : secret;
    const bound = Buffer.concat([Buffer.from(this.header), binding ?? Buffer.alloc(0)]);
    const unproven = `c=${bound.toString('base64')},r=${challenge.nonce}`;
    const message = `${this.firstBare},${serverFirst},${unproven}`;
    const signature = hmac(hash, keys.storedKey, message);
    this.expected = hmac(hash, keys.serverKey, message);
    return `${unproven},p=${xor(keys.clientKey, signature).toString('base64')}`;
  }

  /** Returns if the server has shown that it knows the key, too. */
  verify(serverFinal: string): void {
    const [verifier = ''] = serverFinal.split(',');
    if (verifier.startsWith('e=')) {
      throw protocolError(`the server refused: ${verifier.slice(2, 100)}`);
    }
    const signature = verifier.startsWith('v=') ? decode(verifier.slice(2)) : null;
    if (signature === null) throw protocolError("the server's final message is malformed");
    const { expected } = this;
    if (expected === null) throw protocolError('the server answered before it was asked');
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw protocolError("the server's signature is wrong: it does not know the key");
    }
  }
}

export async function deriveKeys(
  hash: ScramHash,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<ScramKeys> {
  const length = createHash(hash).digest().length;
  const salted = await derive(Buffer.from(password), salt, iterations, length, hash);
  const clientKey = hmac(hash, salted, 'Client Key');
  const storedKey = storedKeyOf(hash, clientKey);
  return { clientKey, storedKey, serverKey: hmac(hash, salted, 'Server Key') };
}

export function storedKeyOf(hash: ScramHash, clientKey: Buffer): Buffer {
  return createHash(hash).update(clientKey).digest();
}

/** `r=NONCE,s=SALT,i=COUNT`, then extensions, which may be ignored. */
function parseServerFirst(text: string): { nonce: string; salt: Buffer; count: number } {
  const [first = '', second = '', third = ''] = text.split(',');
  if (first.startsWith('m=')) {
    throw protocolError('the server demands an extension of SCRAM that is not known here');
  }
  if (!/^r=[\x21-\x7e]+$/.test(first)) throw protocolError("the server's nonce is malformed");
  const salt = second.startsWith('s=') ? decode(second.slice(2)) : null;
  if (salt === null) throw protocolError("the server's salt is malformed");
  if (!/^i=[1-9]\d{0,9}$/.test(third)) {
    throw protocolError("the server's iteration count is malformed");
  }
  return { nonce: first.slice(2), salt, count: Number(third.slice(2)) };
}

/**
 * Has the server added to our nonce? In RFC 5802 that is a matter of their text; the middleware
 * joins the bytes and encodes the whole, so that the text differs from our last letters on.
 */
function continues(theirs: string, ours: string): boolean {
  if (theirs.startsWith(ours)) return theirs !== ours;
  const [own, all] = [decode(ours), decode(theirs)];
  return own !== null && all !== null && all.subarray(0, own.length).equals(own);
}

/** Base64 in its one right form and not empty, else null. */
function decode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : null;
}

/** RFC 5802, section 5.1: a comma would end the name. */
function saslName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

function hmac(hash: ScramHash, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest();
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, i) => byte ^ (right[i] ?? 0)));
}

function protocolError(reason: string) {
  return new LoginError(`SCRAM: ${reason}`);
}
