import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import t from 'tap';
import {
  ScramClient,
  deriveKeys,
  type ScramOptions,
} from '../../../../lib/middleware/login/scram.js';

const ANY = { least: 1, most: 10_000 };

interface Example {
  readonly options: ScramOptions;
  readonly first: string;
  readonly serverFirst: string;
  readonly final: string;
  readonly serverFinal: string;
}

/** RFC 5802, section 5, and RFC 7677, section 3. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  'RFC 5802 (SHA-1)': {
    options: {
      hash: 'sha1',
      username: 'user',
      secret: { password: 'pencil' },
      binding: null,
      iterations: ANY,
      nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    },
    first: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
    serverFirst: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    serverFinal: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  'RFC 7677 (SHA-256)': {
    options: {
      hash: 'sha256',
      username: 'user',
      secret: { password: 'pencil' },
      binding: null,
      iterations: ANY,
      nonce: 'rOprNGfwEbeRWgbNEkqO',
    },
    first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    serverFirst:
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    final:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,' +
      'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
};

for (const [name, example] of Object.entries(EXAMPLES)) {
  t.test(`${name}: the example's messages, byte for byte`, async (t) => {
    const scram = new ScramClient(example.options);
    t.equal(scram.first, example.first);
    t.equal(await scram.answer(example.serverFirst), example.final);
    t.doesNotThrow(() => scram.verify(example.serverFinal));
  });

  t.test(`${name}: the same with keys that were derived before`, async (t) => {
    const { hash } = example.options;
    const [, salt = ''] = /s=([^,]*)/.exec(example.serverFirst) ?? [];
    const secret = await deriveKeys(hash, 'pencil', Buffer.from(salt, 'base64'), 4096);
    const scram = new ScramClient({ ...example.options, secret });
    t.equal(await scram.answer(example.serverFirst), example.final);
    t.doesNotThrow(() => scram.verify(example.serverFinal));
  });
}

const NONCE = 'nonce';
const SALT = Buffer.from('0123456789abcdef');

function client(more: Partial<ScramOptions> = {}): ScramClient {
  return new ScramClient({
    hash: 'sha512',
    username: 'admin:2',
    secret: { password: 'secret' },
    binding: null,
    iterations: { least: 50_000, most: 5_000_000 },
    nonce: NONCE,
    ...more,
  });
}

function challenge({ nonce = `${NONCE}server`, salt = SALT.toString('base64'), i = '50000' } = {}) {
  return `r=${nonce},s=${salt},i=${i}`;
}

t.test('SHA-512 with channel binding: proof and signature of a server written here', async (t) => {
  const binding = createHash('sha256').update('certificate').digest();
  const scram = client({ binding });
  t.equal(scram.first, 'p=tls-server-end-point,,n=admin:2,r=nonce');
  const final = await scram.answer(challenge());
  const [, unproven = '', proof = ''] = /^(.*),p=(.*)$/.exec(final) ?? [];
  const bound = Buffer.concat([Buffer.from('p=tls-server-end-point,,'), binding]);
  t.equal(unproven, `c=${bound.toString('base64')},r=nonceserver`);

  const mac = (key: Buffer, text: string) => createHmac('sha512', key).update(text).digest();
  const salted = pbkdf2Sync('secret', SALT, 50_000, 64, 'sha512');
  const message = `n=admin:2,r=nonce,${challenge()},${unproven}`;
  const storedKey = createHash('sha512').update(mac(salted, 'Client Key')).digest();
  const signature = mac(storedKey, message);
  const clientKey = Buffer.from(proof, 'base64').map((byte, i) => byte ^ (signature[i] ?? 0));
  t.same(createHash('sha512').update(clientKey).digest(), storedKey);
  const verifier = mac(mac(salted, 'Server Key'), message).toString('base64');
  t.doesNotThrow(() => scram.verify(`v=${verifier}`));
  t.doesNotThrow(() => scram.verify(`v=${verifier},x=extension`));
});

t.test('a nonce is 32 random bytes in base64, and a new one for each login', async (t) => {
  const nonces = [0, 1].map(() => {
    const { nonce, ...rest } = EXAMPLES['RFC 5802 (SHA-1)']!.options;
    t.ok(nonce);
    return /r=(.*)$/.exec(new ScramClient(rest).first)?.[1] ?? '';
  });
  for (const nonce of nonces) {
    t.equal(Buffer.from(nonce, 'base64').length, 32);
    t.match(nonce, /^[A-Za-z0-9+/]{43}=$/);
  }
  t.not(nonces[0], nonces[1]);
});

t.test('what would end a name is escaped', async (t) => {
  t.equal(client({ username: 'a=b,c:2' }).first, 'n,,n=a=3Db=2Cc:2,r=nonce');
});

t.test('a first message of the server that breaks the rules is refused', async (t) => {
  const cases: Readonly<Record<string, RegExp>> = {
    [challenge({ nonce: 'other' })]: /nonce does not continue/,
    [challenge({ nonce: NONCE })]: /nonce does not continue/,
    [challenge({ nonce: `x${NONCE}server` })]: /nonce does not continue/,
    [challenge({ nonce: '' })]: /nonce is malformed/,
    [challenge({ nonce: `${NONCE} x` })]: /nonce is malformed/,
    [challenge({ salt: '' })]: /salt is malformed/,
    [challenge({ salt: '!' })]: /salt is malformed/,
    [challenge({ salt: 'QSXCR' })]: /salt is malformed/,
    [challenge({ i: '49999' })]: /wants 49999 iterations; between 50000 and 5000000/,
    [challenge({ i: '1' })]: /wants 1 iterations/,
    [challenge({ i: '5000001' })]: /wants 5000001 iterations/,
    [challenge({ i: '9999999999' })]: /wants 9999999999 iterations/,
    [challenge({ i: '99999999999' })]: /iteration count is malformed/,
    [challenge({ i: '0' })]: /iteration count is malformed/,
    [challenge({ i: '-50000' })]: /iteration count is malformed/,
    [challenge({ i: '5e4' })]: /iteration count is malformed/,
    [`m=x,${challenge()}`]: /an extension of SCRAM/,
    'r=nonceserver,i=50000,s=QSXCR+Q6sek8bf92': /salt is malformed/,
    'r=nonceserver': /salt is malformed/,
    '': /nonce is malformed/,
  };
  for (const [message, expected] of Object.entries(cases)) {
    await t.rejects(client().answer(message), { code: 'LOGIN', message: expected }, message);
  }
});

t.test(
  'nonces may be joined as text, as in the RFC, or as bytes, as the middleware does',
  async (t) => {
    const own = Buffer.alloc(32, 'own');
    const nonce = own.toString('base64');
    const joined = (...parts: Buffer[]) => Buffer.concat(parts).toString('base64');
    const answer = (theirs: string) => client({ nonce }).answer(challenge({ nonce: theirs }));
    const theirs = Buffer.alloc(32, 'theirs');
    t.match(await answer(joined(own, theirs)), `r=${joined(own, theirs)},`);
    t.match(await answer(nonce + joined(theirs)), `r=${nonce}${joined(theirs)},`);
    const flipped = Buffer.from(own);
    flipped[31]! ^= 1;
    for (const wrong of [
      joined(theirs, own),
      joined(flipped, theirs),
      joined(own.subarray(1), own),
    ]) {
      await t.rejects(answer(wrong), { message: /nonce does not continue/ });
    }
    for (const wrong of [
      nonce,
      joined(own.subarray(0, 31)),
      joined(flipped),
      `${nonce.slice(0, -2)}x=`,
    ]) {
      await t.rejects(answer(wrong), { message: /nonce does not continue/ });
    }
  },
);

t.test('a final message of the server that proves nothing is refused', async (t) => {
  const example = EXAMPLES['RFC 5802 (SHA-1)']!;
  const cases: Readonly<Record<string, RegExp>> = {
    'v=rmF9pqV8S7suAoZWja4dJRkFsKA=': /signature is wrong/,
    'v=rmF9pqV8S7suAoZWja4dJRkFsA==': /signature is wrong/,
    'v=': /final message is malformed/,
    'v=*': /final message is malformed/,
    'rmF9pqV8S7suAoZWja4dJRkFsKQ=': /final message is malformed/,
    '': /final message is malformed/,
    'e=invalid-proof': /the server refused: invalid-proof/,
  };
  for (const [message, expected] of Object.entries(cases)) {
    const scram = new ScramClient(example.options);
    await scram.answer(example.serverFirst);
    t.throws(() => scram.verify(message), { code: 'LOGIN', message: expected }, message);
  }
  const early = new ScramClient(example.options);
  t.throws(() => early.verify(example.serverFinal), { message: /before it was asked/ });
});

t.test('the key is derived without holding up this thread', async (t) => {
  let turns = 0;
  const busy = setInterval(() => turns++, 1);
  await client().answer(challenge({ i: '1000000' }));
  clearInterval(busy);
  t.ok(turns > 20, `${turns} turns of the event loop meanwhile`);
});
