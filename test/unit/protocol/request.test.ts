import t from 'tap';
import { VERSION } from '../../../lib/protocol/frames.js';
import type { CallMembers } from '../../../lib/commands/call.js';
import { REQUESTS } from '../../../lib/commands/verbs.js';
import type { Request } from '../../../lib/protocol/frames.js';

const parse = (text: string | Buffer) => {
  const parsed = REQUESTS.parse(Buffer.from(text));
  if (!parsed.request) throw parsed.error;
  return parsed.request as Request & CallMembers;
};

t.test('reads a request with everything in it', async (t) => {
  const request = parse(
    '{"id":  18446744073709551615, "command": "call", "method": "a.b", "params": [ 1.0,NaN ], ' +
      '"kwargs": {"timeout": 2.5, "job": true}, "close": true, "keep": false, "timeout": null}',
  );
  t.match(request, {
    command: 'call',
    method: 'a.b',
    kwargs: { timeout: 2.5, job: true },
    close: true,
    keep: false,
    jobId: false,
    notSent: false,
    version: null,
  });
  t.equal(request.id?.toString(), '18446744073709551615');
  t.equal(request.params.toString(), '[ 1.0,NaN ]');
});

t.test('null and missing are the same, but for a timeout', async (t) => {
  for (const text of ['{"command":"call"}', '{"command":"call","params":null,"kwargs":null}']) {
    const request = parse(text);
    t.equal(request.params.toString(), '[]');
    t.same(request.kwargs, { timeout: undefined, job: false });
    t.equal(request.method, null);
    t.equal(request.id, null);
  }
  t.equal(parse('{"command":"call","kwargs":{"timeout":null}}').kwargs.timeout, null);
  t.equal(parse('{"command":"call","kwargs":{"timeout":Infinity}}').kwargs.timeout, null);
});

t.test('says what is wrong, each with its own text', async (t) => {
  const cases: [string, RegExp, string][] = [
    ['{"command":5}', /'command'/, 'KeyError'],
    ['{}', /'command'/, 'KeyError'],
    ['[]', /not a JSON object/, 'TypeError'],
    ['{"command":"call",}', /not valid JSON/, 'JSONDecodeError'],
    ['{"command":"call","method":5}', /'method' must be a string/, 'TypeError'],
    ['{"command":"call","params":{}}', /'params' must be an array/, 'TypeError'],
    ['{"command":"call","params":"x"}', /'params' must be an array/, 'TypeError'],
    ['{"command":"call","kwargs":[]}', /'kwargs' must be an object/, 'TypeError'],
    ['{"command":"call","kwargs":{"x":1}}', /Unknown member of 'kwargs': 'x'/, 'TypeError'],
    ['{"command":"call","kwargs":{"timeout":"5"}}', /'kwargs.timeout' must be/, 'TypeError'],
    ['{"command":"call","kwargs":{"timeout":-1}}', /'kwargs.timeout' must be/, 'TypeError'],
    ['{"command":"call","kwargs":{"timeout":NaN}}', /'kwargs.timeout' must be/, 'TypeError'],
    ['{"command":"call","kwargs":{"job":1}}', /'kwargs.job' must be/, 'TypeError'],
    ['{"command":"call","close":"yes"}', /'close' must be/, 'TypeError'],
  ];
  for (const [text, message, errorType] of cases) {
    t.throws(() => parse(text), { code: 'REQUEST', message, errorType }, text);
  }
  const latin1 = Buffer.from([...Buffer.from('{"command":"p'), 0xe9, ...Buffer.from('"}')]);
  t.throws(() => parse(latin1), { code: 'REQUEST', message: /UTF-8/ });
});

t.test('a wrong value is refused in whichever request it stands', async (t) => {
  for (const command of ['call', 'ping', 'stop', 'status', 'cli-call', 'cli-ping', 'dance']) {
    for (const [name, value, message] of [
      ['method', '5', /'method' must be a string/],
      ['params', '{}', /'params' must be an array/],
      ['args', '[1]', /'args' must be an array of strings/],
      ['kwargs', '{"x":1}', /Unknown member of 'kwargs'/],
      ['timeout', '0', /'timeout' must be a positive number/],
      ['if_idle', '1', /'if_idle' must be true or false/],
      ['terminal', '1', /'terminal' must be true or false/],
      ['sized', '1', /'sized' must be true or false/],
      ['least', '1', /'least' must be a version/],
      ['keep', '1', /'keep' must be true or false/],
      ['timeouts', '1', /did you mean 'timeout'\?/],
    ] as const) {
      const text = `{"command":"${command}","${name}":${value}}`;
      t.throws(() => parse(text), { code: 'REQUEST', message, errorType: 'TypeError' }, text);
    }
    t.doesNotThrow(() => parse(`{"command":"${command}","version":"0","dance":1}`));
  }
});

t.test('what a newer client may leave out and what is of another verb is left out', async (t) => {
  const request = parse('{"command":"ping","method":"a.b","args":["1"],"if_idle":true}');
  t.same(Object.keys(request).includes('method'), false);
  t.match(request, { command: 'ping', timeout: undefined });
  t.match(parse('{"command":"stop","if_idle":true,"timeout":5}'), { ifIdle: true });
  t.match(parse('{"command":"cli-call","terminal":true,"args":["1","x"]}'), {
    terminal: true,
    params: Buffer.from('[1, "x"]'),
  });
});

t.test('a shell is refused by an older daemon, and served by its own or a newer one', async (t) => {
  const ping = (least: string) => parse(`{"command":"cli-ping","least":"${least}","sized":true}`);
  t.throws(() => ping('99.0.0'), { code: 'REQUEST', message: /older than 99\.0\.0/ });
  t.match(ping(VERSION), { sized: true, terminal: false });
  t.match(ping('0.0.1'), { sized: true });
});

t.test('finds the id of a request it refuses', async (t) => {
  const idOf = (text: string) => REQUESTS.parse(Buffer.from(text)).id?.toString();
  t.equal(idOf('{"id": [7], "command": 5}'), '[7]');
  t.equal(idOf('{"id": 7, "command"'), undefined);
});
