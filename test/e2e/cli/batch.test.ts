/** `midclt batch`: requests as NDJSON in, one answer a line out, in order. */
import fs from 'node:fs';
import t from 'tap';
import { startDaemon, type RunningDaemon, wakeSleeper } from '../../support/daemon.js';
import { BINARY, midclt, missing, shell, spawnMidclt, until } from '../../support/midclt.js';
import { call, PING, raw, type Frame } from '../../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const batch = (input: string | Buffer, args: readonly string[] = []) =>
  daemon.d(['batch', ...args], { input });

const framesOf = (stdout: string) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Frame);

const ids = (stdout: string) => framesOf(stdout).map(({ id }) => id);

/** Requests of every kind, with an answer that is always the same. */
const MIXED = [
  call('test.sleep', '[0.4]', undefined, { id: 'slow' }),
  call('test.echo', '[18446744073709551615, 2.0, NaN, "\\ud800"]', undefined, { id: { a: [1] } }),
  '{"command": "ping", "id": 18446744073709551616}\n',
  call('test.fail', '[2, "no", {"x": 1}]', undefined, { id: 'failing' }),
  call('test.validation', '[]', undefined, { id: null }),
  call('test.sleep', '[5]', { timeout: 0.1 }, { id: 'late' }),
  '{"command": "dance", "id": 1}\n',
  '{"command": "call", "id": 2}\n',
  '{"command": "ping"\n',
  '{"command": "ping", "close": 1, "id": 3}\n',
  '[1, {"}": "{"}]\n',
  'null\n',
  'nonsense }\n',
  '{"command": "ping", "id": 4, "keep": false }  \t\n',
  '  {"id": 5, "command": "ping", "keep": true}\n',
  '{"command": "ping", "close": true, "id": 6}\n',
  '{"id": "}", "command": "ping", "close": null}\n',
  call('test.job', '[2, 0.05]', { job: true }, { id: 'job' }),
  call('test.job', '[1, 0.05, "broken"]', { job: true }, { id: 'broken job' }),
  call('test.echo', JSON.stringify(['x'.repeat(70_000)]), undefined, { id: 'too long' }),
  raw('[1,\n2]'),
  call('test.bigstring', '[300000]', undefined, { id: 'big' }),
].join('');

/** The socket has no short form of a call. */
const NO_OBJECT = 'Request is not a JSON object","error_type":"TypeError"';
const NO_CALL =
  'Request is an array that does not begin with the name of a method: [\\"method\\", argument, ...]","error_type":"TypeError"';

