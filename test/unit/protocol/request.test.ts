import t from 'tap';
import { parseRequest, readingRequest } from '../../../lib/protocol/request.js';
import { atOnce } from '../../../lib/steps.js';

const parse = (text: string) => parseRequest(Buffer.from(text));

t.test('reads a request with everything in it', async (t) => {
  const request = parse(
    '{"id":  18446744073709551615, "command": "call", "method": "a.b", "params": [ 1.0,NaN ], ' +
      '"kwargs": {"timeout": 2.5, "job": true}, "close": true, "keep": false, "timeout": null}',
  );
  t.match(request, {
    command: 'call',
    method: 'a.b',
    kwargs: { timeout: 2.5, job: true },
    timeout: null,
    close: true,
    keep: false,
    jobId: false,
    notSent: false,
    version: null,
    ifIdle: false,
    text: null,
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
  t.throws(() => parseRequest(latin1), { code: 'REQUEST', message: /UTF-8/ });
});

t.test('finds the id of a request it refuses', async (t) => {
  const idOf = (text: string) => atOnce(readingRequest(Buffer.from(text))).id?.toString();
  t.equal(idOf('{"id": [7], "command": 5}'), '[7]');
  t.equal(idOf('{"id": 7, "command"'), undefined);
});
