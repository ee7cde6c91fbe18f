import t from 'tap';
import { requestOf } from '../../../../lib/cli/batch/request.js';

t.test('the short form is the long one, arguments byte for byte', (t) => {
  for (const [short, long] of [
    ['["a.b"]', '{"command":"call","method":"a.b","params":[]}'],
    [
      '[ "a" , 1.0 ,[ 2,{"x":"]"}] ] ',
      '{"command":"call","method":"a","params":[1.0 ,[ 2,{"x":"]"}] ] }',
    ],
    [
      '\t["\\u0061\\"", "\xc3\xa9"]',
      '{"command":"call","method":"\\u0061\\"","params":["\xc3\xa9"]}',
    ],
  ] as const) {
    const { line, incoming, refusal } = requestOf(short, null);
    t.equal(line, long);
    t.equal(refusal, null);
    t.ok(incoming.request);
  }
  t.end();
});

t.test('what is no call', (t) => {
  for (const source of ['[]', ' [1]', '[null, "a"]', '[["a"]]', '[{"a": 1}]']) {
    const { incoming, refusal } = requestOf(source, null);
    t.match(refusal, { frame: { error: /name of a method/, errorType: 'TypeError' }, id: null });
    t.equal(incoming.request, null);
  }
  for (const source of ['["a"', '["a",]', '["a"] 1', '["a"],"kwargs":{}', '[a]', '["\x01"]']) {
    const { line, incoming, refusal } = requestOf(source, 5);
    t.equal(line, source, 'whoever reads it says what is wrong with it');
    t.match(incoming, { request: null, error: { errorType: 'JSONDecodeError' } });
    t.equal(refusal, null);
  }
  t.match(requestOf('["a", "\xff"]', null).incoming, {
    error: { errorType: 'UnicodeDecodeError' },
  });
  t.match(requestOf('[""]', null).incoming, { request: { method: '' } });
  t.end();
});

t.test('a timeout for what names none', (t) => {
  for (const [source, members, request] of [
    ['["a"]', ',"kwargs":{"timeout":5,"job":false}', { kwargs: { timeout: 5, job: false } }],
    [
      '{"command":"call","method":"a","kwargs":{"job":true}}',
      ',"kwargs":{"timeout":5,"job":true}',
      { kwargs: { timeout: 5, job: true } },
    ],
    [
      '{"command":"call","method":"a","kwargs":{"job":true,"detach":true}}',
      ',"kwargs":{"timeout":5,"job":true,"detach":true}',
      { kwargs: { timeout: 5, job: true, detach: true } },
    ],
    ['{"command":"call","method":"a","kwargs":{"timeout":1}}', '', { kwargs: { timeout: 1 } }],
    [
      '{"command":"call","method":"a","kwargs":{"timeout":null}}',
      '',
      { kwargs: { timeout: null } },
    ],
    ['{"command":"ping"}', ',"timeout":5', { timeout: 5 }],
    ['{"command":"ping","timeout":null}', '', { timeout: null }],
    ['{"command":"status"}', '', {}],
  ] as const) {
    const timed = requestOf(source, 5);
    t.equal(timed.members, members);
    t.match(timed.incoming.request, request);
    t.equal(requestOf(source, null).members, '');
  }
  t.end();
});
