/** The Unix-socket protocol: requests, frames and their order. */
import net from 'node:net';
import t from 'tap';
import { exchange, startDaemon, type RunningDaemon, wakeSleeper } from '../../support/daemon.js';
import { freeze } from '../../support/lifecycle.js';
import { until } from '../../support/midclt.js';
import { call, converse, PING, resultOf } from '../../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t, { args: ['--linger', '0.3'] });
});

/** Sends and half-closes: every answer, then the end. */
const ask = (text: string | Buffer) => exchange(daemon.socket, text, { halfClose: true });

t.test('a ping is answered "pong", a call with its result', async (t) => {
  const { lines } = await ask(PING + call('core.ping') + call('test.echo', '[1, "two"]'));
  t.match(lines[0], /^\{"type": ?"result", ?"result": ?"pong"\}$/);
  t.match(lines[1], /^\{"type": ?"result", ?"result": ?"pong"\}$/);
  t.equal(resultOf(lines[2]!), '[1, "two"]');
  t.equal(lines.length, 3);
});

t.test('a ping may carry a timeout at its top level, null for none', async (t) => {
  const { frames } = await ask(
    '{"command":"ping","timeout":5}\n{"command":"ping","timeout":null}\n',
  );
  t.strictSame(frames, Array(2).fill({ type: 'result', result: 'pong' }));
});

t.test('params and kwargs may be missing or null, and members it does not know', async (t) => {
  const requests = [
    '{"command":"call","method":"test.echo"}',
    '{"command":"call","method":"test.echo","params":null,"kwargs":null}',
    '{"command":"call","method":"test.echo","params":[],"kwargs":{}}',
    '{"command":"call","method":"test.echo","kwargs":{"timeout":null,"job":false}}',
    ' { "method" : "test.echo" ,\t"command" : "call" } ',
  ];
  const { frames } = await ask(requests.map((request) => `${request}\n`).join(''));
  t.strictSame(frames, Array(requests.length).fill({ type: 'result', result: [] }));
});

t.test('an API error carries the reason, its class, the trace and the extra', async (t) => {
  const { frames } = await ask(call('test.fail', '[2, "some reason", {"a": 1}]'));
  const [frame] = frames;
  t.strictSame(Object.keys(frame!), ['type', 'error', 'error_type', 'trace', 'extra']);
  t.match(frame, {
    type: 'error',
    error: '[ENOENT] some reason',
    error_type: 'ClientException',
    trace: {
      class: 'CallError',
      formatted: /^Traceback \(most recent call last\):\n/,
      repr: "CallError('some reason', 2, {'a': 1})",
    },
    extra: { a: 1 },
  });
});

t.test('an API error without extra says null', async (t) => {
  const { frames } = await ask(call('test.raise_', '["exception"]'));
  t.match(frames[0], { type: 'error', error: 'boom', error_type: 'ClientException', extra: null });
  t.match(frames[0]?.trace, { class: 'RuntimeError' });
});

t.test('a validation error has trace and extra null, and a line for each entry', async (t) => {
  const { frames } = await ask(call('test.validation'));
  t.strictSame(frames, [
    {
      type: 'error',
      error:
        '[EINVAL] thing_create.name: This name is taken\n[ENOENT] thing_create.path: No such path',
      error_type: 'ClientException',
      trace: null,
      extra: null,
    },
  ]);
});

t.test('a method that does not exist is an API error of exactly that text', async (t) => {
  const { frames } = await ask(call('nosuch.method'));
  t.strictSame(frames, [
    {
      type: 'error',
      error: 'Method does not exist',
      error_type: 'ClientException',
      trace: null,
      extra: null,
    },
  ]);
});

t.test('a call that takes too long is a ClientException, "Call timeout"', async (t) => {
  const { frames, took } = await ask(call('test.sleep', '[60]', { timeout: 0.2 }) + PING);
  t.match(frames[0], { type: 'error', error: 'Call timeout', error_type: 'ClientException' });
  t.match(frames[1], { type: 'result', result: 'pong' });
  t.ok(took < 30_000, `took ${took} ms`);
});

t.test('a job sends progress frames with exactly their members, then its result', async (t) => {
  const { frames } = await ask(call('test.job', '[2, 0.05]', { job: true }));
  const progress = frames.slice(0, -1);
  t.ok(progress.length >= 2);
  for (const frame of progress)
    t.strictSame(Object.keys(frame), ['type', 'percent', 'description', 'state']);
  t.match(progress.at(-1), { type: 'progress', percent: Number, description: 'step 2/2' });
  t.strictSame(frames.at(-1), { type: 'result', result: 'done' });
});

t.test('200 requests written at once, fast and slow, are answered in order', async (t) => {
  const text = Array.from({ length: 200 }, (_, index) => {
    if (index % 20 === 0) return call('test.sleep', '[0.05]', undefined, { id: index });
    if (index % 3 === 0) return `{"command":"ping","id":${index}}\n`;
    if (index % 7 === 0) return `garbage\n`;
    return call('test.echo', `[${index}]`, undefined, { id: index });
  });
  const { frames } = await ask(text.join(''));
  t.equal(frames.length, 200);
  for (const [index, frame] of frames.entries())
    if (frame.type === 'result') t.equal(frame.id, index);
    else t.equal(text[index], 'garbage\n');
});

