/** `midclt batch` where something ends early: the daemon, a connection, the reader, the disk. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { VERSION } from '../../lib/protocol/frames.js';
import { startDaemon, surroundings } from '../support/daemon.js';
import {
  BINARY,
  finished,
  makeHome,
  midclt,
  shell,
  spawnMidclt,
  until,
} from '../support/midclt.js';
import { call, PING, shellWithMidclt, type Frame } from '../support/wire.js';

const framesOf = (stdout: string) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Frame);

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `{"command":"ping","id":${from + i}}\n`).join('');

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

t.test('without a daemon nothing is read', async (t) => {
  const { home, uri } = await surroundings(t);
  const run = await shell(`{ "$NODE" "$B" -u "$U" -d batch; echo "exit $?"; cat; }`, {
    home,
    input: PING,
    env: { NODE: process.execPath, B: BINARY, U: uri },
  });
  t.equal(run.stdout, `exit 1\n${PING}`);
  const start = `midclt -u ${uri} daemon --detach`;
  t.equal(run.stderr, `Error: No daemon is running. Start one with '${start}'\n`);
});

t.test('requests that close their connection: nothing is lost, nothing sent twice', async (t) => {
  const daemon = await startDaemon(t);
  const count = 300;
  const input = upTo(count)
    .map((id) =>
      call('test.echo', `[${id}]`, undefined, { id, ...(id % 3 ? { close: true } : {}) }),
    )
    .join('');
  const run = await daemon.d(['batch'], { input });
  t.match(run, { code: 0, stderr: '' });
  t.same(
    framesOf(run.stdout),
    upTo(count).map((id) => ({ type: 'result', id, result: [id] })),
  );
  t.equal(daemon.sandbox.countOf('test.echo'), count);
});

t.test('a daemon with no linger at all loses nothing either', async (t) => {
  const daemon = await startDaemon(t, { args: ['--linger', '0'] });
  const bad = '{"command":"dance"}\n';
  const run = await daemon.d(['batch'], { input: (numbered(5) + bad).repeat(100) });
  t.equal(framesOf(run.stdout).filter(({ result }) => result === 'pong').length, 500);
  t.equal(framesOf(run.stdout).filter(({ error_type: type }) => type === 'ValueError').length, 100);
});

t.test('stop: what stands before it is answered, what stands behind it is not sent', async (t) => {
  const daemon = await startDaemon(t);
  const slow = call('test.sleep', '[0.3]', undefined, { id: 'slow' });
  const run = await daemon.d(['batch'], {
    input: `${slow}${numbered(3)}{"command":"stop","id":"stop"}\n${numbered(3, 3)}${PING}{\n`,
  });
  t.match(run, { code: 1, stderr: '' });
  const frames = framesOf(run.stdout);
  t.same(
    frames.map(({ id }) => id),
    ['slow', 0, 1, 2, 'stop', 3, 4, 5, undefined, undefined],
  );
  t.match(frames[4], { type: 'result', result: 'Daemon shutting down' });
  for (const frame of frames.slice(5)) {
    const keys = ['type', 'id', 'error', 'error_type', 'trace', 'extra'];
    t.same(Object.keys(frame), 'id' in frame ? keys : keys.filter((key) => key !== 'id'));
    t.match(frame, { type: 'error', error: /not sent/, error_type: 'ClientException' });
  }
  t.equal(daemon.sandbox.countOf('core.ping'), 3);
});

t.test('the daemon is killed in the middle: every line has exactly one frame', async (t) => {
  const daemon = await startDaemon(t);
  const count = 3000;
  const child = spawnMidclt(['-u', daemon.uri, '-d', 'batch'], daemon);
  const slow = call('test.sleep', '[60]', undefined, { id: 100 });
  const run = finished(child, numbered(100) + slow + numbered(count - 101, 101));
  await until('some to be answered', () => daemon.sandbox.countOf('core.ping') > 1000);
  daemon.child.kill('SIGKILL');
  const { code, stdout, stderr } = await run;
  t.equal(code, 1);
  t.equal(stderr, '');
  const frames = framesOf(stdout);
  t.same(
    frames.map(({ id }) => id),
    upTo(count),
  );
  t.match(frames[100], { type: 'error', error: /outcome is unknown/ });
  t.match(frames.at(-1), { type: 'error', error: /not sent/ });
  const kind = ({ type, error }: Frame) =>
    type === 'result' ? 'answered' : /not sent|unknown/.exec(String(error))?.[0];
  const kinds = frames.map(kind);
  t.equal(kinds.filter((each) => each === undefined).length, 0);
  t.ok(kinds.filter((each) => each === 'unknown').length <= 4, 'one a connection');
  const answered = kinds.filter((each) => each === 'answered').length;
  t.ok(answered <= daemon.sandbox.countOf('core.ping'));
});

t.test(
  'a daemon that is killed is followed by another, which gets what was not sent',
  async (t) => {
    const daemon = await startDaemon(t);
    const count = 3000;
    const env = { MIDCLT_AUTOSTART: '1' };
    const run = finished(
      spawnMidclt(['-u', daemon.uri, '-d', 'batch'], { home: daemon.home, env }),
      numbered(count),
    );
    await until('some to be answered', () => daemon.sandbox.countOf('core.ping') > 1000);
    daemon.child.kill('SIGKILL');
    const { stdout, stderr } = await run;
    t.match(await daemon.d(['daemon-stop']), { code: 0 }, 'the next one is there');
    t.equal(stderr, '');
    const frames = framesOf(stdout);
    t.same(
      frames.map(({ id }) => id),
      upTo(count),
    );
    const failed = frames.filter(({ type }) => type !== 'result');
    t.ok(failed.length <= 4, 'one a connection');
    for (const frame of failed) t.match(frame, { type: 'error', error: /outcome is unknown/ });
  },
);

t.test('what a daemon refuses because it is going is asked of the next one', async (t) => {
  const daemon = await startDaemon(t);
  const slow = finished(
    spawnMidclt(['-u', daemon.uri, '-d', 'call', 'test.sleep', '2'], { home: daemon.home }),
  );
  await until('the slow call', () => daemon.sandbox.countOf('test.sleep') > 0);
  const env = { MIDCLT_AUTOSTART: '1' };
  const batch = spawnMidclt(['-u', daemon.uri, '-d', 'batch'], { home: daemon.home, env });
  batch.stdin.write(numbered(8));
  await until('the first to be answered', () => daemon.sandbox.countOf('core.ping') === 8);
  daemon.child.kill('SIGTERM');
  await until('the socket to go', () => !fs.existsSync(daemon.socket));
  const { code, stdout, stderr } = await finished(batch, numbered(8, 8));
  t.match(await daemon.d(['daemon-stop']), { code: 0 }, 'the next one is there');
  t.match({ code, stderr }, { code: 0, stderr: '' });
  t.same(
    framesOf(stdout),
    upTo(16).map((id) => ({ type: 'result', id, result: 'pong' })),
  );
  t.match(await slow, { code: 0, stdout: '2.0\n' }, 'and it finished what it had');
});

t.test('so is what names a version of its own, or ends its connection', async (t) => {
  const daemon = await startDaemon(t);
  const slow = daemon.d(['call', 'test.sleep', '2']);
  await until('the slow call', () => daemon.sandbox.countOf('test.sleep') > 0);
  const env = { MIDCLT_AUTOSTART: '1' };
  const batch = spawnMidclt(['-u', daemon.uri, '-d', 'batch'], { home: daemon.home, env });
  batch.stdin.write(numbered(8));
  await until('the first to be answered', () => daemon.sandbox.countOf('core.ping') === 8);
  daemon.child.kill('SIGTERM');
  await until('the socket to go', () => !fs.existsSync(daemon.socket));
  const more = ['"version":"0.0.1"', '"version":"99.0"', '"version":5,"close":true'];
  const input = more.map((each, id) => `{"command":"ping","id":${id},${each}}\n`).join('');
  const { code, stdout, stderr } = await finished(batch, input);
  t.match(await daemon.d(['daemon-stop']), { code: 0 }, 'the next one is there');
  t.match({ code, stderr }, { code: 0, stderr: '' });
  const head = (id: number, daemon = '') => `{"type":"result","id":${id}${daemon},"result":"pong"}`;
  const other = `,"daemon":"${VERSION}"`;
  const lines = stdout.trimEnd().split('\n').slice(8);
  t.strictSame(lines, [head(0, other), head(1, other), head(2)], 'each as without the end');
  await slow;
});

t.test('what answers in text is refused alike with -d and without', async (t) => {
  const daemon = await startDaemon(t);
  const input =
    '{"command":"cli-ping","id":1}\n{"command":"cli-call","method":"core.ping","args":[]}\n{"command":"ping"}\n';
  const refusal = (command: string, id = '') =>
    `{"type":"error"${id},"error":"A batch can't have '${command}', which answers in text; it takes '${command.slice(4)}'","error_type":"ValueError","trace":null,"extra":null}\n`;
  const expected = {
    code: 1,
    stdout: `${refusal('cli-ping', ',"id":1')}${refusal('cli-call')}{"type":"result","result":"pong"}\n`,
    stderr: '',
  };
  t.match(await daemon.d(['batch'], { input }), expected);
  t.match(await midclt(['-u', daemon.uri, 'batch'], { home: daemon.home, input }), expected);
});

t.test('a next daemon that may not log in is tried once, not for every line', async (t) => {
  const { home, sandbox } = await surroundings(t, { ws: 0, failedLoginDelayMs: 0 });
  const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
  const globals = ['-U', 'admin'];
  const right = { MIDCLT_PASSWORD: 'admin-pw' };
  const daemon = await startDaemon(t, {
    around: { home, sandbox, uri },
    uri,
    globals,
    env: right,
    username: 'admin',
  });
  const env = { MIDCLT_AUTOSTART: '1', MIDCLT_PASSWORD: 'wrong' };
  const args = ['-u', uri, ...globals, '-d', 'batch'];
  const run = finished(spawnMidclt(args, { home, env }), numbered(3000));
  await until('some to be answered', () => sandbox.countOf('core.ping') > 500);
  daemon.child.kill('SIGKILL');
  const { code, stdout } = await run;
  t.equal(code, 1);
  const frames = framesOf(stdout);
  t.equal(frames.length, 3000);
  t.match(frames.at(-1), { type: 'error', error: /not sent/ });
  t.ok(sandbox.stats.failedLogins <= 4, `${sandbox.stats.failedLogins} logins`);
});

t.test('a connection that drops costs the request that was on it, no other', async (t) => {
  const home = makeHome(t);
  const path = await fakeDaemon(t, home, (socket, line, id) => {
    if (id % 7 === 3) socket.destroy();
    else if (id % 7 === 5) socket.write('pong\n');
    else socket.write(`{"type": "result", "id": ${id}, "result": ${line.length}}\n`);
  });
  const run = await midclt(['-d', 'batch'], { home, input: numbered(50) });
  t.match(run, { code: 1, stderr: '' }, path);
  const frames = framesOf(run.stdout);
  t.same(
    frames.map(({ id }) => id),
    upTo(50),
  );
  for (const [id, frame] of frames.entries()) {
    if (id % 7 === 3) t.match(frame, { type: 'error', error: /outcome is unknown/ });
    else if (id % 7 === 5) t.match(frame, { type: 'error', error: /no frame/ });
    else t.equal(frame.type, 'result');
  }
});

t.test(
  'a large frame cut off by a lost connection: its error stands on its own line',
  async (t) => {
    const home = makeHome(t);
    await fakeDaemon(t, home, (socket, _line, id) => {
      if (id > 0) socket.write(`{"type":"result","id":${id},"result":1}\n`);
      else
        socket.write(`{"type":"result","id":0,"result":"${'x'.repeat(20_000_000)}`, () =>
          socket.destroy(),
        );
    });
    const run = await midclt(['-d', 'batch'], { home, input: numbered(3) });
    t.equal(run.code, 1);
    const lines = run.stdout.split('\n').slice(0, -1);
    t.equal(lines.length, 4);
    t.match(lines[0]?.slice(0, 50), /^\{"type":"result","id":0,"result":"xxx/);
    t.match(JSON.parse(lines[1]!), { type: 'error', id: 0, error: /outcome is unknown/ });
    t.match(JSON.parse(lines[2]!), { type: 'result', id: 1 });
  },
);

t.test(
  'a reader that goes away ends it quietly, also with the input still open (F30)',
  async (t) => {
    const daemon = await startDaemon(t);
    const counted = `i=0; while [ $i -lt 20000 ]; do echo '{"command":"ping"}'; i=$((i+1)); done`;
    const run = await shellWithMidclt(
      `{ ${counted}; sleep 30; } 2>/dev/null | { midclt batch; echo "exit $?" >code; kill $$; } | head -1`,
      daemon,
    );
    t.equal(run.stdout, '{"type":"result","result":"pong"}\n');
    t.equal(run.stderr, '');
    t.equal(fs.readFileSync(`${daemon.home}/code`, 'utf8'), 'exit 1\n');
    t.ok(daemon.sandbox.countOf('core.ping') < 20000);
  },
);

t.test('a full disk under stdout is an error of one line, exit 1 (F33)', async (t) => {
  const daemon = await startDaemon(t);
  for (const mode of ['-d batch', 'batch']) {
    const run = await shellWithMidclt(
      `"$NODE" "$BINARY" -u "$URI" ${mode} > /dev/full`,
      daemon,
      PING.repeat(1000),
    );
    t.equal(run.code, 1);
    t.match(run.stderr, /^Error: [^\n]*(ENOSPC|No space left)[^\n]*\n$/i);
    t.match(
      run.stderr,
      /\. Requests 1 to \d+ are answered: [^\n]*; the last of their answers were not printed; '[^\n]* --resume-from \d+',/,
    );
  }
});

t.test('Ctrl-C ends it at once by the signal', async (t) => {
  const daemon = await startDaemon(t);
  const child = spawnMidclt(['-u', daemon.uri, '-d', 'batch'], daemon);
  const ended = new Promise((resolve) =>
    child.on('close', (_code, signal) => {
      resolve(signal);
    }),
  );
  child.stdin.write(call('test.sleep', '[60]'));
  await until('the call', () => daemon.sandbox.countOf('test.sleep') === 1);
  child.kill('SIGINT');
  t.equal(await ended, 'SIGINT');
});

/** Something at the local daemon's path that answers each line as `answer` does. */
async function fakeDaemon(
  t: Test,
  home: string,
  answer: (socket: net.Socket, line: string, id: number) => void,
): Promise<string> {
  fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
  const path = `${home}/.midclt/daemon-local.sock`;
  const server = net.createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const lines = (text + chunk.toString()).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) answer(socket, line, (JSON.parse(line) as { id: number }).id);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => server.close());
  return path;
}
