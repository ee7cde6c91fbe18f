/** F28: whatever comes over the socket gets one clear error frame, and reaches nobody else. */
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { VERSION } from '../../../lib/protocol/frames.js';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { call, converse, type Conversation } from '../../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const KEEP_PING = '{"command":"ping","keep":true}\n';
const echo = (params: string) => call('test.echo', params).trimEnd();
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const bytes = (before: string, hex: string, after: string) =>
  Buffer.concat([Buffer.from(before), Buffer.from(hex, 'hex'), Buffer.from(after)]);

/** Each is a line of its own. */
const NO_REQUEST: Record<string, string | Buffer> = {
  'a blank line': '',
  'white space': '  \t ',
  'a CR alone': '\r',
  garbage: 'GET / HTTP/1.1',
  null: 'null',
  true: 'true',
  'an array': '[{"command":"ping"}]',
  'an empty array': '[]',
  'a string': '"ping"',
  'a number': '42',
  NaN: 'NaN',
  'an unfinished object': '{"command":"ping"',
  'an unfinished string': '{"command":"ping',
  'a trailing comma': '{"command":"ping",}',
  'single quotes': "{'command':'ping'}",
  'names without quotes': '{command:"ping"}',
  'a comment': '{"command":"ping"} // x',
  'two documents on a line': '{"command":"ping"}{"command":"ping"}',
  'binary garbage': Buffer.from('00ff80fe7b227d01020304a9c328', 'hex'),
  'a TLS hello': Buffer.from('16030100f4010000f00303', 'hex'),
};

const BAD_JSON: Record<string, string | Buffer> = {
  'a nesting of 501': echo(nested(501)),
  'a nesting of 10,000': echo(nested(10_000)),
  'a nesting of 100,000': echo(nested(100_000)),
  'a nesting of 100,000 that never ends': '['.repeat(100_000),
  'objects nested 600 deep': echo(`[${'{"a":'.repeat(600)}1${'}'.repeat(600)}]`),
  'a nesting of 501 in a member nobody reads': `{"command":"ping","x":${nested(501)}}`,
  'an integer of 4,301 digits': echo(`[${'9'.repeat(4301)}]`),
  'a negative integer of 4,301 digits': echo(`[-${'1'.repeat(4301)}]`),
  'an id of 4,301 digits': `{"command":"ping","id":${'1'.repeat(4301)}}`,
  'a NUL in a string': echo('["a\u0000b"]'),
  'a tab in a string': echo('["a\tb"]'),
  'a control character in a name': echo('[{"a\u0001b":1}]'),
  'an unknown escape': echo('["\\x41"]'),
  'half a \\u escape': echo('["\\u12"]'),
  'a number with leading zeros': echo('[01]'),
  'a number with a plus': echo('[+1]'),
  'a fraction without digits': echo('[1.]'),
  'a literal in small letters': echo('[nan]'),
  'a literal in capitals': echo('[True]'),
  undefined: echo('[undefined]'),
  'a byte that UTF-8 never has': bytes(
    '{"command":"call","method":"test.echo","params":["',
    'ff',
    '"]}',
  ),
  'an overlong slash in UTF-8': bytes(
    '{"command":"call","method":"test.echo","params":["',
    'c0af',
    '"]}',
  ),
  'a surrogate in UTF-8': bytes(
    '{"command":"call","method":"test.echo","params":["',
    'eda0bd',
    '"]}',
  ),
  'UTF-8 cut short': bytes('{"command":"call","method":"test.echo","params":["', 'e282', '"]}'),
  'bad UTF-8 in a member nobody reads': bytes('{"command":"ping","x":"', 'fe', '"}'),
  'a $date that is a string': echo('[{"$date":"x"}]'),
  'a $date that is null': echo('[[{"a":{"$date":null}}]]'),
  'a $set of lists': echo('[{"$set":[[1]]}]'),
  'a $set of objects': echo('[{"$set":[{"a":1}]}]'),
  'a $set that is a number': echo('[{"$set":5}]'),
  'a $time that is none': echo('[{"$time":"noon"}]'),
  'a $type date that is none': echo('[{"$type":"date","$value":"someday"}]'),
};

