import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { addPin, fingerprintOf, pinOf, readPins, removePin } from '../../../lib/files/pins.js';

const A = Array<string>(32).fill('AB').join(':');
const B = Array<string>(32).fill('0F').join(':');

function place(t: Test): string {
  const directory = fs.mkdtempSync('/tmp/m-');
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true });
  });
  return `${directory}/midclt/trusted`;
}

t.test('a fingerprint is understood however it is written', async (t) => {
  for (const text of [
    A,
    A.toLowerCase(),
    A.replaceAll(':', ''),
    `sha256:${A}`,
    `SHA256:${A.toLowerCase().replaceAll(':', '')}`,
    `sha256 Fingerprint=${A}`,
    ` SHA-256: ${A.replaceAll(':', ' ')}\n`,
  ]) {
    t.equal(fingerprintOf(text), A, text);
  }
  for (const text of ['', 'AB', `${A}:AB`, A.replace('A', 'G'), `sha1:${A}`]) {
    t.equal(fingerprintOf(text), null, text);
  }
});

t.test('pins are added, replaced and removed, and all else in the file stays', async (t) => {
  const file = place(t);
  t.same(readPins(file), []);
  await addPin(file, { host: 'nas', fingerprint: A });
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  t.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
  fs.appendFileSync(file, `\n# mine\nNAS2:443\tsha256:${B.toLowerCase()}  # old\n\n`);
  t.same(readPins(file), [
    { host: 'nas', fingerprint: A },
    { host: 'nas2', fingerprint: B },
  ]);
  await addPin(file, { host: 'nas', fingerprint: B });
  await addPin(file, { host: '[::1]:8443', fingerprint: A });
  await removePin(file, 'nas2');
  t.match(
    fs.readFileSync(file, 'utf8'),
    new RegExp(`^#.*\nnas sha256:${B}\n\n# mine\n\\[::1\\]:8443 sha256:${A}\n$`),
  );
});

t.test('what is not understood is no reason to do without', async (t) => {
  const file = place(t);
  process.env.XDG_CONFIG_HOME = file.replace(/\/midclt\/trusted$/, '');
  t.teardown(() => delete process.env.XDG_CONFIG_HOME);
  t.equal(pinOf('nas'), null);
  await addPin(file, { host: 'nas', fingerprint: A });
  t.equal(pinOf('nas'), A);
  t.equal(pinOf('nas:8443'), null);
  for (const [line, message] of [
    ['nas2', /^Line 3 of .*\/trusted is not 'HOST sha256:FINGERPRINT'$/],
    [`nas2 sha256:AB`, /is not 'HOST/],
    [`nas2 ${A} x`, /is not 'HOST/],
    [`nas ${B}`, /names nas again/],
    [`NAS:443 ${B}`, /names nas again/],
  ] as const) {
    fs.writeFileSync(file, `#\nnas ${A}\n${line}\n`);
    t.throws(() => pinOf('nas'), { code: 'REQUEST', message }, line);
  }
  fs.writeFileSync(file, `nas ${A}\n`);
  fs.chmodSync(file, 0o666);
  t.throws(() => pinOf('nas'), { code: 'FILES', message: /Others can write to .*chmod 600/ });
});
