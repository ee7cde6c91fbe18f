/** The log's file: full, renamed by others, on a full disk. No line is lost or cut but for want of room. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { followLog, lastLines } from '../../../../lib/daemon/log/reader.js';
import { openLog, type DaemonLog, type Rotation } from '../../../../lib/daemon/log/log.js';
import { makeHome, until } from '../../../support/midclt.js';

interface Opened extends DaemonLog {
  /** What was said on its stderr. */
  readonly said: () => string;
}

function open(file: string, rotation: Partial<Rotation>): Opened {
  let text = '';
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { ...openLog(file, { stderr, rotation }), said: () => text };
}

/** The numbers of the events in these files; throws for a line that is none. */
function numbersIn(...files: string[]): number[] {
  return files
    .filter((file) => fs.existsSync(file))
    .flatMap((file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean))
    .map((line) => JSON.parse(line) as { n?: number })
    .flatMap(({ n }) => (n === undefined ? [] : [n]));
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const all = (file: string) => [`${file}.3`, `${file}.2`, `${file}.1`, file];

t.test('F32: a full file is renamed, three old ones are kept, each 0600', async (t) => {
  const file = `${makeHome(t)}/x.log`;
  fs.writeFileSync(`${file}.1`, '{"n":-1}\n', { mode: 0o644 });
  const log = open(file, { maxBytes: 2000 });
  for (const n of upTo(60)) log.log('info', 'line', { n });
  await log.close();
  const numbers = numbersIn(...all(file)).filter((n) => n >= 0);
  t.same(numbers, upTo(60).slice(-numbers.length), 'in order, without a gap');
  t.equal(numbers.at(-1), 59);
  t.ok(numbers.length >= 60, 'all of them');
  for (const each of all(file)) {
    t.ok(fs.statSync(each).size <= 2000, each);
    t.equal(fs.statSync(each).mode & 0o777, 0o600);
  }
  const more = open(file, { maxBytes: 2000 });
  for (const n of upTo(60)) more.log('info', 'line', { n: 60 + n });
  await more.close();
  const later = numbersIn(...all(file));
  t.same(later, upTo(120).slice(-later.length), 'the oldest are gone');
  t.ok(later.length < 120);
  t.notOk(fs.existsSync(`${file}.4`));
  t.equal(log.said() + more.said(), '');
});

t.test('F32: a line longer than a file is written whole', async (t) => {
  const file = `${makeHome(t)}/x.log`;
  const log = open(file, { maxBytes: 100 });
  for (const n of [0, 1]) log.log('info', 'x'.repeat(500), { n });
  await log.close();
  t.same([numbersIn(`${file}.1`), numbersIn(file)], [[0], [1]]);
});

t.test('F32: the log follows its path when others rename, remove or empty the file', async (t) => {
  const file = `${makeHome(t)}/x.log`;
  const log = open(file, { lookEvery: 0 });
  const written = (n: number, ...files: string[]) =>
    until(`line ${n}`, () => numbersIn(...files).includes(n));
  log.log('info', 'line', { n: 0 });
  await written(0, file);
  fs.renameSync(file, `${file}.old`);
  log.log('info', 'line', { n: 1 });
  await written(1, file);
  t.same(numbersIn(`${file}.old`), [0]);
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  fs.unlinkSync(file);
  log.log('info', 'line', { n: 2 });
  await written(2, file);
  fs.truncateSync(file); // logrotate's copytruncate
  log.log('info', 'line', { n: 3 });
  await written(3, file);
  fs.unlinkSync(file);
  fs.writeFileSync(file, '', { mode: 0o644 }); // logrotate's create
  log.log('info', 'line', { n: 4 });
  await written(4, file);
  t.equal(fs.statSync(file).mode & 0o777, 0o600, 'tightened');
  await log.close();
  t.same(numbersIn(file), [4]);
});

t.test('F32: no line is lost or cut while the file is renamed all the time', async (t) => {
  const home = makeHome(t);
  const file = `${home}/x.log`;
  const log = open(file, { lookEvery: 1 });
  let renamed = 0;
  // Who writes faster than the disk takes it loses lines, which is another matter.
  const rename = async () => {
    await until('the file', () => fs.existsSync(file));
    fs.renameSync(file, `${home}/${String(renamed++).padStart(5, '0')}`);
  };
  let n = 0;
  for (; renamed < 10; n++) {
    log.log('info', 'line', { n });
    if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    if (n % 100 === 99) await rename();
  }
  await log.close();
  const files = fs.readdirSync(home).sort();
  t.same(
    numbersIn(...files.map((name) => `${home}/${name}`)).sort((x, y) => x - y),
    upTo(n),
  );
});

t.test('two daemons with one log file lose nothing when it is full', async (t) => {
  const file = `${makeHome(t)}/x.log`;
  const rotation = { maxBytes: 50_000, lookEvery: 0 };
  const logs = [open(file, rotation), open(file, rotation)];
  for (const n of upTo(800)) {
    logs[n % 2]?.log('info', 'line', { n });
    if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(logs.map((log) => log.close()));
  t.same(
    numbersIn(...all(file)).sort((a, b) => a - b),
    upTo(800),
  );
});

t.test('a file that ends within a line gets its newline first', async (t) => {
  const file = `${makeHome(t)}/x.log`;
  fs.writeFileSync(file, '{"time":"cut');
  const log = open(file, {});
  log.log('info', 'line', { n: 0 });
  await log.close();
  t.match(fs.readFileSync(file, 'utf8'), /^\{"time":"cut\n\{.*"n":0\}\n$/);
});

t.test('a log that cannot be renamed goes on in its file, and says so once', async (t) => {
  const file = `${makeHome(t)}/x.log`;
  fs.mkdirSync(`${file}.1`);
  fs.writeFileSync(`${file}.1/x`, '');
  const log = open(file, { maxBytes: 1000, retryAfter: 0 });
  for (const n of upTo(50)) log.log('info', 'line', { n });
  await log.close();
  t.same(numbersIn(file), upTo(50));
  t.match(log.said(), /^Cannot rotate the log file .*x\.log: .*\(E[A-Z]+\)\n$/);
});

/** A file system that is soon full. */
function smallDisk(t: Test): string | null {
  const directory = makeHome(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', directory]);
  if (mounted.status !== 0) return null;
  t.teardown(() => spawnSync('umount', [directory]));
  return directory;
}

t.test('F33: on a full disk lines are dropped, and counted when there is room again', async (t) => {
  const disk = smallDisk(t);
  if (disk === null) {
    t.comment('skipped: no file system can be mounted');
    return;
  }
  const file = `${disk}/x.log`;
  fs.writeFileSync(`${disk}/ballast`, Buffer.alloc(48 * 1024));
  const log = open(file, { retryAfter: 0 });
  for (const n of upTo(300)) log.log('info', 'line', { n });
  await until('the disk to be full', () => log.said() !== '');
  t.match(log.said(), /^Cannot write the log file .*x\.log: .*\(ENOSPC\)\n$/);
  // The disk may be full just where a line ends.
  if (!fs.readFileSync(file, 'utf8').endsWith('\n')) t.throws(() => numbersIn(file), 'cut');
  fs.unlinkSync(`${disk}/ballast`);
  for (const n of upTo(3)) log.log('info', 'line', { n: 300 + n });
  await log.close();
  const numbers = numbersIn(file);
  t.equal(numbers.at(-1), 302, 'there is room again, and the cut line is whole');
  const lost = fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes('log lines lost'))
    .map((line) => JSON.parse(line) as { lines: number });
  // None are where the room came before the next try.
  for (const line of lost) t.match(line, { level: 'warning', pid: process.pid });
  const sum = lost.reduce((sum, { lines }) => sum + lines, 0);
  t.equal(sum, 303 - numbers.length, 'they are counted');
  t.equal(log.said().split('\n').length, 2, 'said once');
});

t.test(
  'F32: who follows goes on to what was renamed, also while the newest is empty',
  async (t) => {
    const file = `${makeHome(t)}/x.log`;
    const names = [`${file}.3`, `${file}.2`, `${file}.1`, file];
    fs.writeFileSync(file, 'first\n');
    const descriptor = fs.openSync(file, 'r');
    const seen: string[] = [];
    const followed = followLog(file, descriptor, 0, (lines) => {
      seen.push(...lines.map(String));
      if (seen.at(-1) === 'last') throw new Error('enough');
    });
    const rotate = (text: string) => {
      for (const [i, name] of names.entries()) {
        if (i > 0 && fs.existsSync(name)) fs.renameSync(name, names[i - 1]!);
      }
      fs.writeFileSync(file, text);
    };
    for (const text of ['second\n', '']) rotate(text);
    await until('what was between', () => seen.includes('second'));
    // By now there is none before it.
    for (const text of ['third\n', 'last\n']) rotate(text);
    await t.rejects(followed, { message: 'enough' });
    t.same(seen, ['first', 'second', 'third', 'last']);
  },
);

t.test('F32: a long line is not cut in two by the blank ones behind it', (t) => {
  const file = `${makeHome(t)}/x.log`;
  const long = 'x'.repeat(70_000);
  fs.writeFileSync(file, `first\n${long}\n\n\n\n`);
  const descriptor = fs.openSync(file, 'r');
  t.teardown(() => {
    fs.closeSync(descriptor);
  });
  for (const [count, expected] of [['first', long], [long]].entries()) {
    const { lines } = lastLines(file, descriptor, 2 - count, true);
    t.ok(Buffer.concat(lines).equals(Buffer.from(expected.join(''))), `${2 - count} lines`);
  }
  t.end();
});
