import fs from 'node:fs';
import t from 'tap';
import { readAuthorities } from '../../../lib/login/authorities.js';
import { issue } from '../../support/certificates.js';

t.test('a file of authorities', async (t) => {
  const directory = fs.mkdtempSync('/tmp/m-');
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true });
  });
  const file = `${directory}/ca.pem`;
  const read = (text: string | Buffer) => {
    fs.writeFileSync(file, text);
    return readAuthorities(file);
  };
  const [a, b] = [issue({ isAuthority: true }), issue({ name: 'old\x1b[2J', from: -9, to: -2 })];
  t.equal(read(`what this is\n\n${a.cert}`), a.cert);
  t.equal(read(b.cert + a.cert).match(/BEGIN/g)?.length, 2, 'one that has expired does no harm');
  const over = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
  const fails = (text: string | Buffer, message: RegExp) => {
    t.throws(() => read(text), { code: 'FILES', message });
  };
  fails(
    b.cert,
    new RegExp(`^The certificate of "CN=old[^\x1b]*" in ${file} has expired on ${over}`),
  );
  fails('', /has no certificate as PEM/);
  fails(a.key, /has no certificate as PEM/);
  const der = Buffer.from(a.cert.replace(/-.*-|\n/g, ''), 'base64');
  fails(der, /has no certificate as PEM .*looks like DER.*openssl x509 -inform der/);
  fails(a.cert.replace(/\n.{8}/, '\nAAAAAAAA'), /^The certificate in .* can't be read/);
  t.throws(() => readAuthorities(`${directory}/none`), { message: /no such file/ });
});
