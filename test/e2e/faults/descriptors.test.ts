/** F44: descriptors used up. Who wants to see or end the daemon still can, and nobody is told that there is none. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { descriptors, exchange, socketsOf, startDaemon } from '../../support/daemon.js';
import { inTime } from '../../support/in-time.js';
import { ground, isAlive } from '../../support/lifecycle.js';
import { until, type Finished } from '../../support/midclt.js';
import { converse, PING } from '../../support/wire.js';

t.setTimeout(300_000);

const STATUS = '{"command":"status","close":true}\n';

/** Within so many milliseconds a client beyond the limit has said what it wants: it has a second for that. */
const SOON = 800;

/** Runs a command that is served beyond the limit, if the daemon hears in time what it wants. */
function heard(run: () => Promise<Finished>): Promise<Finished> {
  return inTime(SOON, async () => {
    const finished = await run();
    if (finished.code !== 0) throw new Error(finished.stderr);
    return finished;
  });
}

function connectSilently(t: Test, path: string, count: number): { closed: () => number } {
  let closed = 0;
  for (let i = 0; i < count; i++) {
    const socket = net.connect({ path, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.on('close', () => closed++);
    socket.on('end', () => socket.end());
    socket.resume();
    t.teardown(() => socket.destroy());
  }
  return { closed: () => closed };
}

t.test('F44: at the descriptor limit the daemon shows itself, and can be stopped', async (t) => {
  const place = await ground(t);
  const { d, run, uri, pid, files } = place;
  const limit = 200;
  t.match(await place.sh(`ulimit -n ${limit}; midclt daemon --detach`), { code: 0 });
  const daemon = pid()!;
  const silent = connectSilently(t, files().socket, 300);
  await until('some to be refused', () => silent.closed() > 100);
  t.ok(silent.closed() < 250, `${300 - silent.closed()} are kept`);
  t.ok(descriptors(daemon) < limit, 'descriptors are left');
  t.match(await heard(() => run(['-u', uri, 'daemon-status'])), { code: 0, stdout: /accepting/ });
  t.match(await d(['call', 'core.ping']), {
    code: 1,
    stdout: '',
    stderr: /^The daemon has \d+ connections, .*ulimit -n.*\n$/,
  });
  const more = connectSilently(t, files().socket, 100);
  const stopped = await heard(() => run(['-u', uri, 'daemon-stop']));
  t.match(stopped, { code: 0, stderr: 'Daemon shutting down\n' });
  await until('its end', () => !isAlive(daemon));
  await until('all to hear of it', () => silent.closed() + more.closed() === 400);
  const log = fs.readFileSync(files().log, 'utf8');
  t.match(log, /"level":"warning","event":"descriptors limit the connections",.*"descriptors":200/);
  t.match(log, /"event":"too many connections, some are refused"/);
});

t.test('F44: beyond the limit of connections status and stop are answered', async (t) => {
  const daemon = await startDaemon(t, { args: ['--max-connections', '1'] });
  const only = await converse(t, daemon.socket);
  only.send('{"command":"ping","keep":true}\n');
  t.match(await only.frame(), { result: 'pong' });
  const bare = socketsOf(daemon.child.pid!);

  await inTime(SOON, async () => {
    const inPieces = await converse(t, daemon.socket);
    inPieces.send(STATUS.slice(0, 9));
    const { frames } = await exchange(daemon.socket, STATUS);
    inPieces.send(STATUS.slice(9));
    const ofTwo = [...frames, await inPieces.frame()];
    if (ofTwo.some(({ type }) => type === 'error')) throw new Error(JSON.stringify(ofTwo));
    t.match(ofTwo, [{ result: { phase: 'accepting' } }, { result: { clients: Number } }]);
  });

  const busy = { type: 'error', error: /1 connection\b.*--max-connections/ };
  const lines = [
    PING,
    '\n',
    '{}\n',
    'null\n',
    '["status"]\n',
    '{"command":"call","method":"status"}\n',
    `${' '.repeat(100_000)}${STATUS}`,
    `{"command":"status","id":"${'x'.repeat(100_000)}"}\n`,
    STATUS.trimEnd().slice(0, -1), // never complete
  ];
  for (const line of lines) {
    const { frames } = await exchange(daemon.socket, line);
    t.match(frames, [busy], line.slice(0, 40));
    t.equal(frames.length, 1);
  }
  t.match((await exchange(daemon.socket, PING, { halfClose: true })).frames, [busy]);
  await until('nothing to be left of them', () => socketsOf(daemon.child.pid!) === bare);
  t.match(await heard(() => daemon.d(['daemon-stop'])), { code: 0 });
  t.match(await daemon.exited, { code: 0 });
});

t.test('F44: of a batch beyond the limit each request is told that it was not sent', async (t) => {
  const daemon = await startDaemon(t, { args: ['--max-connections', '1'] });
  const only = await converse(t, daemon.socket);
  only.send('{"command":"ping","keep":true}\n');
  t.match(await only.frame(), { result: 'pong' });
  const input = [1, 2, 3, 4].map((id) => `{"command":"ping","id":${id}}\n`).join('');
  for (const parallel of ['1', '2']) {
    const { code, stdout } = await daemon.d(['batch', '--parallel', parallel], { input });
    t.equal(code, 1);
    const frames = stdout.trim().split('\n');
    t.same(
      frames.map((line) => (JSON.parse(line) as { id: number }).id),
      [1, 2, 3, 4],
    );
    for (const line of frames) t.match(line, /its limit .*; the request was not sent"/);
  }
});

t.test('F44: nor do those keep anybody out who ask for status and stay', async (t) => {
  const daemon = await startDaemon(t, { args: ['--max-connections', '1'] });
  const only = await converse(t, daemon.socket);
  only.send('{"command":"ping","keep":true}\n');
  t.match(await only.frame(), { result: 'pong' });
  const bare = socketsOf(daemon.child.pid!);
  const staying = STATUS.replace('close', 'keep');
  const ask = async () => {
    const client = await converse(t, daemon.socket);
    client.send(staying);
    return client;
  };
  const all = await inTime(SOON, async () => {
    const all = await Promise.all(Array.from({ length: 200 }, ask));
    await until('the others to be gone', () => all.filter((each) => each.ended()).length >= 150);
    if (all.every((each) => each.ended())) throw new Error('none is served');
    return all;
  });
  t.ok(socketsOf(daemon.child.pid!) < bare + 100);
  for (const each of all) each.destroy();
  await until('room', () => socketsOf(daemon.child.pid!) <= bare);
  t.match(await heard(() => daemon.d(['daemon-stop'])), { code: 0 });
});