t.test('id comes back as it was spelled, in every frame', async (t) => {
  const spellings = [
    '"abc"',
    '7',
    'null',
    '0',
    '""',
    '18446744073709551615',
    '2.0',
    '{"a": [1, {"b":null}],  "c":"\\u00e9"}',
    '[1,2]',
    '"é\\ud83d"',
    'false',
  ];
  for (const id of spellings) {
    const { lines } = await ask(
      `{"command":"ping","id":${id}}\n` +
        `{"id": ${id} ,"command":"call","method":"test.fail"}\n` +
        `{"command":"nope","id":${id}}\n` +
        `{"command":"call","method":"test.job","params":[1,0.02],"kwargs":{"job":true},"id":${id}}\n`,
    );
    t.ok(lines.length >= 5, `frames for ${id}`);
    t.match(lines.at(-1), /"result": ?"done"\}$/);
    for (const line of lines)
      t.ok(line.replaceAll('": ', '":').includes(`,"id":${id.replaceAll('": ', '":')},`), line);
  }
});

t.test('a frame without an id in its request has none', async (t) => {
  const { frames } = await ask(PING + '{"command":"nope"}\n');
  for (const frame of frames) t.notOk('id' in frame);
});

t.test('members come in the order type, id, the rest, result last', async (t) => {
  const { frames } = await ask(
    '{"command":"ping","id":1}\n' +
      call('test.fail', '[]', undefined, { id: 2 }) +
      call('test.job', '[1, 0.02]', { job: true }, { id: 3 }),
  );
  for (const frame of frames) {
    const names = Object.keys(frame);
    t.strictSame(names.slice(0, 2), ['type', 'id']);
    if (frame.type === 'result') t.strictSame(names, ['type', 'id', 'result']);
    if (frame.type === 'error')
      t.strictSame(names, ['type', 'id', 'error', 'error_type', 'trace', 'extra']);
    if (frame.type === 'progress')
      t.strictSame(names, ['type', 'id', 'percent', 'description', 'state']);
  }
});

t.test('the last request needs no newline when the client half-closes', async (t) => {
  const { frames } = await ask(PING + '{"command":"call","method":"test.echo","params":[1]}');
  t.strictSame(frames, [
    { type: 'result', result: 'pong' },
    { type: 'result', result: [1] },
  ]);
});

t.test('lines may end with CR LF', async (t) => {
  const { frames } = await ask('{"command":"ping"}\r\n{"command":"ping","id":2}\r\n');
  t.strictSame(frames, [
    { type: 'result', result: 'pong' },
    { type: 'result', id: 2, result: 'pong' },
  ]);
});

t.test('a request that comes in single bytes is answered', async (t) => {
  const conversation = await converse(t, daemon.socket);
  const bytes = Buffer.from(call('test.echo', '["é😀"]'));
  for (const byte of bytes) {
    conversation.send(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  t.strictSame(await conversation.frame(), { type: 'result', result: ['é😀'] });
});

t.test('clients that talk at the same time each get their own answers', async (t) => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => converse(t, daemon.socket)));
  for (let round = 0; round < 5; round += 1)
    for (const [index, client] of clients.entries())
      client.send(call('test.echo', `["${index}/${round}"]`));
  for (let round = 0; round < 5; round += 1)
    for (const [index, client] of clients.entries())
      t.strictSame((await client.frame()).result, [`${index}/${round}`]);
});

t.test('a slow call of one client does not hold up another', async (t) => {
  const slow = await converse(t, daemon.socket);
  const before = daemon.sandbox.countOf('test.sleep');
  slow.send(call('test.sleep', '[3600]', undefined, { close: true }));
  await until('the slow call to arrive', () => daemon.sandbox.countOf('test.sleep') > before);
  const { frames } = await ask(PING);
  t.strictSame(frames, [{ type: 'result', result: 'pong' }]);
  wakeSleeper(daemon.sandbox);
  t.match(await slow.frame(), { type: 'result' });
});

t.test('stop is answered before the daemon goes', async (t) => {
  const stopped = async (more: string, halfClose: boolean) => {
    const own = await startDaemon(t);
    const line = `{"command":"stop","id":"s"${more}}\n`;
    const { frames } = await exchange(own.socket, line, { halfClose });
    t.strictSame(frames, [{ type: 'result', id: 's', result: 'Daemon shutting down' }]);
    t.strictSame(await own.exited, { code: 0, signal: null });
  };
  await Promise.all([stopped('', false), stopped('', true), stopped(',"keep":true', true)]);
});

t.test('a stop is obeyed though its client has gone, unless that said that it stays', async (t) => {
  const own = await startDaemon(t);
  /** The daemon reads it when nobody is there any more. */
  const leave = async (line: string) => {
    await freeze(own.child.pid!);
    const client = net.connect(own.socket);
    await new Promise((resolve) => client.write(line, resolve));
    client.destroy();
    own.child.kill('SIGCONT');
  };
  await leave('{"command":"stop","keep":true}\n');
  t.strictSame((await exchange(own.socket, PING)).frames, [{ type: 'result', result: 'pong' }]);
  await leave('{"command":"stop"}\n');
  t.strictSame(await own.exited, { code: 0, signal: null });
});