/** Without what depends on how many calls the connection has had before, and on what a call has just waited for. */
const countless = (stdout: string) =>
  stdout
    .replace(/Request of \d+ characters/, '')
    .replace(/(?<="Call timeout): waited 0.1 s for a free slot; the call was not sent/, '');

for (const parallel of ['1', '4', '64'])
  t.test(`fast, slow and failing requests are answered in order (${parallel})`, async (t) => {
    const sock = await shell('nc -N -U "$SOCK"', {
      home: daemon.home,
      input: MIXED.replaceAll('"close": true', '"close": false'),
      env: { SOCK: daemon.socket },
    });
    const run = await batch(MIXED, ['--parallel', parallel]);
    const final = sock.stdout.replace(/^\{"type":"progress".*\n/gm, '');
    if (missing('nc')) t.equal(framesOf(run.stdout).length, MIXED.split('\n').length - 1);
    else
      t.equal(
        countless(run.stdout),
        countless(final).replace(NO_OBJECT, NO_CALL),
        'as one connection to the socket answers them',
      );
    t.match(run, { code: 1, stderr: '' });
  });

t.test('exit 0 if all are results', async (t) => {
  const run = await batch(PING + call('test.echo', '[1]', undefined, { id: 1 }));
  t.strictSame(run, {
    code: 0,
    signal: null,
    stdout: '{"type":"result","result":"pong"}\n{"type":"result","id":1,"result":[1]}\n',
    stderr: '',
  });
});

t.test('no input is no request', async (t) => {
  for (const input of ['', '\n', '\n\r\n \t\n']) {
    t.match(await batch(input), { code: 0, stdout: '', stderr: '' });
  }
});

t.test('blank lines, CRLF and a last line without a newline', async (t) => {
  const line = (id: number) => `{"command":"ping","id":${id}}`;
  const run = await batch(`\n${line(1)}\r\n\r\n   \n${line(2)}\n\n${line(3)}`);
  t.match(run, { code: 0, stderr: '' });
  t.same(ids(run.stdout), [1, 2, 3]);
});

t.test('bytes that are no UTF-8 are refused by the daemon, one line each', async (t) => {
  const bad = Buffer.from('{"command":"ping","id":"\xff\xfe"}\n', 'latin1');
  const run = await batch(Buffer.concat([bad, Buffer.from(PING), bad]));
  t.equal(run.code, 1);
  t.same(
    framesOf(run.stdout).map((frame) => frame.error_type ?? frame.result),
    ['UnicodeDecodeError', 'pong', 'UnicodeDecodeError'],
  );
});

t.test('over-long lines get their one error frame in order', async (t) => {
  const limit = 2 * 1024 * 1024 + 4 * 1024;
  const padded = (length: number, id: number) =>
    `${' '.repeat(length - 26)}{"command":"ping","id": ${id}}`;
  const lines = [
    padded(100, 1),
    padded(limit + 1, 2),
    'x'.repeat(5_000_000),
    padded(limit, 3),
    padded(limit - 5, 4),
    padded(100, 5),
  ];
  for (const mode of [['-d'], []]) {
    const run = await midclt(['-u', daemon.uri, ...mode, 'batch'], {
      home: daemon.home,
      input: lines.join('\n'),
    });
    t.match(run, { code: 1, stderr: '' });
    t.same(
      framesOf(run.stdout).map((frame) => frame.id ?? frame.error_type),
      [1, 'ValueError', 'ValueError', 3, 4, 5],
    );
  }
});

t.test('files are read one after the other, - is stdin', async (t) => {
  const file = (name: string, text: string) => {
    fs.writeFileSync(`${daemon.home}/${name}`, text);
  };
  const line = (id: number) => `{"command":"ping","id":${id}}`;
  file('a', `${line(1)}\n${line(2)}`);
  file('b', `${line(3)}\n`);
  file('empty', '');
  const run = await batch(`${line(4)}\n`, ['a', 'b', 'empty', '-', 'a', '-']);
  t.match(run, { code: 0, stderr: '' });
  t.same(ids(run.stdout), [1, 2, 3, 4, 1, 2]);

  const lacking = await batch('', ['a', 'missing', '.', 'b']);
  t.equal(lacking.code, 1);
  t.same(ids(lacking.stdout), [1, 2, 3]);
  t.match(
    lacking.stderr,
    /^Error: Cannot read missing: no such file [^\n]*\(ENOENT\)\nError: Cannot read \.: [^\n]*EISDIR\)\n$/,
  );
});

t.test('a file may be a pipe', async (t) => {
  const run = await shell(
    'mkfifo f; echo \'{"command":"ping","id":1}\' >f & "$NODE" "$B" -u "$U" -d batch f',
    {
      home: daemon.home,
      env: { NODE: process.execPath, B: BINARY, U: daemon.uri },
    },
  );
  t.same(ids(run.stdout), [1], run.stderr);
});

t.test('--parallel is how many requests are under way at once', async (t) => {
  // Those that go together end long after the last of them was sent.
  for (const [args, width, seconds] of [
    [['--parallel', '1'], 1, 0.1],
    [[], 4, 1],
    [['--parallel', '6'], 6, 1],
  ] as const) {
    const input = call('test.sleep', `[${seconds}]`).repeat(12);
    const own = await startDaemon(t);
    // Then the daemon knows that the method starts no job: of those that may, four at most go at once.
    t.match(await own.d(['call', 'test.sleep', '0.1']), { code: 0 });
    const run = await own.d(['batch', ...args], { input });
    t.equal(run.code, 0);
    t.equal(own.sandbox.stats.maxOutstanding, width);
  }
});

t.test('a slow request holds up nobody but the printing', async (t) => {
  const { sandbox } = daemon;
  const input = `${call('test.sleep', '[3600]', undefined, { id: 'slow' })}${PING.repeat(500)}`;
  const before = sandbox.countOf('core.ping');
  const child = spawnMidclt(['-u', daemon.uri, '-d', 'batch'], daemon);
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stdin.end(input);
  await until('all others', () => sandbox.countOf('core.ping') === before + 500);
  t.equal(stdout, '', 'while the first is under way');
  wakeSleeper(sandbox);
  await new Promise((resolve) => child.on('close', resolve));
  t.equal(stdout.split('\n').length - 1, 501);
  t.match(stdout, /^\{"type":"result","id":"slow","result":3600\}\n/);
});

t.test('answers come while the input is still open, however long it is idle', async (t) => {
  const own = await startDaemon(t, { args: ['--linger', '0.05'] });
  const child = spawnMidclt(['-u', own.uri, '-d', 'batch', '--parallel', '1'], own);
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  for (const id of [1, 2, 3, 4]) {
    // A request of every kind that might leave a connection which the daemon is about to close.
    child.stdin.write(
      id === 2 ? `{"command":"dance","id":2}\n` : `{"command":"ping","id":${id}}\n`,
    );
    await until(`answer ${id}`, () => stdout.split('\n').length === id + 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  child.stdin.end();
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.equal(code, 1);
  t.same(
    framesOf(stdout).map((frame) => frame.result ?? frame.error_type),
    ['pong', 'ValueError', 'pong', 'pong'],
  );
});

t.test('the same file through batch, socat and nc', async (t) => {
  const input = call('test.sleep', '[2]', undefined, { id: 1 }) + PING.repeat(3);
  fs.writeFileSync(`${daemon.home}/requests`, input);
  const expected =
    '{"type":"result","id":1,"result":2.0}\n' + '{"type":"result","result":"pong"}\n'.repeat(3);
  const run = await daemon.d(['batch', 'requests']);
  t.match(run, { code: 0, stdout: expected, stderr: '' });
  for (const [tool, command] of [
    ['socat', 'socat -t 86400 - UNIX:"$SOCK" < requests'],
    ['nc', 'nc -N -U "$SOCK" < requests'],
  ] as const)
    t.test(tool, { skip: missing(tool) }, async (t) => {
      const direct = await shell(command, { home: daemon.home, env: { SOCK: daemon.socket } });
      t.equal(direct.stdout, expected);
    });
});

t.test('--progress: progress frames stand before the answer of their request', async (t) => {
  const job = (id: number) => call('test.job', '[3, 0.05]', { job: true }, { id });
  const run = await batch(job(1) + '{"command":"ping","id":2}\n' + job(3) + job(4), ['--progress']);
  t.match(run, { code: 0, stderr: '' });
  const frames = framesOf(run.stdout);
  t.same(
    frames.map(({ id }) => id),
    frames.map(({ id }) => id).sort(),
    'no frame between those of another request',
  );
  const final = frames.flatMap(({ type, id }) => (type === 'progress' ? [] : [id]));
  t.same(final, [1, 2, 3, 4]);
  for (const id of [1, 3, 4]) {
    const own = frames.filter((frame) => frame.id === id);
    t.equal(own.at(-1)?.type, 'result');
    t.ok(own.some((frame) => frame.description === 'step 2/3'));
  }
});

t.test('--progress: the progress of the oldest request comes as it is made', async (t) => {
  const child = spawnMidclt(['-u', daemon.uri, '-d', 'batch', '--progress'], daemon);
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stdin.end(call('test.job', '[1, 3600]', { job: true }));
  await until('the first step', () => stdout.includes('step 1/1'));
  t.notMatch(stdout, '"result"', 'while the job goes on');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
});

t.test('without -d the output is the same', async (t) => {
  for (const args of [[], ['--parallel', '1', '--progress']]) {
    const through = await batch(MIXED, args);
    const direct = await midclt(['-u', daemon.uri, 'batch', ...args], {
      home: daemon.home,
      input: MIXED,
    });
    t.equal(countless(direct.stdout), countless(through.stdout));
    t.match(direct, { code: 1, stderr: '' });
  }
  const stop = await midclt(['-u', daemon.uri, 'batch'], {
    home: daemon.home,
    input: `{"command":"stop","id":1}\n${PING}`,
  });
  t.match(stop, { code: 1, stderr: '' });
  t.match(framesOf(stop.stdout), [{ type: 'error', id: 1 }, { result: 'pong' }]);
});

t.test('wrong usage is exit 2', async (t) => {
  t.match(await batch('', ['--parallel', '0']), {
    code: 2,
    stdout: '',
    stderr: 'midclt batch: error: argument --parallel: must be between 1 and 64: 0\n',
  });
  t.match((await batch('', ['-h'])).stdout, /^usage: midclt .*batch/);
});