const WRONG_REQUESTS: Record<string, string> = {
  'no members': '{}',
  'no command': '{"method":"test.echo","params":[]}',
  'a command that is null': '{"command":null}',
  'a command that is a number': '{"command":5}',
  'a command that is a list': '{"command":["ping"]}',
  'no method': '{"command":"call","params":[]}',
  'a method that is null': '{"command":"call","method":null}',
  'a method that is a number': '{"command":"call","method":5}',
  'a method that is a list': '{"command":"call","method":["test.echo"]}',
  'params that are an object': '{"command":"call","method":"test.echo","params":{}}',
  'params that are a string': '{"command":"call","method":"test.echo","params":"x"}',
  'params that are a number': '{"command":"call","method":"test.echo","params":5}',
  'params that are false': '{"command":"call","method":"test.echo","params":false}',
  'kwargs that are a list': '{"command":"call","method":"test.echo","kwargs":[]}',
  'kwargs that are a string': '{"command":"call","method":"test.echo","kwargs":"x"}',
  'a timeout that is a string': '{"command":"call","method":"test.echo","kwargs":{"timeout":"5"}}',
  'a timeout that is a list': '{"command":"call","method":"test.echo","kwargs":{"timeout":[5]}}',
  'a job that is a string': '{"command":"call","method":"test.echo","kwargs":{"job":"yes"}}',
  'a job that is an object': '{"command":"call","method":"test.echo","kwargs":{"job":{}}}',
  'an unknown member of kwargs': '{"command":"call","method":"test.echo","kwargs":{"nope":1}}',
  'a ping’s timeout that is a string': '{"command":"ping","timeout":"5"}',
};

/** Sends a line; there must be one error frame, and then the answer to a ping. */
async function refused(conversation: Conversation, line: string | Buffer) {
  conversation.send(Buffer.concat([Buffer.from(line), Buffer.from(`\n${KEEP_PING}`)]));
  return [await conversation.frame(), await conversation.frame()];
}

for (const [kind, lines] of Object.entries({ NO_REQUEST, BAD_JSON, WRONG_REQUESTS }))
  t.test(`F28: one error frame each, and the connection lives on (${kind})`, async (t) => {
    const conversation = await converse(t, daemon.socket);
    const calls = daemon.sandbox.countOf('test.echo');
    for (const [name, line] of Object.entries(lines)) {
      const [error, pong] = await refused(conversation, line);
      t.match(error, { type: 'error', error: /\S/, error_type: /^\w+$/ }, name);
      t.notOk((error?.error as string).includes('\n'), `${name}: one line`);
      t.strictSame(pong, { type: 'result', result: 'pong' }, `${name}: then a ping`);
    }
    t.equal(daemon.sandbox.countOf('test.echo'), calls, 'none reached the middleware');
    const others = daemon.sandbox.received.filter((message) => !/"core\.\w+"/.test(message));
    t.strictSame(others, []);
    t.equal(daemon.sandbox.stats.connections, 1, 'the shared connection lives');
  });

t.test('an unknown command is a ValueError that names it', async (t) => {
  const conversation = await converse(t, daemon.socket);
  for (const name of ['x', 'PING', '', '__proto__', 'constructor', 'toString', 'a b']) {
    const [error] = await refused(conversation, JSON.stringify({ command: name, id: 1 }));
    t.match(error, { id: 1, error: `Unknown command: ${name}`, error_type: 'ValueError' });
  }
});

t.test('errors of requests with an id carry it', async (t) => {
  const conversation = await converse(t, daemon.socket);
  for (const line of Object.values(WRONG_REQUESTS)) {
    const [error] = await refused(
      conversation,
      line.replace(/\}$/, line === '{}' ? '"id":7}' : ',"id":7}'),
    );
    t.match(error, { type: 'error', id: 7 }, line);
  }
});

