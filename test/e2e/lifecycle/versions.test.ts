/** F15: daemons and clients of different versions. An older one is this one with its number changed. */
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { exchange, wakeSleeper } from '../../support/daemon.js';
import { ground, isAlive, PASSWORD } from '../../support/lifecycle.js';
import { until } from '../../support/midclt.js';
import { ofVersion, VERSION, versionOf } from '../../support/versions.js';

t.setTimeout(240_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
t.test('F15: an older daemon that is idle answers, and is replaced after it', async (t) => {
  const place = await ground(t);
  const { admin, ws, pid, sandbox } = place;
  const older = ofVersion(t, place, '0.0.9');
  t.match(await older(['--version']), { stdout: 'midclt 0.0.9\n' });
  const login = ['-u', ws, '-U', 'admin'];
  t.match(await older([...login, '-d', 'ping'], PASSWORD), PONG);
  t.equal(await versionOf(place, ...login), '0.0.9');
  const first = pid(ws, 'admin')!;
  const call = await admin(['call', 'test.echo', '1']);
  t.strictSame(call, { code: 0, signal: null, stdout: '[1]\n', stderr: '' });
  t.equal(await versionOf(place, ...login), VERSION);
  const second = pid(ws, 'admin')!;
  t.not(second, first);
  t.equal(sandbox.stats.logins, 2, 'one login more');
  await place.settled(second);
  t.match(await admin(['ping']), PONG);
  t.equal(pid(ws, 'admin'), second, 'and that is that');
  t.equal(sandbox.stats.logins, 2);
});

t.test('F15: an older daemon that is busy serves on, and is not touched', async (t) => {
  const place = await ground(t);
  const { d, uri, pid, sandbox } = place;
  const older = ofVersion(t, place, '0.0.9');
  t.match(await older(['-u', uri, '-d', 'ping']), PONG);
  const first = pid()!;
  const slow = older(['-u', uri, '-d', 'call', 'test.sleep', '3600']);
  await until('it to be in flight', () => sandbox.countOf('test.sleep') > 0);
  for (let i = 0; i < 2; i++) t.match(await d(['call', 'core.ping']), PONG);
  t.ok(isAlive(first));
  wakeSleeper(sandbox);
  t.match(await slow, { code: 0, stdout: '3600\n', stderr: '' });
  t.equal(pid(), first, 'the same');
  t.equal(sandbox.stats.connections, 1);
  t.match(await d(['ping']), PONG, 'now it is idle');
  await until('it to be replaced', () => !isAlive(first));
  await place.settled(pid());
  t.equal(await versionOf(place, '-u', uri), VERSION);
});

t.test(
  'F15: an older daemon is not replaced by whom it could not be started again by',
  async (t) => {
    const place = await ground(t);
    const { run, ws, pid } = place;
    const older = ofVersion(t, place, '0.0.9');
    const login = ['-u', ws, '-U', 'admin'];
    t.match(await older([...login, '-d', 'ping'], PASSWORD), PONG);
    const first = pid(ws, 'admin');
    t.match(await run([...login, '-d', 'ping']), PONG, 'no password');
    t.match(await run([...login, '--no-autostart', '-d', 'ping'], { env: PASSWORD }), PONG);
    const env = { ...PASSWORD, MIDCLT_AUTOSTART: '0' };
    t.match(await run([...login, '-d', 'ping'], { env }), PONG);
    t.equal(pid(ws, 'admin'), first);
    t.equal(place.sandbox.stats.logins, 1);
  },
);

t.test('F15: an older client works with a newer daemon and replaces nothing', async (t) => {
  const place = await ground(t);
  const { d, uri, pid } = place;
  t.match(await d(['ping']), PONG);
  const daemon = pid();
  for (const version of ['0.0.9', '0.1.0-rc.1']) {
    const older = ofVersion(t, place, version);
    for (let i = 0; i < 2; i++) t.match(await older(['-u', uri, '-d', 'call', 'core.ping']), PONG);
  }
  await place.settled(daemon);
  t.equal(pid(), daemon);
  t.equal(place.sandbox.stats.connections, 1);
});

t.test('F15: versions are compared as numbers', async (t) => {
  const place = await ground(t);
  const { d, uri, pid } = place;
  const newer = ofVersion(t, place, '0.10.0');
  t.match(await newer(['-u', uri, '-d', 'ping']), PONG);
  const daemon = pid();
  t.match(await d(['ping']), PONG);
  await place.settled(daemon);
  t.equal(pid(), daemon, `${VERSION} is older than 0.10.0`);
});

t.test(
  'F15: the protocol asked for may be too new, which is said; the version is told who asks',
  async (t) => {
    const place = await ground(t);
    t.match(await place.d(['ping']), PONG);
    const { frames, lines } = await exchange(
      place.files().socket,
      [
        '{"command":"ping","protocol":99,"id":1}',
        '{"command":"call","method":"test.echo","params":[1],"protocol":99}',
        '{"command":"ping","protocol":1}',
        '{"command":"ping","version":"0.0.9"}',
        `{"command":"ping","version":"${VERSION}"}`,
        '{"command":"ping"}',
        '',
      ].join('\n'),
      { halfClose: true },
    );
    t.comment(lines[0]);
    for (const i of [0, 1]) {
      t.match(frames[i], { type: 'error', error: /protocol/i });
      t.match(frames[i]?.error, /99/);
    }
    t.equal(frames[0]?.id, 1);
    t.equal(place.sandbox.countOf('test.echo'), 0, 'nothing was called');
    t.same(frames[2], { type: 'result', result: 'pong' });
    t.same(frames[3], { type: 'result', daemon: VERSION, result: 'pong' });
    t.same(frames[4], { type: 'result', result: 'pong' });
    t.same(frames[5], { type: 'result', result: 'pong' });
  },
);

t.test(
  'F15: a daemon that knows none of this serves, and is neither replaced nor misunderstood',
  async (t) => {
    const place = await ground(t);
    const { d, run, uri, home, files } = place;
    const seen: string[] = [];
    fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (chunk: Buffer) => {
        const { command } = JSON.parse(chunk.toString()) as { command: string };
        seen.push(command);
        const unknown = `{"type": "error", "error": "Unknown command: ${command}", "error_type": "ValueError", "trace": null, "extra": null}`;
        socket.end(`${command === 'status' ? unknown : '{"type": "result", "result": "pong"}'}\n`);
      });
    });
    await new Promise<void>((resolve) => server.listen(files().socket, resolve));
    t.teardown(() => server.close());
    fs.writeFileSync(files().pid, '4194304'); // nobody's
    t.match(await d(['ping']), PONG);
    t.match(await d(['call', 'core.ping']), PONG);
    t.same(seen, ['ping', 'call'], 'it was not told to stop');
    const status = await run(['-u', uri, 'daemon-status']);
    t.match(status, { code: 1, stdout: '', stderr: /running \(pid 4194304\) that does not tell/ });
    t.match(await run(['daemon-list']), { code: 0, stdout: /4194304 +foreign/, stderr: '' });
    t.match(await run(['-u', uri, 'daemon']), {
      code: 1,
      stderr: /already running \(pid 4194304\)/,
    });
  },
);
