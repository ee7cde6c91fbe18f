/** F44: descriptors used up, the daemon's or one's own, and daemons that answer nonsense: nothing false is said. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { surroundings } from '../support/daemon.js';
import { AUTOSTART, filesOf, pidIn } from '../support/lifecycle.js';
import { BINARY, environment, makeHome, midclt, shell, until } from '../support/midclt.js';

t.setTimeout(600_000);

/** Of the daemon: what it needs to start, and a few. */
const FEW = 40;

/** A server at the place of the local middleware's daemon, which does with a connection what the test says. */
async function impostor(t: Test, serve: (socket: net.Socket) => void) {
  const home = makeHome(t);
  const { socket, pid } = filesOf(home, null);
  fs.mkdirSync(path.dirname(socket), { mode: 0o700 });
  const server = net.createServer((connection) => {
    connection.on('error', () => undefined);
    serve(connection);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => server.close());
  fs.writeFileSync(pid, `${process.pid}`);
  return { home, run: (args: readonly string[]) => midclt(args, { home, env: AUTOSTART }) };
}

t.test('F44: a daemon that can open no more files is not said to be none', async (t) => {
  const { home, uri } = await surroundings(t);
  const command = `unset NODE_OPTIONS; ulimit -n ${FEW}; exec "$NODE" "$BINARY" -u "$URI" daemon`;
  const env = environment(home, { NODE: process.execPath, BINARY, URI: uri });
  const child = spawn('/bin/sh', ['-c', command], { env, cwd: home });
  t.teardown(() => child.kill('SIGKILL'));
  const { socket, pid } = filesOf(home, uri);
  await until('the daemon', () => fs.existsSync(socket));
  const clients = Array.from({ length: FEW + 10 }, () => net.connect(socket));
  t.teardown(() => {
    for (const client of clients) client.destroy();
  });
  for (const client of clients) client.on('error', () => undefined).resume();
  await until('it to have no more', () => clients.some(({ destroyed }) => destroyed));
  for (const args of [
    ['daemon-status'],
    ['-d', 'ping'],
    ['-d', 'call', 'core.ping'],
    ['--no-autostart', '-d', 'ping'],
    ['daemon-list'],
  ]) {
    const { code, stdout, stderr } = await midclt(['-u', uri, ...args], { home, env: AUTOSTART });
    const what = args.join(' ');
    // Served all the same, or refused with the truth.
    t.notMatch(stdout + stderr, /No daemon is|ended before|gone/, what);
    if (code !== 0) t.match(stderr, /^(?:Error: |Ping failed: )?The daemon[^\n]*\n$/, what);
    if (code !== 0) t.match(stderr, /connection|files/, what);
  }
  for (const client of clients.splice(0)) client.destroy();
  await until('it to have room again', async () => {
    const { code } = await midclt(['-u', uri, '-d', 'ping'], { home });
    return code === 0;
  });
  t.equal(pidIn(pid), child.pid, 'it was there all the time');
});

t.test('F44: a daemon that closes every connection unread is told from none', async (t) => {
  const { run } = await impostor(t, (connection) => {
    connection.destroy();
  });
  for (const args of [
    ['daemon-status'],
    ['daemon-stop'],
    ['daemon-stop', '--all'],
    ['-d', 'ping'],
    ['-d', 'call', 'core.ping'],
  ]) {
    const { code, stdout, stderr } = await run(args);
    t.match({ code, stdout }, { code: 1, stdout: '' }, args.join(' '));
    t.match(
      stderr,
      new RegExp(`^Error: The daemon \\(pid ${process.pid}\\) runs and closes [^\\n]*\\n$`),
    );
  }
  t.match(await run(['daemon-list']), { code: 0, stdout: /unusable/, stderr: /runs and closes/ });
});

t.test('a daemon that refuses, or answers nonsense to status, is said to do so', async (t) => {
  const refusal = { type: 'error', error: 'No room', error_type: 'ClientException', trace: null };
  const result = (value: string) => `{"type":"result","result":${value}}`;
  for (const [answer, why] of [
    [JSON.stringify(refusal), 'No room'],
    [result('null'), 'no status'],
    [result('5'), 'no status'],
    [result('{}'), 'no status'],
    [result('[1, 2'), 'no status'],
    [result('{"pid":1,"middleware":{},"calls":{},"jobs":{}}'), 'no status'],
    [result('{"pid":1,"middleware":null,"calls":null,"jobs":null}'), 'no status'],
    [result(`"${'x'.repeat(2_000_000)}"`), 'too long'],
    ['{"type":"progress"', 'no frame'],
    ['hello', 'no frame'],
    ['', 'without an answer'],
  ] as const) {
    const { run } = await impostor(t, (connection) => {
      connection.once('data', () => connection.end(answer === '' ? '' : `${answer}\n`));
    });
    for (const args of [['daemon-status'], ['daemon-status', '--json']]) {
      const { code, stdout, stderr } = await run(args);
      t.match({ code, stdout }, { code: 1, stdout: '' }, answer.slice(0, 60));
      t.match(stderr, new RegExp(`^Error: [^\\n]*${why}[^\\n]*\\n$`), answer.slice(0, 60));
    }
    t.match(await run(['daemon-list']), { code: 0, stdout: /unusable/, stderr: why });
  }
});

t.test('F44: whatever can not be opened, it is said in a line', async (t) => {
  const { home, uri } = await surroundings(t);
  const env = { ...AUTOSTART, NODE: process.execPath, BINARY, URI: uri };
  for (let limit = 18; limit <= 22; limit++) {
    for (const rest of [
      '-d ping',
      '-d batch',
      'call core.ping',
      'daemon --detach',
      'shell-init sh',
    ]) {
      const line = `ulimit -n ${limit}; "$NODE" "$BINARY" -u "$URI" ${rest}`;
      const { code, stderr } = await shell(line, { home, env });
      // Node's own: it could not even read the program.
      if (/EMFILE: too many open files, open '[^']*midclt\.js'/.test(stderr)) continue;
      const what = `${limit}: ${rest}: ${stderr}`;
      t.match(stderr, code === 0 ? /^$/ : /^Error: [^\n]+\n$/, what);
      t.notMatch(stderr, /TypeError|undefined|mistake|No daemon is running\. Start/, what);
    }
    await midclt(['-u', uri, 'daemon-stop'], { home });
  }
});

t.test('a mistake of the program itself is told in a line, without its text', async (t) => {
  const { home, run } = await impostor(t, (connection) => connection.end());
  const broken = `${home}/broken.js`;
  fs.writeFileSync(broken, 'require("net").connect = () => undefined.nothing;');
  const env = { NODE: process.execPath, BINARY, BROKEN: broken };
  const line = '"$NODE" --require "$BROKEN" "$BINARY" -d ping';
  const { code, stdout, stderr } = await shell(line, { home, env });
  t.match({ code, stdout }, { code: 70, stdout: '' });
  t.match(stderr, /^Error: [^\n]*\(TypeError\)[^\n]*MIDCLT_DEBUG=1[^\n]*\n$/);
  t.notMatch(stderr, /undefined/);
  const debug = await shell(line, { home, env: { ...env, MIDCLT_DEBUG: '1' } });
  t.match(debug.stderr, /Cannot read properties[^]*broken\.js/, 'who wants to know sees where');
  t.match(await run(['daemon-list']), { code: 0 });
});
