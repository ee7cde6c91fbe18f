/** Jobs that were given up before the server told their ids: `abort()` never says that it has asked when it has not. */
import t from 'tap';
import { connect } from '../../../lib/index.js';
import { startSandbox } from '../../../lib/sandbox/kit/index.js';
import { failureOf, ways } from '../../support/api.js';
import { until } from '../../support/midclt.js';

t.test('abort() of a job whose id never came rejects', async (t) => {
  const sandbox = await startSandbox({ jobs: { j: () => new Promise(() => undefined) } });
  t.teardown(() => sandbox.close());
  const nas = await connect({ uri: sandbox.uri });
  t.teardown(() => nas.close());
  sandbox.setFaults({ latency: 1000 });
  const stop = new AbortController();
  const job = nas.job('j', [], { signal: stop.signal });
  await nas.ping().catch(() => undefined); // what was asked before it has been sent
  stop.abort();
  await failureOf(job);
  t.equal(await job.id, null);
  t.match(await failureOf(job.abort()), {
    code: 'LOST',
    message: /id is not known/,
    outcomeUnknown: true,
  });
});

t.test('abort() of what has ended, or never began, does nothing', async (t) => {
  const { around, both } = await ways(t);
  for (const { name, nas } of both) {
    const plain = nas.job('test.echo', [1]);
    await plain;
    t.equal(await failureOf(plain.abort()), 'none', name);
    const refused = nas.job('test.echo', [undefined]);
    t.match(await failureOf(refused), { code: 'REQUEST' });
    t.equal(await failureOf(refused.abort()), 'none', name);
    const missing = nas.job('no.such');
    t.match(await failureOf(missing), { code: 'CALL' });
    t.equal(await failureOf(missing.abort()), 'none', name);

    const before = around.sandbox.countOf('core.job_abort');
    const known = nas.job('test.job_abortable', [100, 0.2]);
    await known.id;
    const aborted = failureOf(known);
    await known.abort();
    t.match(await aborted, { code: 'CALL', message: /aborted/ });
    await until('the ask', () => around.sandbox.countOf('core.job_abort') > before);
  }
});
