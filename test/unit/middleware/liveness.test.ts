/** Which lines are given up for dead, and when: with patience cut short, since the real one takes minutes. */
import t, { type Test } from 'tap';
import { noLog } from '../../../lib/logger.js';
import { Connection } from '../../../lib/middleware/connection.js';
import { DEFAULT_POLICY } from '../../../lib/middleware/login/reconnect-policy.js';
import { startSandbox } from '../../../lib/sandbox/index.js';
import { parseTarget } from '../../../lib/middleware/uri.js';
import { makeHome, until } from '../../support/midclt.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

t.jobs = 2; // they wait, side by side

const QUICK = { silence: 100, patience: 200, busyPatience: 8000, look: 20 };
const SLEEP = Buffer.from('[3600]');

async function connect(t: Test, uri: string) {
  const connection = new Connection({
    target: parseTarget(uri),
    credential: { kind: 'password', username: 'admin', password: 'admin-pw' },
    log: noLog,
    policy: { ...DEFAULT_POLICY, shortest: 10, longest: 20, liveness: QUICK },
  });
  t.teardown(() => {
    connection.close();
  });
  await connection.open();
  return connection;
}

t.test('F20, F40: a dead line is noticed, later where calls are in flight', async (t) => {
  const sandbox = await startSandbox({ ws: 0, rateLimit: false });
  t.teardown(() => sandbox.close());
  const proxy = await startTcpProxy(t, sandbox.wsPort!);
  const uri = `ws://127.0.0.1:${proxy.port}/api/current`;
  const [idle, busy] = await Promise.all([connect(t, uri), connect(t, uri)]);
  const call = busy.call('test.sleep', SLEEP, { timeout: null }).catch((error: unknown) => error);
  await until('the call', () => sandbox.countOf('test.sleep') === 1);
  proxy.stall();
  await until('the idle one to be made anew', () => idle.facts.reconnects === 1);
  await new Promise((resolve) => setTimeout(resolve, 1000)); // longer than the idle one took
  t.equal(busy.facts.reconnects, 0, 'the server may only be slow');
  t.equal(busy.inFlight, 1);
  t.match(await call, { code: 'LOST' });
  t.equal(busy.facts.reconnects, 1);
});

t.test('F40: over a Unix socket a silent server is waited for', async (t) => {
  const unix = `${makeHome(t)}/mw.sock`;
  const sandbox = await startSandbox({ unix });
  t.teardown(() => sandbox.close());
  const connection = new Connection({
    target: parseTarget(`ws+unix://${unix}`),
    credential: null,
    log: noLog,
    policy: { ...DEFAULT_POLICY, liveness: { ...QUICK, busyPatience: 200 } },
  });
  t.teardown(() => {
    connection.close();
  });
  await connection.open();
  sandbox.setStalled(true);
  const call = connection.call('core.ping', Buffer.from('[]'), { timeout: null });
  await new Promise((resolve) => setTimeout(resolve, 1500)); // many times the patience
  sandbox.setStalled(false);
  t.equal((await call).toString(), '"pong"');
  t.equal(connection.facts.reconnects, 0);
});
