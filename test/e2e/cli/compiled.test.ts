/** The daemon path runs from what was compiled before, and from nothing that is not its own. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { load } from '../../../lib/cli/compiled.js';
import { surroundings } from '../../support/daemon.js';
import { BINARY, LAUNCHER, shell, until } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

const THIN = path.join(path.dirname(BINARY), 'thin.js');

/** A copy of the program, to spoil. */
function copyOf(t: Test): { bin: string; thin: string; cache: string } {
  const copy = t.testdir();
  const bin = path.join(copy, 'bin');
  fs.cpSync(path.dirname(BINARY), bin, { recursive: true });
  return { bin, thin: path.join(bin, 'thin.js'), cache: path.join(bin, 'thin.cache') };
}

function run(bin: string, rest: string, home = bin) {
  return shell(`"${process.execPath}" "${bin}/midclt.js" ${rest}`, { home });
}

/** Asked in a process with this one's Node and no options of the test runner's. */
async function wasCompiled(thin: string, home: string): Promise<boolean> {
  const module = JSON.stringify(path.join(ROOT, 'dist/lib/cli/compiled.js'));
  const script = `console.log(require(${module}).load(${JSON.stringify(thin)}).wasCompiled)`;
  const file = path.join(home, 'ask.js');
  fs.writeFileSync(file, script);
  const { stdout } = await shell(`"${process.execPath}" "${file}"`, { home });
  return stdout === 'true\n';
}

function withBitTurned(data: Buffer, at: number): Buffer {
  const turned = Buffer.from(data);
  turned.writeUInt8(turned.readUInt8(at) ^ 1, at);
  return turned;
}

t.test('what is built is compiled', async (t) => {
  for (const name of ['thin.js', 'direct.js', 'full.js', 'sandbox.js'])
    t.equal(await wasCompiled(path.join(path.dirname(THIN), name), t.testdir()), true, name);
});

t.test('a text that was changed is not run as it was, though it be as long', async (t) => {
  const { bin, thin } = copyOf(t);
  const text = fs.readFileSync(thin, 'utf8');
  fs.writeFileSync(thin, text.replaceAll('"0.1.0"', '"9.9.9"'));
  t.equal(await wasCompiled(thin, bin), false);
  t.match(await run(bin, '--version'), { code: 0, stdout: 'midclt 9.9.9\n', stderr: '' });
});

t.test('another Node’s data is not taken, nor is a part of one’s own', async (t) => {
  const { bin, thin, cache } = copyOf(t);
  const good = fs.readFileSync(cache);
  const text = good.toString('latin1');
  const others: Record<string, Buffer> = {
    'another Node': Buffer.from(text.replace(process.version, 'v20.0.0'), 'latin1'),
    'a Node elsewhere': Buffer.from(text.replace(process.execPath, '/opt/node'), 'latin1'),
    'half of it': good.subarray(0, good.length - 1000),
    'the text alone': good.subarray(0, fs.statSync(thin).size + 80),
    nothing: Buffer.alloc(0),
    noise: Buffer.alloc(good.length, 'x'),
    'a page of it lost': Buffer.from(good).fill(0, good.length - 40_000, good.length - 36_000),
    'the end of it lost': Buffer.from(good).fill(0, good.length - 20_000),
    'one bit of it turned': withBitTurned(good, good.length - 30_000),
  };
  for (const [name, content] of Object.entries(others)) {
    fs.writeFileSync(cache, content);
    t.equal(await wasCompiled(thin, bin), false, name);
    t.match(await run(bin, '--version'), { code: 0, stdout: /^midclt \d/, stderr: '' }, name);
  }
  fs.rmSync(cache);
  t.match(await run(bin, '--version'), { code: 0, stdout: /^midclt \d/, stderr: '' }, 'none');
});

t.test('a daemon has it compiled where that can be written', async (t) => {
  const { bin, thin, cache } = copyOf(t);
  fs.rmSync(cache);
  const { home, uri } = await surroundings(t);
  const daemon = `"${process.execPath}" "${bin}/midclt.js" -u "${uri}" daemon`;
  const script = `${daemon} >/dev/null 2>&1 & echo $!`;
  const { stdout } = await shell(script, { home });
  t.teardown(() => process.kill(Number(stdout), 'SIGKILL'));
  await until('the compiled file', () => fs.existsSync(cache));
  t.equal(await wasCompiled(thin, bin), true);
  t.match(await run(bin, `-u "${uri}" -d call core.ping`, home), { code: 0, stdout: 'pong\n' });
  const drafts = () => fs.readdirSync(bin).filter((name) => /cache\.\d+$/.test(name));
  t.same(drafts(), []);
});

t.test('a script that is not there is no cache’s fault', async (t) => {
  t.throws(() => load(path.join(t.testdir(), 'none.js')), { code: 'ENOENT' });
});

t.test('a Node that does not know its own path runs it all the same', async (t) => {
  const { bin, thin } = copyOf(t);
  const module = JSON.stringify(path.join(ROOT, 'dist/lib/cli/compiled.js'));
  const file = path.join(bin, 'ask.js');
  fs.writeFileSync(
    file,
    `process.execPath = 'node';
     const { wasCompiled, keep } = require(${module}).load(${JSON.stringify(thin)});
     console.log(wasCompiled);
     try { keep(); } catch { console.log('not kept'); }`,
  );
  const { stdout } = await shell(`"${process.execPath}" "${file}"`, { home: bin });
  t.equal(stdout, 'false\nnot kept\n');
});

t.test('a Node that is too old is told, and runs nothing', async (t) => {
  const home = t.testdir({
    'old.js': `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } });`,
  });
  const { code, stdout, stderr } = await shell(
    `"${process.execPath}" --require "${home}/old.js" "${BINARY}" call core.ping`,
    { home },
  );
  t.same({ code, stdout }, { code: 1, stdout: '' });
  t.match(stderr, /^Error: midclt needs Node 20\.19 or later, and \S+ is 18\.20\.8; https.*\n$/);
});

t.test('the launcher tells that there is no Node', async (t) => {
  const home = t.testdir();
  t.match(await shell(`PATH=/nowhere /bin/sh "${LAUNCHER}" call core.ping`, { home }), {
    code: 127,
    stdout: '',
    stderr: 'Error: midclt needs Node 20.19 or later, and there is no node in PATH\n',
  });
});
