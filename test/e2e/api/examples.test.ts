/** The scripts in examples/, run as their users run them, each also with something that goes wrong. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { CallError, startSandbox, type SandboxOptions } from '../../../lib/sandbox/kit/index.js';
import { LAUNCHER, environment, makeHome, midclt, shell, until } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

const EXAMPLES = path.join(ROOT, 'examples');

async function sandboxOf(t: Test, options: SandboxOptions) {
  const sandbox = await startSandbox(options);
  t.teardown(() => sandbox.close());
  return sandbox;
}

for (const name of ['backup.sh', 'backup.mjs']) {
  t.test(`${name} saves, rotates, and leaves what was there when it fails`, async (t) => {
    const home = makeHome(t);
    fs.mkdirSync(`${home}/bin`);
    fs.symlinkSync(LAUNCHER, `${home}/bin/midclt`);
    const sandbox = await sandboxOf(t, { downloads: { 'config.save': 'the configuration' } });
    t.teardown(() => midclt(['-u', sandbox.uri, 'daemon-stop'], { home }));
    const env = {
      NAS_URI: sandbox.uri,
      MIDCLT_AUTOSTART: '1',
      PATH: `${home}/bin:${process.env.PATH ?? ''}`,
    };
    const program = name.endsWith('.sh') ? 'sh' : `"${process.execPath}"`;
    const run = (rest: string) => shell(`${program} "${EXAMPLES}/${name}" ${rest}`, { home, env });
    const kept = () => fs.readdirSync(`${home}/kept`).sort();

    fs.mkdirSync(`${home}/kept`);
    for (const day of ['01', '02'])
      fs.writeFileSync(`${home}/kept/config-202601${day}T000000Z.tar`, '');
    fs.writeFileSync(`${home}/kept/other.txt`, '');
    const saved = await run('kept 2');
    t.equal(saved.stderr, '');
    t.match(
      saved.stdout,
      /^saved kept\/config-\w+\.tar\nremoved kept\/config-20260101T000000Z.tar\n$/,
    );
    t.equal(saved.code, 0);
    const [older, newest = '', other] = kept();
    t.same([older, other], ['config-20260102T000000Z.tar', 'other.txt']);
    t.equal(fs.readFileSync(`${home}/kept/${newest}`, 'utf8'), 'the configuration');
    t.equal(fs.statSync(`${home}/kept/${newest}`).mode & 0o777, 0o600);
    t.same(sandbox.calls, [{ method: 'config.save', params: [{ secretseed: true }] }]);

    const before = kept();
    sandbox.setFaults({ files: { cutAfter: 5 } });
    const failed = await run('kept 1');
    t.equal(failed.code, 1);
    t.match(failed.stderr, /5 bytes/);
    t.same(kept(), before);
    t.equal((await run('')).code, 2, 'wrong usage');
  });
}

t.test('watch.mjs tells what changes, over a restart of the NAS, until Ctrl-C', async (t) => {
  const home = makeHome(t);
  const alert = { uuid: 'a', level: 'WARNING', formatted: 'Disk sda is hot' };
  const pool = { id: 1, name: 'tank', status: 'ONLINE' };
  const state = { 'alert.list': [alert], 'pool.query': [pool] };
  const sandbox = await sandboxOf(t, {
    methods: {
      'alert.list': () => state['alert.list'],
      'pool.query': () => state['pool.query'],
    },
    faults: { refuse: 503 },
  });
  const env = environment(home, { NAS_URI: sandbox.uri, RETRY_SECONDS: '0.05' });
  const command = [`${EXAMPLES}/watch.mjs`, 'echo', 'NAS'];
  const child = spawn(process.execPath, command, { env });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (said.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.err += data.toString()));
  const told = (line: string) =>
    until(`${line} in ${said.out}`, () => said.out.split('\n').includes(line));

  await until('it to be refused', () => /^watch: .*503.*; trying again in 0.05 s$/m.test(said.err));
  sandbox.setFaults({ refuse: null });
  await told('NAS WARNING: Disk sda is hot');
  await told('NAS pool tank is ONLINE');
  await sandbox.subscribed('pool.query');
  state['pool.query'] = [{ ...pool, status: 'DEGRADED' }];
  sandbox.emit('pool.query', {}, { id: 1 });
  await told('NAS pool tank is DEGRADED');
  sandbox.drop();
  state['alert.list'] = [];
  await told('NAS over: WARNING: Disk sda is hot');
  child.kill('SIGINT');
  const [code] = await new Promise<[number | null]>((resolve) => {
    child.on('close', (code) => {
      resolve([code]);
    });
  });
  t.equal(code, 0);
  t.equal(said.out.trim().split('\n').length, 4, said.out);
});

t.test('watch.mjs ends with an error that does not pass', async (t) => {
  const home = makeHome(t);
  const refused = () => {
    throw new CallError('Not authorized', 'EACCES');
  };
  const sandbox = await sandboxOf(t, { methods: { 'alert.list': refused, 'pool.query': [] } });
  const run = await shell(`"${process.execPath}" "${EXAMPLES}/watch.mjs"`, {
    home,
    env: { NAS_URI: sandbox.uri },
  });
  t.equal(run.stderr, 'watch: [EACCES] Not authorized\n');
  t.equal(run.code, 1);
});

t.test('fleet.mjs passes its own test, which has a system that is down', async (t) => {
  const home = makeHome(t);
  const run = await shell(`"${process.execPath}" --test "${EXAMPLES}/fleet.test.mjs"`, { home });
  t.equal(run.code, 0, run.stdout);
  t.match(run.stdout, /pass 2\n/);
});
