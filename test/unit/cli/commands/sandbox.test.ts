import { execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { promisify } from 'node:util';
import t, { type Test as TapTest } from 'tap';
import { runSandbox, type SandboxArguments } from '../../../../lib/cli/commands/sandbox.js';
import { environment, finished, makeHome, shell } from '../../../support/midclt.js';
import { ROOT } from '../../../support/root.js';

function temporary(test: TapTest): string {
  const directory = fs.mkdtempSync('/tmp/m-');
  test.teardown(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Runs the command until `stop` is called; what it wrote is in `written`. */
function command(args: Partial<SandboxArguments>) {
  const stop = new AbortController();
  const written = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
      return true;
    },
  });
  const io = { stdout: sink('stdout'), stderr: sink('stderr'), stop: stop.signal };
  const code = runSandbox({ unix: null, ws: null, wss: null, certificate: null, ...args }, io);
  return { code, written, stop };
}

t.test('the command says where it listens, and removes its socket when it ends', async (test) => {
  const unix = path.join(temporary(test), 's');
  const { code, written, stop } = command({ unix, ws: 0 });
  while (written.stdout === '') await new Promise(setImmediate);
  const lines = written.stdout.split('\n');
  test.equal(
    lines[0],
    `Sandbox (a simulation, not a TrueNAS) listening. Use: midclt -u ws+unix://${unix} -d call system.info`,
  );
  test.match(lines[1], /-u ws:\/\/127\.0\.0\.1:\d+\/api\/current -U admin -P admin-pw/);
  test.match(lines[2], /^Users: admin/);
  test.equal(lines[3], 'API keys, to give as -U USER -K KEY:');
  test.same(
    lines.slice(4),
    [
      '  admin  2-HGFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210lairetaMyeKipAwMlaeR',
      '  reader 3-ExampleApiKeyMaterial0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH',
      '  admin  4-ExampleApiKeyMaterial0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH (expired)',
      '  otp    5-ExampleApiKeyMaterial0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH',
      '',
    ],
    'each with its user',
  );
  const second = command({ unix });
  test.equal(await second.code, 1);
  test.same(second.written, {
    stdout: '',
    stderr: `midclt sandbox: can't listen on ${unix}: already in use\n`,
  });
  stop.abort();
  test.equal(await code, 0);
  test.notOk(fs.existsSync(unix));
});

t.test('the command ends on a signal, too', async (test) => {
  const unix = path.join(temporary(test), 's');
  const { code, written } = command({ unix });
  while (written.stdout === '') await new Promise(setImmediate);
  test.equal(written.stdout.split('\n').length, 2, 'over a Unix socket nobody needs to log in');
  process.emit('SIGTERM', 'SIGTERM');
  test.equal(await code, 0);
  test.notOk(fs.existsSync(unix));
});

t.test('a directory that is not there is named so', async (test) => {
  const unix = path.join(temporary(test), 'none/s');
  const { code, written } = command({ unix });
  test.equal(await code, 1);
  test.equal(written.stderr, `midclt sandbox: can't listen on ${unix}: no such directory\n`);
});

t.test('a port that is taken is named', async (test) => {
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  test.teardown(() => holder.close());
  const { port } = holder.address() as net.AddressInfo;
  const { code, written } = command({ ws: port });
  test.equal(await code, 1);
  test.equal(written.stderr, `midclt sandbox: can't listen on port ${port}: already in use\n`);
});

/** A handshake in a process of its own: what it says of the connection. */
async function handshake(uri: string, env: NodeJS.ProcessEnv): Promise<string> {
  const script = `
    const socket = new (require('ws'))(${JSON.stringify(uri)});
    socket.on('open', () => { console.log('open'); socket.close(); });
    socket.on('error', (error) => console.log(error.code));`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['-e', script], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...env },
  });
  return stdout.trim();
}

t.test(
  'a program told to trust the written certificate connects, another does not',
  async (test) => {
    const file = path.join(temporary(test), "the sandbox's.pem");
    const umask = process.umask(0o022);
    test.teardown(() => process.umask(umask));
    const { code, written, stop } = command({ wss: 0, certificate: file });
    while (written.stdout === '') await new Promise(setImmediate);
    const [line = '', users] = written.stdout.split('\n');
    const uri = /wss:\/\/127\.0\.0\.1:\d+\/api\/current/.exec(line)?.[0] ?? '';
    test.equal(
      line,
      `Sandbox (a simulation, not a TrueNAS) listening. Use: midclt --ca-file ${file.replace(/[ ']/g, '\\$&')} ` +
        `-u ${uri} -U admin -P admin-pw -d call system.info`,
    );
    test.match(users, /^Users: admin/);
    test.equal(fs.statSync(file).mode & 0o777, 0o644);
    test.notMatch(fs.readFileSync(file, 'utf8'), 'PRIVATE');
    test.equal(await handshake(uri, { NODE_EXTRA_CA_CERTS: file }), 'open');
    test.equal(await handshake(uri, {}), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    stop.abort();
    test.equal(await code, 0);
  },
);

t.test('without a file for the certificate, the line asks for no trust', async (test) => {
  const { code, written, stop } = command({ wss: 0, ws: 0 });
  while (written.stdout === '') await new Promise(setImmediate);
  const [plain = '', secure = ''] = written.stdout.split('\n');
  test.match(plain, /Use: midclt -u ws:/);
  test.match(secure, /Use: midclt --insecure -u wss:\/\/127\.0\.0\.1:\d+\/api\/current -U admin /);
  stop.abort();
  test.equal(await code, 0);
});

t.test('a certificate that is not there, or has no place, is an error', async (test) => {
  const directory = temporary(test);
  const unasked = command({ ws: 0, certificate: path.join(directory, 'c.pem') });
  test.equal(await unasked.code, 2);
  test.match(unasked.written.stderr, /^midclt sandbox: error: argument --certificate: only with/);
  const unix = path.join(directory, 's');
  const nowhere = path.join(directory, 'missing', 'c.pem');
  const failed = command({ unix, wss: 0, certificate: nowhere });
  test.equal(await failed.code, 1);
  test.same(failed.written, {
    stdout: '',
    stderr: `midclt sandbox: can't write ${nowhere}: no such directory\n`,
  });
  test.same(fs.readdirSync(directory), [], 'the socket is gone again');
});

t.test('it runs from the packed package alone, installed where links lead to it', async (test) => {
  const home = makeHome(test);
  const { code, stderr } = await shell(
    `(cd "${ROOT}" && npm pack --ignore-scripts --silent --pack-destination "${home}" </dev/null) &&
     mkdir bin lib && tar xzf midclt-*.tgz -C lib && ln -s ../lib/package/dist/bin/midclt.js bin/midclt`,
    { home },
  );
  test.equal(code, 0, stderr);
  const program = `${home}/bin/midclt`;
  const unix = `${home}/s`;
  // tap puts its own hooks into every Node child by NODE_OPTIONS.
  const command = ['-u', 'NODE_OPTIONS', process.execPath, program];
  const sandbox = spawn('env', [...command, 'sandbox', '--unix', unix, '--wss', '0'], {
    env: environment(home),
  });
  const ended = finished(sandbox);
  await Promise.race([new Promise((resolve) => sandbox.stdout.once('data', resolve)), ended]);
  const call = `"${process.execPath}" "${program}" -u "ws+unix://${unix}" call core.ping`;
  test.match(await shell(call, { home }), { code: 0, stdout: 'pong\n', stderr: '' });
  sandbox.kill('SIGTERM');
  test.match(await ended, { code: 0, stdout: /^Sandbox .* listening/, stderr: '' });
});
