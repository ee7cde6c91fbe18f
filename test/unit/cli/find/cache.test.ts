/** The file that keeps what a server has said of its methods: what is not as it should be is none. */
import fs from 'node:fs';
import t from 'tap';
import { readCache, writeCache } from '../../../../lib/cli/find/cache.js';
import { rowsOf } from '../../../../lib/cli/find/catalog.js';
import { makeHome } from '../../../support/midclt.js';

const NAME = { uri: 'wss://nas/api/current', username: 'admin' };
const STAMP = { version: 'TrueNAS-27.0.0 "x"\n', user: 'ädmin' };
const ANSWER = Buffer.from(
  '{"b.c": {"description": "Does.\\tIt. More", "job": true, "downloadable": true}, "a.b": {"job": false, "n": 2.0}}',
);

const home = makeHome(t);
process.env.MIDCLT_HOME = `${home}/d`;
const rows = rowsOf(ANSWER) ?? [];

/** Writes it, and returns the file. */
function write(): string {
  writeCache(NAME, STAMP, 'admin 5', rows, ANSWER);
  const [name, ...more] = fs.readdirSync(`${home}/d`);
  t.same(more, []);
  return `${home}/d/${name ?? ''}`;
}

t.test('what is kept comes back, of this URI and user', async (t) => {
  t.equal(readCache(NAME), null);
  const file = write();
  t.match(file, /\/daemon-[0-9a-f]{12}\.methods$/);
  t.equal(fs.statSync(file).mode & 0o7777, 0o600);
  t.equal(fs.statSync(`${home}/d`).mode & 0o7777, 0o700);
  const cached = readCache(NAME);
  t.match(cached, { ...STAMP, login: 'admin 5', rows });
  t.match(rows, [
    { name: 'a.b', job: false, summary: '' },
    { name: 'b.c', job: true, downloadable: true, uploadable: false, summary: 'Does' },
  ]);
  t.same(
    rows.map((row) => cached?.entryOf(row)?.toString()),
    [
      '{"job": false, "n": 2.0}',
      '{"description": "Does.\\tIt. More", "job": true, "downloadable": true}',
    ],
  );
  t.equal(readCache({ ...NAME, username: 'other' }), null);
});

t.test('an index whose data has been replaced is of no use', async (t) => {
  write();
  const cached = readCache(NAME);
  const [row] = rows;
  if (!row || !cached) throw new Error('no cache');
  write();
  t.equal(cached.entryOf(row), null);
  const file = write();
  const before = readCache(NAME);
  fs.rmSync(file);
  t.equal(before?.entryOf(row), null);
});

t.test('what is not as it should be is no cache', async (t) => {
  const file = write();
  const good = fs.readFileSync(file);
  const change = (from: string | RegExp, to: string) => {
    const text = good.toString('latin1').replace(from, to);
    t.not(text, good.toString('latin1'));
    fs.writeFileSync(file, text, 'latin1');
  };
  const bad: [what: string, spoil: () => void][] = [
    ['a day old', () => { change(/"asked":\d+/, `"asked":${Date.now() - 25 * 3_600_000}`); }],
    ['of tomorrow', () => { change(/"asked":\d+/, `"asked":${Date.now() + 3_600_000}`); }],
    ['another format', () => { change('"format":1', '"format":2'); }],
    ['no version', () => { change('"version"', '"Version"'); }],
    ['a line without numbers', () => { change(/\na\.b\t\t\d+/, '\na.b\t\tx'); }],
    ['a negative place', () => { change(/\na\.b\t\t\d\d/, '\na.b\t\t-1'); }],
    ['too short', () => { fs.truncateSync(file, 300); }],
    ['too long', () => { fs.appendFileSync(file, 'x'); }],
    ['empty', () => { fs.truncateSync(file, 0); }],
    ['garbage', () => { fs.writeFileSync(file, Buffer.alloc(70_000, 0xff)); }],
    ['no header', () => { fs.writeFileSync(file, 'x\n'); }],
    ['deep', () => { fs.writeFileSync(file, `${'['.repeat(4000)}\n`); }],
    ['others may read it', () => { fs.chmodSync(file, 0o640); }],
    ['a link', () => { fs.renameSync(file, `${home}/other`); fs.symlinkSync(`${home}/other`, file); }],
  ]; // prettier-ignore
  for (const [what, spoil] of bad) {
    fs.rmSync(file, { force: true });
    fs.writeFileSync(file, good, { mode: 0o600 });
    t.ok(readCache(NAME));
    spoil();
    t.equal(readCache(NAME), null, what);
    write();
    t.ok(readCache(NAME), `${what}, and replaced`);
  }
  t.equal(fs.lstatSync(file).isFile(), true);

  change('"n": 2.0', '"n": 2.x');
  const [row] = rows;
  t.equal(row && readCache(NAME)?.entryOf(row), null, 'data that is no JSON');

  fs.rmSync(file);
  fs.mkdirSync(file);
  t.equal(readCache(NAME), null, 'a directory');
  write();
  t.same(fs.readdirSync(`${home}/d`).length, 1, 'nothing is left behind');
});
