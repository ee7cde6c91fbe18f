/** Certificates made by OpenSSL, and the digests it makes of them. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { serverEndPoint } from '../../../../lib/middleware/login/binding.js';
import { makeHome, missing } from '../../../support/midclt.js';

const skip = missing('openssl');

function certificate(t: Test, options: readonly string[]): { der: Buffer; file: string } {
  const home = makeHome(t);
  const file = `${home}/cert.der`;
  const request = ['req', '-x509', '-nodes', '-subj', '/CN=x', '-keyout', `${home}/key.pem`];
  execFileSync('openssl', [...request, '-out', file, '-outform', 'DER', ...options], {
    stdio: 'pipe',
  });
  return { der: fs.readFileSync(file), file };
}

const RSA = ['-newkey', 'rsa:2048'];
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
const PSS = [...RSA, '-sigopt', 'rsa_padding_mode:pss'];

/** OpenSSL's options, and the hash that the binding is made with (RFC 5929, 4.1). */
const CASES: Readonly<Record<string, readonly [readonly string[], string]>> = {
  'RSA with SHA-256': [[...RSA, '-sha256'], 'sha256'],
  'RSA with SHA-384': [[...RSA, '-sha384'], 'sha384'],
  'RSA with SHA-512': [[...RSA, '-sha512'], 'sha512'],
  'RSA with SHA-224': [[...RSA, '-sha224'], 'sha224'],
  'RSA with SHA-1: raised': [[...RSA, '-sha1'], 'sha256'],
  'RSA with MD5: raised': [[...RSA, '-md5'], 'sha256'],
  'RSASSA-PSS with SHA-256': [[...PSS, '-sha256'], 'sha256'],
  'RSASSA-PSS with SHA-384': [[...PSS, '-sha384'], 'sha384'],
  'RSASSA-PSS with SHA-512': [[...PSS, '-sha512'], 'sha512'],
  'RSASSA-PSS with SHA-1: raised': [[...PSS, '-sha1'], 'sha256'],
  'ECDSA with SHA-256': [[...EC, '-sha256'], 'sha256'],
  'ECDSA with SHA-384': [[...EC, '-sha384'], 'sha384'],
  'ECDSA with SHA-512': [[...EC, '-sha512'], 'sha512'],
  'ECDSA with SHA-1: raised': [[...EC, '-sha1'], 'sha256'],
};

for (const [name, [options, hash]] of Object.entries(CASES)) {
  t.test(name, { skip }, async (t) => {
    const { der, file } = certificate(t, options);
    const digest = execFileSync('openssl', ['dgst', `-${hash}`, '-binary', file]);
    t.equal(serverEndPoint(der).toString('hex'), digest.toString('hex'));
  });
}

for (const [curve, name] of [
  ['ed25519', 'Ed25519'],
  ['ed448', 'Ed448'],
] as const) {
  t.test(`${name} has no hash, and the error says so`, { skip }, async (t) => {
    const { der } = certificate(t, ['-newkey', curve]);
    t.ok(new X509Certificate(der));
    t.throws(() => serverEndPoint(der), {
      code: 'LOGIN',
      message: new RegExp(`signed with ${name}, which has no hash .*--no-channel-binding`),
    });
  });
}

t.test('what is no certificate is refused', async (t) => {
  for (const der of [Buffer.alloc(0), Buffer.from('garbage'), Buffer.from([0x30, 0x00])]) {
    t.throws(() => serverEndPoint(der), {
      code: 'LOGIN',
      message: /not known here \(unreadable\)/,
    });
  }
});
