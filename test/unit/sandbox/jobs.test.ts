/** What the sandbox tells of its methods and jobs. */
import t from 'tap';
import { startFiles } from '../../support/files.js';

t.test('core.get_methods tells which methods have files', async (t) => {
  const { result } = await startFiles(t);
  const methods = (await result('core.get_methods', ['test', 'WS'])) as Record<string, unknown>;
  for (const [name, job, downloadable, uploadable, check_pipes] of [
    ['test.download', true, true, false, true],
    ['test.upload', true, false, true, true],
    ['test.upload_optional', true, false, true, false],
    ['test.job', true, false, false, true],
    ['test.echo', false, false, false, false],
  ] as const)
    t.match(methods[name], { job, downloadable, uploadable, check_pipes }, name);
});

t.test('core.get_jobs is filtered, ordered and limited', async (t) => {
  const { call, result, ended } = await startFiles(t);
  const ids: number[] = [];
  for (const [method, params] of [
    ['test.job', [0]],
    ['test.job', [1, 0, 'callerror']],
    ['test.job_abortable', [1, 100]],
  ] as const)
    ids.push((await result(method, [...params])) as number);
  const [first, second, third] = ids as [number, number, number];
  await ended(first);
  await ended(second);
  const found = async (filters: unknown[], options: object = {}) =>
    ((await result('core.get_jobs', [filters, options])) as { id: number }[]).map(({ id }) => id);
  t.same(await found([]), ids);
  t.same(await found([['state', '=', 'FAILED']]), [second]);
  t.same(await found([['state', 'in', ['WAITING', 'RUNNING']]]), [third]);
  t.same(await found([['method', '=', 'test.job'], ['state', '!=', 'FAILED']]), [first]); // prettier-ignore
  t.same(await found([], { order_by: ['-id'], limit: 2 }), [third, second]);
  t.same(await found([], { order_by: ['-time_started', '-id'], limit: 1 }), [third]);
  t.same(await found([], { offset: 1 }), [second, third]);
  t.same(await found([['credentials.data.username', '=', 'root']], { limit: 1 }), [first]);
  t.equal(await result('core.get_jobs', [[], { count: true }]), 3);
  for (const bad of [[['id', '~~', 1]], [['id']], ['id']])
    t.match(await call('core.get_jobs', [bad]), { error: { code: -32001, data: { error: 22 } } });
  t.match(await call('core.get_jobs', ['x']), { error: { code: -32602 } });
  t.match(await call('core.get_jobs', [[['id', '=', 99]], { get: true }]), {
    error: { code: -32001, data: { error: 22, reason: 'MatchNotFound()' } },
  });
});
