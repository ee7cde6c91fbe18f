/** Transfers of a gigabyte in constant memory, one that stalls, and a server that goes away. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import t from 'tap';
import { contentAt } from '../../lib/sandbox/files/content.js';
import { startDaemon, surroundings } from '../support/daemon.js';
import { finished, makeHome, midclt, spawnMidclt, until } from '../support/midclt.js';
import { spawnMeasured } from '../support/peak.js';
import { startSandboxProcess } from '../support/sandbox-process.js';

t.setTimeout(600_000);
t.jobs = 4; // most of them wait, side by side

const SIZE = Number(process.env.MIDCLT_TEST_FILE_BYTES ?? 1e9);
/** Mebibytes of the largest transfer above those of a small one. */
const GROWTH = 80;

/** The command's peak of memory in MiB. */
async function peakOf(args: readonly string[], home: string): Promise<number> {
  const { child, peak } = spawnMeasured(args, home);
  t.match(await finished(child), { code: 0, stderr: '' }, args.join(' '));
  return peak();
}

t.test(
  `${SIZE / 1e9} GB each way`,
  { skip: !fs.existsSync('/proc/self') && 'needs /proc' },
  async (t) => {
    const home = makeHome(t);
    await startSandboxProcess(t, { unix: `${home}/mw.sock` });
    const globals = ['-u', `ws+unix://${home}/mw.sock`];
    const down = (size: number, file: string) => [
      ...globals,
      'download',
      'test.download',
      `${size}`,
      '-o',
      file,
    ];
    const least = await peakOf(down(3_000_000, 'small'), home);
    const most = await peakOf(down(SIZE, 'big'), home);
    t.ok(most < least + GROWTH, `down: ${most} after ${least} MiB`);
    const hash = createHash('sha256');
    for await (const piece of fs.createReadStream(`${home}/big`)) hash.update(piece as Buffer);
    const expected = createHash('sha256');
    for (let at = 0; at < SIZE; at += 1e6) expected.update(contentAt(at, Math.min(1e6, SIZE - at)));
    t.equal(hash.digest('hex'), expected.digest('hex'), 'what came is what was sent');
    const up = (file: string) => [
      ...globals,
      'upload',
      'test.upload',
      '{"hash": false}',
      '--file',
      file,
    ];
    const small = await peakOf(up('small'), home);
    const big = await peakOf(up('big'), home);
    t.ok(big < small + GROWTH, `up: ${big} after ${small} MiB`);
  },
);

t.test('a file server that says no more when the job has ended is given up', async (t) => {
  const daemon = await startDaemon(t, { around: await surroundings(t) });
  const { home, sandbox } = daemon;
  sandbox.setFileFault({ stallAfter: 20_000 });
  const run = await daemon.d(['download', 'test.download', '50000', '-o', `${home}/x`]);
  t.match(run, {
    code: 1,
    stdout: '',
    stderr:
      /^Error: The connection for the transfer ended after 20000 bytes \(the job has ended, and no more came\)\n$/,
  });
  t.same(
    fs.readdirSync(home).filter((name) => /^x$|part$/.test(name)),
    [],
  );
});

t.test('a server that is killed in the midst, and one that is started again', async (t) => {
  const home = makeHome(t);
  const sandbox = await startSandboxProcess(t, { unix: `${home}/mw.sock` });
  const uri = `ws+unix://${home}/mw.sock`;
  await startDaemon(t, { around: { home, uri, sandbox: null as never }, uri });
  fs.writeFileSync(`${home}/f`, 'old');
  for (const way of [['-d'], []]) {
    const args = [
      '-u',
      uri,
      ...way,
      'download',
      'test.download',
      '900000',
      '{"chunk": 10000, "delay": 0.05}',
      '-o',
      'f',
    ];
    const running = finished(spawnMidclt(args, { home }));
    const parts = () => fs.readdirSync(home).filter((name) => /part$/.test(name));
    await until('the transfer', () =>
      parts().some((name) => fs.statSync(`${home}/${name}`).size > 30_000),
    );
    // It ends although the server stays away, for whose answer about the job the daemon waits on.
    await sandbox.kill();
    const run = await running;
    await sandbox.restart();
    t.match(run, {
      code: 1,
      stdout: '',
      stderr: /^Error: The connection for the transfer ended after \d+ bytes \(.+\)\n$/,
    });
    t.equal(fs.readFileSync(`${home}/f`, 'utf8'), 'old');
    t.same(parts(), []);
    fs.writeFileSync(`${home}/up`, Buffer.alloc(3_000_000));
    const up = spawnMidclt(
      ['-u', uri, ...way, 'upload', 'test.upload', '{"delay": 0.1}', '--file', 'up'],
      { home },
    );
    const upping = finished(up);
    await until('the upload', async () => (await sandbox.ask('countOf', 'test.upload')) > 0);
    await sandbox.restart();
    t.match(await upping, { code: 1, stdout: '', stderr: /may have taken what came/ });
  }
  t.match(await midclt(['-u', uri, '-d', 'ping'], { home }), { code: 0 });
});

t.test(
  'silence: of the server it ends a transfer, of who reads the output it does not',
  async (t) => {
    const [silent, slow] = await Promise.all([surroundings(t), surroundings(t)]);
    const id = await midclt(['-u', silent.uri, 'call', 'test.job_logged', '3'], {
      home: silent.home,
    });
    silent.sandbox.setFileFault({ stallAfter: 3 });
    const log = midclt(['-u', silent.uri, 'job', 'log', id.stdout.trim()], { home: silent.home });
    const args = ['-u', slow.uri, 'download', 'test.download', '400000', '-o', '-'];
    const child = spawnMidclt(args, { home: slow.home });
    await new Promise((resolve) => setTimeout(resolve, 65_000)); // nobody reads
    t.equal(child.exitCode, null, 'it waits for its reader');
    const { code, stdout, stderr } = await finished(child);
    t.match({ code, stderr }, { code: 0, stderr: '' });
    t.ok(stdout.length > 300_000);
    t.match(await log, { code: 1, stderr: /ended after 3 bytes \(no more came\)\n$/ });
  },
);
