import { execFileSync } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import t from 'tap';
import { endPointOf } from '../../../../lib/sandbox/wire/certificate.js';
import {
  deriveCredentials,
  isProof,
  serverSignature,
} from '../../../../lib/sandbox/login/scram.js';

/** The conversations in RFC 5802, 5 and RFC 7677, 3: user `user`, password `pencil`. */
t.test('credentials, proofs and signatures are those of the RFCs’ examples', async (test) => {
  const examples = [
    {
      hash: 'sha1',
      salt: 'QSXCR+Q6sek8bf92',
      first: 'n=user,r=fyko+d2lbbFgONRv9qkxdawL',
      nonce: 'fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j',
      proof: 'v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
      signature: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=',
    },
    {
      hash: 'sha256',
      salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
      first: 'n=user,r=rOprNGfwEbeRWgbNEkqO',
      nonce: 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    },
  ] as const;
  for (const { hash, salt, first, nonce, proof, signature } of examples) {
    const bytes = Buffer.from(salt, 'base64');
    const credentials = await deriveCredentials('pencil', bytes, 4096, hash);
    const message = `${first},r=${nonce},s=${salt},i=4096,c=biws,r=${nonce}`;
    test.ok(isProof(credentials, message, Buffer.from(proof, 'base64')), hash);
    test.notOk(isProof(credentials, `${message} `, Buffer.from(proof, 'base64')));
    test.equal(serverSignature(credentials, message).toString('base64'), signature);
  }
});

t.test('the end point’s hash is that of the certificate’s signature', (test) => {
  const directory = fs.mkdtempSync('/tmp/m-');
  test.teardown(() => {
    fs.rmSync(directory, { recursive: true });
  });
  const rsa = ['-newkey', 'rsa:2048'];
  const pss = (...more: string[]): string[] => [
    ...rsa,
    ...['rsa_padding_mode:pss', ...more].flatMap((option) => ['-sigopt', option]),
  ];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const rows: readonly (readonly [readonly string[], string | null])[] = [
    [[...rsa, '-sha1'], 'sha256'],
    [[...rsa, '-sha224'], 'sha224'],
    [[...rsa, '-sha256'], 'sha256'],
    [[...rsa, '-sha384'], 'sha384'],
    [[...rsa, '-sha512'], 'sha512'],
    [[...ec, '-sha1'], 'sha256'],
    [[...ec, '-sha384'], 'sha384'],
    [[...ec, '-sha512'], 'sha512'],
    [[...pss(), '-sha1'], 'sha256'],
    [[...pss(), '-sha256'], 'sha256'],
    [[...pss('rsa_mgf1_md:sha256'), '-sha384'], 'sha384'],
    [[...pss(), '-sha512'], 'sha512'],
    [['-newkey', 'ed25519'], null],
  ];
  for (const [options, hash] of rows) {
    const key = path.join(directory, 'key.pem');
    const end = ['-nodes', '-subj', '/CN=x', '-keyout', key];
    const pem = execFileSync('openssl', ['req', '-x509', ...options, ...end], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { raw } = new X509Certificate(pem);
    const expected = hash === null ? null : createHash(hash).update(raw).digest('hex');
    test.equal(endPointOf(pem)?.toString('hex') ?? null, expected, options.join(' '));
  }
  test.end();
});
