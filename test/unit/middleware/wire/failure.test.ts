import t from 'tap';
import { callFailure, errnoName, jobFailure } from '../../../../lib/middleware/wire/failure.js';
import { membersOf } from '../../../../lib/json/members.js';

const call = (error: unknown) => callFailure(Buffer.from(JSON.stringify(error)));
const job = (state: string, fields: unknown) =>
  jobFailure(7, state, membersOf(Buffer.from(JSON.stringify(fields)))!);

t.test('a call error has its reason, trace and extra', async (t) => {
  const trace = { class: 'CallError', formatted: 'Traceback…', repr: "CallError('x')" };
  const error = call({
    code: -32001,
    message: 'Method call error',
    data: { error: 2, errname: 'ENOENT', reason: '[ENOENT] x', trace, extra: { a: 1 } },
  });
  t.match(error, { code: 'CALL', message: '[ENOENT] x', errorType: 'ClientException' });
  t.same(JSON.parse(error.trace!.toString()), trace);
  t.equal(error.extra!.toString(), '{"a":1}');
});

t.test('a validation error is a line an entry, without trace and extra', async (t) => {
  const extra = [
    ['thing.name', 'taken', 22],
    ['', 'too many', 22],
    [null, 'not there', 2],
    ['x', 'odd', 9999],
  ];
  const error = call({
    code: -32602,
    message: 'Invalid params',
    data: { reason: 'r', extra, trace: {} },
  });
  t.equal(
    error.message,
    '[EINVAL] thing.name: taken\n[EINVAL] ALL: too many\n[ENOENT] ALL: not there\n[EUNKNOWN] x: odd',
  );
  t.equal(error.trace, null);
  t.equal(error.extra, null);
});

t.test('a validation error without an entry says nothing, as in the original', async (t) => {
  const error = call({ code: -32602, message: 'Invalid params', data: { extra: [], trace: {} } });
  t.match(error, { code: 'CALL', message: '', trace: null, extra: null });
});

t.test('other errors have their message', async (t) => {
  t.equal(
    call({ code: -32601, message: 'Method does not exist' }).message,
    'Method does not exist',
  );
  t.equal(call({ code: -32000, message: 'Maximum …' }).message, 'Maximum …');
  t.match(
    call({ code: -32603, message: 'Failed to JSON…', data: { reason: 'r', trace: { a: 1 } } }),
    {
      message: 'Failed to JSON…',
    },
  );
});

t.test('F36: errors of no known shape are errors all the same', async (t) => {
  for (const odd of [5, null, 'x', [], {}, { code: 'x' }, { code: -32602, data: { extra: 5 } }]) {
    t.match(call(odd), { code: 'CALL', message: 'Unknown error' }, JSON.stringify(odd));
  }
  t.match(call({ code: -32602, message: 'm', data: { extra: [5, []] } }), {
    message: '[EUNKNOWN] ALL: \n[EUNKNOWN] ALL: ',
  });
});

t.test('a failed job has what its exception said', async (t) => {
  const error = job('FAILED', {
    error: '[EIO] no',
    exception: 'Traceback…',
    exc_info: { repr: "CallError('no')", type: 'CallError', errno: 5, extra: { hint: 1 } },
  });
  t.equal(error.message, '[EIO] no');
  t.same(JSON.parse(error.trace!.toString()), {
    class: 'CallError',
    formatted: 'Traceback…',
    repr: "CallError('no')",
  });
  t.equal(error.extra!.toString(), '{"hint":1}');
  const invalid = { exc_info: { type: 'VALIDATION', extra: [['a', 'b', 22]] }, error: 'x' };
  t.match(job('FAILED', invalid), { message: '[EINVAL] a: b', trace: null, extra: null });
  const silent = { error: '', exception: 'T', exc_info: { type: 'M', repr: 'MatchNotFound()' } };
  t.match(job('FAILED', silent), { message: 'MatchNotFound()' });
});

t.test('an aborted job has no error of its own', async (t) => {
  t.match(job('ABORTED', { error: null, exc_info: null }), { message: 'Job 7 was aborted' });
  t.match(job('ODD', {}), { message: 'Job 7 did not succeed (state=ODD)' });
});

t.test('errno names are those of Python on Linux', async (t) => {
  const names = [1, 2, 22, 35, 42, 57, 59, 95, 110, 132].map(errnoName);
  t.same(names, [
    ...['EPERM', 'ENOENT', 'EINVAL', 'EDEADLOCK', 'ENOMSG', 'EBADSLT', 'EBFONT', 'ENOTSUP'],
    ...['ETIMEDOUT', 'ERFKILL'],
  ]);
  for (const unknown of [0, 41, 58, 133, 207, -1]) t.equal(errnoName(unknown), 'EUNKNOWN');
});