t.test('an id that is no UTF-8 is left out of the error frame, any other is not', async (t) => {
  const socket = net.connect(daemon.socket);
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const lines = [
    bytes('{"command":"ping","id":"', 'fffe', '"}\n'),
    bytes('{"command":"ping","id":"é","x":"', 'ff', '"}\n'),
    bytes('{"command":"ping","id":["', 'eda0bd', '"],"command":5}\n'),
    bytes('{"id":7,"command":"ping","x":"', 'ff', '"\n'),
  ];
  socket.write(Buffer.concat([...lines, Buffer.from('{"command":"ping"}\n')]));
  await once(socket, 'end');
  const answers = Buffer.concat(chunks);
  t.ok(isUtf8(answers));
  t.notOk(answers.includes('\ufffd'), 'nothing that was not sent comes back');
  const frames = answers.toString().trimEnd().split('\n');
  t.same(
    frames.map((line) => (JSON.parse(line) as { id?: unknown }).id),
    [undefined, 'é', undefined, undefined, undefined],
  );
  for (const line of frames.slice(0, 4)) t.match(line, /"error_type":"UnicodeDecodeError"/);
});

t.test(
  'a member that does not exist is refused, and the one that was meant is named',
  async (t) => {
    const conversation = await converse(t, daemon.socket);
    const calls = daemon.sandbox.countOf('test.echo');
    const cases: [string, string][] = [
      ['"param":[1]', "Unknown member 'param' (did you mean 'params'?)"],
      ['"Params":[1]', "Unknown member 'Params' (did you mean 'params'?)"],
      ['"jobid":true', "Unknown member 'jobid' (did you mean 'job' or 'job_id'?)"],
      ['"jsonrpc":"2.0"', "Unknown member 'jsonrpc' (known: command, method, params, kwargs,"],
      ['"__proto__":1', "Unknown member '__proto__' (known: command"],
      [`"version":${JSON.stringify(VERSION)},"kwarg":{}`, "Unknown member 'kwarg' (did you mean"],
    ];
    for (const [member, error] of cases) {
      const line = `{"command":"call","method":"test.echo",${member},"id":7}`;
      const [frame] = await refused(conversation, line);
      t.match(frame, { type: 'error', id: 7, error_type: 'TypeError' }, member);
      t.ok((frame?.error as string).startsWith(error), frame?.error as string);
    }
    t.equal(daemon.sandbox.countOf('test.echo'), calls, 'nothing was called');
  },
);

t.test('a client of another version may send members that this one does not know', async (t) => {
  const conversation = await converse(t, daemon.socket);
  for (const version of ['9.0.0', '0.0.1']) {
    const more = { version, new_member: [1], id: 8, keep: true };
    conversation.send(call('test.echo', '[2]', undefined, more));
    t.strictSame(await conversation.frame(), {
      type: 'result',
      id: 8,
      daemon: VERSION,
      result: [2],
    });
  }
});

t.test('a request of the Python client has no member too many', async (t) => {
  const conversation = await converse(t, daemon.socket);
  const python = {
    command: 'call',
    method: 'test.int',
    params: [3],
    kwargs: { timeout: 5, job: false },
  };
  conversation.send(`${JSON.stringify(python)}\n{"command": "ping", "timeout": null}\n`);
  t.strictSame(await conversation.frame(), { type: 'result', result: 3 });
  t.strictSame(await conversation.frame(), { type: 'result', result: 'pong' });
});

t.test('the last of duplicate members counts', async (t) => {
  const conversation = await converse(t, daemon.socket);
  conversation.send('{"command":"nope","id":1,"command":"ping","id":2,"keep":true}\n');
  t.strictSame(await conversation.frame(), { type: 'result', id: 2, result: 'pong' });
  const [error] = await refused(conversation, '{"command":"ping","command":"nope"}');
  t.match(error, { error: 'Unknown command: nope' });
  conversation.send(call('test.int', '[3]').replace('"params":[3]', '"params":{},"params":[4]'));
  t.strictSame(await conversation.frame(), { type: 'result', result: 4 });
});

t.test('what looks bad and is good passes', async (t) => {
  const conversation = await converse(t, daemon.socket);
  for (const params of [
    `[${nested(490)}]`,
    `[${'9'.repeat(4300)}]`,
    `[0.${'1'.repeat(5000)}]`,
    '["\u007f\u0080"]',
    '[{"$date":"x","y":1}]',
    '[{"$set":[1,"a",null]}]',
    '["\\ud83d", NaN, -Infinity, 1e400]',
  ]) {
    conversation.send(call('test.echo', params, undefined, { keep: true }));
    t.match(await conversation.line(), /^\{"type": ?"result"/, params.slice(0, 40));
  }
});
